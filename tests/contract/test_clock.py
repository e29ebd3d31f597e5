"""What every `Clock` does."""

import threading

import pytest

from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.testing.clock import ManualClock


@pytest.fixture(params=[SystemClock, ManualClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_now_never_goes_back(clock: Clock) -> None:
    times = [clock.now() for _ in range(100)]

    assert times == sorted(times)


def test_utc_is_in_this_age(clock: Clock) -> None:
    assert 1_600_000_000.0 < clock.utc() < 4_000_000_000.0


def test_a_wait_reaches_its_end(clock: Clock) -> None:
    until = clock.now() + 0.02
    clock.wait(threading.Event(), until)

    assert clock.now() >= until


def test_a_wait_for_what_has_happened_ends_at_once_and_leaves_the_event_set(clock: Clock) -> None:
    event, before = threading.Event(), clock.now()
    event.set()
    clock.wait(event, before + 10.0)
    clock.wait(event, float("inf"))

    assert clock.now() < before + 5.0
    assert event.is_set()


def test_a_wait_into_the_past_ends_at_once(clock: Clock) -> None:
    before = clock.now()
    clock.wait(threading.Event(), before - 10.0)

    assert before <= clock.now() < before + 5.0


def test_the_system_clock_is_woken_from_another_thread() -> None:
    clock, event = SystemClock(), threading.Event()
    before = clock.now()
    waker = threading.Timer(0.01, event.set)
    waker.start()
    clock.wait(event, until=float("inf"))
    waker.join()

    assert clock.now() < before + 5.0
