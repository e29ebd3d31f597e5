"""Figures mean what they are called: exact intervals, limits that keep their promise, areas that count ties half."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from edge_agent.evaluate.figures import auroc, conformal_limit, interval, mean, ratio
from edge_agent.proportion import exact, wilson


def at_most(count: int, of: int, p: float) -> float:
    return sum(math.comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(count + 1))


@pytest.mark.parametrize(("count", "of"), [(1, 7), (5, 10), (29, 30), (3, 400)])
def test_at_the_ends_of_the_interval_so_many_or_so_few_come_once_in_forty(count: int, of: int) -> None:
    share = exact(count, of)

    assert at_most(count, of, share.high) == pytest.approx(0.025, rel=1e-9)
    assert 1 - at_most(count - 1, of, share.low) == pytest.approx(0.025, rel=1e-9)
    assert (share.count, share.of, share.mean) == (count, of, count / of)


@pytest.mark.parametrize("of", [1, 12, 9000])
def test_none_and_all_have_an_end_at_the_edge(of: int) -> None:
    none, everything = exact(0, of), exact(of, of)

    assert (none.low, everything.high) == (0.0, 1.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / of))
    assert everything.low == pytest.approx(0.025 ** (1 / of))


def test_the_score_interval_of_wilson_is_another_one() -> None:
    assert wilson(3, 400).low > exact(3, 400).low * 1.1


def test_a_share_of_nothing_is_unknown() -> None:
    share = exact(0, 0)

    assert math.isnan(share.mean) and (share.low, share.high) == (0.0, 1.0)


def exceeded(limit_of: Callable[[np.ndarray, float], float | None], n: int, rate: float) -> float:
    """How many of n + 1 exchangeable scores exceed the limit that the n others set: each takes its turn."""
    scores = np.random.default_rng(0).permutation(n + 1).astype(float)
    over = 0
    for i, score in enumerate(scores):
        limit = limit_of(np.delete(scores, i), rate)
        assert limit is not None
        over += score > limit
    return over / (n + 1)


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (30, 0.05), (99, 0.01), (250, 0.01)])
def test_no_more_than_the_rate_exceed_the_limit_and_nearly_as_many_do(n: int, rate: float) -> None:
    assert rate - 1 / (n + 1) < exceeded(conformal_limit, n, rate) <= rate + 1e-12


def test_a_plain_quantile_breaks_the_promise() -> None:
    assert exceeded(lambda scores, rate: float(np.quantile(scores, 1 - rate)), 30, 0.05) > 0.05


@pytest.mark.parametrize(("n", "rate"), [(0, 0.05), (18, 0.05), (98, 0.01)])
def test_too_few_scores_set_no_limit(n: int, rate: float) -> None:
    assert conformal_limit(np.arange(n, dtype=float), rate) is None


def test_the_area_is_the_share_of_pairs_in_order_and_equal_ones_count_half() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 30).astype(float)
    pairs = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2

    assert auroc(low, high) == pytest.approx(pairs)
    assert auroc(high, low) == pytest.approx(1 - pairs)
    assert auroc(low, low) == 0.5
    assert (high[:, None] > low).mean() < pairs < (high[:, None] >= low).mean()
    assert math.isnan(auroc(low, np.empty(0)))


def test_episodes_that_say_nothing_are_passed_over() -> None:
    spread = interval(np.array([0.0, np.nan, 1.0]))

    assert spread.mean == mean([0.0, np.nan, 1.0]) == 0.5
    assert spread.low == pytest.approx(0.025) and spread.high == pytest.approx(0.975)
    assert math.isnan(interval(np.array([np.nan])).mean) and math.isnan(mean([]))
    np.testing.assert_array_equal(ratio([1, 0], [2, 0]), [0.5, np.nan])
