import math
import threading

import pytest

from edge_agent.runtime.loop import NEVER, Loop
from edge_agent.testing.clock import ManualClock


class Heartbeat:
    name = "heartbeat"

    def __init__(self) -> None:
        self.beats: list[float] = []

    def step(self, now: float) -> float:
        self.beats.append(now)
        return now + 5.0


class Scripted:
    """Does one thing a step, and takes a stated time for it."""

    def __init__(self, clock: ManualClock, name: str, took_s: tuple[float, ...] = (), error: Exception | None = None):
        self.name, self.clock, self.took_s, self.error, self.steps = name, clock, list(took_s), error, 0

    def step(self, now: float) -> float:
        self.steps += 1
        if self.took_s:
            self.clock.advance(self.took_s.pop(0))
        if self.error is not None:
            raise self.error
        return NEVER


def test_an_hour_of_heartbeats_takes_no_time() -> None:
    clock, heart = ManualClock(), Heartbeat()
    loop = Loop(clock)
    loop.add(heart)
    while clock.now() < 3600.0:
        clock.advance_to(loop.run_once())

    assert heart.beats == [5.0 * i for i in range(720)]


def test_run_waits_until_something_is_due_and_ends_when_stopped() -> None:
    clock, heart = ManualClock(), Heartbeat()
    loop = Loop(clock)

    class Stopper:
        name = "stopper"

        def step(self, now: float) -> float:
            if now >= 12.0:
                loop.stop()
            return 12.0

    loop.add(heart)
    loop.add(Stopper())
    loop.run()

    assert heart.beats == [0.0, 5.0, 10.0]
    assert clock.now() == 12.0


def test_a_loop_stopped_before_it_runs_does_not_run() -> None:
    clock, heart = ManualClock(), Heartbeat()
    loop = Loop(clock)
    loop.add(heart)
    loop.stop()
    loop.run()

    assert heart.beats == []


def test_never_is_stepped_once_and_then_only_when_poked() -> None:
    clock = ManualClock()
    loop, idle = Loop(clock), Scripted(clock, "idle")
    loop.add(idle)

    assert loop.run_once() == NEVER
    clock.advance(1e9)
    loop.run_once()
    assert idle.steps == 1
    loop.poke("idle")
    loop.run_once()
    assert idle.steps == 2


def test_an_empty_loop_has_nothing_due() -> None:
    assert Loop(ManualClock()).run_once() == NEVER


def test_a_poke_ends_the_wait() -> None:
    clock = ManualClock()
    loop = Loop(clock)

    class PokesItself:
        name = "again"
        steps = 0

        def step(self, now: float) -> float:
            self.steps += 1
            if self.steps < 3:
                loop.poke("again")
            else:
                loop.stop()
            return NEVER

    loop.add(PokesItself())
    loop.run()  # a lost poke would wait for ever, which ManualClock turns into an error

    assert clock.now() == 0.0


def test_a_loop_that_loses_pokes_is_noticed() -> None:
    """Teeth for the test above: forgetting the wake-up must not pass."""
    clock = ManualClock()
    loop = Loop(clock)
    loop._wake = DeafEvent()
    idle = Scripted(clock, "idle")
    loop.add(idle)
    loop.run_once()
    loop.poke("idle")

    with pytest.raises(RuntimeError, match="waits for ever"):
        clock.wait(loop._wake, until=NEVER)


class DeafEvent(threading.Event):
    def set(self) -> None:
        pass


def test_poking_a_stranger_is_a_bug() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Loop(ManualClock()).poke("nobody")


def test_two_components_cannot_have_one_name() -> None:
    loop = Loop(ManualClock())
    loop.add(Heartbeat())

    with pytest.raises(ValueError, match="heartbeat"):
        loop.add(Heartbeat())


def test_the_slow_component_is_named_and_the_quick_one_not_blamed() -> None:
    clock = ManualClock()
    loop = Loop(clock)
    loop.add(Scripted(clock, "slow", took_s=(0.25, 0.006, 0.001)))
    loop.add(Scripted(clock, "quick", took_s=(0.005, 0.001, 0.001)))
    for _ in range(3):
        loop.poke("slow")
        loop.poke("quick")
        loop.run_once()
    slow, quick = loop.report()

    assert loop.slowest() == slow
    assert (slow.name, slow.steps, slow.over_budget) == ("slow", 3, 2)
    assert slow.worst_s == pytest.approx(0.25)
    assert (quick.steps, quick.worst_s) == (3, pytest.approx(0.005, abs=1e-9))


def test_the_one_after_a_slow_component_is_told_the_time_it_is() -> None:
    clock = ManualClock()
    loop, heart = Loop(clock), Heartbeat()
    loop.add(Scripted(clock, "slow", took_s=(2.0,)))
    loop.add(heart)
    loop.run_once()

    assert heart.beats == [2.0]


def test_without_an_ear_for_errors_a_bug_ends_the_loop() -> None:
    clock = ManualClock()
    loop = Loop(clock)
    loop.add(Scripted(clock, "buggy", error=KeyError("gain")))

    with pytest.raises(KeyError, match="gain"):
        loop.run()


def test_a_component_that_raised_is_parked_until_resumed_and_the_others_go_on() -> None:
    clock, heard = ManualClock(), []
    loop, heart = Loop(clock), Heartbeat()
    bad = Scripted(clock, "bad", error=OSError("gone"))
    loop.on_error = lambda name, error: heard.append((name, str(error)))
    loop.add(bad)
    loop.add(heart)
    loop.run_once()
    loop.poke("bad")
    assert loop.run_once() == 5.0
    assert bad.steps == 1
    assert heard == [("bad", "gone")]
    assert (loop.report()[0].raised, loop.report()[0].parked) == (1, True)

    bad.error = None
    loop.resume("bad")
    loop.run_once()
    assert bad.steps == 2
    assert not loop.report()[0].parked


def test_who_is_parked_before_it_has_a_seat_is_not_stepped() -> None:
    clock = ManualClock()
    loop, idle = Loop(clock), Scripted(clock, "idle")
    loop.park("idle")
    loop.add(idle)
    loop.run_once()

    assert idle.steps == 0


def test_a_wake_that_is_not_a_number_is_an_error_and_not_eternal_sleep() -> None:
    class Lost:
        name = "lost"

        def step(self, now: float) -> float:
            return math.nan

    loop = Loop(ManualClock())
    loop.add(Lost())

    with pytest.raises(ValueError, match="lost returned NaN"):
        loop.run_once()


def test_nobody_is_stepped_after_the_loop_was_stopped() -> None:
    clock, heart = ManualClock(), Heartbeat()
    loop = Loop(clock)

    class Stopper:
        name = "stopper"

        def step(self, now: float) -> float:
            loop.stop()
            return NEVER

    loop.add(Stopper())
    loop.add(heart)
    loop.run()

    assert heart.beats == []


def test_a_poke_while_stepping_asks_for_another_step_and_one_before_does_not() -> None:
    clock = ManualClock()
    loop, idle = Loop(clock), Scripted(clock, "idle")
    loop.add(idle)
    loop.poke("idle")
    loop.run_once()
    loop.run_once()

    assert idle.steps == 1


def test_a_stop_at_the_worst_moment_is_not_lost() -> None:
    loop = Loop(ManualClock())

    class StoppedJustBefore(threading.Event):
        def clear(self) -> None:
            loop.stop()
            super().clear()

    loop._wake = StoppedJustBefore()
    loop.run()  # a lost stop would wait for ever, which ManualClock turns into an error
