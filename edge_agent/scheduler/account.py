"""What became of every job, and how the lanes are: what the dispatcher keeps and `status` shows.

A job is answered here and nowhere else, so that what was answered and what was counted cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic

from edge_agent.errors import EdgeAgentError
from edge_agent.scheduler.bank import Bank, LaneStatus
from edge_agent.scheduler.job import H, R, Ticket, TooLate
from edge_agent.scheduler.latency import Recent

RESCUES: Final = 0.05
"""Share of the jobs that are given to a second lane at the most: what is slow all the time is no exception."""

RESCUES_TRIED: Final = 20
"""After so many it is known whether they pay."""

RESCUES_SAVE: Final = 0.2
"""Share of them that the second lane has to answer first for the others to be worth its time."""

RESCUES_IN_VAIN: Final = 0.005
"""Share of the jobs that are given to a second lane where that does not pay, to hear when it does."""


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
    saved: int = 0  #: of these, answered by the second
    in_vain: int = 0  #: results that came after another lane's, or after the part was answered
    together: int = 0  #: given to a lane together with others
    parted: int = 0  #: batches that failed, so that each job of them was run by itself
    background: int = 0  #: pieces of background work that were done
    early: int = 0  #: pictures that were encoded before their part was complete


@dataclass
class Account(Generic[H, R]):
    """Answers jobs, and counts them by what became of them.

    Attributes:
        counts: the jobs.
        waits: how long those with a deadline waited for a lane.
    """

    counts: DispatchCounts = field(default_factory=DispatchCounts)
    waits: Recent = field(default_factory=Recent)

    def given(self, ticket: Ticket[H, R], now: float) -> None:
        """Hear that a lane gets a job; how long it waited counts the first time."""
        if not ticket.is_background and not ticket.given:
            self.waits.add(now - ticket.since_s)
        ticket.given = True

    def ended(self, ticket: Ticket[H, R], lane: str, result: R | EdgeAgentError, at_s: float) -> None:
        """Answer a job with what a lane made of it."""
        first = ticket.answer(result, at_s)
        self.counts.saved += first and ticket.rescued_by == lane
        self.counts.in_vain += not first
        if ticket.job.need is not None:
            self.counts.early += first
        elif ticket.is_background:
            self.counts.background += first
        else:
            self.counts.done += first

    def may_rescue(self) -> bool:
        """Say whether one more job may be given to a second lane: fewer where the second is hardly ever the quicker."""
        counts = self.counts
        pays = counts.rescued < RESCUES_TRIED or counts.saved >= RESCUES_SAVE * counts.rescued
        return counts.rescued <= (RESCUES if pays else RESCUES_IN_VAIN) * counts.submitted

    def late(self, ticket: Ticket[H, R], now: float) -> None:
        """Answer a job that nothing can do in time."""
        if not ticket.answered:
            left_ms = 1e3 * (ticket.job.deadline_s - now)
            ticket.answer(TooLate(f"{left_ms:.0f} ms are left, which is not enough on any device"), now)
            self.counts.too_late += 1

    def faulted(self, ticket: Ticket[H, R], error: EdgeAgentError, now: float) -> None:
        """Answer a job that no lane could do."""
        if ticket.answer(error, now) and not ticket.is_background:
            self.counts.faulted += 1

    def status(self, bank: Bank[H, R], urgent: int, background: Sequence[Ticket[H, R]], now: float) -> DispatchStatus:
        """Say how the lanes are, how many urgent jobs and which background jobs wait, and what became of the others."""
        in_use = next((lane.name for lane in bank.usable()), "")
        return DispatchStatus(
            bool(in_use),
            in_use,
            bank.status(),
            replace(self.counts),
            urgent,
            len(background),
            now - background[0].since_s if background else 0.0,
            1e3 * self.waits.p50_s,
            1e3 * self.waits.p99_s,
        )


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
