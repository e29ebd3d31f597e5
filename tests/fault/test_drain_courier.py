"""The courier with a real ledger and a thread of its own, while broker, console and disk come and go."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from courier_bench import CLOCK, TOPICS, Bench, bench

from edge_agent.errors import Unavailable
from edge_agent.ledger.facts import FactReader
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.testing.door import FakeBroker
from edge_agent.uplink import courier
from edge_agent.uplink.message import Happening, Outgoing, Session


def stored(here: Bench, count: int) -> bool:
    return here.courier.status().acknowledged.get("part") == count


def test_what_is_recorded_is_stored_once_and_remembered(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.parts(1, 250)
        here.until(lambda: stored(here, 250))
        assert here.book.numbers() == list(range(1, 251))
        assert here.door.most_in_flight <= 20
    with closing(FactReader(tmp_path)) as facts:
        assert facts.told()["part"] == 250
        assert facts.counter() == here.book.counter > 0


def test_a_broker_that_drops_what_it_accepted_loses_nothing(tmp_path: Path) -> None:
    with bench(tmp_path, broker=FakeBroker(queued_at_most=50)) as here:
        here.parts(1, 300)
        here.until(lambda: here.broker.dropped > 0, console=False)
        here.book.again = "new"
        here.until(lambda: stored(here, 300) or not _ask_again(here))

        assert sorted(here.book.numbers()) == list(range(1, 301))


def _ask_again(here: Bench) -> bool:
    """The console notices that nothing comes and says so, as after a connection of its own."""
    here.book.again = f"again-{here.book.counter}"
    return True


def test_a_cut_connection_is_made_again_and_all_is_told(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.parts(1, 400)
        for _ in range(3):
            here.until(lambda: here.broker.received > 40, console=False)
            here.broker.received = 0
            here.broker.cut(forget=True)
        here.until(lambda: stored(here, 400))

        assert sorted(here.book.numbers()) == list(range(1, 401))
        assert here.courier.status().connects >= 3


def test_a_broker_that_is_away_is_tried_again(tmp_path: Path) -> None:
    with bench(tmp_path, broker=FakeBroker(is_up=False)) as here:
        here.parts(1, 3)
        here.until(lambda: here.courier.status().backlog.get("part") == 3, console=False)
        status = here.courier.status()
        assert (status.protocol, status.reason) == ("", "the broker refuses the connection")
        assert status.oldest_utc == 1_700_000_001.0
        here.broker.is_up = True
        here.until(lambda: stored(here, 3))

        assert here.courier.status().reason == ""


def test_states_are_said_and_said_again_after_a_new_connection(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        topic = TOPICS.state("health")
        for word in (b"1", b"2"):
            here.courier.sayer.state(Outgoing(topic, word, retain=True))
        here.until(lambda: topic in here.broker.retained and here.broker.retained[topic].payload == b"2")
        here.broker.retained.clear()
        here.broker.cut()
        here.until(lambda: topic in here.broker.retained)
    assert here.broker.retained[TOPICS.state("online")].payload == b'{"online":false}'


@pytest.mark.parametrize(("reason", "taken"), [(0, True), (0x10, False), (0x87, False)])
def test_a_response_that_the_broker_took_is_heard_of(tmp_path: Path, reason: int, taken: bool) -> None:
    with bench(tmp_path, broker=FakeBroker(reason=lambda message: 0 if message.retain else reason)) as here:
        here.courier.sayer.responses.offer(Outgoing(TOPICS.response(), b"{}"))
        here.courier.sayer.state(Outgoing(TOPICS.state("health"), b"{}", retain=True))
        here.until(lambda: here.broker.received == 2 and not here.courier.sayer.in_flight, console=False)
        assert len(here.courier.sayer.taken.take_all()) == taken


def test_a_broker_that_takes_two_at_a_time_is_never_given_three(tmp_path: Path) -> None:
    with bench(tmp_path, broker=FakeBroker(session=Session("5", False, 2, None, 30.0))) as here:
        for number in range(5):
            here.courier.sayer.state(Outgoing(TOPICS.state(f"s{number}"), b"{}", retain=True))
        here.parts(1, 30)
        here.until(lambda: stored(here, 30))
        assert here.door.most_in_flight == 2


def test_what_is_too_large_becomes_a_gap_that_is_remembered_until_the_console_has_it(tmp_path: Path) -> None:
    def gaps() -> list[tuple[int, int]]:
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as conn:
            return conn.execute("SELECT first, last FROM gaps").fetchall()

    with bench(tmp_path, broker=FakeBroker(session=Session("5", False, 20, 300, 30.0))) as here:
        here.parts(1, 3)
        here.until(lambda: gaps() == [(1, 1), (2, 2), (3, 3)], console=False)
        here.until(lambda: stored(here, 3))
        assert [(gap["from"], gap["to"], gap["why"]) for gap in here.book.gaps] == [
            (1, 1, "unsendable"),
            (2, 2, "unsendable"),
            (3, 3, "unsendable"),
        ]
        assert here.courier.status().set_aside == 3
    assert gaps() == []


def test_the_brokers_word_may_be_enough(tmp_path: Path) -> None:
    with bench(tmp_path, by_broker=True) as here:
        here.parts(1, 50)
        here.until(lambda: stored(here, 50), console=False)
    with closing(FactReader(tmp_path)) as facts:
        assert facts.told()["part"] == 50


def test_a_word_that_nobody_trusted_said_changes_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.parts(1, 3)
        here.until(lambda: len(here.broker.queue) == 3, console=False)
        here.broker.send(here.book.topic, msgspec.json.encode({"upto": {"part": 3}}))
        here.until(lambda: here.courier._teller.acks.refused == 1, console=False)

        assert not stored(here, 3)
        here.until(lambda: stored(here, 3))


def test_a_ledger_that_was_set_aside_is_left_for_the_new_one(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.parts(1, 20)
        here.until(lambda: stored(here, 20))
        first = here.book.ledger
        committer = here.writer._committer
        committer._store.set_aside(0.0)  # the writer's thread is idle; it opens a new one for the next part
        here.book.upto = dict.fromkeys(here.book.upto, 0)
        here.parts(21, 30)
        here.until(lambda: here.book.ledger != first and stored(here, 10))

        assert here.book.numbers() == list(range(1, 31))


def test_a_message_that_finds_no_room_is_not_acknowledged(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.until(lambda: here.courier.status().connects == 1, console=False)
        for number in range(70):
            here.broker.send(TOPICS.request("status"), str(number).encode())
        here.until(lambda: here.courier.status().refused_inbound == 6, console=False)
        for inbound in here.courier.inbound.take_all():
            here.courier.acknowledge(inbound)
        here.until(lambda: len(here.door.acknowledged) == 64, console=False)

        assert [int(inbound.payload) for inbound in here.door.acknowledged] == list(range(64))


def test_what_found_no_room_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "ASK_AGAIN_S", 0.2)
    with bench(tmp_path) as here:
        here.until(lambda: here.courier.status().connects == 1, console=False)
        for number in range(65):
            here.broker.send(TOPICS.request("status"), str(number).encode())
        here.until(lambda: here.courier.status().refused_inbound == 1, console=False)
        CLOCK.wait(threading.Event(), CLOCK.now() + 0.5)
        assert here.courier.status().connects == 1  # the loop has not taken what came before
        here.courier.inbound.take_all()
        here.until(lambda: here.courier.status().connects == 2, console=False)


def test_a_bug_in_the_door_is_reported_and_ends_the_thread(tmp_path: Path) -> None:
    def turn(until_s: float) -> list[Happening]:
        raise ValueError("a bug")

    with bench(tmp_path) as here:
        here.door.turn = turn  # type: ignore[method-assign]
        here.until(lambda: bool(here.errors), console=False)
        assert [(name, str(error)) for name, error in here.errors] == [("uplink", "a bug")]
        here.errors.clear()


def test_one_that_hangs_in_the_network_is_left_behind(tmp_path: Path) -> None:
    hanging, go_on = threading.Event(), threading.Event()
    with bench(tmp_path, broker=FakeBroker(is_up=False)) as here:

        def connect() -> Session:
            hanging.set()
            go_on.wait(30.0)
            return here.broker.session

        here.door.connect = connect  # type: ignore[method-assign]
        assert hanging.wait(10.0)
        here.courier.close()
        assert not here.courier.join(CLOCK.now() + 0.2)
        assert here.courier._thread is not None
        assert here.courier._thread.daemon
        with pytest.raises(Unavailable, match="not ended"):
            here.courier.open()
        go_on.set()


def test_one_that_was_closed_is_opened_again(tmp_path: Path) -> None:
    with bench(tmp_path) as here:
        here.parts(1, 3)
        here.until(lambda: stored(here, 3))
        here.courier.close()
        assert here.courier.join(CLOCK.now() + 5.0)
        here.courier.open()
        here.courier.open()
        here.parts(4, 6)
        here.until(lambda: stored(here, 6))

        assert here.courier.status().connects == 2
