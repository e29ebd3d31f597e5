"""The counter on the host's clock: found by short pings, and its stated uncertainty is a bound."""

import math
import random
from collections.abc import Callable

import pytest

from firmware_bridge.clocksync import ENOUGH, STEPS, ClockSync
from firmware_bridge.sim.clocktrial import WIRES, trial

HZ = 1_000_000
HOST0_S = 5_000.0

Delay = Callable[[], float]


def true_ticks(host_s: float, ppm: float = 35.0, start: int = 0) -> int:
    return start + round((host_s - HOST0_S) * (1.0 + ppm * 1e-6) * HZ)


def ping(clock: ClockSync, sent_s: float, there: Delay, back: Delay, ppm: float = 35.0, start: int = 0) -> None:
    at_s = sent_s + there()
    held_s = 0.0002
    clock.add(sent_s, true_ticks(at_s, ppm, start), true_ticks(at_s + held_s, ppm, start), at_s + held_s + back())


def synced(
    seconds: int, there: Delay = lambda: 0.0002, back: Delay = lambda: 0.0002, ppm: float = 35.0, start: int = 0
) -> ClockSync:
    clock = ClockSync(HZ)
    for i in range(10):
        ping(clock, HOST0_S + 0.02 * i, there, back, ppm, start)
    for i in range(1, seconds):
        ping(clock, HOST0_S + i, there, back, ppm, start)
    return clock


def test_nothing_is_known_before_five_pings_and_the_uncertainty_says_so() -> None:
    clock = ClockSync(HZ)
    for i in range(ENOUGH):
        assert not clock.ready
        assert clock.uncertainty_s(HOST0_S) == math.inf
        ping(clock, HOST0_S + i, lambda: 0.0002, lambda: 0.0002)

    assert clock.ready
    assert clock.uncertainty_s(HOST0_S) < 0.001


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 35.0])
def test_the_drift_of_a_crystal_is_found_to_a_tenth_of_a_ppm(ppm: float) -> None:
    clock = synced(120, ppm=ppm)

    assert clock.drift_ppm == pytest.approx(ppm, abs=0.1)
    assert clock.host_s(true_ticks(HOST0_S + 119.5, ppm)) == pytest.approx(HOST0_S + 119.5, abs=20e-6)


@pytest.mark.parametrize("start", [0, 2**32 - 5, 2**63 - 5])
def test_ticks_and_host_times_turn_into_each_other_however_large_they_are(start: int) -> None:
    clock = synced(60, start=start)

    for tick in range(start + 50_000_000, start + 70_000_000, 3_333_333):
        assert abs(clock.ticks(clock.host_s(tick)) - tick) <= 1
    assert clock.host_s(true_ticks(HOST0_S + 60, start=start)) == pytest.approx(HOST0_S + 60, abs=50e-6)


LATE_ONE_WAY = {
    "same both ways": (lambda chance: 0.0002, lambda chance: 0.0002),
    "late there": (lambda chance: 0.002, lambda chance: 0.0),
    "late back": (lambda chance: 0.0, lambda chance: 0.002),
    "scattered there": (lambda chance: 0.001 * chance.random(), lambda chance: 0.0),
    "scattered back": (lambda chance: 0.0, lambda chance: 0.0005 + 0.001 * chance.random()),
    "nothing at all": (lambda chance: 0.0, lambda chance: 0.0),
}


def assert_bounded_at(clock: ClockSync, at_s: float) -> None:
    off_s = abs(clock.host_s(true_ticks(at_s)) - at_s)
    assert off_s <= clock.uncertainty_s(at_s), f"{off_s} s at {at_s}"


def assert_bounded(clock: ClockSync, seconds: int) -> None:
    for tenth in range(1, 10 * seconds + 20):
        assert_bounded_at(clock, HOST0_S + tenth / 10)


@pytest.mark.parametrize("seconds", [1, 5, 60])
@pytest.mark.parametrize("way", LATE_ONE_WAY)
def test_the_uncertainty_bounds_what_round_trips_cannot_show(way: str, seconds: int) -> None:
    chance = random.Random(1)
    there, back = LATE_ONE_WAY[way]

    assert_bounded(synced(seconds, lambda: there(chance), lambda: back(chance)), seconds)


def test_an_uncertainty_that_is_only_the_scatter_would_be_found_out() -> None:
    class Sure(ClockSync):
        def uncertainty_s(self, host_s: float) -> float:
            return self.residual_p99_s

    clock = synced(60, lambda: 0.002, lambda: 0.0)
    clock.__class__ = Sure

    with pytest.raises(AssertionError):
        assert_bounded(clock, 60)


def test_the_uncertainty_grows_while_no_ping_comes() -> None:
    clock = synced(10)

    assert clock.uncertainty_s(HOST0_S + 100) > clock.uncertainty_s(HOST0_S + 10) + 100e-6


def test_a_ping_that_took_long_moves_next_to_nothing() -> None:
    clock = synced(10)
    before = clock.host_s(10_000_000)

    ping(clock, HOST0_S + 10, lambda: 0.008, lambda: 0.0002)

    assert abs(clock.host_s(10_000_000) - before) < 10e-6  # it is 3.9 ms off
    assert clock.residual_p99_s < 20e-6


def test_pings_that_are_all_long_at_first_do_not_spoil_the_line_for_those_that_follow() -> None:
    """A host that loads its models when the wire comes up wakes its threads late, for some seconds."""
    chance = random.Random(2)
    clock = ClockSync(HZ)
    for i in range(20):
        busy = i < 8
        there, back = (0.006 * chance.random() if busy else 0.0003 for _ in range(2))
        ping(clock, HOST0_S + i, lambda there=there: there, lambda back=back: back)
        if i >= 10:
            assert clock.steps == 0
            assert_bounded_at(clock, HOST0_S + i + 0.5)
            assert clock.uncertainty_s(HOST0_S + i + 0.5) < 0.001


def ready_after(kind: type[ClockSync], pings: int) -> bool:
    """Whether a clock is believed after one lucky ping and others that waited behind something."""
    clock = kind(HZ)
    ping(clock, HOST0_S, lambda: 0.0001, lambda: 0.0001)
    for i in range(1, pings):
        ping(clock, HOST0_S + i, lambda: 0.0001, lambda: 0.005)
    if clock.ready:
        assert_bounded_at(clock, HOST0_S + pings)
    return clock.ready


def test_one_lucky_ping_keeps_nobody_waiting_for_four_more_and_the_uncertainty_tells() -> None:
    assert ready_after(ClockSync, ENOUGH)


def test_a_clock_that_waits_for_luck_would_be_found_out() -> None:
    class Waiting(ClockSync):
        def add(self, sent_s: float, rx_ticks: int, tx_ticks: int, received_s: float) -> bool:
            lucky = received_s - sent_s < 0.001
            return lucky and super().add(sent_s, rx_ticks, tx_ticks, received_s)

    assert not ready_after(Waiting, 100)


IMPOSSIBLE = {
    "answered before it was asked": (HOST0_S + 10, 10_000_000, 10_000_001, HOST0_S + 9),
    "sent before it was received": (HOST0_S + 10, 10_000_000, 9_000_000, HOST0_S + 10.001),
    "held longer than the round trip": (HOST0_S + 10, 10_000_000, 10_500_000, HOST0_S + 10.001),
}


def assert_harmless(clock: ClockSync, times: tuple[float, int, int, float]) -> None:
    clock.add(*times)
    ping(clock, HOST0_S + 11, lambda: 0.0002, lambda: 0.0002)
    assert clock.round_trip_s > 0.0003
    assert clock.host_s(true_ticks(HOST0_S + 11)) == pytest.approx(HOST0_S + 11, abs=20e-6)


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_ping_whose_times_cannot_be_true_is_no_shortest_one(case: str) -> None:
    clock = synced(10)

    assert_harmless(clock, IMPOSSIBLE[case])

    assert clock.impossible == 1


def test_a_clock_that_takes_the_impossible_for_no_delay_would_be_found_out() -> None:
    class Credulous(ClockSync):
        def add(self, sent_s: float, rx_ticks: int, tx_ticks: int, received_s: float) -> None:
            super().add(sent_s, rx_ticks, rx_ticks, max(sent_s, received_s - (tx_ticks - rx_ticks) / HZ))

    clock = synced(10)
    clock.__class__ = Credulous

    with pytest.raises(AssertionError):
        assert_harmless(clock, IMPOSSIBLE["held longer than the round trip"])


def test_a_step_of_the_counter_is_believed_when_it_persists_and_not_before() -> None:
    clock = synced(30)
    step = 500_000

    for i in range(STEPS - 1):
        ping(clock, HOST0_S + 30 + i, lambda: 0.0002, lambda: 0.0002, start=step)
    assert (clock.steps, clock.ready) == (0, True)
    ping(clock, HOST0_S + 40, lambda: 0.0002, lambda: 0.0002)
    assert clock.steps == 0

    for i in range(STEPS + ENOUGH):
        ping(clock, HOST0_S + 50 + i, lambda: 0.0002, lambda: 0.0002, start=step)

    assert clock.steps == 1
    assert clock.ready
    assert clock.host_s(true_ticks(HOST0_S + 58, start=step)) == pytest.approx(HOST0_S + 58, abs=400e-6)


def test_pings_that_got_shorter_push_the_long_ones_out() -> None:
    clock = synced(8, lambda: 0.006, lambda: 0.0)
    for i in range(8, 20):
        ping(clock, HOST0_S + i, lambda: 0.0001, lambda: 0.0001)

    assert clock.uncertainty_s(HOST0_S + 19) < 0.0005
    assert_near = abs(clock.host_s(true_ticks(HOST0_S + 19)) - HOST0_S - 19)
    assert assert_near < 0.0005


@pytest.mark.parametrize("wire", WIRES)
def test_on_every_simulated_wire_the_regression_beats_the_time_of_arrival_and_keeps_its_word(wire: str) -> None:
    figures = trial(wire, WIRES[wire], 120.0, range(3))

    assert figures.beyond == 0
    assert figures.regression_p99_s < 0.0005
    if wire != "clean":
        assert figures.regression_p99_s < figures.arrival_p99_s / 2.0
