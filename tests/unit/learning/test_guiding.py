"""To look at everything anew is done in parts, so that nobody waits for all of it."""

from __future__ import annotations

import pytest
from guided_world import everything, known, store, teach

from edge_agent.learning import guiding
from edge_agent.runtime.steps import Paused, finished, in_parts
from edge_agent.testing.disk import FakeDisk
from tests.stepwise import StepwiseClock


def test_to_forget_what_the_guide_is_made_of_lets_others_in_after_every_few_embeddings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guiding, "MEMBERS", 2)
    monkeypatch.setattr(guiding, "PART", 8)
    disk = FakeDisk()
    teach(disk, "good", range(4))
    teach(disk, "pit", range(10, 15))
    learned = known(disk)
    left = learned.without([learned.exemplars[0].id])

    part = in_parts(store(disk).completing(left), StepwiseClock())
    pauses = 0
    while isinstance(result := part(), Paused):
        pauses += 1

    assert pauses >= 5, "a defect has eight embeddings"
    assert result.guiding is not None and learned.guiding is not None
    assert result.guiding.guide.digest != learned.guiding.guide.digest
    assert everything(result) == everything(finished(store(disk).completing(left)))
