"""A time of the microcontroller lies within what was stated of it, whatever the delays and however unlike both ways."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.clocksync import ClockSync

TICK_HZ = 1_000_000
HOST0_S, TICKS0 = 5000.0, 2**40
PERIOD_S = 600.0
"""In which a crystal wanders there and back, with the temperature of a cabinet [s]."""

delays_s = st.floats(0.0, 0.02) | st.sampled_from((0.0, 0.0001, 0.002))
pings = st.lists(st.tuples(st.sampled_from((0.02, 0.1, 1.0, 1.0)), delays_s, delays_s), min_size=6, max_size=40)


def true_ticks(host_s: float, drift_ppm: float, wander_ppm: float) -> int:
    since_s = host_s - HOST0_S
    turn = 2.0 * math.pi / PERIOD_S
    ahead_s = 1e-6 * (drift_ppm * since_s + wander_ppm * (1.0 - math.cos(turn * since_s)) / turn)
    return TICKS0 + round((since_s + ahead_s) * TICK_HZ)


def assert_within_what_is_stated(
    sent: list[tuple[float, float, float]], drift_ppm: float, wander_ppm: float, kind: type[ClockSync] = ClockSync
) -> None:
    clock = kind(TICK_HZ)
    now = HOST0_S
    for pause_s, there_s, back_s in sent:
        now += pause_s
        ticks = true_ticks(now + there_s, drift_ppm, wander_ppm)
        clock.add(now, ticks, ticks, now + there_s + back_s)
        for at_s in (now, now + 0.3, now + 2.0):
            if clock.ready:
                off_s = abs(clock.host_s(true_ticks(at_s, drift_ppm, wander_ppm)) - at_s)
                assert off_s <= clock.uncertainty_s(at_s), f"{off_s} s at {at_s}"
        now += there_s + back_s


@settings(max_examples=50)
@given(pings, st.floats(-90.0, 90.0), st.floats(-2.0, 2.0))
def test_no_time_is_farther_off_than_was_stated(
    sent: list[tuple[float, float, float]], drift_ppm: float, wander_ppm: float
) -> None:
    assert_within_what_is_stated(sent, drift_ppm, wander_ppm)


def test_a_clock_that_takes_the_middle_of_its_pings_for_the_truth_is_noticed() -> None:
    class Trusting(ClockSync):
        def uncertainty_s(self, host_s: float) -> float:
            return 0.0001

    with pytest.raises(AssertionError):
        assert_within_what_is_stated([(0.1, 0.002, 0.0001)] * 20, 35.0, 0.0, Trusting)


def test_a_clock_that_forgets_that_a_crystal_drifts_is_noticed() -> None:
    class Rigid(ClockSync):
        def _fit(self) -> None:
            super()._fit()
            object.__setattr__(self._line, "turn", 0.0)

        def host_s(self, ticks: int) -> float:
            object.__setattr__(self._line, "slope", 0.0)
            return super().host_s(ticks)

    with pytest.raises(AssertionError):
        assert_within_what_is_stated([(1.0, 0.0001, 0.0001)] * 60, 90.0, 0.0, Rigid)
