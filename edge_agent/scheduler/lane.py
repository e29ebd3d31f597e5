"""One way to run a bundle, with a thread of its own: what it loaded, what it runs, how long that takes.

It holds one task at a time, so that whatever comes next is decided when the thread is free and not before. A thread
that hangs in a driver is left behind; the lane can be opened again with another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic

from edge_agent.runtime.clock import Clock
from edge_agent.runtime.worker import Done, Failed, Worker
from edge_agent.scheduler.job import H, R, Ticket
from edge_agent.scheduler.latency import Recent
from edge_agent.scheduler.pace import Pace

LOAD_TIMEOUT_S: Final = 60.0
"""Loading compiles the models: seconds on a CPU, up to a minute on an NPU."""

PASSED_OVER: Final = 64
"""Jobs in a row that went to a later lane because an idle one is too slow, until it is proven again beside the line."""

PASSED_OVER_MOST: Final = 4096
"""The same at the most: the number doubles with each proof after which the lane did no job in time."""

BUNDLES: Final = 64
"""Bundles whose pace a lane remembers; the one that came first is forgotten for one more."""


class Kind(StrEnum):
    """What a lane is given to do."""

    LOAD = "load"
    TRY = "try"
    RUN = "run"
    HURRY = "hurry"


class LaneState(StrEnum):
    """How far a lane is."""

    COLD = "cold"  #: nothing is loaded
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"  #: it could not load, or its thread was left behind


@dataclass(eq=False, slots=True)
class Task(Generic[H, R]):
    """One thing for a lane's thread.

    Attributes:
        lane: whose.
        kind: what.
        ticket: whose job it is; None where it is nobody's.
    """

    lane: Lane[H, R]
    kind: Kind
    ticket: Ticket[H, R] | None = None


Answer = Done[Task[H, R], R | None] | Failed[Task[H, R]]


Hire = Callable[..., Worker[Any, Any]]
"""Makes a worker from a name, its work, what hears the answers, a clock and a capacity."""


@dataclass(frozen=True)
class Way(Generic[H]):
    """How a lane comes to what it holds.

    Attributes:
        name: of the lane, for people: where the parts run.
        devices: those that it needs, as `runtime/kind`.
        load: loads it, on the lane's thread; may take seconds.
        prove: shows that it gives the right numbers and says how many pieces it looked at; on the lane's thread.
        at: says which device computes, or did last, "" before any did; from any thread.
        loading: says whether a job is loading something, which may take as long as a load; from any thread.
        p99_s: by bundle, what one job in a hundred exceeded before this start [s], to know which lane is the quicker;
            those that nobody knows are missing.
    """

    name: str
    devices: frozenset[str]
    load: Callable[[], H]
    prove: Callable[[H], int]
    at: Callable[[H], str]
    loading: Callable[[H], bool] = lambda held: False
    p99_s: Mapping[str, float] = field(default_factory=dict)


class Lane(Generic[H, R]):
    """Runs one task after the other. Every method belongs to the loop thread.

    Args:
        way: what it loads.
        clock: tells the time.
        answer: hears how each task went, on the lane's thread; must not block.
        hire: makes a thread, as `Worker` does.
    """

    def __init__(
        self,
        way: Way[H],
        clock: Clock,
        answer: Callable[[Answer[H, R]], object],
        hire: Hire = Worker,
    ) -> None:
        self.way = way
        self.name = way.name  #: where its parts run
        self.devices = way.devices  #: those that it needs
        self.state = LaneState.COLD
        self.task: Task[H, R] | None = None
        self.since_s = 0.0  #: when the present task was given [s, host monotonic]
        self.passed_over = 0  #: jobs in a row that went to a later lane though this one was idle
        self.doubted_at = PASSED_OVER  #: so many of them have it proven again
        self.usual_s = 0.0  #: what one in a hundred of tasks like the present one exceeds [s]; 0 where nothing is known
        self.done = self.failed = 0
        self._clock = clock
        self._answer = answer
        self._hire = hire
        self._held: list[H] = []
        self._doubted = False
        self._paces: dict[str, Pace] = {}  # by bundle
        self._proof_s: list[float] = []  # what a piece of the newest proof took
        self._worker: Worker[Task[H, R], R | None] | None = None
        self._left_behind: list[Worker[Task[H, R], R | None]] = []

    @property
    def p99_s(self) -> float:
        """What one in a hundred of the jobs with a deadline exceeds, of the bundle that takes longest [s]."""
        return max((pace.durations.p99_s for pace in self._paces.values()), default=self._proven_s)

    @property
    def p50_s(self) -> float:
        """The same, the median [s]."""
        return max((pace.durations.p50_s for pace in self._paces.values()), default=self._proven_s)

    def pace(self, bundle: str) -> Pace:
        """Give what jobs of a bundle take; until one was run, as much as a piece of the proof."""
        pace = self._paces.get(bundle)
        if pace is None:
            if len(self._paces) >= BUNDLES:
                del self._paces[next(iter(self._paces))]
            pace = self._paces[bundle] = Pace(self.way.p99_s.get(bundle, 0.0))
            if self._proof_s:
                pace.proven(self._proof_s[-1], anew=False)
        return pace

    def open(self, now: float) -> None:
        """Start a thread that loads; a lane that loads already, or is ready, is left alone."""
        if self.state in (LaneState.LOADING, LaneState.READY):
            return
        self.close()
        held: list[H] = []
        proof_s: list[float] = []
        self._proof_s = proof_s

        def work(task: Task[H, R]) -> R | None:
            if task.kind in (Kind.LOAD, Kind.TRY):
                try:
                    if task.kind is Kind.LOAD:
                        held.append(self.way.load())
                    began_s = self._clock.now()
                    pieces = self.way.prove(held[0])
                except BaseException:
                    held.clear()  # it is loaded anew before it is used again
                    raise
                proof_s[:] = [(self._clock.now() - began_s) / max(pieces, 1)]
                return None
            assert task.ticket is not None
            job = task.ticket.job
            hurried = job.hurried if task.kind is Kind.HURRY else None
            return (hurried or job.run)(held[0])

        self._held = held
        self._worker = self._hire(f"lane {self.name}", work, self._answer, self._clock, 1)
        self._worker.start()
        self.state = LaneState.LOADING
        self.give(Kind.LOAD, now)

    def give(self, kind: Kind, now: float, ticket: Ticket[H, R] | None = None) -> None:
        """Give a task to a thread that has none."""
        assert self._worker is not None and self.task is None
        self.task, self.since_s = Task(self, kind, ticket), now
        self.usual_s = self.p99_s if ticket is None else self._recent(Kind.RUN, ticket).p99_s
        if not self._worker.submit(self.task):
            raise AssertionError(f"lane {self.name} had room and refused")

    def finished(self, answer: Answer[H, R]) -> None:
        """Hear that the present task has ended."""
        self.task = None
        good = isinstance(answer, Done)
        self.done += good
        self.failed += not good
        kind = answer.job.kind
        ticket = answer.job.ticket
        if ticket is None:
            self.state = LaneState.READY if good else LaneState.FAILED
            if good and self._proof_s:
                for pace in self._paces.values():
                    pace.proven(self._proof_s[-1], anew=self._doubted)
            self._doubted = False
        elif good:
            pace, recent = self.pace(ticket.job.bundle), self._recent(kind, ticket)
            recent.add(answer.ended_s - answer.started_s)
            if recent is pace.durations:
                pace.before_s = 0.0
            if kind is Kind.RUN and answer.ended_s <= ticket.job.deadline_s < math.inf:
                self.doubted_at = PASSED_OVER
            if kind is Kind.HURRY:
                pace.durations.forget_oldest()  # what was slow once is tried again after a while
        self._forget_ended()

    def pass_over(self, now: float) -> None:
        """Hear that a job went to a later lane; after a while prove this one again beside the line, where it is idle.

        What the proof takes counts from then on, and not what was run long ago.
        """
        if self.task is not None:
            return
        self.passed_over += 1
        if self.passed_over >= self.doubted_at:
            self.passed_over, self.doubted_at = 0, min(2 * self.doubted_at, PASSED_OVER_MOST)
            self.give(Kind.TRY, now)
            self._doubted = True

    def hangs_at_s(self, timeout_s: float) -> float:
        """Give when the present task will have taken too long [s, host monotonic]; infinite without one."""
        if self.task is None:
            return math.inf
        loads = self.task.ticket is None or any(map(self.way.loading, self._held))
        return self.since_s + (LOAD_TIMEOUT_S if loads else timeout_s)

    @property
    def stuck(self) -> int:
        """Threads that were left behind and have not ended yet."""
        self._forget_ended()
        return len(self._left_behind)

    def abandon(self) -> str:
        """Leave a thread behind that hangs; give the device it hangs on, "" where nobody can tell."""
        device = self.way.at(self._held[0]) if self._held else ""
        self.task, self.state = None, LaneState.FAILED
        if self._worker is not None:
            self._worker.abandon()
            self._left_behind.append(self._worker)
            self._worker = None
        self._held = []
        self._forget_ended()
        return device

    def close(self) -> None:
        """Take no more tasks and let the thread end; what it held goes with it."""
        if self.task is None:
            self._held.clear()
        if self._worker is not None:
            self._worker.stop()
            self._left_behind.append(self._worker)
            self._worker = None
        self.task, self.state, self._held = None, LaneState.COLD, []
        self._forget_ended()

    @property
    def _proven_s(self) -> float:
        return self._proof_s[-1] if self._proof_s else 0.0

    def _recent(self, kind: Kind, ticket: Ticket[H, R]) -> Recent:
        """Give the durations of such jobs."""
        pace = self.pace(ticket.job.bundle)
        return pace.pieces if ticket.is_background else pace.hurried if kind is Kind.HURRY else pace.durations

    def _forget_ended(self) -> None:
        """Keep no thread that has ended, and with it nothing that it held."""
        if self._left_behind:
            self._left_behind = [worker for worker in self._left_behind if not worker.join(0.0)]

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the threads to end; say whether they have."""
        return all(worker.join(until) for worker in self._left_behind)
