"""One thread for what may take its time: files, compression, solving; answers come back on the loop thread.

It knows nothing of what it does. Encodings do not belong here but on the device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.runtime.steps import Done, Paused
from edge_agent.runtime.worker import Done as Completed
from edge_agent.runtime.worker import Failed, Worker, WorkerStatus

CHORES: Final = 64
"""Chores that may wait: the pictures of ten seconds of a line that rejects everything."""

RETRY_S: Final = 0.05
"""How long the next part of a chore waits for room in the queue [s]."""


@dataclass(frozen=True, eq=False)
class Chore:
    """Something to be done beside the line.

    Attributes:
        run: does it, on the background thread; where it gives `Paused`, it is called again after those that wait.
        then: hears what it gave, or why it failed; loop thread.
        paused: hears how much of how much is done after each part but the last; loop thread.
    """

    run: Callable[[], Any]
    then: Callable[[Any], None]
    paused: Callable[[Done], None] = lambda done: None


class Background:
    """Does chores one after the other. A component; every method belongs to the loop thread.

    A chore that raises something else than the station's own errors is a bug, which ends the loop.

    Args:
        clock: tells the time.
        poke: asks the loop to step this component.
    """

    name = "background"

    def __init__(self, clock: Clock, poke: Callable[[str], None]) -> None:
        self._clock = clock
        self._worker: Worker[Chore, Any] | None = None
        self._ending: list[Worker[Chore, Any]] = []
        # Only what changes what was learned, or proves it, is done in parts, as commands ask for it: each waits once.
        self._paused: deque[Chore] = deque()
        # One answer for each waiting chore and the running one: this mailbox is never full.
        self._answers: Mailbox[Completed[Chore, Any] | Failed[Chore]] = Mailbox(
            2 * CHORES, Overflow.REFUSE, on_put=lambda: poke(self.name)
        )

    def open(self) -> None:
        """Start the thread."""
        if self._worker is None:
            self._worker = Worker("background", lambda chore: chore.run(), self._answers.offer, self._clock, CHORES)
            self._worker.start()

    def submit(self, chore: Chore) -> bool:
        """Queue a chore; False when there is too much to do."""
        return self._worker is not None and self._worker.submit(chore)

    def step(self, now: float) -> float:
        """Hand out what was done."""
        for answer in self._answers.take_all():
            match answer:
                case Completed(chore, Paused(done)):
                    chore.paused(done)
                    self._paused.append(chore)
                case Completed(chore, value):
                    chore.then(value)
                case Failed(chore, EdgeAgentError() as error):
                    chore.then(error)
                case Failed(_, error):
                    raise error
        while self._paused and self.submit(self._paused[0]):
            self._paused.popleft()
        return now + RETRY_S if self._paused else NEVER

    def status(self) -> WorkerStatus | None:
        """What the thread is doing; None while there is none."""
        return self._worker.status() if self._worker is not None else None

    def close(self) -> None:
        """Take no more chores; those that wait are still done, but of those in parts no more than one part."""
        if self._worker is not None:
            self._worker.stop()
            self._ending.append(self._worker)
            self._worker = None

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the thread to end; say whether it has."""
        return all(worker.join(until) for worker in self._ending)
