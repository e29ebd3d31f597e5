"""A belt in front of a simulated microcontroller: parts that pass at a steady pace, and what the sensor feels then."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.stand import Line

KEPT: Final = 4096
"""Parts whose tick is remembered."""
CHANGES_KEPT: Final = 1024
"""Changes of the outputs that are remembered."""
HUM: Final = (120.0, 800)
"""What a machine at rest feels like [Hz], [raw]."""


class Belt(Line):
    """Lets parts pass.

    Args:
        parts_per_s: how many a second; 0 for a belt that stands still.
        tick_hz: of the microcontroller's counter [1/s].
    """

    def __init__(self, parts_per_s: float, tick_hz: int = 1_000_000) -> None:
        self._half = round(tick_hz / parts_per_s / 2.0) if parts_per_s > 0.0 else 0
        self._next = self._half
        self._level = 0
        self.parts: deque[int] = deque(maxlen=KEPT)  #: true ticks of the latest parts

    def stop(self) -> None:
        """Let no more parts pass. Safe from any thread."""
        self._half = 0

    def step(self, mcu: Mcu, ticks: int) -> None:
        """Let the parts pass that are due up to a tick."""
        while (half := self._half) and self._next <= ticks:
            self._level ^= 1
            mcu.set_trigger(self._level, self._next)
            if self._level:
                self.parts.append(self._next)
            self._next += half
        del mcu.outputs.changes[:-CHANGES_KEPT]


def humming(first: int, n: int) -> NDArray[np.int16]:
    """A sensor on a machine that hums: raw samples from number `first` on, shape (n, 3)."""
    hz, raw = HUM
    phase = 2.0 * np.pi * hz / 26_667 * np.arange(first % 26_667, first % 26_667 + n)
    return (raw * np.stack([np.sin(phase), np.cos(phase), np.sin(phase / 2.0)], axis=1)).astype(np.int16)
