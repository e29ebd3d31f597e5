"""How many of the jobs that wait are done together: pure arithmetic on what batches take.

Nothing waits for a batch to fill. One is taken only where it is cheaper than its jobs one by one, in time for each of
them, and makes none late that would have been in time; or, where somebody is late anyway, makes fewer late.
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


def places_together(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None = None
) -> range:
    """Give which of the jobs that wait are done together, now, on a device that is free.

    Args:
        now: host monotonic time [s].
        waiting: in the order of their deadlines.
        alike: how many of the first of them could be done together.
        takes_s: what so many jobs take together, 99th percentile [s], by how many; that of one is among them.
        comes: a job that is to be expected right after; None where nobody knows.

    Returns:
        Places of those that wait: of the batches that pay and keep all that are kept one by one, or more of them, the
        one that keeps most; the first alone where there is none. Before it are only jobs that it comes too late for.
    """
    jobs = [*waiting, *([] if comes is None else [comes])]
    order = sorted(range(len(jobs)), key=lambda at: jobs[at].deadline_s)
    alone: set[int] | None = None
    best, most = range(1), 0
    for size in reversed(paying(takes_s)[1:]):
        done_s = now + takes_s[size]
        first = next((at for at in range(alike - size + 1) if done_s <= waiting[at].deadline_s), None)
        if first is None:
            continue
        batch = range(first, first + size)
        kept = {*batch, *_in_time(done_s, jobs, [at for at in order if at not in batch])}
        if len(kept) == len(jobs):
            return batch
        if alone is None:
            alone = _in_time(now, jobs, [0, *(at for at in order if at)])  # whatever comes, the first has begun
        if (kept >= alone or len(kept) > len(alone)) and len(kept) > most:
            best, most = batch, len(kept)
    return best


def _in_time(now: float, jobs: Sequence[Due], order: Iterable[int]) -> set[int]:
    """Give the jobs that are in time where they are done one by one in an order, from now on."""
    kept = set()
    for at in order:
        if now + jobs[at].alone_s <= jobs[at].deadline_s:
            now += jobs[at].alone_s
            kept.add(at)
    return kept
