import math
import threading

import pytest

from edge_agent.testing.clock import ManualClock


def test_utc_moves_with_now() -> None:
    clock = ManualClock(start_s=10.0, epoch_utc=1000.0)
    clock.advance(2.5)

    assert (clock.now(), clock.utc()) == (12.5, 1012.5)


def test_a_wait_jumps_to_its_end() -> None:
    clock = ManualClock()
    clock.wait(threading.Event(), until=3600.0)

    assert clock.now() == 3600.0


def test_waiting_for_ever_for_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="waits for ever"):
        ManualClock().wait(threading.Event(), until=math.inf)


@pytest.mark.parametrize("seconds", [-0.001, math.nan, math.inf])
def test_time_only_goes_forward_and_ends_nowhere(seconds: float) -> None:
    with pytest.raises(ValueError, match="time cannot go"):
        ManualClock().advance(seconds)
