"""The one door to `cv2.VideoCapture`: opens V4L2 devices, network streams and videos, sets them and reads them.

OpenCV gives every picture of a stream the size of the first one, whatever the stream does. So the pictures of Motion
JPEG are taken as they came and decoded here, where their size and their damage can be seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config.camera import CameraConfig, DeviceKind
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.sources.camera.capture import Capture, Settings, Shot
from edge_agent.sources.camera.device import busy, check_device
from edge_agent.sources.camera.folder import PictureFolder
from edge_agent.sources.camera.pace import Pace
from models.errors import FileRefused
from models.picturefile import decode_picture

SILENT_S: Final = 1
"""How long OpenCV waits for a picture of a V4L2 device [s]; 10 where it is not told."""

OPEN_TIMEOUT_S: Final = 2.5
"""How long opening a stream may take [s]; less than `recovery.OPEN_LIMIT_S`, so that it is no hang."""

MANUAL_EXPOSURE: Final = 1.0
"""V4L2_EXPOSURE_MANUAL."""

EXPOSURE_UNIT_US: Final = 100
"""Unit of V4L2_CID_EXPOSURE_ABSOLUTE [us]."""

DEFAULT_VIDEO_HZ: Final = 25.0
"""Pace of a video that does not say its own [1/s]."""

os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SILENT_S))
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: a camera that is away would fill the log


def open_capture(config: CameraConfig, clock: Clock) -> Capture:
    """Open a camera and set it as it is configured.

    Args:
        config: which, and what is asked of it.
        clock: paces what is recorded, and tells silence from failure.

    Returns:
        The open camera.

    Raises:
        Unavailable: it is not there, busy, not allowed, or does not answer.
        ConfigError: it is no camera.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # what is away is told once, not at each attempt
    match config.kind:
        case DeviceKind.NONE:
            raise ConfigError("no camera is configured", hint="set [camera] device")
        case DeviceKind.V4L2:
            return _V4l2(config, clock)
        case DeviceKind.STREAM:
            return _Stream(config)
        case DeviceKind.FOLDER:
            return PictureFolder(Path(config.device), config.fps, clock)
        case DeviceKind.VIDEO:
            return _Video(config, clock)


class _V4l2:
    def __init__(self, config: CameraConfig, clock: Clock) -> None:
        self._name = config.device
        self._node = check_device(config.device)
        self._clock = clock
        self._capture = cv2.VideoCapture(str(self._node), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise busy(config.device)
        self._set(Settings.asked(config))

    def settings(self) -> Settings:
        exposure = self._capture.get(cv2.CAP_PROP_EXPOSURE)
        gain = self._capture.get(cv2.CAP_PROP_GAIN)
        return _settings(
            self._capture,
            exposure_us=None if exposure < 0 else round(exposure * EXPOSURE_UNIT_US),
            gain=None if gain < 0 else round(gain),
        )

    def read(self) -> Shot | None:
        began_s = self._clock.now()
        image = _read(self._capture, self._name)
        if image is not None:
            driver_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
            return Shot(_bgr(image), driver_s if driver_s > 0.0 else None)
        if not self._node.exists():
            raise Unavailable(f"{self._name} was unplugged", hint="plug it in again")
        if self._clock.now() - began_s < SILENT_S / 2:
            raise Unavailable(f"{self._name} stopped delivering", hint="plug it in again")
        return None

    def close(self) -> None:
        self._capture.release()

    def _set(self, asked: Settings) -> None:
        """Set what is asked; what the driver makes of it is read back, not believed."""
        if asked.pixel_format is not None:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*asked.pixel_format))
        if asked.width_px is not None and asked.height_px is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, asked.width_px)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, asked.height_px)
        if asked.fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, asked.fps)
        if asked.exposure_us is not None:
            self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL_EXPOSURE)
            self._capture.set(cv2.CAP_PROP_EXPOSURE, max(1, round(asked.exposure_us / EXPOSURE_UNIT_US)))
        if asked.gain is not None:
            self._capture.set(cv2.CAP_PROP_GAIN, asked.gain)


class _Stream:
    def __init__(self, config: CameraConfig) -> None:
        self._name = config.shown_device
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(OPEN_TIMEOUT_S * 1e3),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(config.stall_ms),
        ]
        self._reading = _Reading(config.device, self._name, timeouts, "check the address, the user and the password")

    def settings(self) -> Settings:
        return _settings(self._reading.capture, fps=None)  # what it says is a guess, 25

    def read(self) -> Shot | None:
        image = self._reading.next()
        if image is None:
            raise Unavailable(
                f"{self._name} has ended, or gave nothing in time", hint="check the camera and the network"
            )
        return Shot(image)

    def close(self) -> None:
        self._reading.capture.release()


class _Video:
    """Begins again when it has ended."""

    def __init__(self, config: CameraConfig, clock: Clock) -> None:
        self._path = config.device
        self._reading = self._opened()
        own_hz = self._reading.capture.get(cv2.CAP_PROP_FPS)
        self._pace = Pace(config.fps or (own_hz if 0.1 <= own_hz <= 1000.0 else DEFAULT_VIDEO_HZ), clock)

    def settings(self) -> Settings:
        return _settings(self._reading.capture, fps=self._pace.rate_hz)

    def read(self) -> Shot | None:
        if not self._pace.comes():
            return None
        image = self._reading.next()
        if image is None:
            self.close()
            self._reading = self._opened()
            image = self._reading.next()
        if image is None:
            raise Unavailable(f"{self._path} holds no pictures", hint="name a video in camera.device")
        return Shot(image, self._pace.at_s)

    def close(self) -> None:
        self._reading.capture.release()

    def _opened(self) -> _Reading:
        return _Reading(self._path, self._path, (), "name a video in camera.device")


class _Reading:
    """Reads what FFmpeg opens, Motion JPEG undecoded."""

    def __init__(self, address: str, shown: str, options: Sequence[int], hint: str) -> None:
        self._shown = shown
        self.capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, options)
        if not self.capture.isOpened():
            raise Unavailable(f"{shown} cannot be opened", hint=hint)
        motion_jpeg = _fourcc(self.capture) == "MJPG"
        self._undecoded = motion_jpeg and self.capture.set(cv2.CAP_PROP_FORMAT, -1)

    def next(self) -> NDArray[np.uint8] | None:
        """Give the next picture, None where there is none."""
        data = _read(self.capture, self._shown)
        if data is None or not self._undecoded:
            return None if data is None else _bgr(data)
        try:
            return decode_picture(data.tobytes())
        except FileRefused as error:
            raise BadData(f"{self._shown}: {error.message}", hint=error.hint) from None


def _read(capture: cv2.VideoCapture, shown: str) -> NDArray[np.uint8] | None:
    try:
        good, image = capture.read()
    except cv2.error as error:
        raise Unavailable(f"{shown} cannot be read: {error}", hint="open it again") from None
    return np.asarray(image, np.uint8) if good and image is not None else None


def _bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim == 3 and image.shape[2] == 3:
        return image
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    raise BadData(f"a picture of shape {image.shape} cannot be used", hint="set [camera] pixel_format")


def _settings(
    capture: cv2.VideoCapture, *, fps: float | None = -1.0, exposure_us: int | None = None, gain: int | None = None
) -> Settings:
    width, height = (round(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    said_hz = capture.get(cv2.CAP_PROP_FPS) if fps == -1.0 else fps
    return Settings(width or None, height or None, said_hz, _fourcc(capture) or None, exposure_us, gain)


def _fourcc(capture: cv2.VideoCapture) -> str:
    """Give the four letters of its format; "" where they are none."""
    text = (round(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFF_FFFF).to_bytes(4, "little").decode("latin-1")
    return text if text.isprintable() and text.isascii() else ""
