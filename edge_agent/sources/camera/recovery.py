"""When a camera hangs, when it has delivered nothing for too long, and when to open it again: pure, told the time.

With the defaults a camera that comes back delivers within five seconds, whatever its driver hung in.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from edge_agent.config.camera import CameraConfig
from edge_agent.runtime.budget import RestartBudget

OPEN_LIMIT_S: Final = 3.0
"""Opening and setting a camera takes longer only when its driver hangs [s]."""

READ_GRACE_S: Final = 1.0
"""What a read may take beyond `camera.stall_ms` [s]: a driver that gives up by itself can be closed properly."""

CLOSE_LIMIT_S: Final = 1.0
"""Closing takes longer only when the driver hangs [s]."""

FIRST_PICTURE_S: Final = 2.0
"""A camera that was opened may take so long for its first picture [s]: sensor, exposure, key frame."""

FIRST_DELAY_S: Final = 0.25
LONGEST_DELAY_S: Final = 1.0
"""Waits before a camera is opened again [s]: it is to deliver within seconds of being plugged in."""

QUIET_S: Final = 10.0
"""A camera that delivered for so long begins with the first delay again; outages are told no more often [s]."""


class Doing(StrEnum):
    """What a reader thread is in."""

    OPENING = "opening"
    READING = "reading"
    CLOSING = "closing"
    ENDED = "ended"


class Recovery:
    """The times of one camera.

    Attributes:
        reopen_s: when to open it again, while it is lost [s, host monotonic].
        outages: how often it was lost.

    Args:
        config: of the camera.
    """

    def __init__(self, config: CameraConfig) -> None:
        self._stall_s = config.stall_ms / 1e3
        self._free_running = config.trigger == "free"
        self._budget = RestartBudget(None, QUIET_S, FIRST_DELAY_S, LONGEST_DELAY_S)
        self._fed_until_s = 0.0
        self._lost_since_s: float | None = None
        self._told = False
        self._told_s = -math.inf
        self.reopen_s = 0.0
        self.outages = 0

    def opened(self, now: float) -> None:
        """Hear that it was opened; its first picture may take a while."""
        self._fed_until_s = now + max(self._stall_s, FIRST_PICTURE_S)

    def lives(self, now: float) -> None:
        """Hear that a picture came, though one that cannot be used: opening it again would not help."""
        self._fed_until_s = max(self._fed_until_s, now + self._stall_s)

    def fed(self, now: float) -> float | None:
        """Hear that a picture came that can be used; give how long the outage was that was told [s], else None."""
        self.lives(now)
        since_s, self._lost_since_s = self._lost_since_s, None
        return now - since_s if since_s is not None and self._told else None

    def lost(self, now: float) -> None:
        """Hear that nothing usable comes; that begins an outage, or goes on with it."""
        if self._lost_since_s is None:
            self._lost_since_s, self._told = now, False
            self.outages += 1

    def put_off(self, now: float) -> None:
        """Choose when to open it again; each time in a row waits longer."""
        self.reopen_s = now + (self._budget.delay_s(now) or 0.0)

    def is_to_tell(self, now: float) -> bool:
        """Say once for each outage, and at most every `QUIET_S`, that people are to be told of it."""
        if self._lost_since_s is None or self._told or now - self._told_s < QUIET_S:
            return False
        self._told, self._told_s = True, now
        return True

    def starves(self, now: float) -> bool:
        """Say whether it has delivered nothing for too long; one that is triggered may be silent for ever."""
        return self._free_running and now > self._fed_until_s

    def hangs(self, doing: Doing, since_s: float, now: float) -> bool:
        """Say whether its thread has been in something since `since_s` [s, host monotonic] for too long."""
        return now - since_s > self._limit_s(doing)

    def _limit_s(self, doing: Doing) -> float:
        match doing:
            case Doing.OPENING:
                return OPEN_LIMIT_S
            case Doing.READING:
                return self._stall_s + READ_GRACE_S
            case Doing.CLOSING | Doing.ENDED:
                return CLOSE_LIMIT_S
