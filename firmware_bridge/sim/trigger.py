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
        self._config: Config | None = None
        self._debounce = 0
        self._raw: dict[int, int] = {}
        self._level = 0
        self._changed: int | None = None
        self._glitches = 0
        self._again: tuple[int, Edge] | None = None
        self.edges = 0

    def configure(self, config: Config) -> None:
        """Say which edge counts; the count goes on, and so does an edge of the same input that is under way."""
        if self._config is None or config.trigger_input != self._config.trigger_input:
            self._level, self._changed = self._raw.get(config.trigger_input, 0), None
        self._config = config
        self._debounce = config.debounce_us * self._tick_hz // 1_000_000

    def set(self, level: int, ticks: int, number: int) -> None:
        """Change the level of an input."""
        before, self._raw[number] = self._raw.get(number, 0), level
        if self._config is None or number != self._config.trigger_input or level == before:
            return
        if self._changed is None:
            self._changed = ticks
        else:
            self._changed = None
            self._glitches = min(255, self._glitches + 1)

    def next_ticks(self) -> float:
        """Give when `step` has something to do [ticks]."""
        due: list[float] = [] if self._changed is None else [self._changed + self._debounce]
        due += [] if self._again is None else [self._again[0]]
        return min(due, default=math.inf)

    def step(self, ticks: int) -> Iterator[Edge]:
        """Give the edges that are to be said now."""
        if self._again is not None and ticks >= self._again[0]:
            yield self._again[1]
            self._again = None
        if self._changed is not None and ticks >= self._changed + self._debounce:
            assert self._config is not None
            changed, self._changed = self._changed, None
            self._level = self._raw[self._config.trigger_input]
            if self._level == self._config.trigger_rising:
                if self._again is not None:
                    yield self._again[1]
                yield self._counted(changed, self._config.trigger_input, ticks)

    def _counted(self, changed: int, number: int, ticks: int) -> Edge:
        self.edges += 1
        edge = Edge(self.edges, changed, number, self._level, self._glitches)
        self._glitches = 0
        self._again = ticks + int(REPEAT_S * self._tick_hz), edge
        return edge
