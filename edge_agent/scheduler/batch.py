"""How many of the jobs that wait are done together: pure arithmetic on what batches take.

Nothing waits for a batch to fill. One is taken only where it is cheaper than its jobs one by one, is in time for each
of them, and makes none late that stays behind and would have been in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

MARGIN: Final = 0.10
"""A size pays where each job costs so much less than with any smaller one; what differs by less is noise."""


class Due(NamedTuple):
    """A job that waits.

    Attributes:
        deadline_s: when it must be done [s, host monotonic].
        alone_s: what it takes by itself, 99th percentile [s].
    """

    deadline_s: float
    alone_s: float


def paying(takes_s: Mapping[int, float]) -> list[int]:
    """Give the sizes that cost less for each job than any smaller one, the smallest first; one is always among them.

    Args:
        takes_s: what so many jobs take together [s], by how many; that of one is among them.

    Returns:
        Sizes.
    """
    found, best_s = [1], takes_s[1]
    for size in sorted(takes_s.keys() - {1}):
        if takes_s[size] / size <= (1.0 - MARGIN) * best_s:
            found.append(size)
            best_s = takes_s[size] / size
    return found


def pieces_together(now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float]) -> int:
    """Give how many of the jobs that wait are done together, now, on a device that is free.

    Args:
        now: host monotonic time [s].
        waiting: in the order of their deadlines.
        alike: how many of the first of them could be done together.
        takes_s: what so many jobs take together, 99th percentile [s], by how many; that of one is among them.

    Returns:
        The largest size that pays and makes nobody late who would be in time; 1 where there is none.
    """
    for size in reversed(paying(takes_s)):
        done_s = now + takes_s[size]
        if 1 < size <= alike and all(done_s <= due.deadline_s for due in waiting[:size]):
            one_by_one = list(_kept(now, waiting))[size:]
            if all(kept or not before for kept, before in zip(_kept(done_s, waiting[size:]), one_by_one, strict=True)):
                return size
    return 1


def _kept(now: float, waiting: Iterable[Due]) -> Iterable[bool]:
    """Say of each job whether it is in time where they are done one by one from now on."""
    for due in waiting:
        kept = now + due.alone_s <= due.deadline_s
        now += due.alone_s * kept
        yield kept
