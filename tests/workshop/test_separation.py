"""Figures from hand-made probabilities, and an interval that knows that samples of one thing are alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.workshop.separation import answers, auroc, gain, macro_auroc, worth

CLASSES = ("good", "dent", "rust")
TRUTHS = np.array(["good", "good", "dent", "dent", "rust", "rust"])
RIGHT = np.repeat(np.eye(3), 2, axis=0)


def noisy(truths: NDArray[np.str_], noise: float, seed: int) -> NDArray[np.float64]:
    """Give probabilities that are right but for noise."""
    rng = np.random.default_rng(seed)
    scores = np.exp((truths[:, None] == np.array(CLASSES)) + noise * rng.standard_normal((len(truths), 3)))
    return scores / scores.sum(axis=1, keepdims=True)


def test_the_auroc_is_the_share_of_pairs_in_the_right_order() -> None:
    assert auroc(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == (1 + 0 + 1 + 0.5) / 4
    assert auroc(np.array([1.0]), np.array([1.0])) == 0.5


def test_the_macro_auroc_counts_every_class_the_same() -> None:
    chances = RIGHT.copy()
    chances[4] = [0.0, 1.0, 0.0]

    assert macro_auroc(RIGHT, TRUTHS, CLASSES) == 1.0
    assert macro_auroc(np.full((6, 3), 1 / 3), TRUTHS, CLASSES) == 0.5
    assert macro_auroc(chances, TRUTHS, CLASSES) == pytest.approx((1.0 + 7 / 8 + 3 / 4) / 3)
    assert macro_auroc(RIGHT[:4], TRUTHS[:4], CLASSES) == 1.0, "rust has no samples"


def test_a_class_has_its_own_column_whatever_it_is_called() -> None:
    swapped = ("good", "rust", "dent")

    assert macro_auroc(RIGHT[:, [0, 2, 1]], TRUTHS, swapped) == 1.0
    assert macro_auroc(RIGHT, TRUTHS, swapped) < 0.7


def test_answers_are_means_over_episodes() -> None:
    wrong_name = RIGHT.copy()
    wrong_name[2] = [0.0, 0.0, 1.0]
    missed = RIGHT.copy()
    missed[4] = [1.0, 0.0, 0.0]
    found = answers([wrong_name, missed], TRUTHS, CLASSES)

    assert found.specificity == 1.0
    assert found.found == {"dent": 1.0, "rust": 0.75}, "a wrong name is found all the same"
    assert found.named == {"good": 1.0, "dent": 0.75, "rust": 0.75}
    assert found.balanced == pytest.approx(2.5 / 3)


def test_without_good_samples_there_is_no_specificity() -> None:
    found = answers([RIGHT[2:, 1:]], TRUTHS[2:], CLASSES[1:])

    assert (found.specificity, found.found, found.balanced) == (None, {}, 1.0)


def test_the_better_modality_is_what_fusion_is_compared_with() -> None:
    truths = np.repeat(TRUTHS, 20)
    fused, better, worse = (noisy(truths, noise, seed) for seed, noise in enumerate((0.3, 1.0, 3.0)))
    gained = gain([fused], [[worse], [better]], truths, CLASSES, np.arange(120))
    views = (("image", "vibration"), ("image",), ("vibration",))

    assert gained.single == 1
    assert 0.0 < gained.low < gained.difference < gained.high
    assert gained.difference == pytest.approx(
        macro_auroc(fused, truths, CLASSES) - macro_auroc(better, truths, CLASSES), abs=1e-12
    )
    assert worth(gained, views)["fused_minus"] == "vibration"


def test_copies_of_a_thing_make_no_interval_narrower() -> None:
    truths, copies = np.repeat(TRUTHS, 8), 9
    fused, single = noisy(truths, 1.0, 1), noisy(truths, 1.5, 2)
    things = np.arange(len(truths))
    once = gain([fused], [[single]], truths, CLASSES, things)
    many = [np.repeat(array, copies, axis=0) for array in (fused, single)]
    truths, things = np.repeat(truths, copies), np.repeat(things, copies)
    by_thing = gain([many[0]], [[many[1]]], truths, CLASSES, things)
    by_sample = gain([many[0]], [[many[1]]], truths, CLASSES, np.arange(len(truths)))

    assert by_thing.difference == pytest.approx(by_sample.difference)
    assert by_thing.high - by_thing.low == pytest.approx(once.high - once.low)
    assert by_thing.high - by_thing.low > 2.0 * (by_sample.high - by_sample.low)


def test_draws_of_a_single_class_are_drawn_again() -> None:
    truths = np.array(["good", "dent"])
    chances = np.eye(2)
    gained = gain([chances], [[chances]], truths, ("good", "dent"), np.arange(2))

    assert (gained.difference, gained.low, gained.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="one class"):
        gain([chances], [[chances]], np.array(["good", "good"]), ("good", "dent"), np.arange(2))
