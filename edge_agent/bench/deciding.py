"""How long the dispatcher takes to decide, with a thousand parts waiting: `edge-agent bench --decisions`.

Its lanes have no threads and compute nothing, so that what is measured is the decision alone: one part more is
submitted, or a lane has ended one and is given the next.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.bench.report import Span, span
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.machine import processor
from edge_agent.runtime.release import program_version
from edge_agent.runtime.worker import Done
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job
from edge_agent.scheduler.lane import Task
from edge_agent.scheduler.way import Way
from edge_agent.terminal.printing import say, say_json

WAITING: Final = 1000
DECISIONS: Final = 20_000
SOON_S: Final = 3600.0
"""Deadlines lie so far off that nothing is refused [s]."""


@dataclass(frozen=True)
class DecisionReport:
    """What was measured.

    Attributes:
        waiting: parts that waited.
        decisions: of each kind.
        submit: taking one part more.
        next: hearing that a lane has ended a part, and giving it the most urgent one.
        machine: processor and system.
        version: of the program.
    """

    waiting: int
    decisions: int
    submit: Span
    next: Span
    machine: str
    version: str


class _Hand:
    """Stands in for a worker: ends its task when it is told to."""

    def __init__(
        self, name: str, work: Callable[[Any], Any], answer: Callable[[Any], object], clock: Clock, capacity: int
    ) -> None:
        self.name = name
        self._work, self._answer, self._clock = work, answer, clock
        self._tasks: list[Task[Any, Any]] = []

    def start(self) -> None:
        """Nothing to start."""

    def submit(self, task: Task[Any, Any]) -> bool:
        """Hold a task."""
        self._tasks.append(task)
        return True

    def end(self) -> None:
        """End the task that is held."""
        task, now = self._tasks.pop(), self._clock.now()
        self._answer(Done(task, self._work(task), now, now))

    def stop(self) -> None:
        """Nothing to stop."""

    def abandon(self) -> list[Any]:
        """Nothing waits."""
        return []

    def join(self, until: float) -> bool:
        """Nothing runs."""
        return True


def run_deciding(*, as_json: bool) -> int:
    """Measure and print; 0."""
    report = decide()
    if as_json:
        say_json(report)
        return 0
    say(f"{report.decisions} decisions of each kind with {report.waiting} parts waiting, {report.machine}")
    for name, taken in (("one part more", report.submit), ("the next part", report.next)):
        p50, p99, worst = (1e3 * ms for ms in (taken.p50_ms, taken.p99_ms, taken.max_ms))
        say(f"{name:<16} p50 {p50:7.1f} µs   p99 {p99:7.1f} µs   worst {worst:7.1f} µs")
    return 0


def decide(waiting: int = WAITING, decisions: int = DECISIONS) -> DecisionReport:
    """Measure.

    Args:
        waiting: parts that wait all the time.
        decisions: how many of each kind.

    Returns:
        What was measured.
    """
    clock = SystemClock()
    hands: list[_Hand] = []

    def hire(*arguments: Any) -> Any:
        hands.append(_Hand(*arguments))
        return hands[-1]

    ways = [Way(name, frozenset({name}), lambda: 0, lambda held: 1, lambda held: "") for name in ("a/x", "b/y")]
    dispatcher = Dispatcher[int, int](ways, clock, lambda name: None, SOON_S, lambda way: True, hire=hire, room=waiting)
    dispatcher.open()
    for at in range(2):
        hands[at].end()
        dispatcher.step(clock.now())

    def submit(number: int) -> None:
        deadline_s = clock.now() + SOON_S + (number * 7919 % waiting)  # not in the order in which they are due
        dispatcher.submit(Job(lambda held: number, lambda result, at_s: None, deadline_s))

    for number in range(waiting + 1):
        submit(number)
    submits_ms: list[float] = []
    nexts_ms: list[float] = []
    for number in range(decisions):
        hands[0].end()
        began_s = clock.now()
        dispatcher.step(began_s)
        nexts_ms.append(1e3 * (clock.now() - began_s))
        began_s = clock.now()
        submit(number)
        submits_ms.append(1e3 * (clock.now() - began_s))
    machine = f"{processor()}, {platform.system()} {platform.release()}"
    return DecisionReport(waiting, decisions, span(submits_ms), span(nexts_ms), machine, program_version())
