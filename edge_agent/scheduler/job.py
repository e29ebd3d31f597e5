"""What is to be run and by when; the queue that gives the most urgent first.

Earliest deadline first (Liu and Layland 1973), not preemptive: what runs is left to run. What has no deadline is
background and comes after everything that has one, in the order in which it came.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edge_agent.errors import EdgeAgentError

H = TypeVar("H")
R = TypeVar("R")


class TooLate(EdgeAgentError):
    """There is no time left in which the job could be done."""


class CannotRun(EdgeAgentError):
    """A lane cannot do this job, though it does others; another lane may."""


@dataclass(frozen=True)
class Need:
    """What an early job is for.

    Attributes:
        at_s: when its part is going to need it [s, host monotonic].
        done_s: when that part must be done [s, host monotonic].
        began: hears the name of the lane that begins it; loop thread.
        rest: what is left of its part then takes as long as other jobs of this pace.
    """

    at_s: float
    done_s: float
    began: Callable[[str], None]
    rest: str


@dataclass(frozen=True, eq=False)
class Job(Generic[H, R]):
    """Something for a device.

    Attributes:
        run: does it with what a lane holds, on the lane's thread.
        then: hears what came of it and when that was ready [s, host monotonic], or why nothing did; loop thread.
        deadline_s: when it must be done [s, host monotonic]; infinite for background.
        hurried: a cheaper way to do it, taken where there is no time for `run`; None where there is none.
        bundle: digest of the bundle that does it; jobs of one bundle take as long. "" where that does not matter.
        together: does several of one bundle at a time: is given what a lane holds and `run` of each, and gives what
            `run` of each would; None where that cannot be.
        pace: jobs of the same pace take as long; "" where that is so for all of the bundle.
        paced_by: name of the lane on which it takes as long as its pace says, and on others as all of the bundle; ""
            where it does on any.
        need: of an early job, which has no deadline, begins before any background where it holds up no part that is
            expected before its own, and is not done by another lane where one fails. None for any other job.
    """

    run: Callable[[H], R]
    then: Callable[[R | EdgeAgentError, float], None]
    deadline_s: float = math.inf
    hurried: Callable[[H], R] | None = None
    bundle: str = ""
    together: Callable[[H, Sequence[Callable[[H], R]]], Sequence[R]] | None = None
    pace: str = ""
    paced_by: str = ""
    need: Need | None = None

    def kind_on(self, lane: str) -> str:
        """Name what takes as long on a lane."""
        return self.pace if self.pace and self.paced_by in ("", lane) else self.bundle


@dataclass(eq=False)
class Ticket(Generic[H, R]):
    """A job on its way, answered once.

    Attributes:
        job: what is to be done.
        since_s: when it was submitted [s, host monotonic].
        tried: lanes that have had it.
        running: lanes that have it.
        given: a lane has had it.
        answered: `then` has heard of it.
        alone: it is not done together with others: a batch that it was in has failed, or its work knows no batches.
        is_background: it has no deadline.
        rescued_by: the lane that was given it while another was still at it; "" where none was.
    """

    job: Job[H, R]
    since_s: float
    tried: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    given: bool = False
    answered: bool = False
    rescued_by: str = ""
    alone: bool = field(init=False)
    is_background: bool = field(init=False)

    def __post_init__(self) -> None:
        self.alone = self.job.together is None
        self.is_background = self.job.deadline_s == math.inf

    def answer(self, result: R | EdgeAgentError, at_s: float) -> bool:
        """Tell whoever asked, the first time; say whether it was."""
        first, self.answered = not self.answered, True
        if first:
            self.job.then(result, at_s)
        return first


class DeadlineQueue(Generic[H, R]):
    """Tickets by deadline, those with the same in the order in which they came.

    A sorted list: any place of it can be looked at and taken, and moving a thousand entries costs less than a look at
    ten of them.

    Args:
        capacity: tickets that may wait; one more is refused.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sorted: list[tuple[float, int, Ticket[H, R]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._sorted)

    def put(self, ticket: Ticket[H, R], *, again: bool = False) -> bool:
        """Have a ticket wait; one that waited before finds room even where there is none."""
        if len(self._sorted) >= self._capacity and not again:
            return False
        self._count += 1
        insort(self._sorted, (ticket.job.deadline_s, self._count, ticket))
        return True

    def at(self, place: int) -> Ticket[H, R] | None:
        """Look at the ticket before which so many are more urgent; None where no more wait."""
        return self._sorted[place][2] if place < len(self._sorted) else None

    def since(self, place: int, most: int) -> list[Ticket[H, R]]:
        """Look at the ticket at a place and those that are less urgent, at most so many."""
        return [ticket for _, _, ticket in self._sorted[place : place + most]]

    def take(self, places: range) -> list[Ticket[H, R]]:
        """Take the tickets at consecutive places."""
        taken = [ticket for _, _, ticket in self._sorted[places.start : places.stop]]
        del self._sorted[places.start : places.stop]
        return taken

    def take_all(self) -> list[Ticket[H, R]]:
        """Take everything, the most urgent first."""
        taken, self._sorted = self._sorted, []
        return [ticket for _, _, ticket in taken]
