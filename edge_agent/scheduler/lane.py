"""One way to run a bundle, with a thread of its own: what it loaded, what it runs, how long that takes.

It holds one task at a time, so that whatever comes next is decided when the thread is free and not before. A thread
that hangs in a driver is left behind; the lane can be opened again with another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic

from edge_agent.errors import DeviceFault
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.worker import Done, Failed, Worker
from edge_agent.scheduler.job import H, R, Ticket
from edge_agent.scheduler.pace import Paces
from edge_agent.scheduler.way import Way

LOAD_TIMEOUT_S: Final = 60.0
"""Loading compiles the models: seconds on a CPU, up to a minute on an NPU."""

PASSED_OVER: Final = 64
"""Jobs in a row that went to a later lane because an idle one is too slow, until it is proven again beside the line."""

PASSED_OVER_MOST: Final = 4096
"""The same at the most: the number doubles with each proof after which the lane did no job in time."""

SILENT_AFTER: Final = 2.0
"""A lane whose task has run for this many times its 99th percentile is not waited for where another is idle."""


class Kind(StrEnum):
    """What a lane is given to do."""

    LOAD = "load"
    TRY = "try"
    RUN = "run"
    HURRY = "hurry"
    TOGETHER = "together"


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
        tickets: whose jobs it is; none where it is nobody's, several where they are done together.
    """

    lane: Lane[H, R]
    kind: Kind
    tickets: Sequence[Ticket[H, R]] = ()


Answer = Done[Task[H, R], Sequence[R]] | Failed[Task[H, R]]


Hire = Callable[..., Worker[Any, Any]]
"""Makes a worker from a name, its work, what hears the answers, a clock and a capacity."""


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
        self.freed_s = -math.inf  #: when the last task ended that was no early job [s, host monotonic]
        self.usual_s = 0.0  #: what one in a hundred of tasks like the present one exceeds [s]; 0 where nothing is known
        self.silent_at_s = math.inf  #: when the present task will have run far too long [s, host monotonic]
        self.done = self.failed = 0
        self.paces = Paces(way.p99_s)
        self._clock = clock
        self._answer = answer
        self._hire = hire
        self._held: list[H] = []
        self._batches = True  # none has failed since it was loaded
        self._doubted = False
        self._proof_s: list[float] = []  # what a piece of the newest proof took, as the thread says
        self._worker: Worker[Task[H, R], Sequence[R]] | None = None
        self._left_behind: list[Worker[Task[H, R], Sequence[R]]] = []

    def takes_s(self, bundle: str) -> dict[int, float]:
        """Give what one in a hundred batches of a bundle's jobs exceeds [s], by how many; one alone is among them."""
        measured_s = [self.way.batches_s(held, bundle) for held in self._held[:1]] if self._batches else []
        return self.paces.of(bundle).takes_s(measured_s[0] if measured_s else {})

    def alone_s(self, ticket: Ticket[H, R]) -> float:
        """Give what one in a hundred of the jobs like this one exceeds [s], done by itself."""
        return self.paces.of(ticket.job.kind_on(self.name)).durations.p99_s

    def batches(self, ticket: Ticket[H, R]) -> bool:
        """Say whether it may do a job together with others."""
        return not ticket.alone and self.gains(ticket.job.bundle)

    def gains(self, bundle: str) -> bool:
        """Say whether it may do several jobs of a bundle together."""
        return self._batches and any(
            self.way.batches_s(held, bundle) for held in self._held[:1]
        )  # a thread may clear it

    def one_more_s(self, ticket: Ticket[H, R]) -> float:
        """Give by how much later it is free where a job waits for it [s]: it may do it with others."""
        if not self.batches(ticket):
            return self.alone_s(ticket)
        return min(s / pieces for pieces, s in self.takes_s(ticket.job.bundle).items())

    def complaints(self) -> Sequence[str]:
        """Say which jobs it does not do together though it was meant to; while it has no task."""
        return self.way.complaints(self._held[0]) if self._held else ()

    def narrow(self) -> None:
        """Do no jobs together any more until it is loaded anew: the device failed at that."""
        self._batches = False

    def open(self, now: float) -> None:
        """Start a thread that loads; a lane that loads already, or is ready, is left alone."""
        if self.state in (LaneState.LOADING, LaneState.READY):
            return
        self.close()
        held: list[H] = []
        proof_s: list[float] = []
        self._proof_s = proof_s
        self.paces.begun()

        def work(task: Task[H, R]) -> Sequence[R]:
            if task.kind in (Kind.LOAD, Kind.TRY):
                try:
                    if task.kind is Kind.LOAD:
                        held.append(self.way.load())
                    began_s = self._clock.now()
                    pieces = self.way.prove(held[0])
                    proof_s[:] = [(self._clock.now() - began_s) / max(pieces, 1)]
                    self.way.prove_together(held[0])
                except BaseException:
                    held.clear()  # it is loaded anew before it is used again
                    raise
                return ()
            job = task.tickets[0].job
            if task.kind is Kind.TOGETHER and job.together is not None:
                return job.together(held[0], [ticket.job.run for ticket in task.tickets])
            hurried = job.hurried if task.kind is Kind.HURRY else None
            return ((hurried or job.run)(held[0]),)

        self._held = held
        self._batches = True
        self._worker = self._hire(f"lane {self.name}", work, self._answer, self._clock, 1)
        self._worker.start()
        self.state = LaneState.LOADING
        self.give(Kind.LOAD, now)

    def give(self, kind: Kind, now: float, tickets: Sequence[Ticket[H, R]] = ()) -> None:
        """Give a task to a thread that has none."""
        assert self._worker is not None and self.task is None
        task = self.task = Task(self, kind, tickets)
        self.since_s = now
        if not tickets:
            self.usual_s = self.paces.p99_s
        elif len(tickets) > 1:
            self.usual_s = self.takes_s(tickets[0].job.bundle)[len(tickets)]
        else:
            job = tickets[0].job
            pace = self.paces.of(job.kind_on(self.name))
            is_piece = tickets[0].is_background and job.need is None
            self.usual_s = (pace.pieces if is_piece else pace.durations).p99_s
        self.silent_at_s = now + SILENT_AFTER * self.usual_s if self.usual_s else math.inf
        if not self._worker.submit(task):
            raise AssertionError(f"lane {self.name} had room and refused")

    def finished(self, answer: Answer[H, R]) -> None:
        """Hear that the present task has ended."""
        self.task, self.silent_at_s = None, math.inf
        good = isinstance(answer, Done)
        self.done += good
        self.failed += not good
        kind, tickets = answer.job.kind, answer.job.tickets
        if not tickets or tickets[0].job.need is None:
            self.freed_s = self._clock.now()
        if not tickets:
            self.state = LaneState.READY if good else LaneState.FAILED
            if good and self._proof_s:
                self.paces.proven(self._proof_s[-1], anew=self._doubted)
            self._doubted = False
        elif good:
            job = tickets[0].job
            kind_of, took_s = job.kind_on(self.name), answer.ended_s - answer.started_s
            if tickets[0].is_background and job.need is None:
                self.paces.of(kind_of).pieces.add(took_s)
            elif kind is Kind.HURRY:
                self.paces.hurried(kind_of, took_s)
            else:
                self.paces.ran(kind_of, len(tickets), took_s)
                if answer.ended_s <= tickets[0].job.deadline_s:
                    self.doubted_at = PASSED_OVER
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
        loads = not self.task.tickets or (self._held and self.way.loading(self._held[0]))
        return self.since_s + (LOAD_TIMEOUT_S if loads else timeout_s)

    @property
    def stuck(self) -> int:
        """Threads that were left behind and have not ended yet."""
        self._forget_ended()
        return len(self._left_behind)

    def abandon(self, now: float) -> DeviceFault:
        """Leave a thread behind that hangs; give what is to be said of its device, where anybody can tell which."""
        device = self.way.at(self._held[0]) if self._held else ""
        self.task, self.silent_at_s, self.state = None, math.inf, LaneState.FAILED
        if self._worker is not None:
            self._worker.abandon()
            self._left_behind.append(self._worker)
            self._worker = None
        self._held = []
        self._forget_ended()
        return DeviceFault(
            f"the device has not answered for {now - self.since_s:.1f} s",
            hint="it is started anew; if this returns, choose another [engine] device",
            device=device,
        )

    def close(self) -> None:
        """Take no more tasks and let the thread end; what it held goes with it."""
        if self.task is None:
            self._held.clear()
        if self._worker is not None:
            self._worker.stop()
            self._left_behind.append(self._worker)
            self._worker = None
        self.task, self.silent_at_s = None, math.inf
        self.state, self._held = LaneState.COLD, []
        self._forget_ended()

    def _forget_ended(self) -> None:
        """Keep no thread that has ended, and with it nothing that it held."""
        if self._left_behind:
            self._left_behind = [worker for worker in self._left_behind if not worker.join(0.0)]

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the threads to end; say whether they have."""
        return all(worker.join(until) for worker in self._left_behind)
