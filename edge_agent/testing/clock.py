"""A clock that moves only when told to: an hour of a component's life takes no time, and never varies."""

from __future__ import annotations

import math
import threading


class ManualClock:
    """A `Clock` for tests with one thread.

    Waiting jumps straight to the end of the wait. Waiting for ever for an event that nobody has set is an
    error, because with one thread nobody ever will.

    Args:
        start_s: the first host monotonic time [s].
        epoch_utc: the wall time when host monotonic time is 0 [s since the epoch].
    """

    def __init__(self, start_s: float = 0.0, epoch_utc: float = 1_700_000_000.0) -> None:
        self._now = start_s
        self._epoch_utc = epoch_utc

    def now(self) -> float:
        """Host monotonic time [s]."""
        return self._now

    def utc(self) -> float:
        """Wall time [s since the epoch]."""
        return self._epoch_utc + self._now

    def wait(self, event: threading.Event, until: float) -> None:
        """Return at once if `event` is set; otherwise jump to `until` [s, host monotonic]."""
        if event.is_set():
            return
        if until == math.inf:
            raise RuntimeError("waits for ever: nothing is due and the event is not set")
        self.advance_to(max(self._now, until))

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.advance_to(self._now + seconds)

    def advance_to(self, now: float) -> None:
        """Let time pass until `now` [s, host monotonic]; going back is an error."""
        if not self._now <= now < math.inf:
            raise ValueError(f"time cannot go from {self._now} s to {now} s")
        self._now = now
