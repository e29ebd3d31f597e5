"""Lets recorded pictures come as a camera would give them: one at a time, evenly."""

from __future__ import annotations

import threading
from typing import Final

from edge_agent.runtime.clock import Clock

LONGEST_WAIT_S: Final = 0.25
"""A reader is to notice that it should stop [s]."""


class Pace:
    """Says when the next picture is due.

    Attributes:
        at_s: when the last picture was due [s, host monotonic], which is when it counts as taken.

    Args:
        rate_hz: pictures per second [1/s].
        clock: tells the time and waits.
    """

    def __init__(self, rate_hz: float, clock: Clock) -> None:
        self.rate_hz = rate_hz
        self._clock = clock
        self.at_s = self._due_s = clock.now()
        self._never = threading.Event()

    def comes(self) -> bool:
        """Wait for the turn of the next picture, `LONGEST_WAIT_S` at most; say whether it has come.

        Whoever asks late gets the next one at once and those after it in time: nothing is made up for.
        """
        self._clock.wait(self._never, min(self._due_s, self._clock.now() + LONGEST_WAIT_S))
        now = self._clock.now()
        if now < self._due_s:
            return False
        self.at_s = max(self._due_s, now - 1.0 / self.rate_hz)
        self._due_s = self.at_s + 1.0 / self.rate_hz
        return True
