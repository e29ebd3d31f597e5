"""Decides what becomes of each picture, and when it was taken: pure, told the time, one for each camera.

A driver may report success and hand out an old picture after its camera was unplugged. Such a picture has the driver's
old time, or a time that runs backwards, or the very pixels of the one before for too long.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.config.camera import CameraConfig, DeviceKind, RoiConfig
from edge_agent.sources.camera.capture import Settings, Shot

PLAUSIBLE_AGE_S: Final = 1.0
"""A first picture whose driver's time is older, or not past, is dated by another clock than the host's [s]."""

CLOCK_STEP_S: Final = 0.005
"""How far the driver's time of a picture may lie after its arrival, by the grain of the clocks [s]."""

INTERVALS: Final = 32
"""Arrivals between which the interval of a free-running camera is measured."""


class Refusal(StrEnum):
    """Why a picture is not delivered."""

    STALE = "stale"  #: it was taken long ago, or is the one before again
    SIZE = "size"  #: it has another size than the one that was asked for, or ends inside the region of interest


@dataclass(frozen=True)
class Stamp:
    """When a picture was taken.

    Attributes:
        time_s: host monotonic time of mid-exposure [s].
        uncertainty_s: half width of the interval that it is known to [s].
    """

    time_s: float
    uncertainty_s: float


class Sieve:
    """Judges the pictures of one camera, in the order in which they come.

    Attributes:
        dated_by_driver: whether the driver's times are those of the host's monotonic clock; None before the first.

    Args:
        config: of the camera.
    """

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._stall_s = config.stall_ms / 1e3
        self._may_freeze = config.kind in (DeviceKind.STREAM, DeviceKind.V4L2)
        self.dated_by_driver: bool | None = None
        self._driver_s: float | None = None
        self._last: NDArray[np.uint8] | None = None
        self._same_since_s = 0.0
        self._said_s = 0.0
        self._arrivals: deque[float] = deque(maxlen=INTERVALS)

    def begin(self, settings: Settings) -> None:
        """Hear that the camera was opened, again or for the first time.

        The last picture is kept: one that is frozen when the camera is back was frozen all the time.
        """
        self.dated_by_driver = self._driver_s = None
        self._said_s = 1.0 / settings.fps if settings.fps else 0.0
        self._arrivals.clear()

    @property
    def interval_s(self) -> float:
        """Time between two pictures [s]: as measured where they come by themselves, else as said; 0 is not known."""
        if self._config.trigger == "free" and len(self._arrivals) > 4:
            times = list(self._arrivals)
            return statistics.median(b - a for a, b in zip(times, times[1:], strict=False))
        return self._said_s

    def judge(self, shot: Shot, now: float) -> Stamp | Refusal:
        """Say when a picture was taken, or why it is not to be used.

        Args:
            shot: the picture.
            now: when it arrived [s, host monotonic].

        Returns:
            Its time, or the reason.
        """
        height, width = shot.image.shape[:2]
        self._arrivals.append(now)
        if self._is_stale(shot, now):
            return Refusal.STALE
        return self._stamp(shot, now) if self._fits(width, height) else Refusal.SIZE

    def _fits(self, width: int, height: int) -> bool:
        config, roi = self._config, self._config.roi
        if config.width_px and (width, height) != (config.width_px, config.height_px):
            return False
        return not roi.is_set or (roi.x_px + roi.width_px <= width and roi.y_px + roi.height_px <= height)

    def _is_stale(self, shot: Shot, now: float) -> bool:
        if shot.driver_s is None:
            return self._may_freeze and self._is_frozen(shot.image, now)
        if self.dated_by_driver is None:
            self.dated_by_driver = now - PLAUSIBLE_AGE_S <= shot.driver_s <= now + CLOCK_STEP_S
        before_s, self._driver_s = self._driver_s, shot.driver_s
        if before_s is not None and shot.driver_s <= before_s:
            self._driver_s = before_s
            return True
        return self.dated_by_driver and not now - self._stall_s <= shot.driver_s <= now + CLOCK_STEP_S

    def _is_frozen(self, image: NDArray[np.uint8], now: float) -> bool:
        if self._last is None or not np.array_equal(self._last, image):
            self._last, self._same_since_s = image, now
        return now - self._same_since_s > self._stall_s

    def _stamp(self, shot: Shot, now: float) -> Stamp:
        latency_s, uncertainty_s = self._config.latency_ms / 1e3, self._config.uncertainty_ms / 1e3
        if shot.driver_s is not None and self.dated_by_driver:
            return Stamp(shot.driver_s - latency_s, uncertainty_s)
        return Stamp(now - latency_s, uncertainty_s + self.interval_s / 2.0)


def cut(image: NDArray[np.uint8], roi: RoiConfig) -> NDArray[np.uint8]:
    """Give the region of interest as a picture of its own, so that nothing holds on to the rest.

    Args:
        image: BGR, shape (height, width, 3), uint8; the region is inside.
        roi: the region.

    Returns:
        BGR, uint8; the picture itself where no region is set.
    """
    if not roi.is_set:
        return image
    return image[roi.y_px : roi.y_px + roi.height_px, roi.x_px : roi.x_px + roi.width_px].copy()
