"""What became of every job, and how the lanes are: values that the dispatcher keeps and `status` shows."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.scheduler.bank import LaneStatus


@dataclass
class DispatchCounts:
    """What became of the jobs since the start.

    `submitted` is `done`, `refused`, `too_late`, `faulted` and what is on its way, added up.
    """

    submitted: int = 0  #: with a deadline
    done: int = 0  #: answered by a lane, also with `BadData`
    refused: int = 0  #: there was no lane, or no room
    too_late: int = 0  #: answered before their deadline that nothing could do them in time
    faulted: int = 0  #: every lane that could have them failed
    hurried: int = 0  #: done in the cheaper way
    rerun: int = 0  #: given to another lane after one failed
    rescued: int = 0  #: given to a second lane while the first was still at it
    in_vain: int = 0  #: results that came after another lane's, or after the part was answered
    background: int = 0  #: pieces of background work that were done


@dataclass(frozen=True)
class DispatchStatus:
    """How the lanes are and what waits.

    Attributes:
        ready: a lane can judge.
        in_use: the name of the lane that judges; "" where none can.
        lanes: in the order in which they are used.
        counts: what became of the jobs.
        urgent: jobs with a deadline that wait.
        background: background jobs that wait.
        background_oldest_s: how long the oldest of them has waited [s].
        wait_p50_ms: how long a job with a deadline waited for a lane, median of the newest [ms].
        wait_p99_ms: the same, 99th percentile [ms].
    """

    ready: bool
    in_use: str
    lanes: tuple[LaneStatus, ...]
    counts: DispatchCounts
    urgent: int
    background: int
    background_oldest_s: float
    wait_p50_ms: float
    wait_p99_ms: float
