"""The trigger input of a simulated microcontroller: debounces, counts, says each edge twice. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from firmware_bridge.messages import Config, Edge

REPEAT_S: Final = 0.005
"""An edge is said again so long after the first time [s]."""


class TriggerInput:
    """Turns levels into edges.

    Args:
        tick_hz: of the counter [1/s].
    """

    def __init__(self, tick_hz: int) -> None:
        self._tick_hz = tick_hz
        self._input = 0
        self._rising = 1
        self._debounce = 0
        self._level = self._raw = 0
        self._changed = 0
        self._pending = False
        self._glitches = 0
        self._again: tuple[int, Edge] | None = None
        self.edges = 0

    def configure(self, config: Config) -> None:
        """Say which edge counts, and from when on; the count goes on."""
        self._input, self._rising = config.trigger_input, config.trigger_rising
        self._debounce = config.debounce_us * self._tick_hz // 1_000_000

    def set(self, level: int, ticks: int) -> None:
        """Change the level of the input."""
        if level == self._raw:
            return
        self._raw = level
        if self._pending:
            self._pending = False
            self._glitches = min(255, self._glitches + 1)
        else:
            self._changed, self._pending = ticks, True

    def next_ticks(self) -> float:
        """Give when `step` has something to do [ticks]."""
        due: list[float] = [self._changed + self._debounce] if self._pending else []
        due += [] if self._again is None else [self._again[0]]
        return min(due, default=math.inf)

    def step(self, ticks: int) -> Iterator[Edge]:
        """Give the edges that are to be said now."""
        if self._again is not None and ticks >= self._again[0]:
            yield self._again[1]
            self._again = None
        if self._pending and ticks >= self._changed + self._debounce:
            self._pending = False
            self._level = self._raw
            if self._level == self._rising:
                if self._again is not None:
                    yield self._again[1]
                yield self._counted(ticks)

    def _counted(self, ticks: int) -> Edge:
        self.edges += 1
        edge = Edge(self.edges, self._changed, self._input, self._level, self._glitches)
        self._glitches = 0
        self._again = ticks + int(REPEAT_S * self._tick_hz), edge
        return edge
