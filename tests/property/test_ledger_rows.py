"""A part comes out of the database as it went in."""

import tempfile
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.errors import BadData
from edge_agent.ledger import Reader, Word, WordKind
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.rows import event_of, event_values
from edge_agent.ledger.spoken import standing_label
from edge_agent.ledger.store import Store
from edge_agent.records import Action, Embedding, Event, Modality, Outcome, Part, Times, Trigger, Verdict

words = st.text(max_size=20).filter(lambda text: text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))
slugs = st.none() | words
reals = st.floats(allow_nan=False)
times = st.none() | reals
degraded = st.lists(words, max_size=3).map(tuple)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    trigger_s, why = draw(reals), draw(degraded)
    numbers = arrays(np.int16, st.integers(0, 256), elements=st.integers(-(2**15), 2**15 - 1))
    present = st.frozensets(st.sampled_from(list(Modality)))
    return Part(
        trigger=Trigger(draw(words), draw(st.integers(1, 2**63 - 1)), trigger_s, draw(slugs)),
        verdict=Verdict(
            draw(st.sampled_from(list(Outcome))), draw(slugs), draw(reals), draw(times), draw(times), draw(words), why
        ),
        times=Times(trigger_s, *(draw(times) for _ in range(6))),
        recipe=draw(words),
        knowledge=draw(words),
        embedding=draw(st.none() | st.builds(Embedding, numbers, present, st.just(why))),
        picture=draw(words),
        action=draw(st.none() | st.sampled_from(list(Action))),
        committed_late=draw(st.booleans()),
        decided_utc=draw(reals),
        operator_label=draw(slugs),
    )


def comparable(part: Part) -> tuple[object, ...]:
    q = part.embedding.q if part.embedding else None
    return (
        *astuple(replace(part, embedding=None)),
        q if q is None else (q.dtype, q.tolist()),
        part.embedding and part.embedding.present,
    )


@settings(max_examples=50)
@given(st.lists(parts(), max_size=4, unique_by=lambda part: (part.trigger.series, part.trigger.number)))
def test_a_part_survives_the_database(written: list[Part]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "ledger.db")
        store.open()
        ids = store.write(Batch(written)).rows
        with Reader(Path(folder)) as reader:
            read = list(reader.parts())
        store.close()

    assert [comparable(part) for part in read] == [
        comparable(replace(part, id=row)) for part, row in zip(written, ids, strict=True)
    ]


@given(st.dictionaries(words, st.none() | st.integers() | words | st.lists(st.integers())))
def test_an_event_keeps_its_data(data: dict[str, object]) -> None:
    event = Event(5.0, "info", "camera", "dark_picture", "it is dark", data)
    columns = ("time_utc", "severity", "component", "kind", "message", "data")

    assert event_of(dict(zip(columns, event_values(event), strict=True))) == event


kinds = st.sampled_from([WordKind.CONFIRM, WordKind.CORRECT])


@given(st.lists(st.tuples(kinds, st.sampled_from(["good", "pit", "stain"]))), st.tuples(kinds, st.just("scratch")))
def test_undo_takes_back_exactly_one_word(spoken: list[tuple[WordKind, str]], last: tuple[WordKind, str]) -> None:
    before = [Word(1, kind, label, 5.0) for kind, label in spoken]
    undone = [*before, Word(1, *last, 6.0), Word(1, WordKind.UNDO, None, 7.0)]

    assert standing_label(undone) == standing_label(before)
    assert standing_label(undone[:-1]) == "scratch"


@given(st.lists(st.sampled_from(WordKind)))
def test_there_is_never_more_to_take_back_than_was_said(kinds: list[WordKind]) -> None:
    spoken = [Word(1, kind, None if kind is WordKind.UNDO else "pit", 5.0) for kind in kinds]
    depths = [sum(-1 if w.kind is WordKind.UNDO else 1 for w in spoken[: n + 1]) for n in range(len(spoken))]
    try:
        label = standing_label(spoken)
    except BadData:
        assert min(depths) < 0
    else:
        assert min(depths, default=0) >= 0
        assert label == ("pit" if depths and depths[-1] else None)
