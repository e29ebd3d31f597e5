"""Noise covers any one sample, whatever else is known; and what comes out is knowledge, whatever the noise was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import Knowledge
from models.embedding import SCALE
from models.head import Prior
from models.manifest import Block
from models.release import Variances, noised
from models.sums import Key, Sums, upper

BLOCKS = (Block("image", 0, 4, 0.75, "a"), Block("vibration", 4, 6, 0.25, "b"))
PRIOR = Prior(np.diag([0.1, 0.2, 0.1, 0.3, 0.05, 0.1]) + 0.01, 5.0)
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)
BOTH = ("image", "vibration")
K = 3
LIST = {Key("good", BOTH): K, Key("pit", BOTH): K, Key("pit", ("image",)): K}

SEEDS = st.integers(0, 2**32 - 1)
SIGMAS = st.floats(2.0**-10, 2.0**20)


def sample(seed: int, dims: int) -> NDArray[np.int16]:
    """K vectors, often as long as can be and often equal: the worst there is."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(K, dims)) * rng.choice([0.0, 1.0], p=[0.4, 0.6], size=dims) + 1e-3 * rng.normal(size=dims)
    if rng.random() < 0.5:
        z[:] = z[0]
    q = np.zeros((K, 6), dtype=np.int16)
    q[:, :dims] = np.trunc(z / np.linalg.norm(z, axis=1, keepdims=True) * SCALE * rng.choice([1.0, 0.3]))
    q[~q[:, :4].any(axis=1), 0] = 1
    if dims == 6:
        q[~q[:, 4:].any(axis=1), 4] = 1
        while (np.square(q.astype(np.int64)).sum(axis=1) > SCALE**2).any():
            q = np.trunc(q * 0.9999).astype(np.int16)
            q[~q[:, 4:].any(axis=1), 4] = 1
    return q


SAMPLES = st.builds(
    lambda key, seed: (key.slug, sample(seed, 4 if key.modalities == ("image",) else 6)),
    st.sampled_from(sorted(LIST)),
    SEEDS,
)


def taught(samples: list[tuple[str, NDArray[np.int16]]]) -> Knowledge:
    knowledge = NOTHING
    for slug, rows in samples:
        knowledge = knowledge.learn(slug, rows)
    return knowledge


def told_apart(one: Knowledge, other: Knowledge, variances: Variances) -> Fraction:
    """Squares of all differences over their variances: what a release must keep at 1 / sigma^2 or below."""
    sum_of_squares = Fraction(0)
    for key in one.groups.keys() | other.groups.keys():
        a, b = one.groups.get(key), other.groups.get(key)
        size = 4 if key.modalities == ("image",) else 6
        nothing = Sums(0, 0, np.zeros(size, dtype=np.int64), np.zeros(size * (size + 1) // 2, dtype=np.int64))
        gone = (a or nothing) - (b or nothing)
        sum_of_squares += Fraction(gone.samples**2, variances.samples)
        sum_of_squares += sum(Fraction(x**2, variances.total) for x in gone.total.tolist())
        for x, row, column in zip(gone.products.tolist(), *upper(size), strict=True):
            sum_of_squares += Fraction(x**2, variances.square if row == column else variances.product)
    return sum_of_squares


@given(st.lists(SAMPLES, max_size=4), SAMPLES, st.floats(0.01, 100.0))
def test_no_sample_ever_differs_more_than_the_noise_covers(
    others: list[tuple[str, NDArray[np.int16]]], one: tuple[str, NDArray[np.int16]], sigma: float
) -> None:
    without, with_it = taught(others), taught([*others, one])

    assert told_apart(without, with_it, Variances.of(K, sigma)) <= 1 / Fraction(sigma) ** 2
    assert told_apart(with_it, without, Variances.of(K, sigma)) <= 1 / Fraction(sigma) ** 2


WORST = NOTHING.learn("pit", np.array([[SCALE, 0, 0, 0, 0, 0]] * K, dtype=np.int16))
SLANTED = NOTHING.learn("pit", np.array([[8192, 8192, 8192, 8191, 0, 0]] * K, dtype=np.int16))


@pytest.mark.parametrize("worst", [WORST, SLANTED])
def test_the_bound_is_reached(worst: Knowledge) -> None:
    assert told_apart(NOTHING, worst, Variances.of(K, 2.0)) > Fraction(999, 4000)


def less_by_a_hundredth(v: Variances) -> Variances:
    return Variances(*(x * 99 // 100 for x in v))


def of_one_vector(_: Variances) -> Variances:
    return Variances.of(1, 2.0)


def without_the_count(v: Variances) -> Variances:
    return Variances(*(x * 2 // 3 for x in v))


def less_off_the_diagonal(v: Variances) -> Variances:
    return v._replace(product=v.product // 2)


@pytest.mark.parametrize("wrong", [less_by_a_hundredth, of_one_vector, without_the_count, less_off_the_diagonal])
def test_a_wrong_bound_is_rejected(wrong: Callable[[Variances], Variances]) -> None:
    variances = wrong(Variances.of(K, 2.0))

    assert max(told_apart(NOTHING, worst, variances) for worst in (WORST, SLANTED)) > Fraction(1, 4)


@given(st.lists(SAMPLES, max_size=4), SIGMAS, SEEDS)
def test_what_comes_out_is_knowledge(samples: list[tuple[str, NDArray[np.int16]]], sigma: float, seed: int) -> None:
    released = noised(taught(samples), LIST, sigma, Random(seed))

    assert Knowledge.from_bytes(released.to_bytes()) == released
    assert released.groups.keys() <= LIST.keys()
    for sums in released.groups.values():
        assert sums.vectors == K * sums.samples >= K
        assert least_spread(sums) > -1e-6
    if released.groups:
        head = released.merge(released).head(PRIOR)
        assert np.isfinite(head.distances(np.full(6, 0.1))).all()


def least_spread(sums: Sums) -> float:
    """Smallest eigenvalue of the scatter of one vector."""
    size = len(sums.total)
    rows, columns = upper(size)
    whole = np.empty((size, size))
    whole[rows, columns] = whole[columns, rows] = sums.scatter() / sums.vectors
    return float(np.linalg.eigvalsh(whole)[0])


def test_noise_alone_is_no_knowledge() -> None:
    """Without the way back, the head could not be solved: what the test above would find."""
    knowledge = taught([("good", sample(seed, 6)) for seed in range(3)])
    rng = np.random.default_rng(0)
    key, sums = next(iter(knowledge.groups.items()))
    rough = replace(sums, products=sums.products + rng.integers(-(2**31), 2**31, len(sums.products)))

    assert rough.flaw() or least_spread(rough) < -1e-6
    assert key in LIST
