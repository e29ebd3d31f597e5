"""Knowledge with noise, which may leave a station without giving any one sample away (differential privacy).

Off unless it is called: what stays at the station is exact. Pure but for the source of randomness. How much several
releases give away together, and what the noise costs, is in `privacy`.

**What is promised.** An attacker who sees every release, and knows every other sample, can hardly tell whether one
sample was taught: two states of knowledge that differ by one sample, with all its vectors, are (epsilon, delta)
indistinguishable. What is not hidden, because it is no sample: recipe, bundle, dimensions, the list of what is
released, K, the number of vectors that every sample of a class has, and how long the drawing took. The list must not
depend on what was taught: a class on it is released even where it has no sample.

**Sensitivity.** A sample of K vectors q with |q| <= R = 2^14 changes the statistics of one group, and of them

- m, the number of samples, by 1, and n = K m, which is not released of its own;
- s, the sum of q, by at most K R in L2, as |sum q| <= sum |q|;
- S, the sum of q qT, by at most K R^2 in the norm of the whole matrix, as |q qT| = |q|^2; of its upper triangle that
  is the L2 norm once every product off the diagonal counts sqrt(2) times.

So (m, s / (K R), S / (K R^2)) changes by at most sqrt(3) in L2, and by just that when all K vectors are equal and as
long as may be: the bound cannot be smaller. In vectors instead of samples it is K sqrt(3).

**Noise.** Independent discrete Gaussians of variance 3 sigma^2, 3 (sigma K R)^2 and 3 (sigma K R^2)^2, off the diagonal
half of that, rounded up. The squares of all changes over their variances then add up to at most 1 / sigma^2, so a
release has Renyi divergence of order alpha at most alpha / (2 sigma^2) (Canonne, Kamath and Steinke 2020, proposition
5): that of the Gaussian mechanism with noise multiplier sigma, which is what is composed over the releases.

**Back to knowledge.** Noised sums are not those of any vectors. A class with less than one sample is left out. s is
shortened to what n vectors can reach. The scatter S - s sT / n becomes the nearest one (Frobenius) without negative
eigenvalues whose trace leaves |q|^2 at most R^2 on average: all eigenvalues are lowered alike, none below zero. A mean
known with noise has that noise around it as well: its variance is kept in every direction, as far as the trace allows,
or the solved head would trust directions in which nothing but noise was seen. What is computed from noised sums gives
no more away than they do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import repeat
from random import Random
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.embedding import MAX_NORM2, SCALE, Span
from models.knowledge import SLUG, Knowledge
from models.noise import discrete_gaussian
from models.sums import MAX_VECTORS, Key, Sums, upper

SENSITIVITY: Final = math.sqrt(3.0)
"""Most that one sample changes in a release [samples]."""

MIN_SIGMA: Final = 2.0**-10
"""With less noise than this there is no privacy to speak of; epsilon is some hundred thousand."""

MAX_SIGMA: Final = 2.0**20

Floats = NDArray[np.float64]


class Variances(NamedTuple):
    """Of the noise on each statistic of a group, in the units of `Sums`.

    Attributes:
        samples: on m.
        total: on each element of s.
        square: on each element of the diagonal of S.
        product: on each element off the diagonal.
    """

    samples: int
    total: int
    square: int
    product: int

    @classmethod
    def of(cls, vectors: int, sigma: float) -> Variances:
        """Give those for samples of `vectors` vectors each (K) and noise multiplier `sigma`."""
        if not MIN_SIGMA <= sigma <= MAX_SIGMA:
            raise ValueError(f"want sigma from {MIN_SIGMA:g} to {MAX_SIGMA:g}, got {sigma}")
        if not 1 <= vectors <= MAX_VECTORS:
            raise ValueError(f"want 1 to {MAX_VECTORS} vectors of a sample, got {vectors}")
        sample = 3 * Fraction(sigma) ** 2
        vector = sample * vectors**2
        wanted = sample, vector * SCALE**2, vector * SCALE**4, vector * SCALE**4 / 2
        return cls(*(math.ceil(variance) for variance in wanted))


def noised(knowledge: Knowledge, vectors: Mapping[Key, int], sigma: float, source: Random) -> Knowledge:
    """Give what may leave the station in place of `knowledge`.

    Args:
        knowledge: what the station's own samples taught; what it had from others is not its to release.
        vectors: the public list: what is released, and how many vectors every sample of it has (K). The sums show
            only that this is so on average; that it is so for each is the caller's word. Anything else that was
            taught stays at the station.
        sigma: noise multiplier.
        source: of randomness. A release is only as private as this is unpredictable: `random.SystemRandom()` is
            meant for it, the operating system's; a seeded `Random` is for tests and studies alone.

    Returns:
        Knowledge, valid and with noise; classes that the noise took below one sample are missing.

    Raises:
        ValueError: sigma or the list is none, or a sample has another number of vectors than the list says.
    """
    released = {}
    for key, count in sorted(vectors.items()):
        variances, size = Variances.of(count, sigma), _size(key, knowledge.spans)
        nothing = Sums(0, 0, np.zeros(size, dtype=np.int64), np.zeros(size * (size + 1) // 2, dtype=np.int64))
        sums = knowledge.groups.get(key, nothing)
        if sums.vectors != count * sums.samples:
            raise ValueError(
                f"{key.slug} has {sums.vectors} vectors of {sums.samples} samples, not {count} of each: "
                f"the noise would not cover them"
            )
        samples = min(sums.samples + discrete_gaussian(variances.samples, source), MAX_VECTORS // count)
        if samples >= 1:
            total = _with_noise(sums.total, repeat(variances.total, size), source)
            places = zip(*upper(size), strict=True)
            spread = (variances.square if row == column else variances.product for row, column in places)
            products = _with_noise(sums.products, spread, source)
            released[key] = _nearest(samples, count, total, products, variances.total)
    return replace(knowledge, groups=released)


def _size(key: Key, spans: Sequence[Span]) -> int:
    """Give the number of dimensions that a group is about."""
    own = [span for span in spans if span.modality in key.modalities]
    if not SLUG.fullmatch(key.slug) or not own or tuple(span.modality for span in own) != key.modalities:
        raise ValueError(f"no class {key.slug!r} with {' and '.join(key.modalities) or 'nothing'} can be taught")
    return sum(span.stop - span.start for span in own)


def _with_noise(sums: NDArray[np.int64], variances: Iterable[int], source: Random) -> Floats:
    """Add the noise in integers of any size; only what can no longer give anything away becomes a float."""
    pairs = zip(sums.tolist(), variances, strict=True)
    return np.array([value + discrete_gaussian(variance, source) for value, variance in pairs], dtype=np.float64)


def _nearest(samples: int, count: int, total: Floats, products: Floats, on_total: int) -> Sums:
    """Give the valid sums next to noised ones.

    Args:
        samples: m, at least 1.
        count: vectors of each sample (K).
        total: s with noise, shape (k,).
        products: S with noise, upper triangle.
        on_total: variance of the noise on each element of s.

    Returns:
        The sums.
    """
    size, n = len(total), samples * count
    margin = size * (1.0 + n * MAX_NORM2 * 2.0**-50)  # what integers and float64 may round away [q^2]
    most = n * MAX_NORM2 - 2.0 * size * margin
    length = max(float(np.linalg.norm(total)), 1.0)
    total = np.trunc(total * min(1.0, math.sqrt(n * most) / length))
    outer = np.outer(total, total) / n
    room = max(most - float(np.trace(outer)), 0.0)
    own = min(on_total / n, room / size)
    rows, columns = upper(size)
    whole = np.empty((size, size))
    whole[rows, columns] = whole[columns, rows] = products
    values, axes = np.linalg.eigh(whole - outer)
    values = _lowered(values, room - own * size) + own + margin
    valid = np.rint((axes * values) @ axes.T + outer)
    return Sums(n, samples, total.astype(np.int64), valid[rows, columns].astype(np.int64))


def _lowered(values: Floats, most: float) -> Floats:
    """Give the nearest values (L2) that are not negative and add up to at most `most`."""
    most = max(most, 0.0)
    kept: Floats = np.maximum(values, 0.0)
    if kept.sum() > most:
        falling = np.sort(values)[::-1]
        excess = (np.cumsum(falling) - most) / np.arange(1, len(values) + 1)
        kept = np.maximum(values - excess[np.flatnonzero(falling >= excess)[-1]], 0.0)
        kept *= most / max(float(kept.sum()), most, 1.0)  # where the noise is so large that float64 lost the rest
    return kept
