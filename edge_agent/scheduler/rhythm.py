"""When background work may begin: where it holds up no part, as far as the line's rhythm tells.

A value that is told when parts come and what they have left; it looks at no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from edge_agent.scheduler.latency import Recent

TRICKLE_S: Final = 1.0
"""Background work that could make a part late waits so long for a gap that is long enough [s], and then goes on."""

REMEMBERED: Final = 64
"""Parts whose rhythm counts: a line that changes its pace is known again within a few seconds."""

HUNGRY_S: Final = 0.1
"""Background work that makes no part late waits so long for a gap in which it holds up none at all [s]."""

FRESH_S: Final = 0.003
"""A lane that has been free for so long could have begun a piece sooner [s]."""

OVERDUE_S: Final = 0.02
"""A part that has not come so long after it was expected is not waited for any more [s]."""

SOON: Final = 0.05
"""Share of the gaps between parts that are shorter than what is reckoned with."""

USUAL: Final = 0.90
"""Share of the pieces of background work that are over within what is reckoned with where a part could wait for it."""

LONG: Final = 0.95
"""The same, where a part should not have to."""


@dataclass
class Rhythm:
    """How parts come.

    Attributes:
        came_s: when the last part came [s, host monotonic].
        piece_s: when the last piece of background work began [s, host monotonic].
        expected_s: when the next part is going to come, as whoever brings it says [s, host monotonic].
    """

    came_s: float = -math.inf
    piece_s: float = -math.inf
    expected_s: float = math.inf
    _gaps: Recent = field(default_factory=lambda: Recent(REMEMBERED))
    _slacks: Recent = field(default_factory=lambda: Recent(REMEMBERED))

    def came(self, now: float, slack_s: float) -> None:
        """Hear that a part has come, with so much time until its deadline [s]."""
        if self.came_s > -math.inf:
            self._gaps.add(now - self.came_s)
        self.came_s = now
        self._slacks.add(slack_s)

    @property
    def slack_s(self) -> float:
        """What parts have until their deadline, all but a few of them [s]; 0 where nobody knows."""
        return self._slacks.quantile_s(SOON)

    def began(self, now: float) -> None:
        """Hear that a piece of background work has begun."""
        self.piece_s = now

    def may_begin_at_s(
        self, now: float, since_s: float, freed_s: float, pieces: Recent, part_s: float, before_s: float = 0.0
    ) -> float:
        """Give when a piece may begin [s, host monotonic]; `now` where it may at once.

        It may where it is over before the part that is expected next, and a part that nobody expects yet could still
        wait for it and be done in time, or does not come before it is over by the rhythm. It waits for that, since it
        came or the last piece began: not for long where it makes no part late anyway, else for longer, but not on for
        parts that have stopped coming. Then it begins where the part that is expected would still be in time behind it,
        or the lane is done with a part, when the next one is as far away as it gets; and where neither happens, a
        second later all the same.

        Args:
            now: host monotonic time [s].
            since_s: when the piece came [s, host monotonic].
            freed_s: when the lane was done with a part, or a piece [s, host monotonic].
            pieces: what pieces took.
            part_s: what one part in a hundred exceeds, when it is complete [s].
            before_s: what is to be done first of the part that is expected next [s].

        Returns:
            When.
        """
        next_s = self.came_s + self._gaps.quantile_s(SOON)
        takes_s = pieces.quantile_s(LONG)
        is_harmless = not len(self._slacks) or pieces.quantile_s(USUAL) + part_s <= self.slack_s
        is_clear = self.is_clear(now, takes_s + before_s)
        if (is_harmless or now + takes_s <= next_s) and is_clear:
            return now
        since_s = max(since_s, self.piece_s)
        is_due = now < self.expected_s + OVERDUE_S < math.inf  # a part is on its way: they have not stopped coming
        until_s = since_s + HUNGRY_S if is_harmless else (since_s if is_due else min(since_s, self.came_s)) + TRICKLE_S
        if now < until_s:
            return until_s
        stopped_s = next_s + OVERDUE_S
        in_time = now + takes_s + before_s + part_s <= self.expected_s + self.slack_s < math.inf
        if in_time or now <= freed_s + FRESH_S or (is_clear and now >= stopped_s) or now >= until_s + TRICKLE_S:
            return now
        return min(until_s + TRICKLE_S, stopped_s if now < stopped_s else self.expected_s + OVERDUE_S)

    def is_clear(self, now: float, takes_s: float) -> bool:
        """Say whether what takes so long [s] is over before the part that is expected next."""
        return now + takes_s <= self.expected_s or now >= self.expected_s + OVERDUE_S
