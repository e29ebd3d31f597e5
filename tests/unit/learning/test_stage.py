"""Teaching goes from stage to stage by one table; what makes no sense is said to a person and changes nothing."""

from __future__ import annotations

from itertools import product

import pytest

from edge_agent.errors import Unavailable
from edge_agent.learning.stage import SENTENCES, TRANSITIONS, Stage, Step, following


def test_a_lesson_goes_from_its_first_example_to_the_line() -> None:
    stage = Stage.IDLE
    for step in (Step.TEACH, Step.COLLECTED, Step.PROVED, Step.REFUSED, Step.PROMOTED):
        stage = following(stage, step)
    assert stage is Stage.IDLE


@pytest.mark.parametrize(("stage", "step"), set(product(Stage, Step)) - set(TRANSITIONS))
def test_what_makes_no_sense_is_refused_with_what_to_do(stage: Stage, step: Step) -> None:
    with pytest.raises(Unavailable) as refused:
        following(stage, step)
    assert (refused.value.message, refused.value.hint) == SENTENCES[stage]


def test_nothing_is_promoted_that_was_not_proposed() -> None:
    assert {stage for stage, step in TRANSITIONS if step is Step.PROMOTED} == {Stage.PROPOSED}


def test_every_stage_can_be_left() -> None:
    assert {stage for stage, _ in TRANSITIONS} == set(Stage)
