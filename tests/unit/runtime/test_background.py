"""Long work in parts lets others in between, gives its result once, and waits for room where there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.errors import BadData
from edge_agent.runtime import background as subject
from edge_agent.runtime.background import RETRY_S, Background, Chore
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.steps import PART_S, Paused, Steps, finished, in_parts
from edge_agent.runtime.worker import Done, Failed
from edge_agent.testing.clock import ManualClock
from tests.stepwise import StepwiseClock


class ByHand:
    """A worker without a thread: it does the next job when it is told to."""

    def __init__(self, name: str, work: Callable[[Any], Any], answer: Callable[[Any], object], *more: Any) -> None:
        self._work, self._answer = work, answer
        self.jobs: deque[Any] = deque()
        self.room = 64

    def start(self) -> None:
        pass

    def submit(self, job: Any) -> bool:
        if len(self.jobs) >= self.room:
            return False
        self.jobs.append(job)
        return True

    def do_next(self) -> None:
        job = self.jobs.popleft()
        try:
            self._answer(Done(job, self._work(job), 0.0, 0.0))
        except BadData as error:
            self._answer(Failed(job, error, 0.0, 0.0))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> list[ByHand]:
    made: list[ByHand] = []

    def make(*arguments: Any) -> ByHand:
        made.append(ByHand(*arguments))
        return made[-1]

    monkeypatch.setattr(subject, "Worker", make)
    return made


def opened() -> Background:
    background = Background(ManualClock(), lambda name: None)
    background.open()
    return background


def counted(done: list[object], name: str, parts: int) -> Steps[str]:
    for n in range(parts):
        done.append(f"{name} {n}")
        if n + 1 < parts:
            yield None
    return f"{name} is done"


def test_work_in_parts_is_done_at_once_or_part_by_part_to_the_same_end() -> None:
    done: list[object] = []
    assert finished(counted(done, "a", 3)) == "a is done"
    part = in_parts(counted(done, "b", 3), StepwiseClock())
    results = [part() for _ in range(3)]
    assert [isinstance(result, Paused) for result in results] == [True, True, False] and results[2] == "b is done"
    assert done == ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2"]


def test_a_part_goes_on_until_its_time_is_spent_and_tells_what_was_last_known_to_be_done() -> None:
    """Were each step a part, 50 of them would wait 49 times for all others; here it is 12 times."""
    clock = ManualClock()

    def work() -> Steps[str]:
        for n in range(50):
            clock.advance(0.3 * PART_S)
            yield (n, 50) if n % 2 == 0 else None
        return "done"

    part = in_parts(work(), clock)
    heard = []
    while isinstance(result := part(), Paused):
        heard.append(result.done)
        clock.advance(60.0)

    assert heard == [(n, 50) for n in range(2, 50, 4)] and result == "done"


def test_how_much_is_done_is_heard_where_it_is_known(worker: list[ByHand]) -> None:
    def work() -> Steps[str]:
        yield 1, 3
        yield None
        return "done"

    heard: list[object] = []
    assert finished(work(), lambda done, total: heard.append((done, total))) == "done" and heard == [(1, 3)]
    background = opened()
    background.submit(Chore(in_parts(work(), StepwiseClock()), heard.append, heard.append))
    while worker[0].jobs:
        worker[0].do_next()
        background.step(0.0)
    assert heard[1:] == [(1, 3), None, "done"]


def test_others_come_in_between_two_parts_and_the_result_is_heard_once(worker: list[ByHand]) -> None:
    background, done = opened(), list[object]()
    background.submit(Chore(in_parts(counted(done, "long", 3), StepwiseClock()), done.append))
    for name in ("picture", "label"):
        background.submit(Chore(lambda name=name: name, done.append))
    while worker[0].jobs:
        worker[0].do_next()
        assert background.step(0.0) == NEVER

    assert done == ["long 0", "picture", "label", "long 1", "long 2", "long is done"]


def test_a_part_that_fails_ends_all_of_it(worker: list[ByHand]) -> None:
    def failing() -> Steps[None]:
        yield
        raise BadData("no")

    background, heard = opened(), list[object]()
    background.submit(Chore(in_parts(failing(), StepwiseClock()), heard.append))
    for _ in range(2):
        worker[0].do_next()
        background.step(0.0)

    assert [str(one) for one in heard] == ["no"] and not worker[0].jobs


def test_where_the_queue_is_full_the_next_part_waits_and_is_not_lost(worker: list[ByHand]) -> None:
    background, done = opened(), list[object]()
    background.submit(Chore(in_parts(counted(done, "long", 2), StepwiseClock()), done.append))
    worker[0].do_next()
    worker[0].room = 0
    assert background.step(5.0) == 5.0 + RETRY_S
    worker[0].room = 1
    assert background.step(6.0) == NEVER
    worker[0].do_next()
    background.step(6.0)

    assert done == ["long 0", "long 1", "long is done"]
