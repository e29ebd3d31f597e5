"""Lots: good parts that were taught at one time, and are more alike than good parts of two times.

Pure. How far a held-out part lies from good is asked of what was learned of other lots, where enough is left then: held
against its own lot it says how good parts of that lot differ, and nothing about the next one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.runtime.steps import Steps, finished
from models import Knowledge

MAX_LOTS: Final = 16
"""More are taken together with their neighbours: for each the classifier is solved once more, in some milliseconds."""

LEFT: Final = 1 / 3
"""Share of what was learned that must be left without a lot: two of the same size leave a half. With less, distances
say how little is left, and not how another lot differs."""

FEWEST_LEFT: Final = 3
"""Good parts that must be left without a lot: a region is compared with the three nearest."""

PAUSE_S: Final = 600.0
"""From one batch of a command to the next at most [s]; one that comes later is of another command and another lot."""


PART: Final = 32
"""Examples that are added up before something else is let in."""


class Lots:
    """The good parts of a state of knowledge by lot, and what is known without each lot, which is added up once.

    Attributes:
        of_held_out: the number of the lot of each held-out one, in the order taught; -1 where it is held against all.

    Args:
        knowledge: what is known.
        exemplars: what it was learned from and what was held out, in the order taught.
    """

    def __init__(self, knowledge: Knowledge, exemplars: Sequence[Exemplar]) -> None:
        held_out = [e for e in exemplars if e.role is Role.RING]
        good = {e.label for e in held_out}
        self._knowledge = knowledge
        self._fitted = [e for e in exemplars if e.role is Role.FIT and e.label in good]
        self._numbers = lots_of(self._fitted)
        self._others: dict[int, Knowledge] = {}
        self.of_held_out = np.array([self._numbers.get(e.utc, -1) for e in held_out], np.int64)

    def adding(self) -> Steps[None]:
        """Add up all of it now, in parts of some 10 ms."""
        for number in sorted(set(self._numbers.values())):
            if number not in self._others:
                yield from self._adding(number)

    def others(self, number: int) -> Knowledge:
        """Give what is known without what was learned of a lot."""
        if number not in self._others:
            finished(self._adding(number))
        return self._others[number]

    def _adding(self, number: int) -> Steps[None]:
        own = replace(self._knowledge, groups={})
        for count, exemplar in enumerate(e for e in self._fitted if self._numbers.get(e.utc) == number):
            if count % PART == 0:
                yield None
            own = own.learn(exemplar.label, exemplar.rows)
        self._others[number] = self._knowledge.without(own)


@dataclass(frozen=True)
class _Batch:
    label: str
    who: str
    taught_utc: float
    came_s: float


class Batches:
    """Says when examples count as taught that travel in several batches of one command: when the first of them came."""

    def __init__(self) -> None:
        self._last: _Batch | None = None

    @contextmanager
    def batch(self, label: str, who: str, *, goes_on: bool, utc: float, now: float) -> Iterator[float]:
        """Teach a batch; where that fails, its command has ended.

        Args:
            label: slug of the class.
            who: the person who teaches.
            goes_on: more batches of the same command follow.
            utc: wall time now [s since the epoch].
            now: host monotonic time [s].

        Yields:
            When it counts as taught [s since the epoch].
        """
        last, self._last = self._last, None
        if last is not None and (last.label, last.who) == (label, who) and now - last.came_s <= PAUSE_S:
            utc = last.taught_utc
        yield utc
        if goes_on:
            self._last = _Batch(label, who, utc, now)

    def end(self) -> None:
        """Take whatever comes next for another command: something else was done meanwhile."""
        self._last = None


def lots_of(learned: Iterable[Exemplar]) -> dict[float, int]:
    """Say which lots can be asked of the others.

    Args:
        learned: good parts that are learned from.

    Returns:
        By when it was taught [s since the epoch], the number of each lot without which enough is left; none where
        all were taught at one time.
    """
    return apart(Counter(exemplar.utc for exemplar in learned))


def apart(counted: Mapping[float, int]) -> dict[float, int]:
    """Say the same of lots whose good parts were counted, by when each was taught."""
    sizes = sorted(counted.items())
    total = sum(size for _, size in sizes)
    numbers: dict[float, int] = {}
    before = 0
    for number, (utc, size) in enumerate(sizes):
        numbers[utc] = number if len(sizes) <= MAX_LOTS else before * MAX_LOTS // total
        before += size
    of_lot = Counter[int]()
    for utc, size in sizes:
        of_lot[numbers[utc]] += size
    most = total - max(FEWEST_LEFT, LEFT * total)
    return {utc: number for utc, number in numbers.items() if of_lot[number] <= most}


def signature_of(learned: Iterable[Exemplar], lots: Mapping[float, int]) -> str:
    """Name by 16 hexadecimal digits which lot each part that is learned from belongs to; "" where there are no lots."""
    if not lots:
        return ""
    rows = sorted(f"{exemplar.id} {lots.get(exemplar.utc, -1)}" for exemplar in learned)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
