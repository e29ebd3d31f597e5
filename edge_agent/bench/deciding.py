"""How long the dispatcher takes to decide, with a thousand parts waiting: `edge-agent bench --decisions`.

Its lanes have no threads and compute nothing, so that what is measured is the decision alone: one part more is
submitted, or a lane has ended one and is given the next; or has ended eight together and is given eight more.
"""

from __future__ import annotations

import itertools
import platform
from collections.abc import Callable, Sequence
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
TAKES_S: Final = 0.010
"""What every task is said to have taken [s]."""

BATCHES_S: Final = {2: 0.011, 4: 0.013, 8: 0.017}
"""What so many parts are said to take together, on lanes that do that [s]."""

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
        batch: hearing that a lane has ended as many parts together as it may, and giving it as many.
        together: how many these are.
        machine: processor and system.
        version: of the program.
    """

    waiting: int
    decisions: int
    submit: Span
    next: Span
    batch: Span
    together: int
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
        took_s = BATCHES_S.get(len(task.tickets), TAKES_S)
        self._answer(Done(task, self._work(task), now - took_s, now))

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
    kinds = (
        ("one part more", report.submit),
        ("the next part", report.next),
        (f"the next {report.together}", report.batch),
    )
    for name, taken in kinds:
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
    submits_ms, nexts_ms = _times(waiting, decisions, {})
    _, batches_ms = _times(waiting, decisions, BATCHES_S)
    machine = f"{processor()}, {platform.system()} {platform.release()}"
    spans = span(submits_ms), span(nexts_ms), span(batches_ms)
    return DecisionReport(waiting, decisions, *spans, max(BATCHES_S), machine, program_version())


def _times(waiting: int, decisions: int, batches_s: dict[int, float]) -> tuple[list[float], list[float]]:
    """Give what taking one part more, and giving a lane what is next, took each time [ms].

    Args:
        waiting: parts that wait all the time.
        decisions: how many of each kind.
        batches_s: what so many parts take together [s], by how many.

    Returns:
        Both.
    """
    clock = SystemClock()
    hands: list[_Hand] = []

    def hire(*arguments: Any) -> Any:
        hands.append(_Hand(*arguments))
        return hands[-1]

    def way(name: str) -> Way[int]:
        return Way(name, frozenset({name}), lambda: 0, lambda _: 1, lambda _: "", batches_s=lambda *_: batches_s)

    ways = [way("a/x"), way("b/y")]
    dispatcher = Dispatcher[int, int](ways, clock, lambda name: None, SOON_S, lambda way: True, hire=hire, room=waiting)
    dispatcher.open()
    for at in range(2):
        hands[at].end()
        dispatcher.step(clock.now())
    numbers = itertools.count()

    def together(held: int, runs: Sequence[Callable[[int], int]]) -> list[int]:
        return [run(held) for run in runs]

    def submit() -> bool:
        number = next(numbers)
        deadline_s = clock.now() + SOON_S + (number * 7919 % waiting)  # not in the order in which they are due
        return dispatcher.submit(Job(lambda held: number, lambda result, at_s: None, deadline_s, together=together))

    while submit():
        pass
    for hand in hands:  # the second stood in before anybody knew what the first takes
        hand.end()
        dispatcher.step(clock.now())
        while submit():
            pass
    submits_ms: list[float] = []
    nexts_ms: list[float] = []
    while len(nexts_ms) < decisions:
        hands[0].end()
        began_s = clock.now()
        dispatcher.step(began_s)
        nexts_ms.append(1e3 * (clock.now() - began_s))
        accepted = True
        while accepted:
            began_s = clock.now()
            if accepted := submit():
                submits_ms.append(1e3 * (clock.now() - began_s))
    return submits_ms, nexts_ms
