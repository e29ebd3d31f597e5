"""What each command of the table does on a running station, on the loop thread.

What changes something is made ready in the background; what only reads the database is completed by the thread that
carries the request, so that it is answered however much there is to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edge_agent.agent.agent import Agent
from edge_agent.agent.given import Plan
from edge_agent.agent.selfanswers import SelfAnswers
from edge_agent.agent.status import Drawn, Status, Trouble, drawn_of
from edge_agent.api import Handler, Request
from edge_agent.commands.arguments import (
    CancelArguments,
    EventsArguments,
    ForgetArguments,
    GateAnswer,
    GateArguments,
    LabelArguments,
    Labelled,
    PromoteArguments,
    TeachArguments,
    UndoArguments,
    UseArguments,
    Used,
)
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.inspection.encoders import Encoders
from edge_agent.learning.example import unpack
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.outcome import Changed, Proposal
from edge_agent.learning.stage import Step
from edge_agent.ledger import Reader, Teaching, Word
from edge_agent.records import Embedding
from edge_agent.runtime.background import Chore
from edge_agent.runtime.steps import Done, Steps, in_parts
from edge_agent.scheduler.job import Job

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
            "learned": self._learned,
            "proof": self._proof,
            "promote": self._promote,
            "cancel": self._cancel,
            "forget": self._forget,
            "undo": self._undo,
            "use": self._use,
            "gate": self._gate,
            **SelfAnswers(agent).handlers,
        }

    def _status(self, request: Request, now: float) -> None:
        status = self._agent.status()
        request.finish(lambda: self._with_records(status))

    def _with_records(self, status: Status) -> Status:
        """Add what the database knows, or why it cannot be read."""
        try:
            with self._agent.holdings.reader() as reader:
                parts = {str(outcome): count for outcome, count in reader.counts().items()}
                latencies = tuple(reader.latencies(LATENCY_PARTS))
                return replace(status, parts=parts, latencies=latencies, drawn=self._drawn(reader))
        except EdgeAgentError as error:
            trouble = Trouble("reader", f"the ledger cannot be read: {error.message}", error.hint)
            return replace(status, troubles=(trouble, *status.troubles))

    def _drawn(self, reader: Reader) -> Drawn:
        holdings = self._agent.holdings
        recipe, drawing = holdings.recipe, holdings.drawing
        return drawn_of(
            drawing.counted(reader, recipe.digests), drawing.waiting(reader, recipe.digests), recipe.bundle.normal
        )

    def _events(self, request: Request, now: float) -> None:
        assert isinstance(request.arguments, EventsArguments)
        limit = request.arguments.limit

        def read() -> object:
            with self._agent.holdings.reader() as reader:
                return reader.events(limit)[::-1]

        request.finish(read)

    def _label(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, LabelArguments)
        holdings = self._agent.holdings

        def record(word: Word) -> None:
            request.record(Labelled(arguments.part, word.label), (word,), rank_anew)

        def rank_anew() -> None:
            self._agent.background.submit(Chore(holdings.hold_out_drawn, self._rank_anew))

        self._later(request, lambda: holdings.word(arguments.part, arguments.label, arguments.who), record)

    def _rank_anew(self, result: EdgeAgentError | None) -> None:
        """Judge by the held-out parts that are known by now; where they could not be read, as before."""
        if result is None:
            for product in self._agent.holdings.products:
                self._agent.inspector.judge_by(product.name, product.recipe.judge)

    def _teach(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, TeachArguments)
        plan = Plan(arguments.label, arguments.who, arguments.golden, arguments.now, arguments.goes_on)
        teacher, product = self._agent.teacher, self._agent.holdings.products.in_use

        def answer(result: Proposal | EdgeAgentError) -> None:
            if isinstance(result, EdgeAgentError):
                request.failed(result)
            else:
                request.done(result)

        def begin(lesson: Lesson) -> None:
            if self._agent.holdings.products.in_use is not product:
                hint = f"`edge-agent use {product.name}`, then teach it again"
                request.failed(BadData(f"another product than {product.name} is inspected by now", hint=hint))
                return
            try:
                if arguments.next:
                    teacher.gather(product, arguments.next, plan, answer, now)
                else:
                    teacher.begin(product, lesson, plan, answer, now)
            except Unavailable as error:
                request.failed(error)

        def prepared() -> Lesson:
            examples = [] if arguments.next else unpack(request.body)
            following = arguments.next or arguments.following
            return product.lessons.begin(plan.name, examples, golden=plan.golden, now=plan.now, following=following)

        self._later(request, prepared, begin)

    def _learned(self, request: Request, now: float) -> None:
        self._later(request, self._agent.holdings.lessons.classes, request.done)

    def _proof(self, request: Request, now: float) -> None:
        agent = self._agent

        def ended() -> None:
            agent.teacher.changing = None

        work = in_parts(agent.holdings.lessons.sheet(), agent.clock)
        self._later(request, work, request.done, self._paused(self._waiting), ended)

    def _promote(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, PromoteArguments)
        lessons = self._agent.holdings.lessons
        self._agent.teacher.check(Step.PROMOTED)
        self._change(request, lessons.promote(arguments.who, overrule=arguments.overrule), self._waiting)

    def _cancel(self, request: Request, now: float) -> None:
        """Give up the lesson that is being given; without one, the change that waits."""
        arguments = request.arguments
        assert isinstance(arguments, CancelArguments)
        agent = self._agent
        lessons = agent.holdings.lessons

        def cancelled(row: Teaching) -> None:
            agent.holdings.recorder.offer(row)
            request.done({"cancelled": "candidate"})

        def ended(left: EdgeAgentError | None) -> None:
            if left is None:
                request.done({"cancelled": "lesson"})
            else:
                request.failed(left)

        if not agent.teacher.cancel(ended):
            agent.teacher.check(Step.CANCELLED)
            self._later(request, lambda: lessons.cancel(arguments.who), cancelled)

    def _forget(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, ForgetArguments)
        lessons = self._agent.holdings.lessons
        self._change(request, lessons.forget(arguments.what, arguments.who), arguments.what)

    def _undo(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, UndoArguments)
        lessons = self._agent.holdings.lessons
        self._change(request, lessons.undo(arguments.who))

    def _use(self, request: Request, now: float) -> None:
        """Have the device ready for the product, then change to it; the parts of the old one go on meanwhile."""
        arguments = request.arguments
        assert isinstance(arguments, UseArguments)
        agent, name = self._agent, arguments.recipe
        bundle = agent.holdings.products.find(name).recipe.bundle

        def proven(result: Embedding | EdgeAgentError, at_s: float) -> None:
            if isinstance(result, EdgeAgentError):
                request.failed(result)
            else:
                began_s = agent.clock.now()
                self._later(request, lambda: agent.holdings.use(name, arguments.who), lambda _: changed(began_s))

        def changed(began_s: float) -> None:
            agent.inspector.use(name)
            request.done(Used(name, 1e3 * (agent.clock.now() - began_s)))

        def prove(encoders: Encoders) -> Embedding:
            return encoders.of(bundle).prove_one()

        if not agent.dispatcher.submit(Job(prove, proven, bundle=bundle.digest)):
            request.failed(Unavailable("no device works, or too much waits for it", hint="see edge-agent status"))

    def _gate(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, GateArguments)
        holdings, line = self._agent.holdings, self._agent.line
        wire, gate = line.wire, line.gate
        if wire is None or gate is None:
            raise BadData("this station has no reject gate", hint='a gate needs [source] kind = "wire"')

        def answer(fate: str = "", off_us: float | None = None) -> None:
            status = wire.status()
            request.done(GateAnswer(gate.bypassed, status is not None and status.armed, fate, off_us))

        if arguments.to == "try":
            holdings.note("info", "gate", "gate_tried", f"{arguments.who} tries the reject gate", who=arguments.who)
            gate.try_out(holdings.recipe.config.gate, lambda report: answer(report.gate, report.off_us))
            return
        bypassed = arguments.to == "bypass"

        def kept(_: object) -> None:
            gate.bypassed = bypassed
            who = arguments.who
            if bypassed:
                said = f"{who} bypasses the reject gate: every part passes"
                holdings.note("error", "gate", "gate_bypassed", said, who=who)
            else:
                holdings.note("info", "gate", "gate_follows", f"{who} lets the reject gate follow again", who=who)
            answer()

        self._later(request, lambda: line.bypass.save(bypassed), kept)

    def _change(self, request: Request, steps: Steps[tuple[Changed, list[Teaching]]], what: str = "") -> None:
        product, teacher = self._agent.holdings.products.in_use, self._agent.teacher
        teacher.begin_change()

        def made(result: tuple[Changed, list[Teaching]]) -> None:
            request.done(teacher.apply(product, result))

        self._later(request, in_parts(steps, self._agent.clock), made, self._paused(what), teacher.end_change)

    @property
    def _waiting(self) -> str:
        """Slug of the class whose change waits, "" where none does."""
        waiting = self._agent.holdings.recipe.candidate
        return "" if waiting is None or waiting.change is None else waiting.change.slug

    def _paused(self, what: str) -> Callable[[Done], None]:
        """Give what says how much is done of it; what is not known leaves what was."""

        def paused(done: Done) -> None:
            if done is not None:
                self._agent.teacher.changing = (what, *done)

        return paused

    def _later(
        self,
        request: Request,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        paused: Callable[[Done], None] = lambda done: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Do `work` in the background; give what it returns to `then`, and what it raises to the caller."""

        def finish(result: Any) -> None:
            ended()
            if isinstance(result, EdgeAgentError):
                request.failed(result)
            else:
                then(result)

        if not self._agent.background.submit(Chore(work, finish, paused)):
            ended()
            request.failed(Unavailable("the station has too much to do", hint="ask again in a moment"))
