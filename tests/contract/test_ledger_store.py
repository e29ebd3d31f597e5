"""What one transaction makes of a batch, on a real database."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ledger_parts import SERIES, missed, part

from edge_agent.errors import BadData
from edge_agent.ledger import Misses, Reader, Teaching, Word, WordKind
from edge_agent.ledger.batch import Batch, Duplicate, Late
from edge_agent.ledger.store import Store
from edge_agent.records import Action, Embedding, Event, Modality, Outcome


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "ledger.db", kept_events=5)
    store.open()
    yield store
    store.close()


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    with Reader(store.path.parent) as reader:
        yield reader


def event(number: int, severity: str = "info") -> Event:
    return Event(1000.0 + number, severity, "camera", "dark_picture", "it is dark", {"number": number})


def test_each_item_gets_its_row(store: Store, reader: Reader) -> None:
    written = store.write(Batch([part(1), part(2), missed(3)]))

    assert written.rows == [1, 2, 3]
    assert [(p.id, p.trigger.number, p.verdict.outcome) for p in reader.parts()] == [
        (1, 1, Outcome.OK),
        (2, 2, Outcome.OK),
        (3, 3, Outcome.MISSED),
    ]


def test_a_trigger_is_answered_once_and_the_others_are_not_held_up(store: Store, reader: Reader) -> None:
    store.write(Batch([part(1)]))
    written = store.write(Batch([part(2), part(1, outcome=Outcome.NG), part(1, series="sim-2"), missed(2)]))

    assert [type(row) for row in written.rows] == [int, Duplicate, int, Duplicate]
    assert reader.part(1).verdict.outcome is Outcome.OK
    assert reader.counts() == {Outcome.OK: 3, Outcome.NG: 0, Outcome.UNSURE: 0, Outcome.MISSED: 0}


def test_a_row_of_an_earlier_try_is_found_again_but_not_somebody_elses(store: Store) -> None:
    store.write(Batch([part(1), part(2)]))
    again = store.write(Batch([part(1), replace(part(2), decided_utc=9.0), part(3)], again=True))

    assert again.rows[0] == 1
    assert isinstance(again.rows[1], Duplicate)
    assert isinstance(again.rows[2], int)


def test_misses_are_declared_only_where_there_is_no_answer(store: Store, reader: Reader) -> None:
    store.write(Batch([part(3)]))
    written = store.write(Batch(misses=[Misses(SERIES, 1, 5, "restart", "default")], utc=77.0))

    assert written.declared == 4
    assert [p.verdict.cause for p in sorted(reader.parts(), key=lambda p: p.trigger.number)] == [
        "restart",
        "restart",
        "",
        "restart",
        "restart",
    ]
    (first,) = reader.parts_of(SERIES, [1])
    assert (first.recipe, first.decided_utc, first.embedding) == ("default", 77.0, None)
    assert math.isnan(first.times.trigger_s)


def test_how_unlike_good_parts_a_part_was_is_kept_as_far_as_it_is_known(store: Store, reader: Reader) -> None:
    seen = part(1).embedding
    assert seen is not None
    store.write(Batch([part(1), replace(part(2), embedding=replace(seen, anomaly=None)), part(3)]))
    kept = [one.embedding.anomaly for one in reader.parts() if one.embedding is not None]

    assert kept == [seen.anomaly, None, seen.anomaly]


def test_late_fields_are_filled_in_and_keep_what_is_known(store: Store, reader: Reader) -> None:
    store.write(Batch([part(1)], late=[((SERIES, 1), Late(committed_s=5.0))]))
    store.write(Batch(late=[((SERIES, 1), Late(acted_s=6.0, action=Action.REJECT, committed_late=True))]))
    store.write(Batch(late=[((SERIES, 1), Late(picture="ab" * 32)), ((SERIES, 99), Late(acted_s=1.0))]))
    kept = reader.part(1)

    assert (kept.times.committed_s, kept.times.acted_s) == (5.0, 6.0)
    assert (kept.action, kept.committed_late, kept.picture) == (Action.REJECT, True, "ab" * 32)


def test_the_oldest_events_make_room_for_new_ones(store: Store, reader: Reader) -> None:
    for number in range(8):
        store.write(Batch(events=[event(number)]))

    assert [found.data["number"] for found in reader.events(100)] == [7, 6, 5, 4, 3]


@pytest.mark.parametrize(
    "spoilt",
    [
        Batch(events=[event(0, severity="panic")]),
        Batch(misses=[Misses("\udc80", 1, 2, "restart")]),
        Batch(misses=[Misses(SERIES, 2**63, 2**63, "restart")]),
        Batch(late=[(("\udc80", 1), Late(acted_s=1.0))]),
    ],
)
def test_what_no_row_can_hold_is_left_out_and_counted(store: Store, reader: Reader, spoilt: Batch) -> None:
    written = store.write(replace(spoilt, items=[part(1)]))

    assert len(written.refused) == 1
    assert reader.counts()[Outcome.OK] == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(part(1), embedding=Embedding(np.zeros((2, 2), np.int16), frozenset(Modality))),
        replace(part(1), embedding=Embedding(np.zeros(4, np.float32), frozenset(Modality))),
        replace(part(1), recipe="\udc80"),
        replace(part(1), trigger=replace(part(1).trigger, number=0)),
        replace(part(1), trigger=replace(part(1).trigger, number=2**63)),
    ],
)
def test_a_part_that_no_row_can_hold_does_not_stop_the_next(store: Store, spoilt: object) -> None:
    written = store.write(Batch([spoilt, part(2)]))

    assert isinstance(written.rows[0], BadData)
    assert isinstance(written.rows[1], int)


def test_unknown_numbers_are_written_as_null(store: Store, reader: Reader) -> None:
    unknown = replace(part(1).verdict, score=math.nan, p_normal=math.nan, distance=math.inf)
    store.write(Batch([replace(part(1), verdict=unknown)]))
    verdict = reader.part(1).verdict

    assert math.isnan(verdict.score)
    assert verdict.p_normal is None
    assert verdict.distance == math.inf


# Words.


def say(store: Store, kind: WordKind, label: str | None) -> int | BadData:
    return store.write(Batch([Word(1, kind, label, 5.0, "ana")])).rows[0]


def test_undo_goes_back_one_word_at_a_time_and_the_history_stays(store: Store, reader: Reader) -> None:
    store.write(Batch([part(1)]))
    labels = []
    for kind, label in [
        (WordKind.CONFIRM, "scratch"),
        (WordKind.CORRECT, "pit"),
        (WordKind.UNDO, None),
        (WordKind.UNDO, None),
    ]:
        say(store, kind, label)
        labels.append(reader.part(1).operator_label)

    assert labels == ["scratch", "pit", "scratch", None]
    assert isinstance(say(store, WordKind.UNDO, None), BadData)
    assert [(word.kind, word.label, word.who) for word in reader.words(1)] == [
        (WordKind.CONFIRM, "scratch", "ana"),
        (WordKind.CORRECT, "pit", "ana"),
        (WordKind.UNDO, None, "ana"),
        (WordKind.UNDO, None, "ana"),
    ]


def test_a_word_on_a_part_that_is_not_there_is_refused(store: Store, reader: Reader) -> None:
    refusal = say(store, WordKind.CONFIRM, "scratch")

    assert isinstance(refusal, BadData)
    assert refusal.message == "there is no part 1"
    assert reader.words(1) == []


def test_teachings_are_kept_for_the_audit(store: Store, reader: Reader) -> None:
    taught = Teaching(5.0, "teach", "scratch", "", "ab" * 32, ("12", "13"), "ana")
    store.write(Batch([taught, replace(taught, action="undo", before="ab" * 32, after="")]))

    assert reader.teachings(1) == [replace(taught, id=2, action="undo", before="ab" * 32, after="")]
    assert reader.teachings(9)[1] == replace(taught, id=1)


# The counts by outcome are kept by the database itself; they must never differ from what is counted.


def test_the_tallies_are_the_counts(store: Store, reader: Reader) -> None:
    store.write(Batch([part(1), part(2, outcome=Outcome.NG), part(2), part(3, outcome=Outcome.UNSURE)]))
    store.write(Batch(misses=[Misses(SERIES, 2, 2000, "disk")]))

    assert reader.counts() == reader.counts(since_utc=-math.inf)
    assert reader.counts()[Outcome.MISSED] == 1997
