"""A lesson's bookkeeping: variants out, embeddings in, knowledge at the end; good parts are held out fairly."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.store import Learned
from edge_agent.records import Embedding, Modality
from models import Knowledge
from models.augment import AUGMENTATIONS
from models.manifest import Block

BLOCKS = (Block("image", 0, 2, 0.5, "a"), Block("vibration", 2, 4, 0.5, "b"))
NOTHING = Learned(Knowledge.empty("r", "0" * 64, BLOCKS), np.empty((0, 4), np.int16))


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (64, 64, 3), dtype=np.uint8)


def example(seed: int = 0) -> Example:
    return Example(f"part {seed}", picture(seed))


def lesson(label: str, *examples: Example) -> Lesson:
    return Lesson(label, examples, "good", ImageHealthConfig())


def embedding(seed: int) -> Embedding:
    rng = np.random.default_rng(seed)
    return Embedding(np.array([rng.integers(1, 99), rng.integers(1, 99), 0, 0], np.int16), frozenset({Modality.IMAGE}))


def finish(running: Lesson) -> int:
    encoded = 0
    while running.next_variant() is not None:
        running.take(embedding(encoded))
        encoded += 1
    return encoded


def test_a_defect_is_learned_from_every_variant_and_counts_as_one_sample() -> None:
    running = lesson("pit", example(0), example(1))

    assert finish(running) == 2 * AUGMENTATIONS == running.total == running.done
    learned = running.apply(NOTHING)
    assert learned.knowledge.samples("pit") == 2
    assert len(learned.calibration) == 0


def test_every_second_good_part_is_held_out_and_takes_no_part_in_fitting() -> None:
    running = lesson("good", *map(example, range(10)))
    finish(running)

    learned = running.apply(NOTHING)

    assert learned.knowledge.samples("good") == 5
    assert len(learned.calibration) == 5


def test_good_parts_taught_one_at_a_time_are_held_out_too() -> None:
    learned = NOTHING
    for i in range(6):
        running = lesson("good", example(i))
        finish(running)
        learned = running.apply(learned)

    assert (learned.knowledge.samples("good"), len(learned.calibration)) == (3, 3)


def test_a_picture_that_is_no_good_is_not_learned_from() -> None:
    black = Example("black", np.zeros((64, 64, 3), np.uint8))
    running = lesson("pit", black, example(1), black)
    finish(running)

    assert running.taught == ["part 1"]
    assert running.refused == ["black: its picture is dark"] * 2
    assert running.apply(NOTHING).knowledge.samples("pit") == 1


def test_an_example_that_cannot_be_encoded_is_given_up_whole() -> None:
    running = lesson("pit", example(0), example(1))
    running.take(embedding(0))
    running.take(BadData("broken"))
    finish(running)

    assert running.refused == ["part 0: broken"]
    assert running.apply(NOTHING).knowledge.samples("pit") == 1


def test_a_lesson_without_a_usable_example_changes_nothing_and_says_so() -> None:
    running = lesson("pit", Example("black", np.zeros((64, 64, 3), np.uint8)))

    assert running.next_variant() is None
    with pytest.raises(BadData, match="no example of pit"):
        running.apply(NOTHING)


def test_what_was_known_stays_as_it_was() -> None:
    before = NOTHING.knowledge.digest
    running = lesson("pit", example())
    finish(running)
    running.apply(NOTHING)

    assert NOTHING.knowledge.digest == before
