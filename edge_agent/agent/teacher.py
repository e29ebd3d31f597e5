"""Teaches a running station: encodes a lesson in the gaps between parts, then has it proven and proposed.

At most one encoding is on the device, so that a part waits for one at most; in the background is one chore, or what
`ahead.py` prepares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_agent.agent.ahead import Ahead, encode
from edge_agent.agent.given import Answer, GaveUp, Given, GivenUp, Plan
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.holdings import Holdings
from edge_agent.inspection.encoders import Encoders
from edge_agent.inspection.judge import Judge
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.outcome import Changed, Proposal
from edge_agent.learning.stage import Stage, Step, following
from edge_agent.ledger import Teaching
from edge_agent.product.product import Product
from edge_agent.records import Embedding, Frame, Part, VibrationWindow
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.steps import Steps, in_parts, unless
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job

RETRY_S: Final = 0.05
"""How long a lesson waits for a device that has too much to do."""

GIVE_UP_S: Final = 10.0
"""A lesson that the device would not take for so long is given up, and said to whoever waits for it [s]."""


class Teacher:
    """Gives one lesson at a time. A component; every method belongs to the loop thread.

    Attributes:
        changing: what is being forgotten or proven, examples that were looked at and how many there are; None where
            nothing is, or nobody knows.

    Args:
        station: what is taught.
        dispatcher: encodes.
        background: solves, proves and saves.
        changed: hears a recipe's name and its judge, which is another one now.
        poke: asks the loop to step this component.
    """

    name = "teaching"

    def __init__(
        self,
        station: Holdings,
        dispatcher: Dispatcher[Encoders, Embedding],
        background: Background,
        changed: Callable[[str, Judge], None],
        poke: Callable[[str], None],
    ) -> None:
        self._station = station
        self._dispatcher = dispatcher
        self._background = background
        self._changed = changed
        self._poke = poke
        self._stage = Stage.IDLE
        self._running: Given | None = None
        self.changing: tuple[str, int, int] | None = None
        self._changes = 0

    @property
    def stage(self) -> Stage:
        """How far teaching has come; what waited to be promoted when the station was started still waits."""
        if self._stage is Stage.IDLE and self._station.recipe.candidate is not None:
            return Stage.PROPOSED
        return self._stage

    @property
    def progress(self) -> tuple[str, int, int] | None:
        """The class being taught, how much of how much is encoded (gathered, proven); or what `changing` says."""
        running = self._running
        if running is None:
            return self.changing
        if running.lesson is None:
            return running.plan.name, len(running.examples), running.wanted
        return running.lesson.label, *(running.proven or (running.lesson.done, running.lesson.total))

    def begin(self, product: Product, lesson: Lesson, plan: Plan, done: Answer, now: float) -> None:
        """Give a lesson; `done` hears what came of it.

        Args:
            product: what it is about.
            lesson: what to teach.
            plan: how.
            done: hears what came of it.
            now: host monotonic time [s].

        Raises:
            Unavailable: another lesson is being given.
        """
        self._start(Given(product, plan, done, now, now, lesson))

    def gather(self, product: Product, count: int, plan: Plan, done: Answer, now: float) -> None:
        """Teach the next parts of the line; `done` hears what came of it.

        Args:
            product: what it is about.
            count: how many parts.
            plan: how.
            done: hears what came of it.
            now: host monotonic time [s].

        Raises:
            Unavailable: another lesson is being given.
        """
        self._start(Given(product, plan, done, now, now, wanted=count))

    def saw(self, part: Part, frame: Frame | None, window: VibrationWindow | None) -> bool:
        """Hear of a part that was acted on, and take it where the line's next parts are wanted; say whether it did."""
        running = self._running
        if running is None or part.recipe != running.product.name or len(running.examples) >= running.wanted:
            return False
        samples, rate_hz = (None, 0.0) if window is None or window.gap else (window.samples, window.rate_hz)
        image = None if frame is None else frame.image
        if image is None and samples is None:
            return False
        name = f"part {part.id}" if part.id else f"{part.trigger.series} {part.trigger.number}"
        running.examples.append(Example(name, image, samples, rate_hz))
        if len(running.examples) == running.wanted:
            self._poke(self.name)
        return True

    def cancel(self, done: GaveUp) -> bool:
        """Give up the lesson that is being given.

        Args:
            done: hears that it has ended: at once while examples are encoded, while it is solved and proven after the
                step that is being made.

        Returns:
            Whether there is one.
        """
        running = self._running
        if running is None:
            return False
        running.given_up.append(done)
        if not (self._stage is Stage.PROPOSING and running.waiting):
            self._end(GivenUp(), Step.CANCELLED)
        return True

    def check(self, step: Step) -> None:
        """Raise `Unavailable` where a step makes no sense now."""
        following(self.stage, step)

    def begin_change(self) -> None:
        """Hear that something else than a lesson changes what is known; a lesson is not proposed before it has ended.

        Raises:
            Unavailable: a lesson is being proposed.
        """
        self.check(Step.CHANGED)
        # Of whatever product: no state names yet what a lesson on its way has written, and any change removes that.
        self._changes += 1

    def end_change(self) -> None:
        """Hear that it has ended."""
        self._changes -= 1
        self.changing = None

    def step(self, now: float) -> float:
        """Move the lesson on by one encoding."""
        running = self._running
        if running is None or running.waiting or len(running.examples) < running.wanted:
            return NEVER
        lesson = running.lesson
        if lesson is None:
            work = Chore(lambda: self._begun(running), lambda result: self._prepared(running, result))
            running.waiting = self._background.submit(work)
        elif self._stage is Stage.PROPOSING or lesson.done == lesson.total:
            if self._changes:
                running.accepted_s = now
                return now + RETRY_S
            if self._stage is Stage.COLLECTING:
                self._stage = following(self._stage, Step.COLLECTED)
            running.waiting = self._background.submit(
                Chore(
                    in_parts(self._learn(running, lesson), self._station.clock),
                    lambda result: self._made(running, result),
                    running.proving,
                )
            )
        else:
            bundle, ahead = running.product.recipe.bundle, running.ahead
            if ahead is None:
                ahead = running.ahead = Ahead(lesson, bundle, self._background)
            prepared = ahead.take()
            job = Job[Encoders, Embedding](
                run=lambda encoders: encode(encoders.of(bundle), lesson, prepared),
                then=lambda result, ended_s: self._encoded(running, lesson, result),
                bundle=bundle.digest,
            )
            running.waiting = self._dispatcher.submit(job)
        if running.waiting:
            running.accepted_s = now
            return NEVER
        if now - running.accepted_s > GIVE_UP_S:
            hint = "see `edge-agent status`, and teach again when the device works"
            self._end(Unavailable(f"the device took no example for {GIVE_UP_S:.0f} s", hint=hint), Step.FAILED)
            return NEVER
        return now + RETRY_S

    def apply(self, product: Product, made: tuple[Changed, list[Teaching]]) -> Changed:
        """Have the line judged by what is known of a product now, and record how that came."""
        changed, rows = made
        recipe = product.recipe
        self._changed(recipe.config.name, recipe.judge)
        for row in rows:
            self._station.recorder.offer(row)
        return changed

    def _start(self, running: Given) -> None:
        self._stage = following(self.stage, Step.TEACH)
        self._running = running
        self._poke(self.name)

    def _begun(self, running: Given) -> Lesson:
        """Look at the line's parts, on the background thread: a hundred pictures take a tenth of a second."""
        plan = running.plan
        return running.product.lessons.begin(plan.name, running.examples, golden=plan.golden, now=plan.now)

    def _prepared(self, running: Given, result: Lesson | EdgeAgentError) -> None:
        if running is not self._running:
            return  # it was cancelled meanwhile
        running.waiting = False
        if isinstance(result, EdgeAgentError):
            self._end(result, Step.FAILED)
        else:
            running.lesson = result
            self._poke(self.name)

    def _encoded(self, running: Given, lesson: Lesson, result: Embedding | EdgeAgentError) -> None:
        if running is not self._running:
            return  # it was cancelled meanwhile
        running.waiting = False
        if isinstance(result, Embedding | BadData):
            lesson.take(result)
            self._poke(self.name)
        else:
            self._end(result, Step.FAILED)

    def _learn(self, running: Given, lesson: Lesson) -> Steps[tuple[Proposal, list[Teaching]]]:
        """Solve, prove and save in parts, on the background thread; the line hears of it in `_made`."""
        lessons, plan = running.product.lessons, running.plan
        rows: list[Teaching] = []
        sheet = None
        if plan.now:
            rows.append((yield from unless(running.refusal, lessons.learn(lesson, plan.who, goes_on=plan.goes_on))))
        else:
            before = lessons.waiting
            yield from unless(running.refusal, lessons.propose(lesson, plan.who, goes_on=plan.goes_on))
            running.proposed = True
            try:
                sheet = None if plan.goes_on else (yield from unless(running.refusal, lessons.sheet()))
                if (refusal := running.refusal()) is not None:
                    raise refusal
            except GivenUp:
                lessons.retract(before)
                raise
        seconds = self._station.clock.now() - running.started_s
        return Proposal(lessons.taught(lesson, seconds, promoted=plan.now), sheet), rows

    def _made(self, running: Given, result: tuple[Proposal, list[Teaching]] | EdgeAgentError) -> None:
        if isinstance(result, EdgeAgentError):
            self._end(result, Step.FAILED)
            return
        proposal, rows = result
        if rows:
            recipe = running.product.recipe
            self._changed(recipe.config.name, recipe.judge)
            for row in rows:
                self._station.recorder.offer(row)
        self._end(proposal, Step.LEARNED if rows else Step.PROVED)

    def _end(self, result: Proposal | EdgeAgentError, step: Step) -> None:
        following(self._stage, step)
        self._stage = Stage.IDLE  # whether a change waits is the recipe's to say, see `stage`
        running, self._running = self._running, None
        if running is not None:
            running.done(result)
            left = _left_by(running, result)
            for gave_up in running.given_up:
                gave_up(left)


def _left_by(running: Given, result: Proposal | EdgeAgentError) -> EdgeAgentError | None:
    """Say what a lesson has left that was given up, where it has."""
    if isinstance(result, Proposal):
        back = "`edge-agent undo` takes it back" if result.taught.promoted else "`edge-agent cancel` drops it"
        return Unavailable("the lesson had ended before it could be given up", hint=back)
    return result if running.proposed and not isinstance(result, GivenUp) else None
