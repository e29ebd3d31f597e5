"""What each command of the table does on a running station, on the loop thread.

What changes something is made ready in the background; what only reads the database is completed by the thread that
carries the request, so that it is answered however much there is to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edge_agent.agent import Agent
from edge_agent.api import Handler, Request
from edge_agent.commands import EventsArguments, LabelArguments, TeachArguments
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.learning.example import unpack
from edge_agent.learning.lesson import Lesson
from edge_agent.ledger import Committed, Receipt, Word
from edge_agent.runtime.background import Chore
from edge_agent.station import Taught
from edge_agent.status import Status, Trouble

LATENCY_PARTS = 1000
"""How many of the last parts the latencies in `status` are of."""


class Answers:
    """Answers requests about one agent; every handler runs on the loop thread.

    Args:
        agent: who is asked.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.handlers: dict[str, Handler] = {
            "status": self._status,
            "events": self._events,
            "label": self._label,
            "teach": self._teach,
        }

    def _status(self, request: Request, now: float) -> None:
        status = self._agent.status()
        request.finish(lambda: self._with_records(status))

    def _with_records(self, status: Status) -> Status:
        """Add what the database knows, or why it cannot be read."""
        try:
            with self._agent.station.reader() as reader:
                parts = {str(outcome): count for outcome, count in reader.counts().items()}
                return replace(status, parts=parts, latencies=tuple(reader.latencies(LATENCY_PARTS)))
        except EdgeAgentError as error:
            trouble = Trouble("reader", f"the ledger cannot be read: {error.message}", error.hint)
            return replace(status, troubles=(trouble, *status.troubles))

    def _events(self, request: Request, now: float) -> None:
        assert isinstance(request.arguments, EventsArguments)
        limit = request.arguments.limit

        def read() -> object:
            with self._agent.station.reader() as reader:
                return reader.events(limit)[::-1]

        request.finish(read)

    def _label(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, LabelArguments)
        station = self._agent.station

        def record(word: Word) -> None:
            if not station.recorder.offer(word, answer):
                request.failed(Unavailable("the ledger has too much to do", hint="label it again in a moment"))

        def answer(receipt: Receipt) -> None:
            if isinstance(receipt, Committed):
                request.done({"part": arguments.part, "label": arguments.label})
            else:
                request.failed(
                    Unavailable(f"the word was not recorded: {receipt.reason}", hint="see edge-agent status")
                )

        self._later(request, lambda: station.word(arguments.part, arguments.label, arguments.who), record)

    def _teach(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, TeachArguments)

        def prepare() -> Lesson:
            return self._agent.station.lesson(arguments.label, unpack(request.body))

        def begin(lesson: Lesson) -> None:
            try:
                self._agent.teacher.begin(lesson, arguments.who, answer, now)
            except Unavailable as error:
                request.failed(error)

        def answer(result: Taught | EdgeAgentError) -> None:
            if isinstance(result, EdgeAgentError):
                request.failed(result)
            else:
                request.done(result)

        self._later(request, prepare, begin)

    def _later(self, request: Request, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do `work` in the background; give what it returns to `then`, and what it raises to the caller."""

        def finish(result: Any) -> None:
            if isinstance(result, EdgeAgentError):
                request.failed(result)
            else:
                then(result)

        if not self._agent.background.submit(Chore(work, finish)):
            request.failed(Unavailable("the station has too much to do", hint="ask again in a moment"))
