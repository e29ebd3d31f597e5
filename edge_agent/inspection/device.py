"""One device and its worker thread: loads the bundle there, runs one job after the other, notices when it hangs.

The loop submits and is answered on the loop thread; the engines never leave the thread that loaded them. Whoever
submits background jobs keeps at most one in it, so that a verdict waits for one encoding at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import BadData, DeviceFault, EdgeAgentError
from edge_agent.inspection.encode import Encoder
from edge_agent.records import Embedding
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.runtime.worker import Done, Failed, Worker, WorkerStatus

JOBS: Final = 16
"""Parts that may wait for the device; at 10 ms each, those behind them would be late anyway."""

LOAD_TIMEOUT_S: Final = 60.0
"""Loading compiles the models: seconds on a CPU, up to a minute on an NPU."""


@dataclass(frozen=True, eq=False)
class Job:
    """One encoding to be made.

    Attributes:
        encode: makes it, on the device's thread.
        then: hears the embedding and when it was ready [s, host monotonic], or why there is none; loop thread.
    """

    encode: Callable[[Encoder], Embedding]
    then: Callable[[Embedding | EdgeAgentError, float], None]


@dataclass(frozen=True, eq=False)
class _Load:
    """The first job of every worker."""


class Device:
    """Runs encodings on a thread of its own. A component; every method belongs to the loop thread.

    A job that was accepted is answered exactly once, whatever the device does.

    Args:
        load: makes the encoder; called on the device's thread, may take seconds.
        clock: tells the time.
        poke: asks the loop to step this component.
        timeout_s: a job that takes longer means that the device hangs [s].
    """

    name = "device"

    def __init__(
        self,
        load: Callable[[], Encoder],
        clock: Clock,
        poke: Callable[[str], None],
        timeout_s: float,
    ) -> None:
        self._load = load
        self._clock = clock
        self._poke = poke
        self._timeout_s = timeout_s
        self._worker: Worker[Job | _Load, Embedding | None] | None = None
        self._left_behind: list[Worker[Job | _Load, Embedding | None]] = []
        self._answers: Mailbox[Done[Job | _Load, Embedding | None] | Failed[Job | _Load]]
        self._ready = False
        self.settled = False  #: it has been ready, or has failed, at least once

    @property
    def ready(self) -> bool:
        """The bundle is loaded and proven, and the device has not failed since."""
        return self._ready

    def open(self) -> None:
        """Start a thread that loads the bundle; `ready` tells when it has."""
        if self._worker is not None:
            return
        self._ready = False
        # One answer for each waiting job, the running one and the load: this mailbox is never full.
        answers = self._answers = Mailbox(JOBS + 2, Overflow.REFUSE, on_put=lambda: self._poke(self.name))
        encoders: list[Encoder] = []

        def work(job: Job | _Load) -> Embedding | None:
            if isinstance(job, Job):
                return job.encode(encoders[0])
            encoders.append(self._load())
            return None

        self._worker = Worker("device", work, answers.offer, self._clock, JOBS + 1)
        self._worker.start()
        self._worker.submit(_Load())

    def submit(self, job: Job) -> bool:
        """Queue a job; False when the device is not there or has too much to do."""
        return self._worker is not None and self._ready and self._worker.submit(job)

    def step(self, now: float) -> float:
        """Hand out answers and look whether the device hangs.

        Args:
            now: host monotonic time [s].

        Returns:
            When to look again [s, host monotonic].

        Raises:
            DeviceFault: the device failed or hangs; every job it had is answered with that.
        """
        worker = self._worker
        if worker is None:
            return NEVER
        fault = self._hand_out()
        status = worker.status()
        wake = now + self._timeout_s / 2  # a job that begins unnoticed is seen in time, without a step for each
        if status.busy_since_s is not None or status.jobs.waiting:
            since = now if status.busy_since_s is None else status.busy_since_s
            wake = since + (self._timeout_s if self._ready else LOAD_TIMEOUT_S)
            if now >= wake:
                fault = DeviceFault(
                    f"the device has not answered for {now - since:.1f} s",
                    hint="it is started anew; if this returns, choose another [engine] device",
                )
        if fault is not None:
            self._give_up(worker, fault, now)
            raise fault
        return wake

    def status(self) -> WorkerStatus | None:
        """What the worker is doing; None while there is none."""
        return self._worker.status() if self._worker is not None else None

    def close(self) -> None:
        """Take no more jobs and let the thread end."""
        self._ready = False
        if self._worker is not None:
            self._worker.stop()
            self._left_behind.append(self._worker)
            self._worker = None

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the thread to end; say whether it has."""
        return all(worker.join(until) for worker in self._left_behind)

    def _hand_out(self) -> EdgeAgentError | None:
        fault: EdgeAgentError | None = None
        for answer in self._answers.take_all():
            match answer:
                case Done(_Load()):
                    self._ready = self.settled = True
                case Done(Job() as job, Embedding() as embedding):
                    job.then(embedding, answer.ended_s)
                case Failed(job, BadData() as error) if isinstance(job, Job):
                    job.then(error, answer.ended_s)
                case Failed(job, EdgeAgentError() as error):
                    fault = error
                    if isinstance(job, Job):
                        job.then(error, answer.ended_s)
                case Failed(_, error):
                    raise error
        return fault

    def _give_up(self, worker: Worker[Job | _Load, Embedding | None], fault: EdgeAgentError, now: float) -> None:
        self._ready = False
        self.settled = True
        self._worker = None
        self._left_behind = [left for left in self._left_behind if left.status().busy_since_s is not None] + [worker]
        for job in worker.abandon():
            if isinstance(job, Job):
                job.then(fault, now)
