"""What figures are made of: spreads, the limit that held-out scores set, the area under a ROC curve.

Pure arithmetic; it knows no pictures and no classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

QUANTILES: Final = (0.025, 0.975)
"""Between these lie 95 % of the episodes."""


@dataclass(frozen=True)
class Interval:
    """A figure over the episodes.

    Attributes:
        mean: over all episodes.
        low: 2.5 % of the episodes are below.
        high: 2.5 % of the episodes are above.
    """

    mean: float
    low: float
    high: float


def interval(values: Floats) -> Interval:
    """Give mean and spread over the episodes, one value each; NaN where an episode says nothing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(math.nan, math.nan, math.nan)
    low, high = np.quantile(known, QUANTILES)
    return Interval(mean(known), float(low), float(high))


def mean(values: ArrayLike) -> float:
    """Give the mean of what is not NaN; NaN of nothing."""
    numbers = np.asarray(values, dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if len(known) else math.nan


def ratio(count: ArrayLike, of: ArrayLike) -> Floats:
    """Divide element by element; NaN where `of` is 0."""
    whole = np.asarray(of, dtype=np.float64)
    quotient: Floats = np.divide(count, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return quotient


def conformal_limit(calibration: Floats, rate: float) -> float | None:
    """Give the score that at most a share `rate` of further scores of the same kind exceeds, on average.

    Args:
        calibration: held-out scores, shape (n,), in any order.
        rate: the share, between 0 and 1.

    Returns:
        The split-conformal quantile; None where there are fewer than 1 / rate - 1 scores, which is too few for any.
    """
    beyond = math.floor(rate * (len(calibration) + 1) + 1e-9)
    return float(np.sort(calibration)[len(calibration) - beyond]) if beyond else None


def auroc(low: Floats, high: Floats) -> float:
    """Give the probability that a score of `high` is above one of `low`, equal ones counted half; NaN without any."""
    if not len(low) or not len(high):
        return math.nan
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, side="right")
    return float(below.mean() / (2 * len(low)))
