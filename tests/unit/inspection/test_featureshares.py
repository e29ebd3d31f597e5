"""Features share what is linear in them, to the last bit of it; what is not linear is not shared out."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.inspection.featureshares import FeatureShares, feature_shares
from models.source import VibrationSpec

SPEC = VibrationSpec(80.0, 10.0, 2.0, 4, 100.0, 8000.0)
EACH = 2 * SPEC.bands + 19
RNG = np.random.default_rng(1)
MIX = RNG.normal(size=(3, EACH, 5))
WEIGH = RNG.normal(size=5)
FEATURES = RNG.normal(size=(1, 3 * EACH)).astype(np.float32)
GOOD = RNG.normal(size=(1, 3 * EACH)).astype(np.float32).astype(np.float64)
SHARES = np.array([3.0, -1.0, 0.5])


def linear(features: np.ndarray) -> np.ndarray:
    return np.einsum("af,afd->ad", features.reshape(3, EACH), MIX) + 2.0


def squared(features: np.ndarray) -> np.ndarray:
    return linear(features) ** 2


def made() -> FeatureShares:
    shares = feature_shares(FEATURES, GOOD, linear, WEIGH, SHARES, SPEC)
    assert shares is not None
    return shares


def test_each_feature_has_what_it_weighs_times_how_far_it_is_from_good() -> None:
    want = ((FEATURES - GOOD).reshape(3, EACH, 1) * MIX) @ WEIGH
    got = np.concatenate([made().bands, made().decays, made().envelope, made().statistics], axis=1)

    np.testing.assert_allclose(got, want, atol=1e-5)
    assert made().bands.shape == (3, SPEC.bands)
    assert made().envelope.shape == (3, 16)


def test_the_rest_is_what_no_feature_accounts_for() -> None:
    shares = made()
    told = shares.bands.sum(axis=1) + shares.decays.sum(axis=1)
    told += shares.envelope.sum(axis=1) + shares.statistics.sum(axis=1)

    np.testing.assert_allclose(told + shares.rest, SHARES)


def test_what_is_not_linear_has_no_shares() -> None:
    assert feature_shares(FEATURES, GOOD, squared, WEIGH, SHARES, SPEC) is None


def test_every_feature_has_a_name_of_its_own() -> None:
    named = dict(made().named())

    assert len(named) == 3 * EACH
    assert {"x 240 Hz", "y 1.4 kHz", "z 3.3 kHz decay", "x envelope band 16", "y crest factor"} <= named.keys()
    assert named["z kurtosis"] == pytest.approx(made().statistics[2, 1])
