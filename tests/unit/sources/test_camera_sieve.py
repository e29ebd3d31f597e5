"""What becomes of each picture: its time and uncertainty, and which ones are refused."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config.camera import CameraConfig, RoiConfig
from edge_agent.sources.camera.capture import Settings, Shot
from edge_agent.sources.camera.sieve import Refusal, Sieve, Stamp

V4L2, STREAM = "/dev/v4l/by-id/usb-camera", "http://camera/live"
UNCERTAIN_S = 0.003


def image(seed: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def shot(seed: int, driver_s: float | None = None, width: int = 64, height: int = 48) -> Shot:
    return Shot(image(seed, width, height), driver_s)


def gate(kind: type[Sieve] = Sieve, device: str = V4L2, **keys: object) -> Sieve:
    made = kind(CameraConfig(device=device, **keys))
    made.begin(Settings(fps=20.0))
    return made


def test_the_driver_s_time_is_taken_where_its_clock_is_the_host_s() -> None:
    box = gate(latency_ms=10.0)

    assert box.judge(shot(0, 99.98), 100.0) == Stamp(pytest.approx(99.97), UNCERTAIN_S)
    assert box.dated_by_driver


@pytest.mark.parametrize("driver_s", [None, 1.7e9, 12.0, 100.1])
def test_otherwise_the_arrival_is_less_certain_by_half_an_interval(driver_s: float | None) -> None:
    box = gate(latency_ms=10.0)

    assert box.judge(shot(0, driver_s), 100.0) == Stamp(pytest.approx(99.99), pytest.approx(UNCERTAIN_S + 0.025))
    assert not box.dated_by_driver


def test_the_interval_of_a_free_camera_is_measured_and_that_of_a_triggered_one_is_as_said() -> None:
    free, fired = gate(device=STREAM), gate(trigger="hardware")
    for i in range(8):
        for box in (free, fired):
            box.judge(shot(i), 100.0 + i / 10)

    assert (free.interval_s, fired.interval_s) == (pytest.approx(0.1), 0.05)


def success_after_unplugging_is_seen(kind: type[Sieve]) -> None:
    for later_s, driver_s in ((0.05, 99.99), (0.05, 99.98), (3.0, 100.02)):  # again, backwards, from long ago
        box = gate(kind)
        assert isinstance(box.judge(shot(0, 99.99), 100.0), Stamp)
        assert box.judge(shot(1, driver_s), 100.0 + later_s) is Refusal.STALE


def test_a_success_after_unplugging_is_seen_by_the_driver_s_time() -> None:
    success_after_unplugging_is_seen(Sieve)


class Believes(Sieve):
    """The wrong implementation: what the driver calls a success is one."""

    def _is_stale(self, shot: Shot, now: float) -> bool:
        return False


class OnlyRepeats(Sieve):
    """The wrong implementation: only the very same time is old."""

    def _is_stale(self, shot: Shot, now: float) -> bool:
        before_s, self._driver_s = self._driver_s, shot.driver_s
        return shot.driver_s == before_s


@pytest.mark.parametrize("wrong", [Believes, OnlyRepeats])
def test_the_check_for_old_pictures_has_teeth(wrong: type[Sieve]) -> None:
    with pytest.raises(AssertionError):
        success_after_unplugging_is_seen(wrong)


def test_a_time_ahead_of_the_host_is_not_taken_once_the_clock_was_believed() -> None:
    box = gate()
    box.judge(shot(0, 100.0), 100.0)

    assert box.judge(shot(1, 100.5), 100.05) is Refusal.STALE


def test_a_driver_whose_clock_was_set_back_is_believed_again_when_the_camera_is_opened_again() -> None:
    box = gate()
    box.judge(shot(0, 1.7e9), 100.0)
    assert box.judge(shot(1, 5.0), 100.1) is Refusal.STALE
    box.begin(Settings())

    assert isinstance(box.judge(shot(1, 100.2), 100.2), Stamp)


def test_a_stream_that_repeats_its_picture_for_too_long_is_frozen_even_after_it_was_opened_again() -> None:
    box = gate(device=STREAM, stall_ms=500.0)

    assert isinstance(box.judge(shot(0), 100.0), Stamp)
    assert isinstance(box.judge(shot(0), 100.5), Stamp)
    assert box.judge(shot(0), 100.6) is Refusal.STALE
    box.begin(Settings())
    assert box.judge(shot(0), 101.0) is Refusal.STALE
    assert isinstance(box.judge(shot(1), 101.1), Stamp)


def test_a_new_driver_s_time_proves_a_picture_new_whatever_it_shows() -> None:
    box = gate()
    results = [box.judge(shot(0, 100.0 + i), 100.0 + i) for i in range(5)]

    assert all(isinstance(result, Stamp) for result in results)


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ({}, True),
        ({"width_px": 64, "height_px": 48}, True),
        ({"width_px": 128, "height_px": 48}, False),
        ({"roi": RoiConfig(32, 24, 32, 24)}, True),
        ({"roi": RoiConfig(33, 24, 32, 24)}, False),
    ],
)
def test_another_size_than_was_asked_for_is_refused(keys: dict[str, object], fits: bool) -> None:
    assert isinstance(gate(**keys).judge(shot(0), 100.0), Stamp) is fits
