"""Variants keep what a part is: same shape, same frequencies but for a fraction of a percent, and no two alike."""

from __future__ import annotations

import numpy as np
import pytest

from models.augment import AUGMENTATIONS, augment_picture, augment_vibration

IMAGE = np.random.default_rng(0).integers(40, 200, (20, 30, 3)).astype(np.uint8)
RATE_HZ = 26_667.0
WINDOW = np.sin(2 * np.pi * 1_000.0 * np.arange(2_133) / RATE_HZ)[:, None].repeat(3, axis=1).astype(np.float32)


def test_variant_0_is_the_example_itself() -> None:
    assert np.array_equal(augment_picture(IMAGE, 0), IMAGE)
    assert np.array_equal(augment_vibration(WINDOW, 0), WINDOW)


def test_no_two_variants_are_alike() -> None:
    assert len({augment_picture(IMAGE, k).tobytes() for k in range(AUGMENTATIONS)}) == AUGMENTATIONS
    assert len({augment_vibration(WINDOW, k).tobytes() for k in range(AUGMENTATIONS)}) == AUGMENTATIONS


@pytest.mark.parametrize("k", range(AUGMENTATIONS))
def test_a_picture_keeps_shape_type_and_about_its_brightness(k: int) -> None:
    variant = augment_picture(IMAGE, k)

    assert variant.shape == IMAGE.shape
    assert variant.dtype == np.uint8
    assert variant.flags.c_contiguous
    assert variant.mean() == pytest.approx(IMAGE.mean(), rel=0.2)


@pytest.mark.parametrize("k", range(AUGMENTATIONS))
def test_a_picture_is_only_mirrored_and_regraded(k: int) -> None:
    """Undoing the mirror leaves the order of grey levels, so that no pixel went to another place."""
    variant = augment_picture(IMAGE, k).astype(float)
    mirrored = [IMAGE, IMAGE[:, ::-1], IMAGE[::-1], IMAGE[::-1, ::-1]]

    assert max(np.corrcoef(variant.ravel(), m.ravel())[0, 1] for m in mirrored) > 0.99


@pytest.mark.parametrize("k", range(AUGMENTATIONS))
def test_a_tone_keeps_its_frequency_within_about_a_percent_and_stays_long_enough(k: int) -> None:
    variant = augment_vibration(WINDOW, k)
    crossings = np.count_nonzero(np.diff(np.signbit(variant[:, 0])))
    frequency_hz = crossings / 2 / (len(variant) / RATE_HZ)

    assert variant.dtype == np.float32
    assert len(variant) > 0.97 * len(WINDOW)
    assert frequency_hz == pytest.approx(1_000.0, rel=0.013)


def test_the_input_is_never_changed() -> None:
    before = IMAGE.copy(), WINDOW.copy()
    for k in range(AUGMENTATIONS):
        augment_picture(IMAGE, k)
        augment_vibration(WINDOW, k)

    assert np.array_equal(IMAGE, before[0])
    assert np.array_equal(WINDOW, before[1])


def test_there_is_no_variant_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        augment_picture(IMAGE, AUGMENTATIONS)
    with pytest.raises(IndexError):
        augment_vibration(WINDOW, AUGMENTATIONS)
