"""A long outage is told through a real broker with its usual limits, which drops, is killed, or has no console."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from broker import broker
from console_book import ConsoleBook
from console_client import console
from ledger_parts import part
from outage import CLOCK, fill, ids, settings, telling

from edge_agent.ledger.retention import KEPT_PARTS
from edge_agent.uplink.lane import WINDOW

STATION = "station-1"


def in_chain_order(book: ConsoleBook, upto: int) -> bool:
    """The backlog came in the order of its numbers, each first telling after the one before."""
    numbers = [int(name.rpartition(".")[2]) for name in dict.fromkeys(book.arrived) if ".part." in name]
    backlog = [number for number in numbers if number <= upto]
    return backlog == sorted(backlog)


def test_without_a_console_nothing_is_lost_and_with_one_each_part_is_stored_once(tmp_path: Path) -> None:
    state_dir, book = tmp_path / "state", ConsoleBook(STATION)
    fill(state_dir, 3000)
    with broker(tmp_path) as mosquitto, telling(settings(state_dir, mosquitto.port, 10_000), book) as told:
        told.until(lambda: "part" in told.status().waits)  # nobody has ever subscribed
        assert told.status().told == 0
        with console(mosquitto.port, book):
            told.until(lambda: told.status().told > 700)
        with console(mosquitto.port, book):  # it was away, and the broker kept what it could
            told.until(lambda: told.status().acknowledged["part"] == 3000)

    assert {name for name in book.facts if ".part." in name} == ids(state_dir)
    assert in_chain_order(book, 3000)
    assert book.gaps == []


def test_a_console_that_is_away_does_not_make_the_broker_overflow(tmp_path: Path) -> None:
    state_dir, book = tmp_path / "state", ConsoleBook(STATION)
    fill(state_dir, 3000)
    with broker(tmp_path) as mosquitto, telling(settings(state_dir, mosquitto.port, 500), book) as told:
        with console(mosquitto.port, book):
            told.until(lambda: told.status().acknowledged.get("part", 0) > 0)
        lane = told.uplink._courier._teller.drain.lanes[-1]
        told.until(lambda: len(lane.beyond) == WINDOW)
        assert told.status().acknowledged["part"] < 2000
        with console(mosquitto.port, book):
            told.until(lambda: told.status().acknowledged["part"] == 3000)
    assert {name for name in book.facts if ".part." in name} == ids(state_dir)


def test_a_broker_that_is_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    state_dir, book = tmp_path / "state", ConsoleBook(STATION)
    fill(state_dir, 4000)
    with (
        broker(tmp_path) as mosquitto,
        console(mosquitto.port, book),
        telling(settings(state_dir, mosquitto.port, 1000), book) as told,
    ):
        for reached in (500, 1500):
            told.until(lambda reached=reached: len(book.facts) > reached)
            mosquitto.kill()
            told.until(lambda: told.status().protocol == "")
            mosquitto.start()
        told.until(lambda: told.status().acknowledged["part"] == 4000)

    assert {name for name in book.facts if ".part." in name} == ids(state_dir)
    assert told.status().connects >= 3


def test_new_parts_are_told_at_once_while_a_backlog_is(tmp_path: Path) -> None:
    state_dir, book = tmp_path / "state", ConsoleBook(STATION)
    fill(state_dir, 3000)
    with (
        broker(tmp_path) as mosquitto,
        console(mosquitto.port, book),
        telling(settings(state_dir, mosquitto.port, 200), book) as told,
    ):
        told.until(lambda: len(book.facts) > 50)
        for number in range(1, 6):
            told.writer.offer(replace(part(number, "live"), decided_utc=CLOCK.utc() - 5.0))
        told.until(lambda: sum(fact["part"]["series"] == "live" for fact in list(book.facts.values())) == 5)  # type: ignore[index]
        assert told.status().acknowledged["part"] < 2500  # the backlog was not waited for
        told.until(lambda: told.status().acknowledged["part"] == 3005)

    assert {name for name in book.facts if ".part." in name} == ids(state_dir)


def test_a_quota_that_is_too_small_leaves_a_gap_that_says_exactly_which(tmp_path: Path) -> None:
    state_dir, book = tmp_path / "state", ConsoleBook(STATION)
    fill(state_dir, KEPT_PARTS + 730)
    with (
        broker(tmp_path) as mosquitto,
        telling(settings(state_dir, mosquitto.port, 10_000), book, max_bytes=0) as told,
    ):
        told.writer.offer(replace(part(1, "live"), decided_utc=CLOCK.utc() - 5.0))
        told.until(lambda: told.writer.status().trimmed == 731)
        with console(mosquitto.port, book):
            told.until(lambda: told.status().acknowledged.get("part") == KEPT_PARTS + 731)

    assert {(gap["from"], gap["to"], gap["count"], gap["why"]) for gap in book.gaps} == {(1, 731, 731, "quota")}
    assert {name for name in book.facts if ".part." in name} == ids(state_dir)
    assert len(ids(state_dir)) == KEPT_PARTS
