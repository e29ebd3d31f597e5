"""Real pictures of steel strip, where they are at hand: five examples of each class are enough to tell seven apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.progress import Progress

from edge_agent.evaluate import EvaluateOptions, evaluate

STEEL = Path(__file__).parents[2].parent / "shared" / "data" / "x-sdd"


@pytest.mark.realdata
@pytest.mark.timeout(240)
@pytest.mark.skipif(
    not STEEL.is_dir(), reason="the steel pictures are not beside the checkout; they are not part of it"
)
def test_seven_kinds_of_steel_surface_are_told_apart_from_five_examples_each() -> None:
    options = EvaluateOptions(STEEL, shots=5, episodes=3, seed=1, bundle="generic", json=False)
    with Progress(disable=True) as progress:
        evaluation = evaluate(options, progress)

    assert evaluation.balanced_accuracy.mean >= 0.90
    assert len(evaluation.recall) == 7
    assert evaluation.seen == ()
