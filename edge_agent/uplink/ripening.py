"""Which parts have been on the disk for so long that they are told with whatever is known of them. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

RIPE_S: Final = 2.0
"""So long is waited for what is known late of a part [s]."""

LOOK_S: Final = 0.25
"""How often it is looked what is there [s]."""


class Ripening:
    """Counts from when a part was there, not from its verdict: the disk may have been in the way for long.

    What was there at the first look is of an earlier life, in which nothing more becomes known.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def wants_look(self, now: float) -> bool:
        """Say whether `look` is to be told again what is there [now: s, host monotonic]."""
        return not self._seen or now - self._seen[-1][0] >= LOOK_S

    def look(self, newest: int, now: float) -> None:
        """Hear the number of the newest part."""
        self._seen.append((now if self._seen else float("-inf"), newest))
        while len(self._seen) > 1 and now - self._seen[1][0] >= RIPE_S:
            self._seen.popleft()

    def forget(self) -> None:
        """Hear that parts are numbered anew, by this life."""
        self._seen = deque([(float("-inf"), 0)])

    def upto(self, now: float) -> int:
        """Give the number up to which no part is waited for any more."""
        return max((newest for at_s, newest in self._seen if now - at_s >= RIPE_S), default=0)
