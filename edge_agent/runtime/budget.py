"""How often a component may be restarted, and how long to wait before: a value that is told the time."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class RestartBudget:
    """At most `limit` restarts in a row; each waits twice as long as the last, up to a cap.

    A row ends when the component has run well for `quiet_s`; so there are never more than `limit` restarts in
    any stretch of that length.

    Attributes:
        limit: restarts in a row; None is for ever.
        quiet_s: running well for this long is forgiven everything [s].
        first_delay_s: wait before the first restart of a row [s].
        longest_delay_s: cap of the wait [s].
    """

    limit: int | None = 5
    quiet_s: float = 60.0
    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    _in_row: int = 0
    _next_delay_s: float = 0.0
    _restart_at: float = -math.inf

    @classmethod
    def for_ever(cls) -> RestartBudget:
        """For what can come back by itself (camera, link, network): it is tried again for ever."""
        return cls(limit=None)

    def delay_s(self, now: float) -> float | None:
        """How long to wait before restarting what failed at `now` [s]; None when the budget is spent."""
        if now - self._restart_at > self.quiet_s:
            self._in_row, self._next_delay_s = 0, self.first_delay_s
        if self._in_row == self.limit:
            return None
        delay_s = min(self._next_delay_s, self.longest_delay_s)
        self._in_row += 1
        self._next_delay_s = 2.0 * delay_s
        self._restart_at = now + delay_s
        return delay_s
