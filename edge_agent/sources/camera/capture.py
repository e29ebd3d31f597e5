"""What an open camera gives and says of itself: the protocol that every door to one obeys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.config.camera import CameraConfig
from edge_agent.runtime.clock import Clock


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture as it came.

    Attributes:
        image: BGR, shape (height, width, 3), uint8.
        driver_s: when the driver says that it was taken [s], on a clock that may be the host's monotonic one; of
            recorded pictures, when it was due; None where nothing is said.
    """

    image: NDArray[np.uint8]
    driver_s: float | None = None


@dataclass(frozen=True)
class Settings:
    """What is asked of a camera, or what it says that it does; None is not asked, or not known.

    Attributes:
        width_px: of the whole picture [px].
        height_px: of the whole picture [px].
        fps: pictures per second [1/s].
        pixel_format: the four letters of its FOURCC.
        exposure_us: time of exposure [us].
        gain: in the driver's own unit.
    """

    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None
    pixel_format: str | None = None
    exposure_us: int | None = None
    gain: int | None = None

    @classmethod
    def asked(cls, config: CameraConfig) -> Settings:
        """Give what a configuration asks for."""
        return cls(
            config.width_px or None,
            config.height_px or None,
            config.fps or None,
            config.pixel_format or None,
            config.exposure_us or None,
            None if config.gain < 0 else config.gain,
        )

    def ignored(self, got: Settings) -> tuple[str, ...]:
        """Name what was asked here and is otherwise in `got`; numbers may be off by 1 %, as drivers round."""
        return tuple(
            field.name
            for field in fields(self)
            if (asked := getattr(self, field.name)) is not None and not _is_about(asked, getattr(got, field.name))
        )


class Capture(Protocol):
    """An open camera. It belongs to one thread, and any of its methods may hang in a driver."""

    def settings(self) -> Settings:
        """Read back what it does."""

    def read(self) -> Shot | None:
        """Wait for the next picture; None when none came within about a second.

        Raises `BadData` for a picture that is damaged, `Unavailable` when the device has gone or the stream has ended.
        """

    def close(self) -> None:
        """Release the device; never raises, and is safe twice."""


OpenCapture = Callable[[CameraConfig, Clock], Capture]
"""Opens a camera and sets it; raises `Unavailable` or `ConfigError`."""


def _is_about(asked: float | str, got: float | str | None) -> bool:
    if isinstance(asked, str) or isinstance(got, str) or got is None:
        return asked == got
    return abs(asked - got) <= 0.01 * abs(asked)
