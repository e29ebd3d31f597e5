"""Intervals and the paired test, against published figures and against counting."""

from __future__ import annotations

from itertools import product

import pytest

from edge_agent.learning.proof.mcnemar import loss_p_value
from edge_agent.proportion import wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_newcombes_examples(count: int, of: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17, 1998, table I, score method without continuity correction."""
    share = wilson(count, of)

    assert (share.low, share.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (0, 3), (1, 0), (2, 1), (5, 0), (4, 4), (6, 2)])
def test_the_p_value_is_the_share_of_coin_throws_with_as_many_losses(lost: int, gained: int) -> None:
    throws = [sum(throw) for throw in product((0, 1), repeat=lost + gained)]

    assert loss_p_value(lost, gained) == sum(losses >= lost for losses in throws) / len(throws)


def test_the_p_value_of_the_most_changes_that_a_class_can_have_is_exact() -> None:
    assert loss_p_value(200, 0) == 0.5**200
    assert loss_p_value(0, 200) == 1.0
