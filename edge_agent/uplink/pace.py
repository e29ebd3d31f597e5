"""How much may pass in a while. Pure."""

from __future__ import annotations


class TokenBucket:
    """Lets `rate_per_s` pass in the long run, and `burst` at once after a rest.

    Args:
        rate_per_s: how fast it fills [1/s].
        burst: how much it holds; it is full at first.
    """

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = float(burst)
        self._looked_s: float | None = None

    def take(self, now: float) -> bool:
        """Take one where there is one; say whether there was [now: s, host monotonic]."""
        self._fill(now)
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

    def wait_s(self, now: float) -> float:
        """Say how long it takes until there is one again [s]."""
        self._fill(now)
        return max(0.0, 1.0 - self._level) / self._rate_per_s

    def _fill(self, now: float) -> None:
        if self._looked_s is not None:
            self._level = min(self._burst, self._level + max(0.0, now - self._looked_s) * self._rate_per_s)
        self._looked_s = now
