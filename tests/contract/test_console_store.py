"""What a console's store promises, the one on the disk and the one in memory alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from console_fakes import LEDGER, MemoryStore, fact, gap

from edge_agent.console import ranges
from edge_agent.console.heard import fact_of, gap_of
from edge_agent.console.ranges import Span
from edge_agent.console.store import FILE_NAME, Chain, Store, Told
from edge_agent.console.tables import MIGRATIONS
from edge_agent.errors import Unavailable
from edge_agent.ledger.database import open_writer

PARTS = Chain("press-3", LEDGER, "part")
Made = Store | MemoryStore


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    made: Made = Store(tmp_path) if request.param == "disk" else MemoryStore()
    yield made
    made.close()


def told(message: dict[str, Any]) -> Told:
    text = json.dumps(message)
    if "from" in message:
        return Told("press-3", gap_of(text.encode()))
    return Told(message["station"], fact_of(text.encode(), message["station"], message["class"]), text)


def parts(*numbers: int) -> list[Told]:
    return [told(fact(number)) for number in numbers]


def test_what_is_told_twice_is_kept_once(store: Made) -> None:
    first = store.keep([*parts(1, 2), *parts(2)])
    again = store.keep(parts(1, 3))

    assert [kept.what.seq for kept in first.fresh] == [1, 2]
    assert first.repeated == 1
    assert [kept.what.seq for kept in again.fresh] == [3]
    assert store.upto("press-3", LEDGER) == {"part": 3, "alarm": 0, "audit": 0}


def test_a_hole_holds_up_what_is_said_until_it_is_filled(store: Made) -> None:
    store.keep(parts(1, 2, 5))
    assert store.upto("press-3", LEDGER)["part"] == 2
    assert store.holes() == {PARTS: (Span(3, 4),)}

    store.keep(parts(4, 3))
    assert store.upto("press-3", LEDGER)["part"] == 5
    assert store.holes() == {}


def test_numbers_that_were_never_given_out_are_no_hole(store: Made) -> None:
    store.keep([told(fact(4, 0, "alarm")), told(fact(9, 4, "alarm"))])

    assert store.upto("press-3", LEDGER)["alarm"] == 9


def test_a_gap_that_was_said_fills_its_hole(store: Made) -> None:
    store.keep(parts(1, 5))
    kept = store.keep([told(gap(2, 4)), told(gap(2, 4))])

    assert (len(kept.fresh), kept.repeated) == (1, 1)
    assert store.upto("press-3", LEDGER)["part"] == 5


def test_stations_ledgers_and_classes_are_counted_apart(store: Made) -> None:
    other = "0" * 16
    store.keep([*parts(1), told(fact(1, station="press-4")), told(fact(2, ledger=other, id=f"{other}.part.2"))])

    assert store.upto("press-3", LEDGER)["part"] == 1
    assert store.upto("press-4", LEDGER)["part"] == 1
    assert store.upto("press-3", other)["part"] == 0
    assert store.upto("press-4", other)["part"] == 0


def test_what_was_acknowledged_before_the_store_began_is_taken_over_once(store: Made) -> None:
    assert store.adopt(PARTS, 40) == (Span(1, 40),)
    assert store.adopt(PARTS, 40) == ()
    store.keep(parts(41))

    assert store.upto("press-3", LEDGER)["part"] == 41


def test_what_was_acknowledged_of_an_old_ledger_does_not_bring_it_back(store: Made) -> None:
    old = "0" * 16
    store.adopt(Chain("press-4", old, "part"), 900)
    store.keep(parts(1))
    store.adopt(Chain("press-3", old, "part"), 900)

    assert store.ledgers == {"press-3": LEDGER, "press-4": old}
    assert store.upto("press-3", old)["part"] == 900


def test_what_a_station_no_longer_tells_is_a_hole_that_is_said(store: Made) -> None:
    kept = store.keep([told(fact(1001, acknowledged=1000)), told(fact(1002, acknowledged=1000))])

    assert kept.before == ((PARTS, Span(1, 1000)),)
    assert store.upto("press-3", LEDGER) == {"part": 1002, "alarm": 0, "audit": 0}
    assert store.holes() == {}


def test_a_store_that_was_left_out_for_a_while_goes_on_behind_that(store: Made) -> None:
    store.keep(parts(1, 2, 5))
    kept = store.keep([told(fact(9, acknowledged=8)), told(fact(10, acknowledged=2))])

    assert kept.before == ((PARTS, Span(3, 4)), (PARTS, Span(6, 8)))
    assert store.upto("press-3", LEDGER)["part"] == 10


def test_a_station_that_says_what_we_said_has_no_hole(store: Made) -> None:
    kept = store.keep([told(fact(1)), told(fact(3, acknowledged=1)), told(fact(2, acknowledged=1))])

    assert kept.before == ()
    assert store.upto("press-3", LEDGER)["part"] == 3


def test_another_fact_under_a_known_number_is_kept_aside_and_fills_no_hole(store: Made) -> None:
    store.keep(parts(1, 2, 5))
    other = [told(fact(2, utc=5000.0)), told(fact(5, prev=2, utc=5001.0))]
    kept = store.keep(other)
    again = store.keep([*other, *parts(2)])

    assert kept.contradicting == kept.fresh == tuple(other)
    assert (kept.repeated, kept.refused) == (0, ())
    assert (again.contradicting, again.fresh, again.repeated) == ((), (), 3)
    assert store.upto("press-3", LEDGER)["part"] == 2
    assert store.holes() == {PARTS: (Span(3, 4),)}


def test_a_fact_that_finds_no_room_is_not_kept_and_is_new_when_it_does(
    store: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MAX_SPANS", 3)
    kept = store.keep(parts(2, 4, 6, 8))
    later = store.keep([*parts(7), *parts(8)])

    assert [(one.what, "holes" in why) for one, why in kept.refused] == [(told(fact(8)).what, True)]
    assert [one.what for one in later.fresh] == [told(fact(7)).what, told(fact(8)).what]
    assert (kept.repeated, later.repeated) == (0, 0)


def test_a_counter_is_given_once(store: Made) -> None:
    first = store.take_counters("press-3")
    second = store.take_counters("press-3")
    far = store.take_counters("press-3", above=100_000)

    assert first.start == 1
    assert second.start == first.stop
    assert far.start == 100_001
    assert store.take_counters("press-4").start == 1


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    made: list[Store] = []

    def reopen() -> Store:
        for store in made:
            store.close()
        made.append(Store(tmp_path))
        return made[-1]

    yield reopen
    for store in made:
        store.close()


def test_a_store_goes_on_where_it_ended(reopened: Callable[[], Store]) -> None:
    store = reopened()
    store.keep(parts(1, 2, 7, 8))
    used = store.take_counters("press-3")

    store = reopened()
    assert store.ledgers == {"press-3": LEDGER}
    assert store.upto("press-3", LEDGER)["part"] == 2
    assert store.holes() == {PARTS: (Span(3, 6),)}
    assert store.keep(parts(8)).repeated == 1
    assert store.take_counters("press-3").start == used.stop
    assert [row["seq"] for row in store_rows(store)] == [1, 2, 7, 8]


def test_a_batch_that_was_not_committed_counts_for_nothing(
    reopened: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = reopened()
    store.keep(parts(1))

    def fail(*_: object) -> None:
        raise Unavailable("no room")

    with monkeypatch.context() as broken:
        broken.setattr(store, "_rewrite", fail)
        with pytest.raises(Unavailable):
            store.keep(parts(2, 3))

    assert store.upto("press-3", LEDGER)["part"] == 1
    assert reopened().upto("press-3", LEDGER)["part"] == 1
    assert len(store_rows(reopened())) == 1


def test_what_is_gone_is_on_record(reopened: Callable[[], Store]) -> None:
    reopened().keep([*parts(1, 2), told(fact(9, acknowledged=8))])
    store = reopened()
    gaps = list(store._database.query("SELECT class, first, last, count, why FROM gaps"))

    assert gaps == [{"class": "part", "first": 3, "last": 8, "count": None, "why": "before"}]
    assert store.upto("press-3", LEDGER)["part"] == 9


def test_what_contradicts_stands_in_a_table_of_its_own(reopened: Callable[[], Store]) -> None:
    reopened().keep([*parts(1), told(fact(1, utc=5000.0))])
    store = reopened()

    assert [row["utc"] for row in store_rows(store)] == [1764500000.125]
    assert [row["utc"] for row in store._database.query("SELECT * FROM contradictions")] == [5000.0]


def test_a_store_of_the_first_release_goes_on(reopened: Callable[[], Store], tmp_path: Path) -> None:
    older = open_writer(tmp_path / FILE_NAME, MIGRATIONS[:1])
    older.close()

    assert len(reopened().keep([*parts(1), told(fact(1, utc=5000.0))]).contradicting) == 1


def test_one_console_writes_a_store(reopened: Callable[[], Store], tmp_path: Path) -> None:
    reopened()

    with pytest.raises(Unavailable, match="another process"):
        Store(tmp_path)


def store_rows(store: Store) -> list[dict[str, Any]]:
    return list(store._database.query("SELECT * FROM facts"))
