"""Until when parts that nobody judges are between the trigger and the gate. Pure."""

from __future__ import annotations

import math


class BeltGuard:
    """Keeps a gate whose safe level takes parts off at that level until the last unjudged part has passed it.

    Args:
        belt_s: so long after its trigger every part has passed the gate [s]; 0 where the safe level lets parts pass.
    """

    def __init__(self, belt_s: float) -> None:
        self._belt_s = belt_s
        self._until_s = -math.inf
        self._dropped = 0
        self._waits = False

    def unjudged(self, now: float) -> None:
        """Hear that parts which came until now [s, host monotonic] will not be judged."""
        self._until_s = now + self._belt_s

    def begin(self, now: float) -> None:
        """Hear that parts are judged from now on [s, host monotonic], and none before."""
        self.unjudged(now)
        self._waits = False

    def dropped(self, count: int, now: float) -> None:
        """Hear how many triggers and windows were ever dropped, by now [s, host monotonic]."""
        if count > self._dropped:
            self._dropped = count
            self.unjudged(now)

    def follows_from(self, now: float, *, bypassed: bool) -> tuple[float, bool]:
        """Say from when on the gate may follow.

        Args:
            now: host monotonic time [s].
            bypassed: every part is to pass, those that nobody judged as well.

        Returns:
            From when on [s, host monotonic], and whether it is news that the gate waits.
        """
        waits = now < self._until_s and not bypassed
        news = waits and not self._waits
        self._waits = waits
        return (self._until_s if waits else now), news
