"""Which features of a vibration window an axis's share comes from, where the encoder is linear in them.

Pure: how an axis answers to features is passed in. Attention is held as it came out; then what an axis adds to the raw
values is linear in its features, each counts for what would be missing were it as in good parts, and the order in which
that is asked does not matter. Whether an encoder is linear is not taken on trust: all features changed at once must do
what they do one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.features import AXES, ENVELOPE_BANDS, STATISTICS
from models.source import VibrationSpec

Floats = NDArray[np.float64]

AXIS_NAMES: Final = ("x", "y", "z")
STATISTIC_NAMES: Final = ("level", "kurtosis", "crest factor")

LINEAR: Final = 1e-3
"""By how much, relatively, single changes of float32 tensors may miss the change of all at once."""


@dataclass(frozen=True, eq=False)
class FeatureShares:
    """Shares of a window's features [logit]; the first index is the axis, and all of an axis add up to its share.

    Attributes:
        band_hz: centre of each band, (bands,).
        bands: loudness of each band, (axes, bands).
        decays: how fast each band decays, (axes, bands).
        envelope: each band of the envelope's spectrum, (axes, bands of it).
        statistics: level, kurtosis and crest factor, (axes, 3).
        rest: what no feature accounts for, (axes,): attention and length that are not those of good parts.
    """

    band_hz: Floats
    bands: Floats
    decays: Floats
    envelope: Floats
    statistics: Floats
    rest: Floats

    def named(self) -> Iterator[tuple[str, float]]:
        """Give every feature's share with its name for people."""
        for axis, name in enumerate(AXIS_NAMES):
            for hz, loudness, decay in zip(self.band_hz, self.bands[axis], self.decays[axis], strict=True):
                yield f"{name} {_hz(hz)}", float(loudness)
                yield f"{name} {_hz(hz)} decay", float(decay)
            for number, share in enumerate(self.envelope[axis], 1):
                yield f"{name} envelope band {number}", float(share)
            for statistic, share in zip(STATISTIC_NAMES, self.statistics[axis], strict=True):
                yield f"{name} {statistic}", float(share)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


def feature_shares(
    features: NDArray[np.float32],
    good: Floats,
    hear: Callable[[NDArray[np.float32]], Floats],
    weigh: Floats,
    shares: Floats,
    spec: VibrationSpec,
) -> FeatureShares | None:
    """Share out what the axes have among their features.

    Args:
        features: of the window, (1, F).
        good: mean features of good parts, (1, F).
        hear: gives what each axis adds to the raw values, (axes, dims), attention held.
        weigh: what each of these values counts for [logit], (dims,).
        shares: of the axes, (axes,).
        spec: how the window was looked at.

    Returns:
        The shares of the features, or None where the axes are not linear in them.
    """
    each = features.shape[1] // AXES
    here, as_good = hear(features), good.astype(np.float32)
    single = np.empty((AXES, each, len(weigh)))
    for feature in range(each):
        changed = features.copy()
        changed[:, feature::each] = as_good[:, feature::each]
        single[:, feature] = here - hear(changed)
    together = here - hear(as_good)
    if np.linalg.norm(single.sum(axis=1) - together) > LINEAR * np.linalg.norm(single, axis=2).sum():
        return None
    linear = single @ weigh
    bands, decays, envelope, statistics = np.split(linear, np.cumsum([spec.bands, spec.bands, ENVELOPE_BANDS]), axis=1)
    assert statistics.shape[1] == STATISTICS
    centre_hz = np.geomspace(spec.low_hz, spec.high_hz, spec.bands + 2)[1:-1]
    return FeatureShares(centre_hz, bands, decays, envelope, statistics, shares - linear.sum(axis=1))


def _hz(hz: float) -> str:
    return f"{hz / 1000.0:.1f} kHz" if hz >= 1000.0 else f"{hz:.0f} Hz"
