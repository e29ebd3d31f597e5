"""What a lesson encodes next is prepared while the device is busy: the right variant, as the device would, or none."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from learned_values import NOTHING
from wide_bundle import wide_bundle

from edge_agent.agent import ahead as subject
from edge_agent.agent.ahead import Ahead, encode
from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.piece import Prepared
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.records import Embedding, Modality
from edge_agent.runtime.background import Background, Chore
from models.augment import AUGMENTATIONS


class Beside:
    """A background that does a chore when it is told to."""

    def __init__(self, room: int = 1) -> None:
        self.room = room
        self.chores: list[Chore] = []

    def submit(self, chore: Chore) -> bool:
        if len(self.chores) == self.room:
            return False
        self.chores.append(chore)
        return True

    def work(self) -> None:
        for chore in self.chores:
            try:
                result: Any = chore.run()
            except BadData as error:
                result = error
            chore.then(result)
        self.chores.clear()


class Seeing(Encoder):
    """Gives what it was asked to encode, and whether it had to prepare that."""

    def __init__(self) -> None:
        self.given: list[tuple[str, Any]] = []

    def encode_prepared(self, prepared: Any) -> list[Embedding]:
        self.given.append(("prepared", prepared[0][0]["picture"]))
        return [embedding()]

    def encode(self, image: Any, samples: Any, rate_hz: float = 0.0, degraded: tuple[str, ...] = ()) -> Embedding:
        self.given.append(("raw", image))
        return embedding()


def embedding() -> Embedding:
    return Embedding(np.array([3, 1, 0, 0], np.int16), frozenset({Modality.IMAGE}))


def picture(seed: int) -> Example:
    rng = np.random.default_rng(seed)
    return Example(f"part {seed}", rng.integers(60, 190, (64, 64, 3), dtype=np.uint8))


def lesson(*examples: Example) -> Lesson:
    return Lesson("pit", examples, NOTHING, "good", ImageHealthConfig())


def ahead_of(running: Lesson, beside: Beside, kind: type[Ahead] = Ahead) -> Ahead:
    return kind(running, wide_bundle(), cast(Background, beside))


def encoded(kind: type[Ahead], running: Lesson, refuse: int | None = None) -> list[tuple[str, Any]]:
    """Encode a whole lesson with the background always in time; `refuse` cannot be encoded."""
    beside, encoder = Beside(), Seeing()
    ahead, n = ahead_of(running, beside, kind), 0
    while running.at is not None:
        prepared = ahead.take()
        made: Embedding | BadData = encode(encoder, running, prepared)
        beside.work()
        running.take(BadData("cannot be encoded") if n == refuse else made)
        n += 1
    return encoder.given


def as_the_device_would(kind: type[Ahead], refuse: int | None) -> bool:
    """What was prepared beside is, to the last bit, what a device that prepares for itself computes with."""
    given = encoded(kind, lesson(picture(0), picture(1)), refuse)
    alone = encoded(Idle, lesson(picture(0), picture(1)), refuse)
    bare = ahead_of(lesson(picture(0)), Beside())
    same = []
    for (how, tensor), (_, image) in zip(given, alone, strict=True):
        wanted = bare.prepared_example(Example("", image))[0]["picture"] if how == "prepared" else image
        same.append(np.array_equal(tensor, wanted))
    return all(same) and sum(how == "prepared" for how, _ in given) >= len(given) - 2


class Idle(Ahead):
    """Never prepares anything."""

    def take(self) -> Prepared | None:
        return None


class LooksNowhere(Ahead):
    """Wrong: gives what is ready, whatever the lesson has come to meanwhile."""

    def take(self) -> Prepared | None:
        super().take()
        return None if self._ready is None else self._ready[1]


@pytest.mark.parametrize("refuse", [None, 0, 3, AUGMENTATIONS - 1])
def test_what_is_prepared_beside_is_what_the_device_would_prepare(refuse: int | None) -> None:
    assert as_the_device_would(Ahead, refuse)


def test_a_variant_of_an_example_that_was_given_up_is_not_taken_for_the_next() -> None:
    assert not as_the_device_would(LooksNowhere, 3)


def test_where_the_background_is_busy_the_device_prepares_for_itself_and_nothing_is_asked_twice() -> None:
    running, beside = lesson(picture(0)), Beside(room=0)
    ahead = ahead_of(running, beside)
    assert ahead.take() is None
    beside.room = 1
    running.take(embedding())
    assert ahead.take() is None and len(beside.chores) == 1
    running.take(embedding())
    assert ahead.take() is None and len(beside.chores) == 1
    beside.work()  # it was for the variant that is on the device now
    running.take(embedding())
    assert ahead.take() is None
    beside.work()
    running.take(embedding())
    assert ahead.take() is not None


def test_what_cannot_be_prepared_is_left_to_the_device_which_says_why() -> None:
    nothing = Example("part 0", None, np.zeros((2, 3), np.float32), 1e3)
    running, beside = lesson(nothing), Beside()
    ahead = ahead_of(running, beside)
    ahead.take()
    beside.work()
    running.take(embedding())
    assert ahead.take() is None


def test_after_the_last_variant_nothing_is_prepared() -> None:
    running, beside = lesson(picture(0)), Beside()
    ahead = ahead_of(running, beside)
    for _ in range(AUGMENTATIONS - 1):
        running.take(embedding())
    ahead.take()
    assert not beside.chores


def test_pictures_are_made_ready_to_be_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [picture(0), picture(1), picture(2)]
    monkeypatch.setattr(subject, "KEPT_BYTES", len(picture(0).png) + 1)
    running, beside = lesson(*examples), Beside(room=2)
    ahead = ahead_of(running, beside)
    while running.at is not None:
        ahead.take()
        beside.work()
        running.take(embedding())

    assert ["png" in vars(example) for example in examples] == [True, True, False]


def asks_once_however_often_it_is_asked(kind: type[Ahead]) -> bool:
    """Where no device takes the lesson it is asked again and again: what is ready stays, and nothing is done twice."""
    running, beside = lesson(picture(0)), Beside(room=9)
    ahead = ahead_of(running, beside, kind)
    for _ in range(2):
        ahead.take()
        beside.work()
        running.take(embedding())
    given = [ahead.take() for _ in range(5)]
    return given[0] is not None and all(one is given[0] for one in given) and len(beside.chores) == 1


class AsksAgain(Ahead):
    """Wrong: begins anew each time."""

    def take(self) -> Prepared | None:
        self._taken, self._busy = None, False
        return super().take()


def test_a_lesson_that_waits_for_a_device_is_prepared_once() -> None:
    assert asks_once_however_often_it_is_asked(Ahead)
    assert not asks_once_however_often_it_is_asked(AsksAgain)
