"""V4L2 devices without one: the kernel's answers and OpenCV's are stood in for, at the door alone."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.config.camera import CameraConfig
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.camera import device, door
from edge_agent.sources.camera.device import CAPABILITY, OF_THIS_DEVICE, check_device, list_devices
from edge_agent.sources.camera.door import open_capture
from edge_agent.testing.clock import ManualClock

CAMERA, METADATA = 0x1, 0x0080_0000


def answers(of_this: int) -> Callable[[int, int, bytearray], int]:
    def ioctl(descriptor: int, request: int, answer: bytearray) -> int:
        of_all = OF_THIS_DEVICE | CAMERA | METADATA
        answer[:] = CAPABILITY.pack(b"uvcvideo", b"Cam", b"usb", 0, of_all, of_this, 0, 0, 0)
        return 0

    return ioctl


def raises(number: int) -> Callable[..., int]:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "dev" / "video0"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(fcntl, "ioctl", answers(CAMERA))
    return path


def test_a_link_is_followed_each_time(node: Path, tmp_path: Path) -> None:
    link = tmp_path / "usb-Cam"
    link.symlink_to(node)
    assert check_device(str(link)) == node
    link.unlink()
    (node.parent / "video2").touch()
    link.symlink_to(node.parent / "video2")

    assert check_device(str(link)) == node.parent / "video2"


@pytest.mark.parametrize(
    ("number", "said", "hint"),
    [
        (errno.ENOENT, "is not there", "plug the camera in"),
        (errno.ENODEV, "is not there", "plug the camera in"),
        (errno.EACCES, "may not be opened by this user", "group `video`"),
        (errno.EBUSY, "is used by another program", "fuser -v"),
        (errno.EIO, "cannot be opened: Input/output error", "edge-agent camera list"),
    ],
)
def test_why_it_cannot_be_opened_is_named(
    node: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str, hint: str
) -> None:
    monkeypatch.setattr(device.os, "open", raises(number))
    with pytest.raises(Unavailable, match=said) as away:
        check_device(str(node))

    assert hint in away.value.hint


def test_what_is_no_camera_or_only_its_metadata_is_said(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "ioctl", raises(errno.ENOTTY))
    with pytest.raises(ConfigError, match="is no camera"):
        check_device(str(node))
    monkeypatch.setattr(fcntl, "ioctl", answers(METADATA))
    with pytest.raises(ConfigError, match="gives no pictures"):
        check_device(str(node))


def test_cameras_are_listed_with_their_lasting_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, card in ((0, "Front"), (1, "Front"), (2, "Side"), (10, "Top")):
        sys, dev = tmp_path / f"sys/class/video4linux/video{number}", tmp_path / f"dev/video{number}"
        sys.mkdir(parents=True)
        (sys / "name").write_text(f"{card}\n")
        dev.parent.mkdir(exist_ok=True)
        dev.touch()
    for link, number in (("by-id/usb-Front", 0), ("by-path/pci-0", 0), ("by-path/pci-2", 2)):
        path = tmp_path / "dev/v4l" / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(tmp_path / f"dev/video{number}")

    def check(path: str) -> Path:
        if path.endswith("video1"):
            raise ConfigError("gives no pictures")
        if path.endswith("video10"):
            raise Unavailable("may not be opened", hint="group")
        return Path(path)

    monkeypatch.setattr(device, "check_device", check)

    assert [(d.node, d.card, d.stable, d.problem) for d in list_devices(tmp_path)] == [
        ("/dev/video0", "Front", "/dev/v4l/by-id/usb-Front", ""),
        ("/dev/video2", "Side", "/dev/v4l/by-path/pci-2", ""),
        ("/dev/video10", "Top", "", "may not be opened"),
    ]


class FakeVideoCapture:
    """Stands in for OpenCV's: remembers what was set, and clamps exposure as a driver would."""

    def __init__(self, *arguments: object) -> None:
        self.set_in_order: list[int] = []
        self.values: dict[int, float] = {cv2.CAP_PROP_FPS: 30.0}
        self.opens = True
        self.results: list[tuple[bool, Any]] = []
        self.on_read: Callable[[], None] = lambda: None

    def isOpened(self) -> bool:  # noqa: N802, the name is OpenCV's
        return self.opens

    def set(self, key: int, value: float) -> bool:
        self.set_in_order.append(key)
        self.values[key] = min(value, 200.0) if key == cv2.CAP_PROP_EXPOSURE else value
        return True

    def get(self, key: int) -> float:
        return self.values.get(key, -1.0)

    def read(self) -> tuple[bool, Any]:
        self.on_read()
        return self.results.pop(0)

    def release(self) -> None:
        self.opens = False


@pytest.fixture
def driver(node: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVideoCapture:
    made = FakeVideoCapture()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: made)
    monkeypatch.setattr(door, "check_device", lambda path: node)
    return made


def config(**keys: object) -> CameraConfig:
    return CameraConfig(device="/dev/v4l/by-id/usb-Cam", **keys)


def test_what_is_asked_is_set_in_the_order_that_drivers_need_and_read_back(driver: FakeVideoCapture) -> None:
    asked = config(width_px=640, height_px=480, fps=30.0, pixel_format="MJPG", exposure_us=50_000, gain=0)
    said = open_capture(asked, SystemClock()).settings()

    keys = ("FOURCC", "FRAME_WIDTH", "FRAME_HEIGHT", "FPS", "AUTO_EXPOSURE", "EXPOSURE", "GAIN")
    assert driver.set_in_order == [getattr(cv2, f"CAP_PROP_{key}") for key in keys]
    assert driver.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert (said.width_px, said.height_px, said.pixel_format, said.gain) == (640, 480, "MJPG", 0)
    assert said.exposure_us == 20_000


def test_what_is_not_asked_is_left_alone(driver: FakeVideoCapture) -> None:
    said = open_capture(config(), SystemClock()).settings()

    assert driver.set_in_order == []
    assert (said.exposure_us, said.gain) == (None, None)


def test_a_picture_has_the_driver_s_time_and_grey_becomes_colour(driver: FakeVideoCapture) -> None:
    capture = open_capture(config(), SystemClock())
    driver.values[cv2.CAP_PROP_POS_MSEC] = 1234.5
    driver.results = [(True, np.zeros((4, 6, 3), np.uint8)), (True, np.zeros((4, 6), np.uint8))]
    shots = [capture.read() for _ in range(2)]
    driver.values[cv2.CAP_PROP_POS_MSEC] = 0.0
    driver.results = [(True, np.zeros((4, 6, 3), np.uint8)), (True, np.zeros((1, 4, 6, 2), np.uint8))]
    undated = capture.read()

    assert [(shot.image.shape, shot.driver_s) for shot in shots if shot] == [((4, 6, 3), 1.2345)] * 2
    assert undated is not None
    assert undated.driver_s is None
    with pytest.raises(BadData):
        capture.read()


def test_silence_is_told_from_failure(driver: FakeVideoCapture, node: Path) -> None:
    clock = ManualClock(5.0)
    capture = open_capture(config(), clock)
    driver.results = [(False, None)] * 3
    driver.on_read = lambda: clock.advance(1.0)
    assert capture.read() is None
    driver.on_read = lambda: clock.advance(0.001)
    with pytest.raises(Unavailable, match="stopped delivering"):
        capture.read()
    node.unlink()
    with pytest.raises(Unavailable, match="was unplugged"):
        capture.read()


def test_an_error_of_opencv_is_the_camera_s(driver: FakeVideoCapture) -> None:
    capture = open_capture(config(), SystemClock())

    def fail() -> None:
        raise cv2.error("inside")

    driver.on_read = fail
    with pytest.raises(Unavailable, match="cannot be read"):
        capture.read()


def test_one_that_is_there_and_does_not_open_is_busy(driver: FakeVideoCapture) -> None:
    driver.opens = False
    with pytest.raises(Unavailable, match="used by another program"):
        open_capture(config(), SystemClock())
