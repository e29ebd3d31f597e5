"""A share and how sure it is: exact for any number, however small. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

TAIL: Final = 0.025
"""What the 95 % interval leaves out at each end."""

BISECTIONS: Final = 50
"""Halving [0, 1] so often leaves less than a float64 can tell from nothing."""


@dataclass(frozen=True)
class Proportion:
    """A share with its exact 95 % interval (Clopper and Pearson, Biometrika 26, 1934).

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


def proportion(count: int, of: int) -> Proportion:
    """Give `count` of `of` with its interval: the shares under which neither so many nor so few would be odd."""
    if not of:
        return Proportion(0, 0, math.nan, 0.0, 1.0)
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
