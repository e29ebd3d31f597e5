"""A camera whose driver hangs, lies or loses its device: bounded, named, healed within five seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from camera_bench import HEALED_S, REAL, Bench, joined, opened, wait_for
from mjpeg_server import MjpegServer

from edge_agent.config import ImageHealthConfig
from edge_agent.config.camera import CameraConfig, RoiConfig
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.records import Frame
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.camera import Camera, CameraState
from edge_agent.sources.camera.capture import Capture, OpenCapture, Shot
from edge_agent.sources.camera.reader import Reader
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.testing.camera import FakeCamera


@pytest.fixture
def bench() -> Iterator[Bench]:
    with opened() as made:
        made.move(made.delivers)
        yield made


def test_frames_have_their_camera_their_time_and_their_faults(bench: Bench) -> None:
    bench.move(lambda: len(bench.frames) > 6)
    frame = bench.frames[-1]

    assert (frame.camera, frame.uncertainty_s, frame.faults) == ("main", 0.003, ())
    assert 100.0 <= frame.time_s <= bench.clock.now()
    assert frame.shutter.free_running
    assert bench.kinds == ["camera_settings"]


@pytest.mark.parametrize("call", ["open", "read", "close"])
def test_whatever_hangs_the_camera_delivers_again_within_five_seconds(call: str) -> None:
    with opened() as bench:
        bench.move(bench.delivers)
        bench.fake.hangs_in = {call}
        if call != "read":
            bench.fake.plugged = False  # so that it is closed and opened again
        bench.move(bench.hangs)
        bench.fake.plugged = True
        bench.fake.hangs_in = set()  # the next thread is well; the hung one stays where it is
        delivered = len(bench.frames)
        took_s = bench.move(lambda: len(bench.frames) > delivered)
        stats = bench.camera.stats()

        assert took_s < HEALED_S
        assert (stats.abandoned, stats.hanging, stats.lost) == (1, 1, 1)
        assert bench.kinds == ["camera_settings", "camera_lost", "camera_back"]


@pytest.mark.parametrize("dated", [True, False])
def test_success_with_an_old_picture_after_unplugging_is_a_loss(dated: bool) -> None:
    with opened(dated_fake(dated)) as bench:
        bench.move(bench.delivers)
        bench.fake.lies, bench.fake.plugged = True, False
        bench.move(lambda: bench.camera.stats().state is CameraState.LOST)
        bench.fake.lies = False
        delivered = len(bench.frames)
        bench.move(lambda: "is not there" in bench.camera.stats().reason)
        bench.fake.plugged = True

        assert bench.move(bench.delivers) < HEALED_S
        assert bench.camera.stats().stale > 0
        assert len(bench.frames) - delivered < 3


def dated_fake(dated: bool) -> FakeCamera:
    fake = FakeCamera()
    fake.dated = dated
    return fake


def test_one_that_was_away_for_an_hour_is_tried_for_ever_and_told_once() -> None:
    with opened() as bench:
        bench.move(bench.delivers)
        bench.fake.plugged = False
        bench.move(lambda: bench.camera.stats().state is CameraState.LOST)
        for _ in range(200):
            bench.clock.advance(20.0)
            bench.camera.step(bench.clock.now())
            bench.settle()
        bench.fake.plugged = True

        assert bench.move(bench.delivers) < HEALED_S
        assert bench.kinds == ["camera_settings", "camera_lost", "camera_back"]
        assert bench.camera.stats().hanging == 0


def test_a_third_thread_is_not_risked_and_the_camera_heals_when_one_comes_back() -> None:
    fake = FakeCamera()
    fake.hangs_in = {"open"}
    with opened(fake) as bench:
        bench.move(lambda: bench.camera.stats().state is CameraState.FAILED, 20.0)
        for _ in range(100):
            bench.clock.advance(1.0)
            bench.camera.step(bench.clock.now())
        with pytest.raises(Unavailable, match="2 threads hang"):
            bench.camera.check()

        assert (bench.fake.hanging, bench.camera.stats().hanging) == (2, 2)
        assert bench.kinds.count("camera_failed") == 1
        bench.fake.release()
        wait_for(lambda: bench.camera.stats().hanging == 0)
        bench.move(bench.delivers)
        bench.camera.check()


def nothing_comes_from_a_thread_left_behind(kind: type[Camera]) -> None:
    with opened(kind=kind) as bench:
        bench.move(bench.delivers)
        bench.fake.hangs_in = {"read"}
        bench.move(lambda: bench.camera.stats().abandoned == 1 and bench.camera._reader is None)
        delivered = len(bench.frames)
        bench.fake.release()
        wait_for(lambda: bench.camera.stats().hanging == 0)

        assert len(bench.frames) == delivered
        assert bench.camera.stats().dropped == 1


def test_a_thread_that_was_left_behind_delivers_nothing() -> None:
    nothing_comes_from_a_thread_left_behind(Camera)


class DeliversLate(Camera):
    """The wrong implementation: takes what comes, whoever it comes from."""

    def seen(self, reader: Reader, got: Shot | BadData | None, now: float) -> bool:
        with self._lock:
            made = self._looked_at(got, now) if isinstance(got, Shot) else None
            self._pictures.count(got, made, is_current=True)
            return self._goes_on(made, now)


def test_the_test_of_what_is_left_behind_has_teeth() -> None:
    with pytest.raises(AssertionError):
        nothing_comes_from_a_thread_left_behind(DeliversLate)


@pytest.mark.parametrize("call", ["open", "read", "close"])
def test_closing_waits_for_nothing_and_says_what_still_hangs(call: str) -> None:
    bench = Bench(FakeCamera())
    bench.fake.hangs_in = {call}
    bench.camera.open()
    if call == "close":
        bench.move(bench.delivers)
        bench.fake.plugged = False
    wait_for(bench.hangs)
    bench.camera.close()
    bench.camera.close()

    assert not bench.camera.join(0.0)
    assert bench.camera.stats().state is CameraState.CLOSED
    bench.fake.release()
    assert joined(bench.camera)
    assert len(bench.frames) == bench.camera.stats().delivered


def test_another_size_than_configured_is_refused_declared_and_not_opened_again() -> None:
    with opened(width_px=64, height_px=48, roi=RoiConfig(8, 8, 16, 32)) as bench:
        bench.move(bench.delivers)
        assert bench.frames[-1].image.shape == (32, 16, 3)
        bench.fake.size = (128, 96)
        bench.move(lambda: bench.camera.stats().resized > 30, 30.0)

        assert bench.camera.stats().state is CameraState.LOST
        assert "128 x 96" in bench.camera.stats().reason
        assert bench.camera.stats().opened == 1
        bench.fake.size = (64, 48)
        bench.move(bench.delivers)
        assert bench.kinds == ["camera_settings", "camera_resolution", "camera_lost", "camera_back"]


def test_another_size_is_delivered_and_told_where_none_was_configured(bench: Bench) -> None:
    bench.fake.size = (128, 96)
    bench.move(lambda: bench.frames[-1].image.shape == (96, 128, 3))

    assert bench.kinds == ["camera_settings", "camera_resolution"]
    assert bench.delivers()


def test_a_triggered_camera_may_be_silent_for_an_hour() -> None:
    with opened(trigger="hardware") as bench:
        bench.move(lambda: bench.camera.stats().delivered > 0)
        bench.fake.silent = True
        for _ in range(60):
            bench.clock.advance(0.9)
            bench.camera.step(bench.clock.now())
            bench.settle()

        assert bench.camera.stats().opened == 1
        assert bench.delivers()


def test_a_damaged_picture_is_refused_and_the_next_one_delivered(bench: Bench) -> None:
    bench.fake.damaged = True
    bench.move(lambda: bench.camera.stats().damaged == 1)
    delivered = len(bench.frames)
    bench.move(lambda: len(bench.frames) > delivered)

    assert bench.camera.stats().lost == 0


def test_what_only_a_person_can_mend_is_raised_and_not_tried_again() -> None:
    def refuse(config: CameraConfig, clock: object) -> Capture:
        raise ConfigError("is no camera", hint="name one")

    for open_, error in ((refuse, ConfigError), (lambda config, clock: 1 / 0, ZeroDivisionError)):
        bench = Bench(FakeCamera())
        bench.camera._open = open_
        bench.camera.open()
        wait_for(lambda bench=bench: bench.camera.stats().state is CameraState.FAILED)
        with pytest.raises(error):
            bench.camera.check()
        assert bench.camera.step(bench.clock.now()) == float("inf")
        bench.camera.close()


def test_a_name_that_leads_to_something_else_for_a_while_is_an_outage() -> None:
    with opened() as bench:
        bench.move(bench.delivers)

        def refuse(config: CameraConfig, clock: object) -> Capture:
            raise ConfigError("gives no pictures", hint="name another one")

        bench.camera._open = refuse
        bench.fake.plugged = False
        bench.move(lambda: "gives no pictures" in bench.camera.stats().reason)
        bench.camera.check()
        bench.camera._open, bench.fake.plugged = bench.fake.open, True

        assert bench.move(bench.delivers) < HEALED_S


def test_a_bare_number_is_warned_of() -> None:
    with opened(device="/dev/video0") as bench:
        assert bench.told[0] == ("warning", "camera_path")


def test_settings_that_the_camera_ignores_are_told() -> None:
    with opened(width_px=64, height_px=48, gain=7) as bench:
        bench.move(bench.delivers)

        assert bench.told == [("warning", "camera_settings")]


def test_it_opens_again_after_it_was_closed(bench: Bench) -> None:
    bench.camera.close()
    delivered = len(bench.frames)
    assert joined(bench.camera)
    bench.camera.open()

    bench.move(lambda: len(bench.frames) > delivered)


def test_two_cameras_do_not_disturb_each_other() -> None:
    with opened() as one, opened() as other:
        one.move(one.delivers)
        other.move(other.delivers)
        one.fake.hangs_in = {"read"}
        one.move(one.hangs)
        delivered = len(other.frames)
        other.move(lambda: len(other.frames) > delivered + 3)

        assert other.camera.stats().lost == 0


def real(url: str, frames: list[Frame], told: list[str], open_: OpenCapture | None = None, **keys: object) -> Camera:
    """A camera on the real clock, with the real door."""
    config = CameraConfig(device=url, **keys)
    options = {} if open_ is None else {"open_": open_}
    health = ImageHealth(ImageHealthConfig())
    return Camera(config, REAL, health, frames.append, lambda *said: told.append(said[1]), **options)


def run_until(camera: Camera, holds: Callable[[], bool], most_s: float = HEALED_S) -> float:
    began_s = REAL.now()
    while not holds():
        assert REAL.now() - began_s < most_s, camera.stats()
        camera.step(REAL.now())
        threading.Event().wait(0.01)
    return REAL.now() - began_s


@pytest.mark.parametrize("fault", ["ends", "hangs", "freezes"])
def test_a_real_stream_that_fails_and_comes_back_delivers_again_within_five_seconds(fault: str) -> None:
    server, frames, told = MjpegServer(), [], []
    camera = real(server.url, frames, told, stall_ms=400.0)
    camera.open()
    try:
        run_until(camera, lambda: len(frames) > 3)
        control = {"ends": server.stop_stream, "hangs": server.hang}.get(fault)
        server.frozen = fault == "freezes"
        if control:
            control.set()
        run_until(camera, lambda: camera.stats().state is CameraState.LOST)
        server.frozen = False
        if control:
            control.clear()
        took_s = run_until(camera, lambda: camera.stats().state is CameraState.DELIVERING)
    finally:
        camera.close()
        server.close()
        assert camera.join(REAL.now() + 5.0)

    assert took_s < HEALED_S
    assert told == ["camera_settings", "camera_lost", "camera_back"]
    assert camera.stats().abandoned == 0


def test_a_device_that_returns_under_another_number_is_found_by_its_lasting_name(tmp_path: Path) -> None:
    fakes = {"video0": FakeCamera(), "video2": FakeCamera()}
    link = tmp_path / "usb-camera"
    link.symlink_to("video0")
    opened_nodes: list[str] = []

    def open_(config: CameraConfig, clock: SystemClock) -> Capture:
        node = Path(config.device).resolve().name
        opened_nodes.append(node)
        return fakes[node].open(config, clock)

    frames: list[Frame] = []
    camera = real(str(link), frames, [], open_)
    camera.open()
    run_until(camera, lambda: len(frames) > 3)
    fakes["video0"].plugged = False
    link.unlink()
    link.symlink_to("video2")
    run_until(camera, lambda: opened_nodes[-1] == "video2")
    delivered = len(frames)
    took_s = run_until(camera, lambda: len(frames) > delivered)
    camera.close()
    assert camera.join(REAL.now() + 5.0)

    assert took_s < HEALED_S
    assert not np.array_equal(frames[0].image, frames[-1].image)
