"""When background work may begin: where it holds up no part, as far as the line's rhythm tells.

A value that is told when parts come and what they have left; it looks at no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from edge_agent.scheduler.latency import Recent

TRICKLE_S: Final = 1.0
"""Background work gets one piece in so long in any case [s]: it goes on, however little time the parts leave."""

REMEMBERED: Final = 64
"""Parts whose rhythm counts: a line that changes its pace is known again within a few seconds."""

HUNGRY_S: Final = 0.1
"""Background work waits so long after its last piece for a gap in which it holds up no part at all [s]."""

OVERDUE_S: Final = 0.02
"""A part that has not come so long after it was expected is not waited for any more [s]."""

SOON: Final = 0.05
"""Share of the gaps between parts that are shorter than what is reckoned with."""

LONG: Final = 0.90
"""Share of the pieces that are done within what is reckoned with."""


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

    def may_begin_at_s(self, now: float, pieces: Recent, part_s: float) -> float:
        """Give when a piece may begin [s, host monotonic]; `now` where it may at once.

        It may where a part that comes right after it could still wait for it and be done in time; or where it is over
        before the next part is to be expected by the rhythm; or where the parts have stopped coming, or the last piece
        is long ago. It waits a little for a gap before the part that is expected next.

        Args:
            now: host monotonic time [s].
            pieces: what pieces took.
            part_s: what one part in a hundred exceeds [s].

        Returns:
            When.
        """
        takes_s = self.takes_s(pieces, part_s)
        fits = takes_s + part_s <= self.slack_s
        over_before = now + takes_s <= self.came_s + self._gaps.quantile_s(SOON)
        if not len(self._slacks) or fits or over_before:
            return now if self.is_clear(now, takes_s) else max(now, self.piece_s + HUNGRY_S)
        return max(now, min(self.piece_s, self.came_s) + TRICKLE_S)

    def is_clear(self, now: float, takes_s: float) -> bool:
        """Say whether what takes so long [s] is over before the part that is expected next."""
        return now + takes_s <= self.expected_s or now > self.expected_s + OVERDUE_S

    @staticmethod
    def takes_s(pieces: Recent, part_s: float) -> float:
        """Give what a piece is reckoned to take [s], of what pieces took; as long as a part where none was done."""
        return pieces.quantile_s(LONG) if len(pieces) else part_s
