"""What every `Capture` does: the same suite on a video, a folder, a stream over HTTP and the fake camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from mjpeg_server import MjpegServer

from edge_agent.config.camera import CameraConfig
from edge_agent.errors import BadData, ConfigError, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.camera.capture import Capture, OpenCapture, Shot
from edge_agent.sources.camera.door import open_capture
from edge_agent.testing.camera import FakeCamera

CLOCK = SystemClock()
FPS = 50.0
WIDTH, HEIGHT = 64, 48


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def write_video(path: Path, pictures: int = 6, fourcc: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), FPS, (WIDTH, HEIGHT))
    for i in range(pictures):
        writer.write(noise(i))
    writer.release()
    return path


@dataclass
class Subject:
    """A camera to be tested: how to open it, and how to spoil its next picture (None where no test does)."""

    config: CameraConfig
    open: OpenCapture
    spoil: Callable[[], None] | None


@pytest.fixture(params=["video", "folder", "stream", "fake"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    match request.param:
        case "video":
            yield Subject(CameraConfig(device=str(write_video(tmp_path / "v.avi"))), open_capture, None)
        case "folder":
            for i in range(3):
                cv2.imwrite(str(tmp_path / f"{i}.png"), noise(i))
            config = CameraConfig(device=str(tmp_path), fps=FPS)
            yield Subject(config, open_capture, lambda: [p.write_bytes(b"no") for p in tmp_path.glob("1.png")] and None)
        case "stream":
            server = MjpegServer()
            yield Subject(CameraConfig(device=server.url), open_capture, lambda: setattr(server, "damaged", True))
            server.close()
        case "fake":
            camera = FakeCamera()
            yield Subject(CameraConfig(device="/dev/fake"), camera.open, lambda: setattr(camera, "damaged", True))


@pytest.fixture
def capture(subject: Subject) -> Iterator[Capture]:
    opened = subject.open(subject.config, CLOCK)
    yield opened
    opened.close()


def shots(capture: Capture, count: int) -> list[Shot]:
    got: list[Shot] = []
    for _ in range(100 * count):
        shot = capture.read()
        if shot is not None:
            got.append(shot)
        if len(got) == count:
            return got
    raise AssertionError(f"only {len(got)} pictures")


def test_pictures_have_the_shape_that_a_frame_takes(capture: Capture) -> None:
    for shot in shots(capture, 3):
        assert (shot.image.shape, shot.image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        assert shot.image.flags.c_contiguous


def test_pictures_differ_and_come_without_end(capture: Capture) -> None:
    first, *rest = shots(capture, 8)  # more than the video and the folder hold

    assert not np.array_equal(first.image, rest[0].image)


def test_a_later_picture_does_not_change_an_earlier_one(capture: Capture) -> None:
    (first,) = shots(capture, 1)
    before = first.image.copy()
    shots(capture, 3)

    np.testing.assert_array_equal(first.image, before)


def test_settings_are_read_back(capture: Capture, subject: Subject) -> None:
    said = capture.settings()

    assert (said.width_px, said.height_px) in ((WIDTH, HEIGHT), (None, None))
    if not subject.config.device.startswith("http"):
        assert said.fps is not None
        assert said.fps > 0.0


def test_closing_twice_is_no_error(subject: Subject) -> None:
    opened = subject.open(subject.config, CLOCK)
    opened.close()
    opened.close()


def test_it_opens_again(subject: Subject) -> None:
    for _ in range(2):
        opened = subject.open(subject.config, CLOCK)
        shots(opened, 1)
        opened.close()


@pytest.mark.parametrize("subject", ["folder", "stream", "fake"], indirect=True)
def test_a_damaged_picture_costs_itself_alone(capture: Capture, subject: Subject) -> None:
    assert subject.spoil is not None
    shots(capture, 1)
    subject.spoil()
    with pytest.raises(BadData) as damaged:
        shots(capture, 5)
    assert damaged.value.hint

    shots(capture, 1)


@pytest.mark.parametrize(
    "name", ["/dev/video99", "nothing.avi", "empty", "http://127.0.0.1:9/x", "rtsp://127.0.0.1:9/x"]
)
def test_what_is_not_there_is_named_with_a_hint(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    config = CameraConfig(device=name).resolved(tmp_path)
    with pytest.raises(Unavailable) as away:
        open_capture(config, CLOCK)

    assert name.rsplit("/", 1)[-1] in away.value.message
    assert away.value.hint


def test_what_is_no_camera_is_a_matter_for_a_person() -> None:
    for device in ("/dev/null", ""):
        with pytest.raises(ConfigError):
            open_capture(CameraConfig(device=device), CLOCK)


def test_a_password_is_never_said() -> None:
    config = CameraConfig(device="http://anna:secret@127.0.0.1:9/live")
    with pytest.raises(EdgeAgentError) as away:
        open_capture(config, CLOCK)

    assert config.shown_device == "http://127.0.0.1:9/live"
    assert "secret" not in away.value.message + away.value.hint


def test_recorded_pictures_come_evenly_at_their_pace(tmp_path: Path) -> None:
    for device, fps in ((write_video(tmp_path / "v.avi"), 0.0), (tmp_path, 20.0)):
        cv2.imwrite(str(tmp_path / "0.png"), noise(0))
        opened = open_capture(CameraConfig(device=str(device), fps=fps), CLOCK)
        due_s = [shot.driver_s for shot in shots(opened, 6)]
        assert due_s[-1] <= CLOCK.now()
        opened.close()

        assert min(np.diff(due_s)) > 0.99 / (fps or FPS)


def test_a_stream_that_changes_its_size_is_seen_to_do_so() -> None:
    """OpenCV alone would fit every later picture into the size of the first."""
    server = MjpegServer()
    opened = open_capture(CameraConfig(device=server.url), CLOCK)
    shots(opened, 2)
    server.size = (128, 96)
    sizes = [shot.image.shape[:2] for shot in shots(opened, 8)]
    opened.close()
    server.close()

    assert sizes[-1] == (96, 128)


def test_a_stream_that_gives_nothing_is_given_up_in_time() -> None:
    server = MjpegServer()
    opened = open_capture(CameraConfig(device=server.url, stall_ms=200.0), CLOCK)
    shots(opened, 1)
    server.hang.set()
    began_s = CLOCK.now()
    with pytest.raises(Unavailable):
        shots(opened, 5)
    took_s = CLOCK.now() - began_s
    opened.close()
    server.close()

    assert 0.15 < took_s < 15.0  # the library by itself waits for half a minute


def test_a_video_that_is_no_motion_jpeg_is_read_too(tmp_path: Path) -> None:
    opened = open_capture(CameraConfig(device=str(write_video(tmp_path / "v.mp4", fourcc="mp4v"))), CLOCK)

    assert shots(opened, 2)[1].image.shape == (HEIGHT, WIDTH, 3)
    opened.close()
