"""Pre-processing gives the same numbers everywhere, sees what it is there to see, and refuses what it cannot use."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models import features
from models.features import frame_count, prepare_picture, vibration_features, vibration_frames, vibration_width
from models.source import PictureSpec, VibrationSpec

PICTURE = PictureSpec(
    width=32, height=24, colour="rgb", mean=(127.0, 100.0, 90.0), std=(128.0, 64.0, 32.0), fit="squash"
)
VIBRATION = VibrationSpec(duration_ms=80.0, window_ms=9.6, hop_ms=2.0, bands=64, low_hz=60.0, high_hz=12_000.0)
RATE_HZ = 26_667.0


def ring(frequency_hz: float, decay_per_s: float = 40.0, rate_hz: float = RATE_HZ, n: int | None = None) -> NDArray:
    """Give a ring-down of one mode on all axes, with the same faint noise always."""
    n = int(0.08 * rate_hz) if n is None else n
    t = np.arange(n) / rate_hz
    noise = np.random.default_rng(5).standard_normal((n, 3)) * 0.01
    tone = 20.0 * np.exp(-decay_per_s * t) * np.sin(2 * np.pi * frequency_hz * t)
    return (tone[:, None] * [1.0, 0.5, 0.2] + noise).astype(np.float32)


def spectrum_of(window: NDArray, rate_hz: float = RATE_HZ) -> NDArray:
    """Give the band energies, shape (3, bands)."""
    return vibration_features(window, rate_hz, VIBRATION).reshape(3, -1)[:, : VIBRATION.bands]


def test_channels_are_turned_to_rgb_and_each_has_its_own_scale() -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    image[:] = (10, 20, 30)  # blue, green, red
    tensor = prepare_picture(image, PICTURE)

    assert tensor.shape == (1, 3, 24, 32)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 0, 0] == pytest.approx([(30 - 127) / 128, (20 - 100) / 64, (10 - 90) / 32])


def test_a_picture_of_any_size_fills_the_tensor() -> None:
    left_dark = np.zeros((300, 700, 3), np.uint8)
    left_dark[:, 350:] = 255
    tensor = prepare_picture(left_dark, PICTURE)[0, 0]

    assert tensor[:, :15].max() < -0.9
    assert tensor[:, 17:].min() > 0.9


def test_shrinking_averages_and_does_not_skip_pixels() -> None:
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::2] = 254

    assert np.abs(prepare_picture(stripes, PICTURE)[0, 0]).max() < 0.02


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(image: NDArray) -> None:
    with pytest.raises(ValueError, match=r"a picture must be \(h, w, 3\) uint8"):
        prepare_picture(image, PICTURE)


@pytest.mark.parametrize("rate_hz", [12_000.0, 26_667.0, 51_200.0])
def test_every_rate_gives_the_same_number_of_finite_features_from_32_to_64_frames(rate_hz: float) -> None:
    got = vibration_features(ring(1_000.0, rate_hz=rate_hz), rate_hz, VIBRATION)
    frames = len(features._basis(int(0.08 * rate_hz), round(rate_hz), VIBRATION).starts)

    assert got.shape == (1, vibration_width(VIBRATION))
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    assert 32 <= frames <= 64


def test_the_same_window_gives_the_same_bits() -> None:
    window = ring(900.0)

    assert vibration_features(window, RATE_HZ, VIBRATION).tobytes() == (
        vibration_features(window.copy(), RATE_HZ, VIBRATION).tobytes()
    )


@pytest.mark.parametrize("frequency_hz", [200.0, 1_000.0, 5_000.0])
def test_a_tone_is_strongest_in_its_band(frequency_hz: float) -> None:
    centres = np.geomspace(VIBRATION.low_hz, VIBRATION.high_hz, VIBRATION.bands + 2)[1:-1]
    peak = centres[spectrum_of(ring(frequency_hz))[0].argmax()]

    assert peak == pytest.approx(frequency_hz, rel=0.08)


def test_a_shift_of_one_percent_is_seen_well_above_the_noise() -> None:
    still = spectrum_of(ring(3_000.0))[0]
    noisy = spectrum_of(ring(3_000.0) + np.random.default_rng(6).normal(0, 0.01, (2133, 3)).astype(np.float32))[0]
    moved = spectrum_of(ring(3_030.0))[0]
    around = slice(still.argmax() - 2, still.argmax() + 3)

    assert np.abs(moved - still)[around].max() > 5 * np.abs(noisy - still)[around].max()


def test_more_damping_gives_a_steeper_decay_in_the_band_of_the_mode() -> None:
    bands = VIBRATION.bands
    at = spectrum_of(ring(2_000.0))[0].argmax()
    slopes = [
        vibration_features(ring(2_000.0, decay), RATE_HZ, VIBRATION).reshape(3, -1)[0, bands + at]
        for decay in (20.0, 40.0, 80.0)
    ]

    assert slopes[0] > slopes[1] > slopes[2]
    assert slopes[0] == pytest.approx(-2 * 20.0 * 0.1, rel=0.05)  # power falls twice as fast as amplitude


def test_only_the_level_knows_how_hard_the_blow_was() -> None:
    soft = vibration_features(ring(1_000.0), RATE_HZ, VIBRATION).reshape(3, -1)
    hard = vibration_features(ring(1_000.0) * np.float32(2.0), RATE_HZ, VIBRATION).reshape(3, -1)

    changed = np.abs(hard - soft).max(axis=0) > 1e-3

    assert np.flatnonzero(changed).tolist() == [soft.shape[1] - 3]
    assert hard[:, -3] - soft[:, -3] == pytest.approx(np.log(2.0), abs=1e-4)


def test_a_dead_axis_gives_numbers() -> None:
    window = ring(1_000.0)
    window[:, 1] = 0.0

    assert np.isfinite(vibration_features(window, RATE_HZ, VIBRATION)).all()
    assert np.isfinite(vibration_features(np.zeros((2133, 3), np.float32), RATE_HZ, VIBRATION)).all()


def test_a_window_a_little_short_is_used_and_a_long_one_is_cut() -> None:
    long = ring(1_000.0, n=4_000)

    assert vibration_features(long[:1_930], RATE_HZ, VIBRATION).shape == (1, vibration_width(VIBRATION))
    assert np.array_equal(
        vibration_features(long, RATE_HZ, VIBRATION), vibration_features(long[:2133], RATE_HZ, VIBRATION)
    )


@pytest.mark.parametrize(
    ("samples", "rate_hz", "why"),
    [
        (np.zeros((1_000, 3), np.float32), RATE_HZ, r"too short: 1000 samples .*\(1920 samples"),
        (np.zeros((0, 3), np.float32), RATE_HZ, "too short"),
        (np.zeros((2_133, 2), np.float32), RATE_HZ, r"must be \(n, 3\)"),
        (np.zeros((2_133, 3), np.float32), 0.0, "sample rate"),
        (np.zeros((2_133, 3), np.float32), float("nan"), "sample rate"),
        (np.full((2_133, 3), np.nan, np.float32), RATE_HZ, "not finite"),
        (np.full((2_133, 3), np.inf, np.float32), RATE_HZ, "not finite"),
    ],
)
def test_what_is_no_window_is_refused_and_says_why(samples: NDArray, rate_hz: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        vibration_features(samples, rate_hz, VIBRATION)


def test_frames_follow_the_ring_down_and_have_a_number_that_the_rate_does_not_change() -> None:
    frames = vibration_frames(ring(2_000.0, 60.0), RATE_HZ, VIBRATION)
    slower = vibration_frames(ring(2_000.0, 60.0, rate_hz=20_000.0), 20_000.0, VIBRATION)

    assert frames.shape == slower.shape == (1, frame_count(VIBRATION), 3 * VIBRATION.bands) == (1, 36, 192)
    assert frames.dtype == np.float32
    loudest = frames[0, :, : VIBRATION.bands].max(axis=1)
    assert (np.diff(loudest[:20]) < 0.0).all()
    np.testing.assert_allclose(loudest[10] - loudest[0], -2 * 60.0 * 10 * VIBRATION.hop_ms / 1000.0, rtol=0.1)


def test_frames_beyond_a_window_that_is_a_little_short_are_silent() -> None:
    short = vibration_frames(ring(2_000.0)[: int(0.95 * 0.08 * RATE_HZ)], RATE_HZ, VIBRATION)

    assert short.shape == (1, frame_count(VIBRATION), 3 * VIBRATION.bands)
    assert (short[0, -1] == short.min()).all()
    with pytest.raises(ValueError, match="too short"):
        vibration_frames(ring(2_000.0)[:200], RATE_HZ, VIBRATION)
