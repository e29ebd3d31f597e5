"""What is to be told, read from a real database: in order, each with the one before it, and the holes said."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from ledger_parts import SERIES, missed, part

from edge_agent.errors import Unavailable
from edge_agent.ledger import LedgerWriter, Misses, Reader, Word, WordKind
from edge_agent.ledger.batch import Batch, Duplicate, Late
from edge_agent.ledger.facts import Fact, FactReader, Lateness
from edge_agent.ledger.items import Reached, SetAside
from edge_agent.ledger.retention import KEPT_PARTS, TRIM_PARTS, used_bytes
from edge_agent.ledger.store import Store
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.records import Action, Event, Outcome
from edge_agent.runtime.clock import SystemClock
from edge_agent.uplink.feed import message_of
from edge_agent.uplink.topics import Topics

UTC = 1_700_000_000.0
RIPE = 2**62
TOPICS = Topics("insp/v1", "press-3")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / FILE_NAME, kept_events=5)
    store.open()
    yield store
    store.close()


@pytest.fixture
def facts(store: Store) -> Iterator[FactReader]:
    with closing(FactReader(store.path.parent)) as reader:
        yield reader


def add(store: Store, first: int, last: int) -> None:
    for begin in range(first, last + 1, 1000):
        store.write(Batch([part(number) for number in range(begin, min(begin + 1000, last + 1))]))


def chain(facts: list[Fact]) -> list[tuple[int, int, str]]:
    return [(fact.prev, fact.seq, fact.why) for fact in facts]


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.path)) as conn:
        return conn.execute(sql).fetchall()


def event(severity: str, utc: float = UTC) -> Event:
    return Event(utc, severity, "health", "disk", "it fails", {"share": float("nan"), "left": 3})


def test_each_part_names_the_one_before_also_where_numbers_were_left_out(store: Store, facts: FactReader) -> None:
    store.write(Batch([part(1), part(1), part(2)]))  # the refused duplicate takes a number
    store.write(Batch([], misses=[Misses(SERIES, 3, 4, "restart")]))
    found = facts.after("part", 0, None, 100, RIPE)

    assert [fact.prev for fact in found] == [0, *(fact.seq for fact in found[:-1])]
    assert [fact.row["number"] for fact in found] == [1, 2, 3, 4]
    assert facts.newest()["part"] == found[-1].seq


def test_a_page_goes_on_where_the_last_one_ended(store: Store, facts: FactReader) -> None:
    add(store, 1, 10)
    whole = facts.after("part", 0, None, 100, RIPE)
    pages, last = [], 0
    while page := facts.after("part", last, 8, 3, RIPE):
        pages += page
        last = page[-1].seq

    assert chain(pages) == chain(whole)[:8]


def test_alarms_are_the_events_that_warn(store: Store, facts: FactReader) -> None:
    store.write(Batch(events=[event("info"), event("warning"), event("info"), event("error")]))

    assert chain(facts.after("alarm", 0, None, 100, RIPE)) == [(0, 2, ""), (2, 4, "")]
    assert facts.waiting("alarm", 2) == 1
    assert facts.oldest_utc("alarm", 4) is None


def test_audit_rows_are_told_as_they_are(store: Store, facts: FactReader) -> None:
    with closing(sqlite3.connect(store.path)) as conn:
        conn.execute(
            "INSERT INTO audit (utc, kind, body, previous, hash) VALUES (1.5, 'command', '{\"a\": 1}', '', 'ab')"
        )
        conn.commit()
    (fact,) = facts.after("audit", 0, None, 100, RIPE)
    said = msgspec.json.decode(message_of(fact, "lid", 0, TOPICS).payload)

    assert said["audit"] == {"utc": 1.5, "kind": "command", "body": '{"a": 1}', "previous": "", "hash": "ab"}


def test_a_part_is_told_when_the_output_knows_or_it_was_waited_for(store: Store, facts: FactReader) -> None:
    store.write(Batch([part(1), part(2)]))
    assert facts.after("part", 0, None, 100, 0) == []
    late = Late(committed_s=11.0, acted_s=11.0, action=Action.PASS)
    store.write(Batch(late=[((SERIES, 1), late)]))
    assert [fact.seq for fact in facts.after("part", 0, None, 100, 0)] == [1]

    assert [fact.seq for fact in facts.after("part", 0, None, 100, 2)] == [1, 2]


def test_one_that_is_not_settled_holds_back_what_follows_and_a_miss_does_not_wait(
    store: Store, facts: FactReader
) -> None:
    store.write(Batch([missed(1), replace(part(2), decided_utc=UTC), replace(missed(3), decided_utc=UTC)]))

    assert [fact.row["number"] for fact in facts.after("part", 0, None, 100, 0)] == [1]


@pytest.mark.parametrize(
    ("late", "told"),
    [
        (Late(committed_s=1.0, acted_s=1.0, action=Action.REJECT), False),
        (Late(committed_s=1.0, acted_s=1.0, action=Action.REJECT, gate="done"), False),
        (Late(committed_s=1.0, acted_s=1.0, action=Action.REJECT, picture="ab"), False),
        (Late(acted_s=1.0, action=Action.REJECT, gate="done", picture="ab"), False),
        (Late(committed_s=1.0, acted_s=1.0, action=Action.REJECT, gate="done", picture="ab"), True),
    ],
)
def test_gate_and_picture_are_waited_for_where_they_come(store: Store, late: Late, told: bool) -> None:
    store.write(Batch([replace(part(1, outcome=Outcome.NG), decided_utc=UTC)]))
    store.write(Batch(late=[((SERIES, 1), late)]))
    with closing(FactReader(store.path.parent, Lateness(gate=True, pictured=("NG",)))) as facts:
        assert bool(facts.after("part", 0, None, 100, 0)) == told


def test_the_message_of_a_part_says_everything_and_the_same_each_time(store: Store, facts: FactReader) -> None:
    nan = replace(part(7).verdict, score=float("nan"), degraded=("dark",))
    store.write(Batch([replace(part(7), verdict=nan)]))
    store.write(Batch(late=[((SERIES, 7), Late(acted_s=17.1, action=Action.REJECT, gate="done", gate_off_us=3.5))]))
    (fact,) = facts.after("part", 0, None, 100, RIPE)
    message = message_of(fact, facts.ledger, 0, TOPICS)
    said = msgspec.json.decode(message.payload)

    assert message.topic == "insp/v1/press-3/evt/part"
    assert message == message_of(fact, facts.ledger, 0, TOPICS)
    assert len(facts.ledger) == 16
    assert {name: said[name] for name in ("v", "id", "ledger", "class", "acknowledged", "seq", "prev", "station")} == {
        "v": 1,
        "id": f"{facts.ledger}.part.1",
        "ledger": facts.ledger,
        "class": "part",
        "acknowledged": 0,
        "seq": 1,
        "prev": 0,
        "station": "press-3",
    }
    assert said["utc"] == UTC + 7
    assert said["part"] == {
        "series": SERIES,
        "number": 7,
        "outcome": "OK",
        "label": "good",
        "score": None,
        "p_normal": 0.5,
        "distance": 3.5,
        "cause": "",
        "degraded": ["dark"],
        "recipe": "default",
        "knowledge": "ab" * 32,
        "picture": "",
        "action": "reject",
        "committed_late": False,
        "gate": "done",
        "gate_off_us": 3.5,
        "truth": "good",
        "ms": {"frame": 30.0, "paired": 80.0, "inferred": 90.0, "decided": 91.0, "committed": None, "acted": 100.0},
        "camera": True,
        "vibration": True,
        "anomaly": {"normality": "cd" * 8, "picture": 3.25, "window": None},
    }


def test_what_json_does_not_know_is_null(store: Store, facts: FactReader) -> None:
    store.write(Batch(events=[event("error")]))
    (fact,) = facts.after("alarm", 0, None, 100, RIPE)
    payload = message_of(fact, "lid", 0, TOPICS).payload

    assert b"NaN" not in payload
    assert msgspec.json.decode(payload)["alarm"]["data"] == {"share": None, "left": 3}


def test_half_a_character_is_told_as_a_question_mark(store: Store, facts: FactReader) -> None:
    store.write(Batch(events=[Event(UTC, "error", "disk", "file", "no \udcff.png", {"name": ["\ud800", "é"]})]))
    (fact,) = facts.after("alarm", 0, None, 100, RIPE)
    said = msgspec.json.decode(message_of(fact, "lid", 0, TOPICS).payload)["alarm"]

    assert (said["message"], said["data"]) == ("no ?.png", {"name": ["?", "é"]})


def test_how_far_the_console_is_is_remembered_and_never_goes_back(store: Store, facts: FactReader) -> None:
    store.write(Batch(told=Reached(facts.ledger, {"part": 5, "alarm": 2}, 17)))
    store.write(Batch(told=Reached(facts.ledger, {"part": 3, "alarm": 4}, 18)))

    assert facts.told() == {"audit": 0, "alarm": 4, "part": 5}
    assert facts.counter() == 18


def test_a_fact_set_aside_is_told_as_a_gap_in_its_place(store: Store, facts: FactReader) -> None:
    add(store, 1, 3)
    aside = SetAside(facts.ledger, "part", 2, 2, "unsendable", UTC)
    store.write(Batch(asides=[aside, aside]))
    found = facts.after("part", 0, None, 100, RIPE)

    assert chain(found) == [(0, 1, ""), (1, 2, "unsendable"), (2, 3, "")]
    assert msgspec.json.decode(message_of(found[1], "lid", 1, TOPICS).payload) == {
        "v": 1,
        "ledger": "lid",
        "class": "part",
        "acknowledged": 1,
        "from": 2,
        "to": 2,
        "count": 1,
        "why": "unsendable",
        "utc": UTC,
    }


def test_a_ledger_that_was_set_aside_is_noticed(store: Store, facts: FactReader) -> None:
    facts.check()
    store.set_aside(UTC)
    store.open()

    with pytest.raises(Unavailable):
        facts.check()


def test_events_that_go_untold_are_one_gap(store: Store, facts: FactReader) -> None:
    store.write(Batch(events=[event("error"), event("warning")], told=Reached(facts.ledger, {"alarm": 1})))
    for _ in range(4):
        store.write(Batch(events=[event("info"), event("error")], utc=UTC))
    found = facts.after("alarm", 1, None, 100, RIPE)

    assert chain(found) == [(1, 4, "quota"), (4, 6, ""), (6, 8, ""), (8, 10, "")]
    assert found[0].count == 2


def ledger_of(store: Store) -> str:
    return str(rows(store, "SELECT id FROM ledger")[0][0])


def test_what_was_meant_for_another_ledger_changes_nothing(store: Store, facts: FactReader) -> None:
    add(store, 1, 3)
    told, aside = Reached("another", {"part": 3}, 9), SetAside("another", "part", 2, 2, "unsendable", UTC)
    store.write(Batch(told=told, asides=[aside], marks={"subscriptions": "ab"}))

    assert (facts.told()["part"], facts.counter(), facts.mark("subscriptions")) == (0, 0, "ab")
    assert chain(facts.after("part", 0, None, 9, RIPE)) == [(0, 1, ""), (1, 2, ""), (2, 3, "")]


def full(store: Store, upto: int = 0) -> None:
    add(store, 1, KEPT_PARTS + 350)
    store.write(Batch(told=Reached(ledger_of(store), {"part": upto})))


def test_nothing_goes_while_there_is_room(store: Store) -> None:
    full(store)
    assert store._database is not None

    assert store.trim(used_bytes(store._database), UTC) is None


def test_the_oldest_parts_go_a_few_at_a_time_and_the_newest_stay(store: Store) -> None:
    full(store)
    trimmed = []
    while (one := store.trim(0, UTC)) is not None:
        trimmed.append(one)

    assert [one.parts for one in trimmed] == [TRIM_PARTS] * 3 + [50]
    assert [one.is_new for one in trimmed] == [True, False, False, False]
    assert rows(store, "SELECT min(id), max(id) FROM parts") == [(351, KEPT_PARTS + 350)]


def test_what_the_console_has_is_simply_gone_and_the_rest_one_gap(store: Store, facts: FactReader) -> None:
    full(store, upto=120)
    while store.trim(0, UTC) is not None:
        pass
    found = facts.after("part", 120, None, 3, RIPE)

    assert chain(found) == [(120, 350, "quota"), (350, 351, ""), (351, 352, "")]
    assert found[0].count == 230
    assert rows(store, "SELECT count(*) FROM gaps") == [(1,)]


def test_after_what_was_told_and_is_gone_the_chain_goes_on(store: Store, facts: FactReader) -> None:
    full(store, upto=1000)
    while store.trim(0, UTC) is not None:
        pass

    assert chain(facts.after("part", 1000, None, 1, RIPE)) == [(1000, 1001, "")]
    assert rows(store, "SELECT count(*) FROM gaps") == [(0,)]


def test_what_was_set_aside_within_a_gap_is_said_once(store: Store, facts: FactReader) -> None:
    full(store)
    store.write(
        Batch(
            asides=[
                SetAside(facts.ledger, "part", 40, 40, "unsendable", UTC),
                SetAside(facts.ledger, "part", 101, 101, "unsendable", UTC),
            ]
        )
    )
    while store.trim(0, UTC) is not None:
        pass
    found = facts.after("part", 0, None, 2, RIPE)

    assert chain(found) == [(0, 350, "quota"), (350, 351, "")]
    assert found[0].count == 350


def test_gaps_that_the_console_has_are_forgotten(store: Store, facts: FactReader) -> None:
    add(store, 1, 300)
    asides = [SetAside(facts.ledger, "part", number, number, "unsendable", UTC) for number in range(1, 301)]
    store.write(Batch(asides=asides))
    assert chain(facts.after("part", 0, None, 100, RIPE))[-1] == (99, 100, "unsendable")
    store.write(Batch(told=Reached(facts.ledger, {"part": 290, "alarm": 300})))
    store.write(Batch(told=Reached("another", {"part": 300})))

    assert rows(store, "SELECT min(last), count(*) FROM gaps") == [(291, 10)]
    assert chain(facts.after("part", 290, None, 1, RIPE)) == [(290, 291, "unsendable")]


def test_a_gap_that_the_console_knows_does_not_grow(store: Store, facts: FactReader) -> None:
    full(store)
    store.trim(0, UTC)
    store.write(Batch(told=Reached(facts.ledger, {"part": 100})))
    store.trim(0, UTC)

    assert chain(facts.after("part", 100, None, 1, RIPE))[0] == (100, 200, "quota")


def test_counts_words_and_triggers_stay_true_when_parts_go(store: Store) -> None:
    full(store)
    store.write(Batch([Word(5, WordKind.CONFIRM, "good", UTC)]))
    while store.trim(0, UTC) is not None:
        pass
    with Reader(store.path.parent) as reader:
        assert reader.counts()[Outcome.OK] == KEPT_PARTS + 350
        assert reader.words(5) == []
        assert reader.last_number(SERIES) == KEPT_PARTS + 350
        assert reader.unanswered(SERIES, KEPT_PARTS + 352) == [
            Misses(SERIES, KEPT_PARTS + 351, KEPT_PARTS + 352, "restart")
        ]
        assert reader.problems() == []


def test_a_trigger_whose_part_is_gone_is_not_answered_again(store: Store) -> None:
    full(store)
    while store.trim(0, UTC) is not None:
        pass
    written = store.write(Batch([part(350), part(KEPT_PARTS + 351)], misses=[Misses(SERIES, 349, 352, "restart")]))

    assert isinstance(written.rows[0], Duplicate)
    assert isinstance(written.rows[1], int)
    assert written.declared == 0


def test_a_series_whose_parts_are_all_gone_is_not_counted_again(store: Store) -> None:
    store.write(Batch([part(number, "before") for number in range(1, 51)]))
    add(store, 1, KEPT_PARTS)
    while store.trim(0, UTC) is not None:
        pass
    with Reader(store.path.parent) as reader:
        assert list(reader.parts_of("before", [50])) == []
        assert reader.last_number("before") == 50
        assert reader.unanswered("before", 50) == []


def test_forgetting_what_was_deleted_would_be_noticed(store: Store) -> None:
    """Without the note of what was deleted, each start would declare it as missed."""
    full(store)
    while store.trim(0, UTC) is not None:
        pass
    with closing(sqlite3.connect(store.path)) as conn:
        conn.execute("DELETE FROM trimmed")
        conn.commit()
    with Reader(store.path.parent) as reader:
        assert reader.unanswered(SERIES, KEPT_PARTS + 350) == [Misses(SERIES, 1, 350, "restart")]


def begun(tmp_path: Path) -> float:
    """What the status of a writer says that is just open."""
    writer = LedgerWriter(
        tmp_path, SystemClock(), deliver=lambda receipts: None, on_error=lambda name, error: None, queue=4
    )
    writer.open()
    said = writer.status().begun_utc
    writer.close()
    writer.join(SystemClock().now() + 10.0)
    return said


def test_a_ledger_knows_when_it_was_begun_and_another_one_has_another_time(tmp_path: Path) -> None:
    earliest = int(SystemClock().utc())
    assert begun(tmp_path) >= earliest
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("UPDATE ledger SET begun_utc = 5.0")
    assert begun(tmp_path) == 5.0
    (tmp_path / FILE_NAME).write_bytes(b"no database " * 1000)

    assert begun(tmp_path) >= earliest
