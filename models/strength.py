"""How many samples a bundle's prior is worth where kinds of defects are told apart: chosen by what was taught. Pure.

The scatter W inside the classes is how probable, where their covariance is drawn from an inverse Wishart distribution
around the prior Sigma_0 that is worth k samples? The samples lie around means that are estimated from them, and each
mean costs one of them: W of m samples in C groups with a mean each is Wishart distributed with n = m - C degrees of
freedom, and a group of one sample says nothing. What is probable of W has then a closed form (the marginal likelihood
of a normal distribution; Gelman et al., *Bayesian Data Analysis*, section 3.6), with nu = k + d + 1 but for what is the
same for every k:

    log Gamma_d((nu + n) / 2) - log Gamma_d(nu / 2) + nu / 2 log |k Sigma_0| - (nu + n) / 2 log |k Sigma_0 + W|

It depends on the sums alone, so what is forgotten leaves no trace in the choice. Blocks of different modalities count
apart, since a sample may lack one of them, and their logarithms are added. Few multiples are tried, so that the last
bit of a logarithm decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MULTIPLES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Of what the bundle says that its prior is worth; never less, as it was fitted on more than a station sees."""

NEAR: Final = 1e-6
"""Share of its logarithm by which a larger multiple must be more probable: more than rounding makes of it."""


class Spread(NamedTuple):
    """How far samples lie from the mean of their group, in the dimensions of one modality.

    Attributes:
        scatter: of the samples (W), shape (k, k).
        freedom: degrees of freedom of that, samples less groups (n).
        prior: covariance that was to be expected (Sigma_0), shape (k, k).
    """

    scatter: Floats
    freedom: float
    prior: Floats


def chosen(spreads: Sequence[Spread], strength: float) -> float:
    """Choose how many samples the prior is worth.

    Args:
        spreads: what was taught, by modality.
        strength: what the bundle says that it is worth.

    Returns:
        One of its `MULTIPLES`.

    Raises:
        LinAlgError: the scatter is not that of any embeddings.
    """
    best = strength * MULTIPLES[0]
    most = sum(_evidence(spread, best) for spread in spreads)
    for multiple in MULTIPLES[1:]:
        evidence = sum(_evidence(spread, strength * multiple) for spread in spreads)
        if evidence - most > NEAR * abs(most):
            best, most = strength * multiple, evidence
    return best


def _evidence(spread: Spread, k: float) -> float:
    d, n = len(spread.prior), spread.freedom
    nu = k + d + 1.0
    gammas = sum(lgamma((nu + n - j) / 2.0) - lgamma((nu - j) / 2.0) for j in range(d))
    return gammas + nu / 2.0 * _logdet(k * spread.prior) - (nu + n) / 2.0 * _logdet(k * spread.prior + spread.scatter)


def _logdet(matrix: Floats) -> float:
    return 2.0 * float(np.log(np.diagonal(np.linalg.cholesky(matrix))).sum())
