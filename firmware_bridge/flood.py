"""Tells a microcontroller that talks without end from one that has much to say. Pure."""

from __future__ import annotations

from typing import Final

from firmware_bridge.errors import McuFault

TIMES: Final = 4
"""So many times the bytes that the configured samples need are a flood ..."""
MORE_BYTES: Final = 65_536
"""... and so many more in the same second."""
SAMPLE_BYTES: Final = 6


class FloodGate:
    """Counts the bytes of each second.

    Args:
        rate_hz: nominal sample rate [Hz].
    """

    def __init__(self, rate_hz: int) -> None:
        self._limit = TIMES * SAMPLE_BYTES * rate_hz + MORE_BYTES
        self._second_s = 0.0
        self._bytes = 0

    def add(self, n: int, now: float) -> None:
        """Count bytes that came.

        Args:
            n: how many.
            now: host monotonic time [s].

        Raises:
            McuFault: too many came within a second.
        """
        if now >= self._second_s + 1.0:
            self._second_s, self._bytes = now, 0
        self._bytes += n
        if self._bytes > self._limit:
            raise McuFault(
                f"more than {self._limit} bytes came within a second, {TIMES} times what the samples need",
                hint="see whether source.wire.port is the right device",
            )
