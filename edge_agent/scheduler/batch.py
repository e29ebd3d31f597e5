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


def pieces_together(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None = None
) -> int:
    """Give how many of the jobs that wait are done together, now, on a device that is free.

    Args:
        now: host monotonic time [s].
        waiting: in the order of their deadlines.
        alike: how many of the first of them could be done together.
        takes_s: what so many jobs take together, 99th percentile [s], by how many; that of one is among them.
        comes: a job that is to be expected right after; None where nobody knows.

    Returns:
        The largest size that pays and makes nobody late who would be in time; 1 where there is none.
    """
    jobs = [*waiting, *([] if comes is None else [comes])]
    order = sorted(range(len(jobs)), key=lambda at: jobs[at].deadline_s)
    alone = _in_time(now, jobs, [0, *(at for at in order if at)])  # whatever comes, the first has begun
    for size in reversed(paying(takes_s)):
        done_s = now + takes_s[size]
        if 1 < size <= alike and all(done_s <= due.deadline_s for due in waiting[:size]):
            together = _in_time(done_s, jobs, [at for at in order if at >= size])
            if together >= {at for at in alone if at >= size}:
                return size
    return 1


def _in_time(now: float, jobs: Sequence[Due], order: Iterable[int]) -> set[int]:
    """Give the jobs that are in time where they are done one by one in an order, from now on."""
    kept = set()
    for at in order:
        if now + jobs[at].alone_s <= jobs[at].deadline_s:
            now += jobs[at].alone_s
            kept.add(at)
    return kept
