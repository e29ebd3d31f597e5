"""A folder of pictures, or one picture, as a camera that never ends: one after the other, and again from the first."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_agent.errors import Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.sources.camera.capture import Settings, Shot
from edge_agent.sources.camera.pace import Pace
from edge_agent.sources.files import read_picture
from models.picturefile import PICTURE_SUFFIXES

DEFAULT_RATE_HZ: Final = 5.0
"""Pictures per second where `camera.fps` says nothing [1/s]."""


class PictureFolder:
    """A `Capture` of the pictures in a folder, by name.

    Args:
        folder: holds PNG, JPEG or BMP files.
        rate_hz: pictures per second [1/s]; 0 for `DEFAULT_RATE_HZ`.
        clock: tells the time and waits.

    Raises:
        Unavailable: there is no picture in it.
    """

    def __init__(self, folder: Path, rate_hz: float, clock: Clock) -> None:
        try:
            self._files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        except OSError as error:
            raise Unavailable(
                f"{folder} cannot be read: {error.strerror}", hint="check the path in camera.device"
            ) from None
        if not self._files:
            raise Unavailable(f"{folder} holds no pictures", hint="put PNG, JPEG or BMP files into it")
        self._pace = Pace(rate_hz or DEFAULT_RATE_HZ, clock)
        self._next = 0

    def settings(self) -> Settings:
        """Give its pace; the size is that of each file."""
        return Settings(fps=self._pace.rate_hz)

    def read(self) -> Shot | None:
        """Give the next picture when it is due; raises `BadData` for a file that cannot be used."""
        if not self._pace.comes():
            return None
        file = self._files[self._next % len(self._files)]
        self._next += 1
        return Shot(read_picture(file), self._pace.at_s)

    def close(self) -> None:
        """Hold nothing."""
