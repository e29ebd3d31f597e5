"""When a camera counts as hung, starved and lost, when it is tried again, and when that is told."""

from __future__ import annotations

import pytest

from edge_agent.config.camera import CameraConfig
from edge_agent.sources.camera import recovery
from edge_agent.sources.camera.recovery import Doing, Recovery

HEALED_S = 5.0


def fresh(**keys: object) -> Recovery:
    return Recovery(CameraConfig(device="/dev/video0", **keys))


@pytest.mark.parametrize("doing", [Doing.OPENING, Doing.READING, Doing.CLOSING])
def test_whatever_a_driver_hangs_in_a_camera_is_opened_again_in_time(doing: Doing) -> None:
    box = fresh()
    hung_s = next(t / 100 for t in range(1000) if box.hangs(doing, 0.0, t / 100))
    box.put_off(hung_s)

    assert box.reopen_s < HEALED_S - 0.5
    assert not box.hangs(doing, 0.0, 0.9)


def test_a_free_camera_starves_and_a_triggered_one_may_be_silent() -> None:
    free, fired = fresh(), fresh(trigger="hardware")
    for box in (free, fired):
        box.opened(10.0)

    assert [free.starves(t) for t in (11.9, 12.1)] == [False, True]
    free.lives(12.2)
    assert [free.starves(t) for t in (13.1, 13.3)] == [False, True]
    assert not fired.starves(1e6)


def test_attempts_grow_apart_to_a_second_and_begin_anew_after_ten_good_seconds() -> None:
    box, now, waits = fresh(), 0.0, []
    for _ in range(5):
        box.put_off(now)
        waits.append(box.reopen_s - now)
        now = box.reopen_s
    assert waits == [0.25, 0.5, 1.0, 1.0, 1.0]
    box.put_off(now + 10.1)

    assert box.reopen_s == pytest.approx(now + 10.35)


def test_an_outage_is_told_once_with_its_length() -> None:
    box = fresh()
    assert box.fed(1.0) is None
    box.lost(2.0)
    assert [box.is_to_tell(2.0), box.is_to_tell(2.1)] == [True, False]
    box.lost(3.0)

    assert not box.is_to_tell(20.0)
    assert box.fed(22.5) == 20.5
    assert box.fed(23.0) is None
    assert box.outages == 1


def test_one_that_comes_and_goes_is_told_every_ten_seconds_and_one_that_stays_away_is_told_at_last() -> None:
    box, told = fresh(), []
    for i in range(20):
        box.lost(float(i))
        if box.is_to_tell(float(i)):
            told.append(i)
        if i < 19:
            box.fed(i + 0.5)

    assert told == [0, 10]
    assert box.outages == 20
    assert box.is_to_tell(10.0 + recovery.QUIET_S)
