"""Cuts windows of vibration around triggers out of the blocks of a sensor that never stops: pure, fed with blocks.

A window begins at the first sample after its trigger. Its times and its sample rate are those that the blocks were
stamped with, not those that the sensor promises: a MEMS sensor's own clock is several percent off.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.records import VibrationWindow

KEPT_S: Final = 2.0
"""How much longer than a window blocks are kept [s]: longer than any trigger takes to be told, and enough to measure
the rate."""
ENOUGH_BLOCKS: Final = 8
"""Blocks from which the sample rate can be told."""
GIVE_UP_S: Final = 1.0
"""A window that is not complete so long after its end will not be [s]."""
STANDARD_GRAVITY_MS2: Final = 9.80665
FULL_SCALE: Final = 32_768


@dataclass(frozen=True, eq=False)
class SensorBlock:
    """Consecutive samples of one sensor.

    Attributes:
        first_sample: number of the first one in the sensor's count.
        raw: shape (n, 3) for axes x, y, z, int16; 32,768 is full scale.
        start_s: host monotonic time of the first one [s].
        uncertainty_s: half width of the interval that `start_s` is known to [s].
        usable: False where the sensor says that they mean nothing.
    """

    first_sample: int
    raw: NDArray[np.int16]
    start_s: float
    uncertainty_s: float
    usable: bool = True

    @property
    def after(self) -> int:
        """Number of the sample after the last one."""
        return self.first_sample + len(self.raw)


class WindowCutter:
    """Keeps the last seconds of one sensor, and gives the window of each trigger when its last sample has come.

    Args:
        window_s: length of a window [s].
        range_g: full scale of the sensor [g].
        nominal_rate_hz: of the sensor, used until it is measured [Hz].
    """

    def __init__(self, window_s: float, range_g: float, nominal_rate_hz: float) -> None:
        self._window_s = window_s
        self._scale = np.float32(range_g * STANDARD_GRAVITY_MS2 / FULL_SCALE)
        self._nominal_hz = nominal_rate_hz
        self._blocks: deque[SensorBlock] = deque()
        self._wanted: deque[float] = deque()
        self.cut = 0  #: windows given
        self.unfinished = 0  #: triggers whose window never became complete
        self.clipped = 0  #: windows with a sample at full scale

    @property
    def rate_hz(self) -> float | None:
        """The sample rate, measured over the last seconds [Hz]; None before it is known."""
        return None if len(self._blocks) < ENOUGH_BLOCKS else 1.0 / self._line()[1]

    def clear(self) -> None:
        """Begin with another count of samples; what was wanted cannot be had any more."""
        self.unfinished += len(self._wanted)
        self._blocks.clear()
        self._wanted.clear()

    def want(self, trigger_s: float) -> None:
        """Ask for the window of a trigger [s, host monotonic]."""
        self._forget(trigger_s)  # where no blocks come nothing else does
        self._wanted.append(trigger_s)

    def add(self, block: SensorBlock) -> None:
        """Take the next block."""
        self._blocks.append(block)
        kept_s = KEPT_S + self._window_s
        while len(self._blocks) > ENOUGH_BLOCKS and self._blocks[0].start_s < block.start_s - kept_s:
            self._blocks.popleft()

    def take(self, now: float) -> Iterator[VibrationWindow]:
        """Give the windows that are complete, oldest first; forget those that never will be.

        Args:
            now: host monotonic time [s].

        Yields:
            Each window once; with `gap` set where samples of it are missing.
        """
        while self._wanted:
            window = self._cut(self._wanted[0])
            if window is not None:
                self._wanted.popleft()
                self.cut += 1
                yield window
            elif not self._forget(now):
                return

    def _forget(self, now: float) -> int:
        """Forget the triggers whose window will not become complete any more; give how many."""
        late_s = now - self._window_s - GIVE_UP_S
        count = 0
        while self._wanted and self._wanted[0] <= late_s:
            self._wanted.popleft()
            count += 1
        self.unfinished += count
        return count

    def _cut(self, trigger_s: float) -> VibrationWindow | None:
        if not self._blocks:
            return None
        at_s, period_s = self._line()
        newest = self._blocks[-1]
        first = newest.first_sample + math.ceil((trigger_s - at_s) / period_s)
        after = first + math.ceil(self._window_s / period_s)
        if newest.after < after:
            return None
        whole = self._samples(first, after)
        samples = np.zeros((0, 3), np.float32) if whole is None else whole.astype(np.float32) * self._scale
        clipped = whole is not None and bool(whole.max() == FULL_SCALE - 1 or whole.min() == -FULL_SCALE)
        self.clipped += clipped
        start_s = at_s + (first - newest.first_sample) * period_s
        faults = ("clipped",) if clipped else ()
        return VibrationWindow(samples, 1.0 / period_s, start_s, newest.uncertainty_s, whole is None, faults)

    def _samples(self, first: int, after: int) -> NDArray[np.int16] | None:
        """Give the raw samples from `first` up to `after`; None where one is missing or means nothing."""
        pieces = []
        for block in self._blocks:
            if block.after <= first or not block.usable:
                continue
            if block.first_sample > first:
                return None
            pieces.append(block.raw[first - block.first_sample : after - block.first_sample])
            first += len(pieces[-1])
            if first == after:
                return np.concatenate(pieces)
        return None

    def _line(self) -> tuple[float, float]:
        """Give the time of the newest block's first sample, and the sample period [s]: the line through the stamps."""
        newest = self._blocks[-1]
        if len(self._blocks) < ENOUGH_BLOCKS:
            return newest.start_s, 1.0 / self._nominal_hz
        number = np.array([block.first_sample - newest.first_sample for block in self._blocks], np.float64)
        start_s = np.array([block.start_s - newest.start_s for block in self._blocks])
        middle = number.mean()
        period_s = float((number - middle) @ (start_s - start_s.mean()) / ((number - middle) @ (number - middle)))
        return newest.start_s + float(start_s.mean()) - period_s * float(middle), period_s
