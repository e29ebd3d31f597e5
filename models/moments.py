"""Mean and spread of many numbers at once, as integer sums that add up exactly in any order. Pure.

What is counted is the number in steps of 2^-12, so that sums of any split of the same examples are the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

STEPS: Final = 2**12
"""Steps in 1: the distance of two tokens is known to 0.00025, a logarithm of power to 0.001 dB."""

MAX_VALUE: Final = 2**10
"""Largest number that is counted; distances end at 2, logarithms of what a float32 holds before 100."""

MAX_COUNT: Final = 2**16
"""Most examples; no sum of so many squares leaves int64."""

FLOOR: Final = 0.01
"""No spread is taken as smaller. Rounding a token to int8 moves a distance by less, and so does 0.04 dB a band."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums of examples, each of the same shape.

    Attributes:
        count: how many examples.
        total: sum of the numbers [2^-12], int64.
        squares: sum of their squares [2^-24], int64, same shape.
    """

    count: int
    total: NDArray[np.int64]
    squares: NDArray[np.int64]

    @classmethod
    def of(cls, examples: ArrayLike) -> Self:
        """Count examples, shape (n, …).

        Args:
            examples: finite and between -1024 and 1024; n is 0 to 65,536.

        Returns:
            Their sums.

        Raises:
            ValueError: there are more, or other numbers.
        """
        values = np.asarray(examples, dtype=np.float64)
        if len(values) > MAX_COUNT:
            raise ValueError(f"{len(values)} examples, at most {MAX_COUNT}")
        if not (np.abs(values) <= MAX_VALUE).all():
            raise ValueError(f"want finite numbers between -{MAX_VALUE} and {MAX_VALUE}")
        steps = np.rint(values * STEPS).astype(np.int64)
        return cls(len(steps), steps.sum(axis=0), np.square(steps).sum(axis=0))

    def plus(self, other: Self) -> Self:
        """Add the sums of other examples; raise `ValueError` where they are of another shape or together too many."""
        if self.total.shape != other.total.shape or self.count + other.count > MAX_COUNT:
            raise ValueError(
                f"{self.count} examples of {self.total.shape} and {other.count} of {other.total.shape} do not add up; "
                f"at most {MAX_COUNT} of one shape"
            )
        return type(self)(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> Floats:
        """Mean of each number; `count` must not be 0."""
        mean: Floats = self.total / (STEPS * self.count)
        return mean

    @property
    def variance(self) -> Floats:
        """Variance of each number, unbiased; `count` must be 2 or more."""
        centred = self.squares / STEPS**2 - self.count * np.square(self.mean)
        variance: Floats = np.maximum(centred, 0.0) / (self.count - 1)
        return variance

    def flaw(self) -> str:
        """Say what no examples can have; empty where all is well."""
        n, most = self.count, MAX_VALUE * STEPS
        if not 0 <= n <= MAX_COUNT:
            return f"{n} examples"
        if self.total.shape != self.squares.shape:
            return f"sums of {self.total.shape} and squares of {self.squares.shape}"
        totals, squares = self.total.ravel().tolist(), self.squares.ravel().tolist()
        if any(not 0 <= s <= n * most**2 or t * t > n * s for t, s in zip(totals, squares, strict=True)):
            return "squares that are too small or too large for their sums"
        return ""


def standardised(values: ArrayLike, mean: Floats, variance: Floats) -> Floats:
    """Give how many spreads numbers lie above the mean, same shape; a spread below `FLOOR` is taken as that."""
    away: Floats = (np.asarray(values, dtype=np.float64) - mean) / np.maximum(np.sqrt(variance), FLOOR)
    return away
