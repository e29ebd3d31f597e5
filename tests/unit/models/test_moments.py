"""Sums of any split are the same bits, and give mean and variance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.moments import FLOOR, MAX_COUNT, Moments, standardised

ROWS = np.random.default_rng(3).normal(0.4, 0.2, (40, 5))


def test_any_split_in_any_order_gives_the_same_sums() -> None:
    whole, parts = Moments.of(ROWS), [Moments.of(ROWS[rows]) for rows in ([5, 3], range(6, 40), [0, 4, 2, 1])]
    added = parts[1].plus(parts[2]).plus(parts[0])

    assert added.count == whole.count
    np.testing.assert_array_equal(added.total, whole.total)
    np.testing.assert_array_equal(added.squares, whole.squares)


def test_sums_in_floats_would_depend_on_the_order() -> None:
    assert ROWS[::-1].cumsum(axis=0)[-1].tobytes() != ROWS.cumsum(axis=0)[-1].tobytes()


def test_mean_and_variance_are_those_of_the_examples() -> None:
    moments = Moments.of(ROWS)

    np.testing.assert_allclose(moments.mean, ROWS.mean(axis=0), atol=2e-4)
    np.testing.assert_allclose(moments.variance, ROWS.var(axis=0, ddof=1), rtol=5e-3)


def test_a_channel_that_never_moves_is_not_divided_by_nothing() -> None:
    moments = Moments.of(np.full((9, 2), 0.5))

    assert standardised([0.5, 0.5 + 3 * FLOOR], moments.mean, moments.variance) == pytest.approx([0.0, 3.0])


@pytest.mark.parametrize("rows", [[[np.nan]], [[np.inf]], [[1025.0]], [[-1e30]]])
def test_what_cannot_be_counted_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="finite numbers between"):
        Moments.of(rows)


def test_more_than_the_sums_can_hold_is_refused() -> None:
    full = replace(Moments.of(ROWS), count=MAX_COUNT)

    with pytest.raises(ValueError, match="at most"):
        full.plus(Moments.of(ROWS[:1]))
    with pytest.raises(ValueError, match="do not add up"):
        full.plus(Moments.of(ROWS[:0, :4]))
    largest = Moments.of(np.full((1, 1), 1024.0))
    assert MAX_COUNT * int(largest.squares[0]) < 2**63


@pytest.mark.parametrize(
    ("wrong", "flaw"),
    [
        ({"count": -1}, "examples"),
        ({"count": MAX_COUNT + 1}, "examples"),
        ({"squares": np.zeros(5, np.int64)}, "squares"),
        ({"squares": np.full(5, 2**62)}, "squares"),
        ({"squares": np.zeros(4, np.int64)}, "sums of"),
        ({"total": np.full(5, 2**62)}, "squares"),
    ],
)
def test_sums_that_no_examples_have_are_noticed(wrong: dict[str, object], flaw: str) -> None:
    assert Moments.of(ROWS).flaw() == ""
    assert flaw in replace(Moments.of(ROWS), **wrong).flaw()
