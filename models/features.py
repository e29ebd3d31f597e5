"""Pre-processing: pictures and vibration windows become the source tensors that a bundle's parts take.

Pure arithmetic with numpy and cv2, the same on the station and on the desk, so that a model sees the same numbers
where it is made and where it runs. For teaching it varies both in ways that do not change what a part is. It opens no
file, knows no runtime and learns nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest
from models.source import PictureSpec, VibrationSpec

Floats = NDArray[np.float32]

AXES: Final = 3

AUGMENTATIONS: Final = 8
"""How many variants of a taught sample there are; number 0 is the sample itself."""

ENOUGH: Final = 0.9
"""Share of the declared duration that must be there: clocks and triggers are not exact."""

ENVELOPE_MS: Final = 1.0
"""Block over which the envelope is averaged; its spectrum ends at half the inverse, 500 Hz."""

ENVELOPE_BANDS: Final = 16
"""Equal bands of the envelope spectrum, without its mean."""

STATISTICS: Final = 3
"""Level, kurtosis and crest factor."""

FLOOR: Final = 1e-6
"""Added to a share of the power before its logarithm: 60 dB below the whole, about where a sensor's noise is."""

SILENCE: Final = 1e-12
"""Added to powers [(m/s^2)^2] so that a dead channel gives numbers too; far below any sensor's noise."""


def prepare_picture(image: NDArray[np.uint8], spec: PictureSpec) -> Floats:
    """Scale a picture to the size of the tensor and normalise it.

    Args:
        image: BGR, shape (h, w, 3), uint8.
        spec: the bundle's.

    Returns:
        RGB, shape (1, 3, spec.height, spec.width), float32, contiguous.

    Raises:
        ValueError: it is no such picture.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"a picture must be (h, w, 3) uint8 and not empty, got {image.shape} {image.dtype}")
    height, width = image.shape[:2]
    scaled: NDArray[np.uint8] = image
    if (height, width) != (spec.height, spec.width):
        shrinks = height > spec.height or width > spec.width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        scaled = cv2.resize(image, (spec.width, spec.height), interpolation=how).astype(np.uint8, copy=False)
    tensor = np.empty((1, 3, spec.height, spec.width), np.float32)
    for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
        np.subtract(scaled[:, :, 2 - channel], np.float32(mean), out=tensor[0, channel])
        tensor[0, channel] *= np.float32(1.0 / std)
    return tensor


def vibration_width(spec: VibrationSpec) -> int:
    """Give F, how many features a window has."""
    return AXES * (2 * spec.bands + ENVELOPE_BANDS + STATISTICS)


def vibration_features(samples: Floats, rate_hz: float, spec: VibrationSpec) -> Floats:
    """Describe a vibration window by F numbers.

    For each axis: the logarithm of each band's share of the power over the whole window (fine in frequency); how fast
    each band decays or grows, from short frames (fine in time); the spectrum of the envelope; level, kurtosis and crest
    factor. Powers are relative to that of all axes together, so only the level knows how hard the blow was. Bands that
    reach above half the sample rate are empty.

    Args:
        samples: acceleration [m/s^2], shape (n, 3); what is beyond `duration_ms` is not looked at.
        rate_hz: sample rate [Hz].
        spec: the bundle's.

    Returns:
        Shape (1, F), float32, F = `vibration_width(spec)` = 3 (2 bands + 19); the same bits for the same samples.

    Raises:
        ValueError: too short, not finite, or no such window; says what was wanted.
    """
    x = _checked(samples, rate_hz, spec)
    basis = _basis(len(x[0]), round(rate_hz), spec)
    power = np.square(x)
    mean_square = power.mean(axis=1) + SILENCE
    shape = _shape(x, power, mean_square)
    return np.concatenate(
        [_bands(x, basis), _decay(x, basis), _envelope(power, mean_square, rate_hz), shape], axis=1
    ).reshape(1, -1)


def _checked(samples: Floats, rate_hz: float, spec: VibrationSpec) -> Floats:
    """Give the window without its mean, shape (3, n); raise `ValueError` when it is none."""
    if samples.ndim != 2 or samples.shape[1] != AXES:
        raise ValueError(f"a vibration window must be (n, {AXES}), got {samples.shape}")
    if not 0.0 < rate_hz < np.inf:
        raise ValueError(f"the sample rate must be positive and finite, got {rate_hz} Hz")
    wanted = int(spec.duration_ms * rate_hz / 1000.0)
    if len(samples) < ENOUGH * wanted or len(samples) < rate_hz * spec.window_ms / 1000.0 or len(samples) < 8:
        raise ValueError(
            f"too short: {len(samples)} samples at {rate_hz:g} Hz, "
            f"at least {ENOUGH:.0%} of {spec.duration_ms:g} ms are needed ({int(np.ceil(ENOUGH * wanted))} samples)"
        )
    x = np.ascontiguousarray(samples[:wanted].T, dtype=np.float32)
    if not np.isfinite(x).all():
        raise ValueError("the vibration window has samples that are not finite numbers")
    centred: Floats = x - x.mean(axis=1, keepdims=True)
    return centred


def prepare_vibration(samples: Floats, rate_hz: float, manifest: Manifest) -> dict[str, Floats]:
    """Make the source tensors of a vibration window that a bundle's parts take, by name; raises as they do."""
    assert manifest.vibration is not None
    made = {"vibration": vibration_features, "vibration_frames": vibration_frames}
    return {name: made[name](samples, rate_hz, manifest.vibration) for name in manifest.sources if name in made}


def frame_count(spec: VibrationSpec) -> int:
    """Give how many analysis frames a window has."""
    return int((spec.duration_ms - spec.window_ms) / spec.hop_ms) + 1


def vibration_frames(samples: Floats, rate_hz: float, spec: VibrationSpec) -> Floats:
    """Describe a vibration window frame by frame: the logarithm of each band's share of the window's power.

    Args:
        samples: acceleration [m/s^2], shape (n, 3); what is beyond `duration_ms` is not looked at.
        rate_hz: sample rate [Hz].
        spec: the bundle's.

    Returns:
        Shape (1, `frame_count(spec)`, 3 bands), float32, axis after axis; frames beyond the end are silent.

    Raises:
        ValueError: too short, not finite, or no such window; says what was wanted.
    """
    x = _checked(samples, rate_hz, spec)
    basis = _basis(len(x[0]), round(rate_hz), spec)
    energy = _frame_energy(x, basis)
    level = energy.sum(axis=(0, 2)).mean() + np.float32(SILENCE)
    bands = np.log(energy / level + np.float32(FLOOR)).transpose(1, 0, 2).reshape(energy.shape[1], -1)
    frames = np.full((frame_count(spec), bands.shape[1]), np.log(FLOOR), np.float32)
    frames[: len(bands)] = bands[: len(frames)]
    return frames[None]


class _Basis(NamedTuple):
    """What the transforms of windows of one length and rate have in common.

    Attributes:
        taper: Hann window over all samples, shape (n,).
        whole: length of the whole window's transform, a product of small primes.
        fine: triangular bands over its spectrum, shape (whole // 2 + 1, bands).
        starts: first sample of each frame, shape (frames,).
        frame_taper: Hann window over a frame, shape (samples,).
        transform: length of a frame's transform, a product of small primes.
        coarse: triangular bands over a frame's spectrum, shape (transform // 2 + 1, bands).
        slope: weights of a least-squares slope over the frames, per second, shape (frames,).
    """

    taper: Floats
    whole: int
    fine: Floats
    starts: NDArray[np.intp]
    frame_taper: Floats
    transform: int
    coarse: Floats
    slope: Floats


@lru_cache(maxsize=32)
def _basis(n: int, rate_hz: int, spec: VibrationSpec) -> _Basis:
    length = max(int(spec.window_ms * rate_hz / 1000.0), 4)
    hop = max(spec.hop_ms * rate_hz / 1000.0, 1.0)
    starts = np.floor(np.arange(0.0, n - length + 1, hop)).astype(np.intp)
    transform = cv2.getOptimalDFTSize(length)
    time_s = starts / rate_hz
    away = time_s - time_s.mean()
    return _Basis(
        taper=np.hanning(n + 2)[1:-1].astype(np.float32),
        whole=cv2.getOptimalDFTSize(n),
        fine=_triangles(cv2.getOptimalDFTSize(n), rate_hz, spec),
        starts=starts,
        frame_taper=np.hanning(length + 2)[1:-1].astype(np.float32),
        transform=transform,
        coarse=_triangles(transform, rate_hz, spec),
        slope=(away / max(float(away @ away), 1e-12)).astype(np.float32),
    )


def _triangles(transform: int, rate_hz: int, spec: VibrationSpec) -> Floats:
    """Give overlapping bands, equally spaced in log frequency, none narrower than two lines of the spectrum."""
    line_hz = rate_hz / transform
    freq_hz = np.arange(transform // 2 + 1) * line_hz
    edges_hz = np.geomspace(spec.low_hz, spec.high_hz, spec.bands + 2)
    centre_hz = edges_hz[1:-1]
    below = np.maximum(centre_hz - edges_hz[:-2], line_hz)
    above = np.maximum(edges_hz[2:] - centre_hz, line_hz)
    away = freq_hz[:, None] - centre_hz
    return np.maximum(0.0, 1.0 - np.where(away < 0, -away / below, away / above)).astype(np.float32)


def _power(spectrum: NDArray[np.complexfloating]) -> Floats:
    power: Floats = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def _log_share(energy: Floats) -> Floats:
    """Give the natural logarithm of each band's share of the energy of all axes, shape as given."""
    share: Floats = np.log(energy / (energy.sum() + np.float32(SILENCE)) + np.float32(FLOOR))
    return share


def _bands(x: Floats, basis: _Basis) -> Floats:
    return _log_share(_power(np.fft.rfft(x * basis.taper, basis.whole, axis=1)) @ basis.fine)


def _decay(x: Floats, basis: _Basis) -> Floats:
    """Give the slope of each band's log energy over the frames, in nepers per 0.1 s, shape (axes, bands)."""
    energy = _frame_energy(x, basis)
    floor = np.float32(FLOOR) * energy.sum(axis=(0, 2), keepdims=True).max() + np.float32(SILENCE)
    decay: Floats = basis.slope @ np.log(energy + floor) * np.float32(0.1)
    return decay


def _frame_energy(x: Floats, basis: _Basis) -> Floats:
    """Give the energy of each band in each frame, shape (axes, frames, bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(x, len(basis.frame_taper), axis=1)[:, basis.starts]
    energy: Floats = _power(np.fft.rfft(frames * basis.frame_taper, basis.transform, axis=2)) @ basis.coarse
    return energy


def _envelope(power: Floats, mean_square: Floats, rate_hz: float) -> Floats:
    """Give the log spectrum of the envelope's variation in bands, relative to its mean, shape (axes, bands)."""
    block = max(int(ENVELOPE_MS * rate_hz / 1000.0), 1)
    count = power.shape[1] // block
    blocks = np.sqrt(power[:, : count * block].reshape(AXES, count, block).mean(axis=2) / mean_square[:, None])
    spectrum = np.abs(np.fft.rfft(blocks - blocks.mean(axis=1, keepdims=True), axis=1)) / np.float32(count)
    edges = np.linspace(1, spectrum.shape[1], ENVELOPE_BANDS + 1).astype(np.intp)
    sums = np.add.reduceat(spectrum, np.minimum(edges[:-1], spectrum.shape[1] - 1), axis=1)
    return np.log(sums + np.float32(1e-3), dtype=np.float32)


def _shape(x: Floats, power: Floats, mean_square: Floats) -> Floats:
    """Give log RMS, log kurtosis and log crest factor of each axis, shape (axes, 3)."""
    kurtosis = np.square(power).mean(axis=1) / np.square(mean_square)
    crest = np.abs(x).max(axis=1) / np.sqrt(mean_square)
    return np.stack([0.5 * np.log(mean_square), np.log(kurtosis + 1e-3), np.log(crest + 1e-3)], axis=1)
