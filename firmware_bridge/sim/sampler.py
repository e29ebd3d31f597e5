"""The accelerometer of a simulated microcontroller: takes samples at its own rate and puts them into blocks. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.codes import BlockFlag
from firmware_bridge.messages import Block, Config

ReadSensor = Callable[[int, int], NDArray[np.int16]]
"""Gives raw samples by the number of the first and how many, shape (n, 3)."""

TEMPERATURE_CDEG = 2500


def silent_sensor(first: int, n: int) -> NDArray[np.int16]:
    """A sensor that feels nothing."""
    return np.zeros((n, 3), np.int16)


class Sampler:
    """Makes blocks from CONFIG on.

    Args:
        sensor: gives the samples.
        tick_hz: of the counter [1/s].
        rate_error: by what share the sensor's true rate is above the nominal one.
    """

    def __init__(self, sensor: ReadSensor, tick_hz: int, rate_error: float) -> None:
        self._sensor = sensor
        self._tick_hz = tick_hz
        self._rate = 1.0 + rate_error
        self._config: Config | None = None
        self._first = 0
        self._untold = 0
        self.since = 0  #: when sample 0 was due [ticks]
        self.blocks = 0  #: blocks given
        self.dropped = 0  #: samples dropped
        self.faulty = False  #: whether the sensor does not answer

    @property
    def is_sampling(self) -> bool:
        """Whether blocks are made."""
        return self._config is not None

    def start(self, config: Config, ticks: int) -> None:
        """Begin a count of samples and blocks."""
        self._config, self.since = config, ticks
        self._first = self._untold = self.blocks = self.dropped = 0

    def stop(self) -> None:
        """Make no more blocks."""
        self._config = None

    def next_ticks(self) -> float:
        """Give when the next block is full [ticks]."""
        return float("inf") if self._config is None else self._due(self._first + self._config.block_samples)

    def take(self, has_room: bool) -> Block | None:
        """Give the block that is full now; without room it is dropped, and said in the next one."""
        assert self._config is not None
        return self._cut(self._config.block_samples, has_room)

    def lose(self, n: int, ticks: int) -> Block | None:
        """Let the sensor lose its next samples; give those before them as a short block, if there are any."""
        if self._config is None:
            return None
        taken = 0
        while self._due(self._first + taken + 1) <= ticks:
            taken += 1
        block = self._cut(taken, True) if taken else None
        self._drop(n)
        return block

    def _cut(self, n: int, has_room: bool) -> Block | None:
        if not has_room:
            self._drop(n)
            return None
        samples = self._sensor(self._first, n)
        flags = BlockFlag.OVERRUN if self._untold else 0
        if samples.min() <= -32_768 or samples.max() >= 32_767:
            flags |= BlockFlag.SATURATED
        if self.faulty:
            flags |= BlockFlag.SENSOR_FAULT
        ticks = self._due(self._first + 1)
        block = Block(self.blocks, self._first, ticks, self._untold, flags, TEMPERATURE_CDEG, samples)
        self.blocks += 1
        self._untold = 0
        self._first += n
        return block

    def _drop(self, n: int) -> None:
        self.dropped += n
        self._untold += n
        self._first += n

    def _due(self, taken: int) -> int:
        """Give when so many samples have been taken: the first comes one period after the start [ticks]."""
        assert self._config is not None
        return self.since + round(taken * self._tick_hz / (self._config.rate_hz * self._rate))
