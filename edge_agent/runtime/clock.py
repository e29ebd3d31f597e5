"""The door to the machine's clocks: everybody else is told what time it is.

Components get `now` as an argument; the few objects that wait hold a `Clock`, so that a test can hand them
one that moves only when told to.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Safe from any thread."""

    def now(self) -> float:
        """Host monotonic time [s]; never jumps, means nothing outside this machine and this boot."""

    def utc(self) -> float:
        """Wall time [s since the epoch]; may jump when the machine's clock is set."""

    def wait(self, event: threading.Event, until: float) -> None:
        """Return when `event` is set or `until` has come, whichever is first.

        Args:
            event: what may end the wait early; it is left as it is.
            until: host monotonic time [s]; in the past returns at once, infinity waits for the event alone.
        """


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> float:
        """Host monotonic time [s]."""
        return time.monotonic()

    def utc(self) -> float:
        """Wall time [s since the epoch]."""
        return time.time()

    def wait(self, event: threading.Event, until: float) -> None:
        """Return when `event` is set or `until` [s, host monotonic] has come."""
        event.wait(min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX))
