"""The discrete Gaussian is drawn as it is defined: each whole number as often as its density says."""

import math
from collections import Counter
from collections.abc import Callable
from random import Random, SystemRandom

import pytest

from models.noise import discrete_gaussian

DRAWS = 6000
LIMIT = 32.0
"""Chi squared of 11 cells is above it once in 2,500 times; the seeds are fixed."""


def chi_squared(draw: Callable[[int, Random], int], variance: int) -> float:
    """How far what is drawn is from the density, in cells -5 or less, -4, ..., 4, 5 or more."""
    source = Random(20)
    seen = Counter(max(-5, min(5, draw(variance, source))) for _ in range(DRAWS))
    weight = {x: math.exp(-x * x / (2 * variance)) for x in range(-60, 61)}
    expected = Counter[int]()
    for x, w in weight.items():
        expected[max(-5, min(5, x))] += DRAWS * w / sum(weight.values())
    return sum((seen[x] - expected[x]) ** 2 / expected[x] for x in expected)


@pytest.mark.parametrize("variance", [2, 3, 7])
def test_each_number_is_drawn_as_often_as_its_density_says(variance: int) -> None:
    assert chi_squared(discrete_gaussian, variance) < LIMIT


def cut_off(variance: int, source: Random) -> int:
    return int(source.gauss(0.0, math.sqrt(variance)))


def zero_twice(variance: int, source: Random) -> int:
    x = discrete_gaussian(variance, source)
    return x if x or source.random() < 0.5 else discrete_gaussian(variance, source)


def of_the_deviation(variance: int, source: Random) -> int:
    return discrete_gaussian(math.isqrt(variance) + 1, source)


@pytest.mark.parametrize(("wrong", "variance"), [(cut_off, 2), (zero_twice, 2), (of_the_deviation, 7)])
def test_the_comparison_has_teeth(wrong: Callable[[int, Random], int], variance: int) -> None:
    assert chi_squared(wrong, variance) > LIMIT


@pytest.mark.parametrize("variance", [1, 12, 3 * 2**28 * 64, 3 * 2**56 * 64])
def test_the_variance_is_right_at_any_size(variance: int) -> None:
    source = Random(1)
    squares = [discrete_gaussian(variance, source) ** 2 for _ in range(2000)]

    assert sum(squares) / len(squares) == pytest.approx(variance, rel=0.12)


def test_the_operating_system_can_be_the_source() -> None:
    drawn = [discrete_gaussian(2**80, SystemRandom()) for _ in range(20)]

    assert len(set(drawn)) == 20
    assert {x > 0 for x in drawn} == {True, False}


@pytest.mark.parametrize("variance", [0, -1])
def test_no_variance_is_refused(variance: int) -> None:
    with pytest.raises(ValueError, match="1 or above"):
        discrete_gaussian(variance, Random(0))
