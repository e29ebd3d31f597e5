"""How many rows somebody may cause in a while, so that nobody can fill the disk by being refused. Pure."""

from __future__ import annotations

from collections import deque


class Allowance:
    """So many in any period; what comes beyond is counted, for the next one to say.

    Attributes:
        left_out: how many were left out since the last one.

    Args:
        most: so many.
        period_s: within so long [s].
    """

    def __init__(self, most: int, period_s: float) -> None:
        self.left_out = 0
        self._most = most
        self._period_s = period_s
        self._recent: deque[float] = deque()

    def has_room(self, now: float) -> bool:
        """Say whether there may be one more; where not, it is left out [now: s, host monotonic]."""
        while self._recent and now - self._recent[0] > self._period_s:
            self._recent.popleft()
        if len(self._recent) < self._most:
            return True
        self.left_out += 1
        return False

    def use(self, now: float) -> None:
        """Note that there was one, and that it said how many were left out [now: s, host monotonic]."""
        self._recent.append(now)
        self.left_out = 0
