"""How sure counts are: a proportion with its interval, and whether paired answers became worse. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z_95: Final = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Proportion:
    """Some of many, with the 95 % Wilson score interval (Wilson, JASA 22, 1927).

    Attributes:
        count: how many.
        of: of how many, 1 or more.
        mean: the proportion.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    count: int
    of: int
    mean: float
    low: float
    high: float


def proportion(count: int, of: int) -> Proportion | None:
    """Give `count` of `of` with its interval; None of none."""
    if not of:
        return None
    p, z2 = count / of, Z_95**2
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return Proportion(count, of, p, max(0.0, centre - half), min(1.0, centre + half))


def loss_p_value(lost: int, gained: int) -> float:
    """Give how probable so many losses are where nothing really became worse: McNemar's exact test, one-sided.

    Answers that stayed right or wrong say nothing; of those that changed, each would be a loss with probability 1/2
    (McNemar, Psychometrika 12, 1947, in its binomial form).

    Args:
        lost: things that were right before and are wrong after.
        gained: things that were wrong before and are right after.

    Returns:
        P(at least `lost` of `lost` + `gained`); 1 where nothing was lost.
    """
    changed = lost + gained
    ways = sum(math.comb(changed, k) for k in range(lost, changed + 1))
    return ways / (1 << changed)
