"""What runs beside the parts: early jobs and background work, and which of it a lane with nothing to do may begin.

Early jobs come first: each is for a part that is on its way. Whatever begins holds up no part that is expected before
it is over, as far as that can be reckoned (decisions 39 and 40).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, Generic

from edge_agent.scheduler.job import H, Job, Need, R, Ticket
from edge_agent.scheduler.lane import Lane
from edge_agent.scheduler.latency import Recent
from edge_agent.scheduler.rhythm import OVERDUE_S, Rhythm

BACKGROUND: Final = 64
"""Background jobs that may wait."""

EARLY: Final = 8
"""Early jobs that may wait: the pictures of parts that are on their way at the same time."""

LONG: Final = 0.90
"""Share of the early jobs that are done within what is reckoned with."""


class Beside(Generic[H, R]):
    """Jobs without a deadline.

    Attributes:
        background: those that wait for a gap between parts, in the order in which they came.
        rhythm: how parts come.
    """

    def __init__(self) -> None:
        self.background: deque[Ticket[H, R]] = deque()
        self.rhythm = Rhythm()
        self._early: list[tuple[Need, Ticket[H, R]]] = []
        self._last: tuple[Need, str] | None = None  # what the newest early job was for, and what takes as long as it

    def __bool__(self) -> bool:
        """Something waits."""
        return bool(self._early or self.background)

    def put(self, ticket: Ticket[H, R]) -> bool:
        """Have a job wait; say whether there is room."""
        need = ticket.job.need
        if need is None:
            if len(self.background) >= BACKGROUND:
                return False
            self.background.append(ticket)
        else:
            if len(self._early) >= EARLY:
                return False
            self._early.append((need, ticket))
            self._early.sort(key=lambda early: early[0].at_s)
        return True

    def withdraw(self, job: Job[H, R], idle: Lane[H, R] | None) -> bool:
        """Forget an early job; say whether it waited.

        Args:
            job: is wanted no more.
            idle: the lane in use where it has nothing to do: it could have begun the job, so that what such jobs took
                there is believed no longer. What was slow once may be quick now, and nobody would find out.

        Returns:
            Whether it waited.
        """
        left = [early for early in self._early if early[1].job is not job]
        gone, self._early = len(self._early) > len(left), left
        if gone and idle is not None and job.need is not None:
            idle.paces.of(job.kind_on(idle.name)).doubt()
            idle.paces.after(job.need.rest).doubt()
        return gone

    def take_all(self) -> Iterator[Ticket[H, R]]:
        """Take everything that waits."""
        while self._early:
            yield self._early.pop(0)[1]
        while self.background:
            yield self.background.popleft()

    def take(self, lane: Lane[H, R], now: float) -> Ticket[H, R] | None:
        """Take what a lane that has nothing to do, for no part either, is to begin now; None where nothing may."""
        for place, (need, ticket) in enumerate(self._early):
            if self._may_begin(need, ticket, lane, now):
                del self._early[place]
                self._last = need, ticket.job.kind_on(lane.name)
                return ticket
        if self._piece_at_s(lane, now) <= now:
            self.rhythm.began(now)
            return self.background.popleft()
        return None

    def wakes_at_s(self, idle: Lane[H, R] | None, now: float) -> float:
        """Give when to look again [s, host monotonic]; `idle` is the lane in use where it has nothing to do."""
        at_s = max(now, self.rhythm.expected_s) + OVERDUE_S if self._early else math.inf
        return at_s if idle is None else min(at_s, self._piece_at_s(idle, now))

    def _may_begin(self, need: Need, ticket: Ticket[H, R], lane: Lane[H, R], now: float) -> bool:
        paces = lane.paces
        durations = paces.of(ticket.job.kind_on(lane.name)).durations
        if max(now + durations.p50_s, need.at_s) + paces.after(need.rest).durations.p50_s > need.done_s:
            return False  # its part will hardly be done in time, or in a hurry
        takes_s = durations.quantile_s(LONG) or paces.p99_s
        return need.at_s <= self.rhythm.expected_s or self.rhythm.is_clear(now, takes_s)

    def _piece_at_s(self, lane: Lane[H, R], now: float) -> float:
        """Give when a lane that has nothing to do may begin a piece of background work; infinite where none waits."""
        if not self.background:
            return math.inf
        first, paces = self.background[0], lane.paces
        if not len(pieces := paces.of(first.job.bundle).pieces):
            pieces = Recent()
            pieces.add(paces.p99_s)
        rest_s = 0.0 if self._last is None else paces.after(self._last[0].rest).durations.p99_s
        part_s, picture_s = rest_s or paces.p99_s, self._picture_s(lane)
        return self.rhythm.may_begin_at_s(now, first.since_s, lane.freed_s, pieces, part_s, picture_s)

    def _picture_s(self, lane: Lane[H, R]) -> float:
        """Give what the early job of the part that is expected next is going to take [s]; 0 where it has begun."""
        if self._last is None or self.rhythm.expected_s <= self._last[0].at_s:
            return 0.0
        return lane.paces.of(self._last[1]).durations.quantile_s(LONG)
