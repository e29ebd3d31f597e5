"""Health: which troubles become events and when, and what counts as progress of a stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from status_values import dispatch_of, status_of

from edge_agent.agent.health import AGAIN_S, PERIOD_S, Health, Memory
from edge_agent.agent.status import Status, Trouble
from edge_agent.runtime.background import Chore
from edge_agent.runtime.machine import MemoryGauge
from edge_agent.testing.clock import ManualClock


class Bench:
    """A health component whose station is whatever the test says."""

    def __init__(self) -> None:
        self.status: Status = status_of()
        self.found: list[Trouble] = []
        self.progress: list[tuple[str, float]] = []
        self.health = Health(
            lambda: self.status, self.found.append, lambda stage, now: self.progress.append((stage, now))
        )
        self.health.step(0.0)

    def look(self, now: float, *troubles: Trouble) -> None:
        self.status = replace(self.status, troubles=troubles)
        self.health.step(now)


def test_a_trouble_is_noted_when_it_begins_and_when_it_returns() -> None:
    bench = Bench()
    disk = Trouble("disk", "full")
    for now, troubles in ((2.0, (disk,)), (4.0, (disk,)), (200.0, (disk,)), (202.0, ()), (204.0, (disk,))):
        bench.look(now, *troubles)

    assert bench.found == [disk, disk]


def test_a_trouble_that_counts_on_is_noted_again_but_not_more_often_than_once_a_minute() -> None:
    bench = Bench()
    bench.look(2.0, Trouble("late", "1", count=1))
    bench.look(4.0, Trouble("late", "2", count=2))
    bench.look(2.0 + AGAIN_S, Trouble("late", "2", count=2))
    bench.look(4.0 + AGAIN_S, Trouble("late", "3", count=3))

    assert [trouble.count for trouble in bench.found] == [1, 2]


def test_a_trouble_that_no_longer_counts_is_not_noted_again() -> None:
    bench = Bench()
    for look in range(1, 200):
        bench.look(look * PERIOD_S, Trouble("late", "1", count=1))

    assert len(bench.found) == 1


@pytest.mark.parametrize(
    ("ready", "urgent", "progresses"),
    [
        (False, 1, True),
        (True, 0, True),
        (True, 1, False),
    ],
)
def test_the_dispatcher_progresses_while_a_lane_loads_and_stalls_while_parts_wait_and_none_is_answered(
    ready: bool, urgent: int, progresses: bool
) -> None:
    bench = Bench()
    bench.status = replace(status_of(), dispatch=dispatch_of(ready=ready, urgent=urgent))
    bench.health.step(2.0)
    bench.health.step(4.0)

    assert (("dispatcher", 4.0) in bench.progress) is progresses
    assert ("loop", 4.0) in bench.progress


def test_a_dispatcher_that_answers_parts_progresses() -> None:
    bench = Bench()
    for now, done in ((2.0, 1), (4.0, 2)):
        bench.status = replace(status_of(), dispatch=dispatch_of(urgent=1, done=done))
        bench.health.step(now)

    assert ("dispatcher", 4.0) in bench.progress


class Reading:
    """Stands in for the background: does a chore when it is told to."""

    def __init__(self) -> None:
        self.chores: list[Chore] = []

    def submit(self, chore: Chore) -> bool:
        self.chores.append(chore)
        return True


def test_memory_is_read_in_the_background_every_ten_seconds_and_never_twice_at_once() -> None:
    reading: Any = Reading()
    memory = Memory(reading, MemoryGauge(ManualClock()))
    for now in (0.0, 1.0, Memory.PERIOD_S, 2 * Memory.PERIOD_S):
        memory.step(now)
    assert (memory.mb, len(reading.chores)) == (None, 1)
    reading.chores[0].then(123.0)
    memory.step(3 * Memory.PERIOD_S)

    assert (memory.mb, len(reading.chores)) == (123.0, 2)
