"""Lots: good parts that were taught at one time, and are more alike than good parts of two times.

Pure. How far a held-out part lies from good is asked of what was learned of other lots, where enough is left then: held
against its own lot it says how good parts of that lot differ, and nothing about the next one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from edge_agent.learning.exemplar import Exemplar

MAX_LOTS: Final = 16
"""More are taken together with their neighbours: for each the classifier is solved once more, in some milliseconds."""

LEFT: Final = 1 / 3
"""Share of what was learned that must be left without a lot: two of the same size leave a half. With less, distances
say how little is left, and not how another lot differs."""

FEWEST_LEFT: Final = 3
"""Good parts that must be left without a lot: a region is compared with the three nearest."""


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
