"""What was learned is a sum: any way of teaching, forgetting and undoing ends at the bytes of the straight way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from learned_values import EMPTY, NOTHING, exemplar, identity
from numpy.typing import NDArray

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from edge_agent.learning.learned import Learned
from models import Knowledge

LABELS = ("good", "pit")
SAMPLES = [exemplar(i, LABELS[i % 2], Role.RING if i % 5 == 4 else Role.FIT) for i in range(10)]
"""What may be taught; every fifth is held out."""

Step = tuple[str, int, tuple[int, ...]]
"""What is done, at which station, with which samples."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["teach", "teach", "forget", "undo"]),
        st.integers(0, 2),
        st.lists(st.integers(0, len(SAMPLES) - 1), min_size=1, max_size=4, unique=True).map(tuple),
    ),
    max_size=12,
)


class Implementation(Protocol):
    """A way to keep what one station knows; a value."""

    def teach(self, lesson: Sequence[Exemplar]) -> Implementation: ...
    def forget(self, lesson: Sequence[Exemplar]) -> Implementation: ...
    def totals(self) -> NDArray[np.int64]: ...


def straight_sum(samples: Sequence[Exemplar]) -> NDArray[np.int64]:
    """Count, sum and sum of products of each class, written down as simply as can be."""
    totals = np.zeros((len(LABELS), 1 + 4 + 16), np.int64)
    for sample in samples:
        if sample.role is Role.FIT:
            for row in sample.rows.astype(np.int64):
                totals[LABELS.index(sample.label)] += np.concatenate([[1], row, np.outer(row, row).reshape(-1)])
    return totals


class Real:
    """What the station does."""

    def __init__(self, learned: Learned = NOTHING) -> None:
        self.learned = learned

    def teach(self, lesson: Sequence[Exemplar]) -> Real:
        learned = self.learned
        for label in LABELS:
            if ours := [e for e in lesson if e.label == label and not learned.find(e.id)]:
                learned = learned.with_exemplars(label, ours)
        for sample in lesson:  # and all of it is delivered a second time
            with pytest.raises(BadData, match="already an example"):
                learned.with_exemplars(sample.label, [sample])
        return Real(learned)

    def forget(self, lesson: Sequence[Exemplar]) -> Real:
        return Real(self.learned.without(e.id for e in lesson if self.learned.find(e.id)))

    def totals(self) -> NDArray[np.int64]:
        return totals_of(self.learned.knowledge)


def totals_of(knowledge: Knowledge) -> NDArray[np.int64]:
    totals = np.zeros((len(LABELS), 1 + 4 + 16), np.int64)
    for key, sums in knowledge.groups.items():
        products = np.zeros((4, 4), np.int64)
        products[np.triu_indices(4)] = sums.products
        products = products + np.triu(products, 1).T
        totals[LABELS.index(key.slug)] = np.concatenate([[sums.vectors], sums.total, products.reshape(-1)])
    return totals


class SummedInFloats:
    """The wrong implementation: adds up in float32."""

    dtype: type = np.float32

    def __init__(self, totals: NDArray[np.float32] | None = None, ids: frozenset[str] = frozenset()) -> None:
        self._totals = np.zeros((len(LABELS), 21), np.float32) if totals is None else totals
        self._ids = ids

    def teach(self, lesson: Sequence[Exemplar]) -> SummedInFloats:
        new = [e for e in lesson if e.id not in self._ids]
        ids = self._ids | {e.id for e in new}
        return SummedInFloats(self._totals + straight_sum(new).astype(np.float32), ids)

    def forget(self, lesson: Sequence[Exemplar]) -> SummedInFloats:
        gone = [e for e in lesson if e.id in self._ids]
        ids = self._ids - {e.id for e in gone}
        return SummedInFloats(self._totals - straight_sum(gone).astype(np.float32), ids)

    def totals(self) -> NDArray[np.int64]:
        return self._totals.astype(np.int64)


class CountsRedelivery:
    """The wrong implementation: adds what it has already once more when it is delivered again."""

    def __init__(self, samples: tuple[Exemplar, ...] = ()) -> None:
        self._samples = samples

    def teach(self, lesson: Sequence[Exemplar]) -> CountsRedelivery:
        return CountsRedelivery((*self._samples, *lesson))

    def forget(self, lesson: Sequence[Exemplar]) -> CountsRedelivery:
        ids = {e.id for e in lesson}
        return CountsRedelivery(tuple(e for e in self._samples if e.id not in ids))

    def totals(self) -> NDArray[np.int64]:
        return straight_sum(self._samples)


def agrees(start: Implementation, steps: Sequence[Step]) -> bool:
    """Three stations follow the steps; after each, their totals are those of the samples that each has, to the bit."""
    states, shown = [[start] for _ in range(3)], [[()] for _ in range(3)]
    for action, station, numbers in steps:
        lesson, history, known = [SAMPLES[i] for i in numbers], states[station], shown[station]
        if action == "teach":
            history.append(history[-1].teach(lesson))
            known.append((*known[-1], *(i for i in numbers if i not in known[-1])))
        elif action == "forget":
            history.append(history[-1].forget(lesson))
            known.append(tuple(i for i in known[-1] if i not in numbers))
        elif len(history) > 1:
            history.pop()
            known.pop()
        if any(
            not np.array_equal(history[-1].totals(), straight_sum([SAMPLES[i] for i in known[-1]]))
            for history, known in zip(states, shown, strict=True)
        ):
            return False
    return True


@given(STEPS)
def test_any_interleaving_over_any_split_is_the_straight_sum(steps: list[Step]) -> None:
    assert agrees(Real(), steps)


@pytest.mark.parametrize("wrong", [SummedInFloats(), CountsRedelivery()], ids=["floats", "redelivery"])
def test_the_same_test_rejects_what_is_wrong(wrong: Implementation) -> None:
    assert not agrees(wrong, find(STEPS, lambda steps: not agrees(wrong, steps), settings=settings(max_examples=2000)))


LESSONS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True)),
    max_size=6,
).map(lambda lessons: [(label, [100 * n + i for i in numbers]) for n, (label, numbers) in enumerate(lessons)])


def learned_from(lessons: Sequence[tuple[str, Sequence[int]]], left_out: frozenset[int] = frozenset()) -> Learned:
    learned = NOTHING
    for label, numbers in lessons:
        if lesson := [exemplar(i, label, list(Role)[i % 3]) for i in numbers if i not in left_out]:
            learned = learned.with_exemplars(label, lesson)
    return learned


@given(LESSONS, st.data())
def test_what_is_forgotten_was_never_learned(lessons: list[tuple[str, list[int]]], data: st.DataObject) -> None:
    """Any samples, forgotten in any order and in any pieces, leave knowledge, chunks and names without a trace."""
    everything = [i for _, numbers in lessons for i in numbers]
    gone = data.draw(st.permutations(everything))[: data.draw(st.integers(0, len(everything)))]
    learned = learned_from(lessons)
    while gone:
        cut = data.draw(st.integers(1, len(gone)))
        learned = learned.without(f"{i:016x}" for i in gone[:cut])
        gone = gone[cut:]
    left = {int(e.id, 16) for e in learned.exemplars}

    assert identity(learned) == identity(learned_from(lessons, frozenset(everything) - left))
    assert learned.knowledge == Learned.of(EMPTY, learned.lessons, learned.names).knowledge


@given(LESSONS)
def test_a_forgotten_class_was_never_learned(lessons: list[tuple[str, list[int]]]) -> None:
    learned = learned_from(lessons)
    if "pit" in learned.classes:
        learned = learned.without_class("pit")

    assert identity(learned) == identity(learned_from([lesson for lesson in lessons if lesson[0] != "pit"]))


@given(LESSONS, LESSONS)
def test_what_stations_know_adds_up_to_what_one_would(
    one: list[tuple[str, list[int]]], other: list[tuple[str, list[int]]]
) -> None:
    others = [(label, [i + 10_000 for i in numbers]) for label, numbers in other]
    mine, theirs, all_of_it = (learned_from(lessons).knowledge for lessons in (one, others, [*one, *others]))

    assert mine.merge(theirs).to_bytes() == all_of_it.to_bytes()
    assert all_of_it.without(theirs).to_bytes() == mine.to_bytes()


@given(LESSONS.filter(bool))
def test_a_chunk_gives_its_exemplars_back(lessons: list[tuple[str, list[int]]]) -> None:
    for lesson in learned_from(lessons).lessons:
        assert Chunk.from_bytes(lesson.to_bytes()).to_bytes() == lesson.to_bytes()


@given(st.binary(max_size=300))
def test_noise_is_no_chunk(noise: bytes) -> None:
    for data in (noise, b"EXM\1" + noise):
        with pytest.raises(StateDamaged):
            Chunk.from_bytes(data)
