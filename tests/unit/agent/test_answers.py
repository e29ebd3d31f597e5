"""What a running station answers, where the work in the background ends after the line has gone on."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from edge_agent.agent.answers import Answers
from edge_agent.agent.given import Plan
from edge_agent.agent.teacher import Teacher
from edge_agent.commands.arguments import CancelArguments, ForgetArguments, TeachArguments, UndoArguments
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.example import Example, pack
from edge_agent.learning.stage import Stage
from edge_agent.runtime.background import Chore
from edge_agent.runtime.steps import Paused, Steps
from edge_agent.testing.clock import ManualClock
from tests.stepwise import StepwiseClock


def test_the_next_parts_of_the_line_and_those_of_later_batches_are_counted_before_the_first_is_taken() -> None:
    asked: list[int] = []
    lessons = SimpleNamespace(begin=lambda *arguments, following, **options: asked.append(following))
    agent = SimpleNamespace(
        holdings=SimpleNamespace(products=SimpleNamespace(in_use=SimpleNamespace(name="rings", lessons=lessons))),
        teacher=None,
        background=SimpleNamespace(submit=lambda chore: chore.run() or True),
    )
    body = pack([Example("a", samples=np.zeros((9, 3), np.float32), rate_hz=1e3)])
    for arguments in (TeachArguments("pit", "ann", next=3), TeachArguments("pit", "ann", goes_on=True, following=7)):
        Answers(agent).handlers["teach"](SimpleNamespace(arguments=arguments, body=body), 0.0)  # type: ignore[arg-type]

    assert asked == [3, 7]


@pytest.mark.parametrize(
    ("name", "arguments", "about"),
    [("forget", ForgetArguments("pit", "ann"), "pit"), ("undo", UndoArguments("ann"), "")],
)
def test_a_long_change_is_made_in_parts_says_how_far_it_is_and_is_answered_at_the_end(
    name: str, arguments: ForgetArguments | UndoArguments, about: str
) -> None:
    def changing(*said: str) -> Steps[str]:
        yield 3, 40
        yield None
        return f"{' '.join(said)} done"

    chores: list[Chore] = []
    answered: list[object] = []
    product = SimpleNamespace(name="rings")
    known = SimpleNamespace(recipe=SimpleNamespace(candidate=None))
    teacher = Teacher(known, *[SimpleNamespace()] * 4)  # type: ignore[arg-type]
    teacher.apply = lambda of, made: (of.name, made)  # type: ignore[method-assign, assignment]
    agent = SimpleNamespace(
        holdings=SimpleNamespace(lessons=SimpleNamespace(**{name: changing}), products=SimpleNamespace(in_use=product)),
        teacher=teacher,
        background=SimpleNamespace(submit=lambda chore: chores.append(chore) or True),
        clock=StepwiseClock(),
    )
    request = SimpleNamespace(arguments=arguments, done=answered.append)
    Answers(agent).handlers[name](request, 0.0)  # type: ignore[arg-type]
    (chore,) = chores

    for seen in 2 * [(about, 3, 40)]:
        part = chore.run()
        assert isinstance(part, Paused) and not answered
        chore.paused(part.done)
        assert teacher.changing == seen
    chore.then(chore.run())
    assert answered == [("rings", f"{about} ann done".lstrip())] and teacher.changing is None


def test_how_much_is_proven_does_not_fall_back_where_it_is_not_known() -> None:
    def proving() -> Steps[str]:
        yield 30, 40
        yield None
        return "a sheet"

    def proposing(*said: object, **how: object) -> Steps[None]:
        yield None

    chores: list[Chore] = []
    answered: list[object] = []
    waiting = SimpleNamespace(change=SimpleNamespace(slug="pit"))
    known = SimpleNamespace(
        clock=StepwiseClock(),
        recipe=SimpleNamespace(candidate=waiting),
        lessons=SimpleNamespace(sheet=proving, propose=proposing, waiting=None, taught=lambda *what, **how: None),
    )
    background = SimpleNamespace(submit=lambda chore: chores.append(chore) or True)
    teacher = Teacher(known, SimpleNamespace(), background, SimpleNamespace(), lambda name: None)  # type: ignore[arg-type]
    agent = SimpleNamespace(holdings=known, teacher=teacher, background=background, clock=known.clock)
    Answers(agent).handlers["proof"](SimpleNamespace(arguments=None, done=answered.append), 0.0)  # type: ignore[arg-type]
    known.recipe.candidate = None
    encoded = SimpleNamespace(done=8, total=8, label="pit")
    teacher.begin(SimpleNamespace(lessons=known.lessons), encoded, Plan("pit", "ann"), answered.append, 0.0)  # type: ignore[arg-type]
    teacher.step(1.0)
    sheet, lesson = chores

    lesson.paused(lesson.run().done)
    assert teacher.progress == ("pit", 8, 8)
    for _ in range(2):
        for chore in chores:
            chore.paused(chore.run().done)
        assert teacher.progress == teacher.changing == ("pit", 30, 40)
    sheet.then(sheet.run())
    assert answered == ["a sheet"] and teacher.changing is None


@pytest.mark.parametrize("taken", [True, False], ids=["done", "too much to do"])
def test_a_lesson_is_not_proposed_while_something_is_forgotten_nor_the_other_way_round(taken: bool) -> None:
    chores: list[Chore] = []
    failed: list[Exception] = []
    background = SimpleNamespace(submit=lambda chore: chores.append(chore) or taken)
    station = SimpleNamespace(
        clock=ManualClock(),
        recipe=SimpleNamespace(candidate=None),
        products=SimpleNamespace(in_use=None),
        lessons=SimpleNamespace(forget=lambda *said: iter([None])),
    )
    teacher = Teacher(station, SimpleNamespace(), background, SimpleNamespace(), lambda name: None)  # type: ignore[arg-type]
    agent = SimpleNamespace(holdings=station, teacher=teacher, background=background, clock=station.clock)
    encoded = SimpleNamespace(done=8, total=8)
    teacher.begin(SimpleNamespace(lessons=station.lessons), encoded, Plan("pit", "ann"), failed.append, 0.0)  # type: ignore[arg-type]
    request = SimpleNamespace(arguments=ForgetArguments("pit", "bob"), failed=failed.append)

    Answers(agent).handlers["forget"](request, 0.0)  # type: ignore[arg-type]
    if taken:
        (forgetting,) = chores
        assert teacher.step(4.0) > 4.0 and teacher.stage is Stage.COLLECTING and len(chores) == 1
        forgetting.then(BadData("nothing was learned that is called pit", hint=""))
    assert len(failed) == 1
    teacher.step(5.0)

    assert len(chores) == 2 and teacher.stage is Stage.PROPOSING
    with pytest.raises(Unavailable, match="a lesson is being proven"):
        Answers(agent).handlers["forget"](request, 0.0)  # type: ignore[arg-type]
    assert len(chores) == 2


def test_a_lesson_does_not_begin_for_a_product_that_is_no_longer_inspected() -> None:
    """Its examples were sent for one product, and the line has gone on to another before they were unpacked."""
    chores: list[Chore] = []
    begun: list[object] = []
    failed: list[Exception] = []
    lessons = SimpleNamespace(begin=lambda *arguments, **options: "a lesson")
    rings, bolts = (SimpleNamespace(name=name, lessons=lessons) for name in ("rings", "bolts"))
    products = SimpleNamespace(in_use=rings)
    agent = SimpleNamespace(
        holdings=SimpleNamespace(products=products),
        teacher=SimpleNamespace(gather=lambda *arguments: begun.append(arguments)),
        background=SimpleNamespace(submit=lambda chore: chores.append(chore) or True),
    )
    request = SimpleNamespace(arguments=TeachArguments("pit", "ann", next=3), body=b"", failed=failed.append)

    for product in (rings, bolts):
        Answers(agent).handlers["teach"](request, 0.0)  # type: ignore[arg-type]
        products.in_use = product
        (chore,) = chores
        chore.then(chore.run())
        chores.clear()

    assert len(begun) == 1
    (error,) = failed
    assert isinstance(error, BadData) and "another product than rings" in error.message


class Given:
    """A lesson on its way, its chore not yet run, on a station that keeps a candidate in `waiting`."""

    def __init__(self, *, now: bool = False, goes_on: bool = False, waiting: str | None = None) -> None:
        self.chores: list[Chore] = []
        self.heard: list[object] = []
        self.recipe = SimpleNamespace(candidate=waiting, config=SimpleNamespace(name="rings"), judge=None)
        self.learned: list[str] = []
        self.full = False
        self.at_the_end: Callable[[], object] = lambda: None

        def proposing(*said: object, **how: object) -> Steps[None]:
            yield None
            self.recipe.candidate = f"{waiting or ''} pit".strip()
            self.at_the_end()

        def learning(*said: object, **how: object) -> Steps[str]:
            yield None
            self.learned.append("pit")
            return "a row"

        def proving() -> Steps[str]:
            yield 1, 2
            return "a sheet"

        self.lessons = SimpleNamespace(
            propose=proposing,
            learn=learning,
            sheet=proving,
            retract=self.retract,
            taught=lambda lesson, seconds, *, promoted: SimpleNamespace(promoted=promoted),
            waiting=waiting,
        )
        station = SimpleNamespace(
            clock=StepwiseClock(),
            recipe=self.recipe,
            lessons=SimpleNamespace(),  # of the product in use, which is another one by now
            recorder=SimpleNamespace(offer=lambda row: None),
        )
        background = SimpleNamespace(submit=lambda chore: self.chores.append(chore) or True)
        ignored = lambda *said: None  # noqa: E731
        self.teacher = Teacher(station, SimpleNamespace(), background, ignored, ignored)  # type: ignore[arg-type]
        self._agent = SimpleNamespace(holdings=station, teacher=self.teacher, background=background)
        product = SimpleNamespace(lessons=self.lessons, recipe=self.recipe)
        encoded = SimpleNamespace(done=8, total=8, label="pit")
        plan = Plan("pit", "ann", now=now, goes_on=goes_on)
        self.teacher.begin(product, encoded, plan, self.heard.append, 0.0)  # type: ignore[arg-type]
        self.teacher.step(1.0)

    def retract(self, before: str | None) -> None:
        if self.full:
            raise Unavailable("the disk is full", hint="free some space")
        self.recipe.candidate = before

    def cancel(self) -> list[object]:
        """Have Ben give it up; give where the answer will be."""
        said: list[object] = []
        request = SimpleNamespace(arguments=CancelArguments("ben"), done=said.append, failed=said.append)
        Answers(self._agent).handlers["cancel"](request, 2.0)  # type: ignore[arg-type]
        return said

    def run(self, parts: int = 100) -> None:
        """Do so many parts of the lesson in the background, and hand out what came of it."""
        for _ in range(parts):
            if not self.chores:
                return
            try:
                result = self.chores[0].run()
            except EdgeAgentError as error:
                result = error
            if not isinstance(result, Paused):
                self.chores.pop(0).then(result)


@pytest.mark.parametrize("now", [False, True], ids=["to be proven", "at once"])
def test_a_lesson_is_given_up_while_it_is_solved_and_leaves_nothing(now: bool) -> None:
    given = Given(now=now)
    given.run(1)
    assert given.teacher.stage is Stage.PROPOSING
    said = given.cancel()
    assert said == []  # a step is being made
    given.run()

    assert said == [{"cancelled": "lesson"}] and isinstance(given.heard[0], BadData)
    assert (given.recipe.candidate, given.learned) == (None, [])
    assert given.teacher.stage is Stage.IDLE


@pytest.mark.parametrize("waiting", [None, "what a colleague taught"])
def test_a_lesson_is_given_up_while_it_is_proven_and_what_waited_before_waits_again(waiting: str | None) -> None:
    given = Given(waiting=waiting)
    given.run(2)
    assert given.recipe.candidate == f"{waiting or ''} pit".strip()
    first, second = given.cancel(), given.cancel()
    given.run()

    assert first == second == [{"cancelled": "lesson"}] and isinstance(given.heard[0], BadData)
    assert given.recipe.candidate == waiting
    assert given.teacher.stage is (Stage.IDLE if waiting is None else Stage.PROPOSED)


def test_a_batch_that_was_written_meanwhile_is_given_up_too() -> None:
    given = Given(goes_on=True, waiting="the batch before")
    said: list[list[object]] = []
    given.at_the_end = lambda: said.append(given.cancel())
    given.run()

    assert said == [[{"cancelled": "lesson"}]] and isinstance(given.heard[0], BadData)
    assert given.recipe.candidate == "the batch before"


@pytest.mark.parametrize("now", [False, True], ids=["proposed", "promoted"])
def test_a_lesson_that_had_ended_by_then_is_not_said_to_be_given_up(now: bool) -> None:
    given = Given(now=now)
    given.run(1 if now else 2)
    (chore,) = given.chores
    result = chore.run()
    said = given.cancel()
    chore.then(result)

    (error,) = said
    assert isinstance(error, Unavailable) and ("undo" if now else "cancel") in error.hint
    assert (given.learned, given.recipe.candidate) == ((["pit"], None) if now else ([], "pit"))


def test_a_lesson_that_cannot_be_taken_back_is_not_said_to_be_given_up() -> None:
    given = Given()
    given.run(2)
    given.full = True
    said = given.cancel()
    given.run()

    assert [str(error) for error in said] == ["the disk is full"] and given.heard == said
    assert given.recipe.candidate == "pit" and given.teacher.stage is Stage.PROPOSED
