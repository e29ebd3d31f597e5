"""The fitted parts of a bundle do what their formulas say. Pure numpy: no torch needed."""

from __future__ import annotations

import numpy as np
import pytest

from models.workshop.fit import LOOSE, Material, loosened, principal, prior_of, within

LINES = np.repeat(np.arange(6), 40)
CLASSES = np.tile(np.repeat(np.arange(4), 10), 6)


def material(line_spread: float = 0.0) -> Material:
    """Give features whose first dimension tells lines apart and whose others vary inside them, ever less."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((240, 5)) * [1.0, 4.0, 3.0, 2.0, 1.0]
    rows[:, 0] += line_spread * LINES
    return Material(rows @ np.linalg.qr(rng.standard_normal((5, 5)))[0], LINES, CLASSES)


@pytest.mark.parametrize(("power", "exponent"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_whitening_leaves_the_power_of_the_variance_that_was_asked_for(power: float, exponent: float) -> None:
    things = material()
    plain = principal(things, 4, 0.0, centred=False)
    variances = ((things.features - plain.mean) @ plain.matrix).var(axis=0)
    got = principal(things, 4, power, centred=False)

    assert ((things.features - got.mean) @ got.matrix).var(axis=0) == pytest.approx(variances**exponent, rel=1e-6)


def test_centring_makes_what_varies_within_lines_equal_however_far_apart_they_are() -> None:
    things = material(line_spread=100.0)
    inside = {}
    for centred in (False, True):
        projection = principal(things, 4, 1.0, centred=centred)
        raw = (things.features - projection.mean) @ projection.matrix
        inside[centred] = np.mean([raw[line == LINES].var(axis=0) for line in range(6)], axis=0)

    assert inside[True] == pytest.approx(np.ones(4), rel=1e-6)
    assert inside[False].min() < 0.1


def test_within_is_the_covariance_around_each_class_of_each_line() -> None:
    things = material()
    moved = things.features + 1_000.0 * LINES[:, None] - 77.0 * CLASSES[:, None]
    away = np.concatenate(
        [
            things.features[(line == LINES) & (c == CLASSES)]
            - things.features[(line == LINES) & (c == CLASSES)].mean(0)
            for line in range(6)
            for c in range(4)
        ]
    )

    assert within(moved, things) == pytest.approx(away.T @ away / (240 - 24), abs=1e-6)


def test_a_prior_has_no_direction_without_noise_and_no_ties_between_blocks() -> None:
    flat = np.diag([1.0, 0.0])
    prior = prior_of([flat, np.eye(3)])

    assert np.linalg.eigvalsh(prior).min() > 1e-4
    assert not prior[:2, 2:].any()
    assert np.array_equal(prior, prior.T)


def test_embeddings_have_length_1() -> None:
    things = material()

    assert np.linalg.norm(principal(things, 3, 0.5, centred=False).embed(things.features), axis=1) == pytest.approx(1.0)


def test_only_trained_dimensions_are_loosened_and_all_of_them_alike() -> None:
    rows = np.random.default_rng(5).standard_normal((500, 4)) * [9.0, 9.0, 1.0, 3.0]
    narrow = np.diag([1.0, 1.0, 1e-3, 1e-3])
    added = loosened(narrow, rows, 2) - narrow

    assert added == pytest.approx(np.diag([0.0, 0.0, 1.0, 1.0]) * LOOSE * (1.0 + 9.0) / 2.0, rel=0.2)
