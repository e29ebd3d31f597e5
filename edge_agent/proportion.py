"""A share and how sure it is, by one of two intervals. Pure arithmetic.

Wilson's is the narrower one, right on average, for what a person reads at a glance; that of Clopper and Pearson never
promises too much, for what a limit is set by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

Z_95: Final = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

TAIL: Final = 0.025
"""What the 95 % interval leaves out at each end."""

BISECTIONS: Final = 50
"""Halving [0, 1] so often leaves less than a float64 can tell from nothing."""


@dataclass(frozen=True)
class Proportion:
    """A share with its 95 % interval.

    Attributes:
        count: how many.
        of: of how many.
        mean: the share; NaN of none.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    count: int
    of: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if not self.of:
            return "–"
        return f"{self.mean:6.1%}  ({self.count} of {self.of}, 95 %: {self.low:.0%}–{self.high:.0%})"


NOTHING: Final = Proportion(0, 0, math.nan, 0.0, 1.0)
"""A share of nothing."""


def wilson(count: int, of: int) -> Proportion:
    """Give `count` of `of` with the score interval (Wilson, JASA 22, 1927)."""
    if not of:
        return NOTHING
    p, z2 = count / of, Z_95**2
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return Proportion(count, of, p, max(0.0, centre - half), min(1.0, centre + half))


def exact(count: int, of: int) -> Proportion:
    """Give `count` of `of` with the exact interval (Clopper and Pearson, Biometrika 26, 1934).

    It is made of the shares under which neither so many nor so few would be odd.

    Args:
        count: how many.
        of: of how many.

    Returns:
        The share.
    """
    if not of:
        return NOTHING
    low = 0.0 if count == 0 else _share_where(count, of, of, TAIL)
    high = 1.0 if count == of else 1.0 - _share_where(of - count, of, of, TAIL)
    return Proportion(count, of, count / of, low, high)


def _share_where(first: int, last: int, of: int, tail: float) -> float:
    """Give the share p with which `first` to `last` of `of` come with the probability `tail`; it grows with p."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, of + 1)))])
    k = np.arange(first, last + 1)
    ways = logs[of] - logs[k] - logs[of - k]
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        p = (low + high) / 2
        if np.exp(ways + k * math.log(p) + (of - k) * math.log1p(-p)).sum() < tail:
            low = p
        else:
            high = p
    return (low + high) / 2
