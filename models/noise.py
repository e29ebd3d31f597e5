"""Exact samples of the discrete Gaussian: whole numbers only, so that no rounding of a float gives anything away.

Canonne, Kamath and Steinke (2020), "The discrete Gaussian for differential privacy", algorithms 1 to 3. Pure but for
the source of randomness, which is the caller's.
"""

from __future__ import annotations

import math
from random import Random


def discrete_gaussian(variance: int, source: Random) -> int:
    """Draw a whole number x with probability proportional to exp(-x^2 / (2 variance)).

    Args:
        variance: 1 or above; that of the numbers drawn is never above it, and the same but for 3 in 10^7 or less.
        source: of uniform numbers; only those of `random.SystemRandom` cannot be guessed.

    Returns:
        The number.

    Raises:
        ValueError: the variance is below 1.
    """
    if variance < 1:
        raise ValueError(f"the variance must be 1 or above, got {variance}")
    scale = math.isqrt(variance) + 1
    while True:
        x = _discrete_laplace(scale, source)
        if _happens((abs(x) * scale - variance) ** 2, 2 * variance * scale**2, source):
            return x


def _discrete_laplace(scale: int, source: Random) -> int:
    """Draw x with probability proportional to exp(-|x| / scale)."""
    while True:
        rest = source.randrange(scale)
        if not _happens(rest, scale, source):
            continue
        wholes = 0
        while _happens(1, 1, source):
            wholes += 1
        size = rest + scale * wholes
        if source.getrandbits(1) == 0:
            return size
        if size:  # or zero would be drawn twice as often
            return -size


def _happens(numerator: int, denominator: int, source: Random) -> bool:
    """Say yes with probability exp(-numerator / denominator)."""
    while numerator > denominator:
        if not _happens(1, 1, source):
            return False
        numerator -= denominator
    k = 1
    while source.randrange(denominator * k) < numerator:
        k += 1
    return k % 2 == 1
