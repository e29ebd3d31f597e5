"""A thread for what would block the loop: it takes one job after the other and answers each exactly once.

It knows nothing of the jobs. Whether one has taken too long is for its owner to judge, who can abandon the
worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow

J = TypeVar("J")
R = TypeVar("R")


@dataclass(frozen=True)
class Done(Generic[J, R]):
    """The answer to a job that went well; times are host monotonic [s]."""

    job: J
    value: R
    started_s: float
    ended_s: float


@dataclass(frozen=True)
class Failed(Generic[J]):
    """The answer to a job that raised; times are host monotonic [s]."""

    job: J
    error: Exception
    started_s: float
    ended_s: float


class WorkerState(StrEnum):
    """What a worker is doing."""

    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class WorkerStatus:
    """One worker, for people.

    Attributes:
        name: the worker.
        state: what it is doing.
        busy_since_s: when its present job began [s, host monotonic]; None when it has none.
        done: jobs that went well.
        failed: jobs that raised.
        jobs: what became of every job offered.
    """

    name: str
    state: WorkerState
    busy_since_s: float | None
    done: int
    failed: int
    jobs: MailboxStats


class Worker(Generic[J, R]):
    """One thread with a bounded queue of jobs. Every method is safe from any thread.

    Each job that `submit` accepts is answered exactly once: through `answer`, or in the list that `abandon`
    returns. It starts once; to begin anew, build another.

    Args:
        name: the thread's name.
        work: does one job, on the worker's thread; may block and may raise.
        answer: hears how each job went, on the worker's thread; must not block or raise (`Mailbox.offer`).
        clock: tells the time.
        capacity: jobs that may wait; one more is refused.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[J], R],
        answer: Callable[[Done[J, R] | Failed[J]], object],
        clock: Clock,
        capacity: int,
    ) -> None:
        self.name = name
        self._work = work
        self._answer = answer
        self._clock = clock
        self._jobs = Mailbox[J](capacity, Overflow.REFUSE)
        self._lock = threading.Lock()
        self._current: list[J] = []  # none or one
        self._busy_since_s: float | None = None
        self._abandoned = False
        self._done = self._failed = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: J) -> bool:
        """Queue `job` without blocking; say whether it was accepted (not when full, stopped or abandoned)."""
        return self._jobs.offer(job)

    def stop(self) -> None:
        """Take no more jobs; the thread ends when those that wait are done."""
        self._jobs.close()

    def join(self, until: float) -> bool:
        """Wait for the thread to end, at most until `until` [s, host monotonic]; say whether it has ended."""
        if not self._thread.ident:
            return True
        self._clock.wait(self._ended, until)
        if self._ended.is_set():
            self._thread.join()
        return self._ended.is_set()

    def abandon(self) -> list[J]:
        """Give up on a hung worker; return the jobs that will never be answered, the hung one first.

        A thread cannot be killed: it stays behind until its job returns, and then ends without answering.
        It is no daemon and so holds up the end of the process: who abandons a worker leaves by `os._exit`.
        """
        with self._lock:
            self._abandoned = True
            self._jobs.close()
            unanswered, self._current = self._current, []
            return unanswered + self._jobs.take_all()

    def status(self) -> WorkerStatus:
        """Say what the worker is doing and has done."""
        with self._lock:
            return WorkerStatus(
                self.name, self._state(), self._busy_since_s, self._done, self._failed, self._jobs.stats()
            )

    def _state(self) -> WorkerState:
        if self._abandoned:
            return WorkerState.ABANDONED
        if not self._thread.is_alive():
            return WorkerState.STOPPED
        return WorkerState.IDLE if self._busy_since_s is None else WorkerState.BUSY

    def _run(self) -> None:
        try:
            while self._jobs.wait():
                self._serve_one()
        finally:
            self._ended.set()

    def _serve_one(self) -> None:
        with self._lock:  # so that `abandon` sees a job waiting or current, never between the two
            self._current = self._jobs.take(1)
            if not self._current:
                return
            job = self._current[0]
            self._busy_since_s = started_s = self._clock.now()
        answer: Done[J, R] | Failed[J]
        try:
            answer = Done(job, self._work(job), started_s, self._clock.now())
        except Exception as error:  # the thread's boundary: the owner of the job decides what an error means
            answer = Failed(job, error, started_s, self._clock.now())
        with self._lock:
            self._busy_since_s = None
            if self._abandoned:
                return
            self._current = []
            if isinstance(answer, Done):
                self._done += 1
            else:
                self._failed += 1
        self._answer(answer)
