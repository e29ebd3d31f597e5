"""What makes a picture unfit: each fault is found, and a good picture of any size has none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_agent.config import ImageHealthConfig
from edge_agent.sources.imagehealth import ImageHealth, picture_faults, sharpness

LIMITS = ImageHealthConfig()


def scene(side_px: int = 480, seed: int = 0, noise: float = 2.0, blur_px: float = 0.0) -> np.ndarray:
    """Give a ring with turning marks on a dark ground, out of focus by `blur_px` before the sensor's noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) * (480 / side_px) - 240
    radius = np.hypot(x, y)
    light = np.where((radius > 120) & (radius < 200), 130 + 20 * np.sin(radius * 1.3), 40.0).astype(np.float32)
    if blur_px:
        light = cv2.GaussianBlur(light, (0, 0), blur_px)
    image = light[:, :, None] + rng.normal(0, noise, (side_px, side_px, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("side_px", [64, 128, 300, 480, 1024])
def test_a_good_picture_has_no_fault_at_any_size(side_px: int) -> None:
    assert picture_faults(scene(side_px), LIMITS) == ()


@pytest.mark.parametrize("shape", [(16, 16), (16, 4000), (4000, 16)])
def test_any_shape_that_can_be_read_can_be_checked(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 200, (*shape, 3), np.uint8)

    assert picture_faults(noise, LIMITS) == ()


@pytest.mark.parametrize("blur_px", [4.0, 8.0, 30.0])
def test_a_picture_out_of_focus_is_blurred_though_its_noise_is_sharp(blur_px: float) -> None:
    assert picture_faults(scene(blur_px=blur_px), LIMITS) == ("blurred",)


def test_the_size_it_is_judged_at_is_what_takes_the_noise_out() -> None:
    """The wrong way, the same measure at full resolution, finds more detail in the blurred picture than is allowed."""
    grey = np.asarray(cv2.cvtColor(scene(blur_px=8.0), cv2.COLOR_BGR2GRAY), np.uint8)

    assert sharpness(grey) > 0.3
    small = np.asarray(cv2.resize(grey, (120, 120), interpolation=cv2.INTER_LINEAR), np.uint8)
    assert sharpness(small) < LIMITS.blurred_sharpness_below


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.0, 1.5])
def test_sharpness_does_not_depend_on_contrast(gain: float) -> None:
    dimmed = np.clip(scene(noise=0.0) * gain, 0, 255).astype(np.uint8)
    grey = np.asarray(cv2.cvtColor(dimmed, cv2.COLOR_BGR2GRAY), np.uint8)
    whole = np.asarray(cv2.cvtColor(scene(noise=0.0), cv2.COLOR_BGR2GRAY), np.uint8)

    assert sharpness(grey) == pytest.approx(sharpness(whole), rel=0.05)


def test_the_variance_of_the_laplacian_alone_would_depend_on_it() -> None:
    grey = np.asarray(cv2.cvtColor(scene(noise=0.0), cv2.COLOR_BGR2GRAY), np.float32)

    assert cv2.Laplacian(grey * 0.3, cv2.CV_32F).var() < 0.1 * cv2.Laplacian(grey, cv2.CV_32F).var()


@pytest.mark.parametrize("level", [60, 128, 200])
def test_a_covered_lens_that_is_not_dark_is_blurred(level: int) -> None:
    noise = np.random.default_rng(2).normal(level, 1.0, (480, 480, 3))

    assert picture_faults(noise.astype(np.uint8), LIMITS) == ("blurred",)


def test_a_picture_without_light_is_dark_and_nothing_else() -> None:
    assert picture_faults(scene() // 16, LIMITS) == ("dark",)
    assert picture_faults(np.zeros((480, 480, 3), np.uint8), LIMITS) == ("dark",)


def test_a_picture_with_too_much_light_is_saturated_and_nothing_else() -> None:
    bright = np.clip(scene().astype(int) * 8, 0, 255).astype(np.uint8)

    assert picture_faults(bright, LIMITS) == ("saturated",)


def test_one_saturated_channel_is_enough() -> None:
    """A grey value would hide it: a red lamp at full scale is a grey of 76."""
    red = scene()
    red[:, :, 2] = 255

    assert cv2.cvtColor(red, cv2.COLOR_BGR2GRAY).max() < 250
    assert picture_faults(red, LIMITS) == ("saturated",)


def test_a_small_highlight_is_allowed() -> None:
    glint = scene()
    glint[:100, :480] = 255  # a fifth of the picture

    assert picture_faults(glint, LIMITS) == ()


def test_the_second_picture_with_the_same_noise_is_frozen() -> None:
    health = ImageHealth(ImageHealthConfig(frozen_repeats=2))

    assert health.check(scene(seed=1)) == ()
    assert health.check(scene(seed=1)) == ("frozen",)
    assert health.check(scene(seed=1)) == ("frozen",)
    assert health.check(scene(seed=2)) == ()
    assert health.check(scene(seed=1)) == ()


def test_frozen_begins_where_the_limit_says() -> None:
    health = ImageHealth(ImageHealthConfig(frozen_repeats=3))

    assert [health.check(scene(seed=1)) for _ in range(4)] == [(), (), ("frozen",), ("frozen",)]


def test_the_same_scene_with_other_noise_is_alive() -> None:
    """A part that stands still is not a camera that does; comparing what the pictures show would mistake it."""
    health = ImageHealth(ImageHealthConfig(frozen_repeats=2))

    assert [health.check(scene(seed=seed, noise=0.6)) for seed in range(10)] == [()] * 10
    assert np.abs(scene(seed=0, noise=0.6).astype(int) - scene(seed=1, noise=0.6)).mean() < 1.0


def test_a_frozen_dark_picture_is_both() -> None:
    health = ImageHealth(ImageHealthConfig(frozen_repeats=2))
    black = np.zeros((480, 480, 3), np.uint8)

    assert health.check(black) == ("dark",)
    assert health.check(black) == ("frozen", "dark")


def test_a_limit_of_nought_switches_a_check_off() -> None:
    never = ImageHealthConfig(
        dark_mean_below=0, saturated_share_above=1, bright_mean_above=255, blurred_sharpness_below=0
    )

    assert picture_faults(np.zeros((64, 64, 3), np.uint8), never) == ()
    assert picture_faults(np.full((64, 64, 3), 255, np.uint8), never) == ()
