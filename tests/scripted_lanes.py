"""A dispatcher whose lanes have no threads: the test says when a task ends, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.worker import Done, Failed
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job, Need
from edge_agent.scheduler.lane import Kind, Task
from edge_agent.scheduler.way import Way
from edge_agent.testing.clock import ManualClock

Result = str | EdgeAgentError


class Hand:
    """Stands in for a worker: holds the one task until the test ends it."""

    def __init__(
        self, name: str, work: Callable[[Any], Any], answer: Callable[[Any], object], clock: ManualClock, capacity: int
    ) -> None:
        self.name = name.removeprefix("lane ")
        self.task: Task[Any, Any] | None = None
        self.since_s = 0.0
        self.stopped = self.abandoned = False
        self._work, self._answer, self._clock = work, answer, clock

    def start(self) -> None: ...

    def submit(self, task: Task[Any, Any]) -> bool:
        assert self.task is None, "two tasks at once"
        self.task, self.since_s = task, self._clock.now()
        return not self.stopped

    def stop(self) -> None:
        self.stopped = True

    def abandon(self) -> list[object]:
        self.abandoned = True
        return []

    def join(self, until: float) -> bool:
        return self.task is None

    def status(self) -> Any:
        return SimpleNamespace(busy_since_s=None if self.task is None else self.since_s)

    def end(self, error: Exception | None = None) -> None:
        """End the task: by doing it, or by failing as told."""
        assert self.task is not None
        task, self.task = self.task, None
        try:
            if error is not None:
                raise error
            said: Any = Done(task, self._work(task), self.since_s, self._clock.now())
        except Exception as raised:  # whatever it is, the worker hands it on
            said = Failed(task, raised, self.since_s, self._clock.now())
        if not self.abandoned:
            self._answer(said)


@dataclass
class Scripted:
    """A dispatcher with scripted lanes `a/x`, `b/y`, …

    Attributes:
        names: the device of each lane.
        timeout_s: after which a task hangs [s].
        warm: lanes may be loaded in advance.
        devices: of a lane, where it has others than one of its own name.
        loads: what a lane loads, by its name.
        proof: raises where what was loaded is not right.
        pace_s: what a proof takes, and so what a job is taken to last before one was run [s].
        kind: the dispatcher.
        answers: what became of each job, in the order in which that was heard: name, result, when.
        noted: what a person should know.
    """

    names: Sequence[str] = ("a/x",)
    timeout_s: float = 1.0
    warm: bool = True
    pace_s: float = 0.010
    devices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    loads: Callable[[str], Any] = str
    proof: Callable[[Any], None] = lambda held: None
    kind: type[Dispatcher[Any, Any]] = Dispatcher
    clock: ManualClock = field(default_factory=ManualClock)
    answers: list[tuple[str, Result, float]] = field(default_factory=list)
    noted: list[tuple[str, str, str, dict[str, object]]] = field(default_factory=list)
    before_s: float = 0.0  #: the 99th percentile of jobs before this start [s]
    before: Mapping[str, float] = field(default_factory=dict)  #: the same of a lane that has another [s]
    batches_s: Mapping[int, float] = field(default_factory=dict)  #: what lanes are measured to do together [s]
    complaints: Sequence[str] = ()  #: why lanes do not do together what they were measured to
    loading: bool = False  #: what runs is loading something
    begun: list[tuple[str, str]] = field(default_factory=list)  #: early jobs, and the lane that began each
    hands: dict[str, Hand] = field(default_factory=dict)  #: the newest of each lane

    def __post_init__(self) -> None:
        self.dispatcher = self.kind(
            [self._way(name) for name in self.names],
            self.clock,
            lambda name: None,
            self.timeout_s,
            lambda way: self.warm,
            lambda *said: self.noted.append(said),
            self._hire,
        )
        self.dispatcher.open()

    def ready(self) -> Scripted:
        """Load every lane that may be."""
        for name in self.names:
            if name in self.hands:
                self.end(name)
        return self

    def job(self, name: str, within_s: float = float("inf"), *, hurried: bool = False, bundle: str = "") -> bool:
        """Submit a job that answers `name` and the lane's name."""
        return self.dispatcher.submit(self.made(name, self.clock.now() + within_s, hurried=hurried, bundle=bundle))

    def made(self, name: str, deadline_s: float, *, hurried: bool = False, bundle: str = "") -> Job[str, str]:
        """Make a job that is due at a time [s, host monotonic]."""
        return Job(
            lambda held: f"{name} on {held}",
            lambda result, at_s: self.answers.append((name, result, at_s)),
            deadline_s,
            (lambda held: f"{name} in a hurry on {held}") if hurried else None,
            bundle,
            (lambda held, runs: [run(held) for run in runs]) if self.batches_s else None,
        )

    def early(self, name: str, within_s: float = math.inf, done_s: float = math.inf) -> Job[str, str] | None:
        """Submit an early job that answers as `job` does and is needed then; None where it is refused."""
        now = self.clock.now()
        need = Need(now + within_s, now + done_s, lambda lane: self.begun.append((name, lane)), "rest")
        job = replace(self.made(name, math.inf), together=None, pace="picture", need=need)
        return job if self.dispatcher.submit(job) else None

    def rest(self, name: str, within_s: float) -> bool:
        """Submit a job that goes on from where an early one ended."""
        made = self.made(name, self.clock.now() + within_s)
        return self.dispatcher.submit(replace(made, together=None, pace="rest"))

    def on(self, name: str) -> str:
        """Say what a lane is doing: the name of a job, a kind of task, or nothing."""
        task = self.hands[name].task if name in self.hands else None
        if task is None:
            return ""
        if not task.tickets:
            return str(task.kind)
        said = [str(ticket.job.run("")).split(" on ")[0] for ticket in task.tickets]
        return " and ".join(said) + (" in a hurry" if task.kind is Kind.HURRY else "")

    def end(self, name: str, error: Exception | None = None, after_s: float = 0.0) -> None:
        """End what a lane is doing, some time from now, and have the dispatcher hear of it."""
        self.clock.advance(after_s)
        self.hands[name].end(error)
        self.step()

    def step(self) -> float:
        """Step the dispatcher once."""
        return self.dispatcher.step(self.clock.now())

    def wait(self, seconds: float) -> None:
        """Let time go by, and step the dispatcher whenever it wants to be."""
        until = self.clock.now() + seconds
        while (wake := self.step()) < until:
            self.clock.advance_to(max(wake, self.clock.now() + 1e-4))
        self.clock.advance_to(until)
        self.step()

    def words(self) -> list[str]:
        """Give what became of each job as text: the answer, or the type of the error."""
        return [said if isinstance(said, str) else f"{name}: {type(said).__name__}" for name, said, _ in self.answers]

    def _hire(self, *arguments: Any) -> Any:
        hand = Hand(*arguments)
        self.hands[hand.name] = hand
        return hand

    def _way(self, name: str) -> Way[str]:
        def prove(held: str) -> int:
            self.clock.advance(self.pace_s)
            self.proof(held)
            return 1

        devices = self.devices.get(name, (name,))
        return Way(
            name,
            frozenset(devices),
            lambda: self.loads(name),
            prove,
            lambda held: devices[0],
            lambda held: self.loading,
            {"": self.before.get(name, self.before_s)},
            complaints=lambda held: self.complaints,
            batches_s=lambda held, bundle: self.batches_s,
        )
