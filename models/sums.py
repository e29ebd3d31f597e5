"""Integer statistics of embeddings that can be added, subtracted and restricted without losing a bit.

Pure arithmetic on values: no classes, no files. Floats appear only in the scatter that a head is solved from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.embedding import MAX_NORM2, SCALE

MAX_VECTORS: Final = 2**34
"""No sum of products of so many vectors with |q|^2 <= 2^28 leaves int64."""

_EXACT_ROWS: Final = 2**24
"""A float64 sum of so many products below 2^28 is an exact integer, and it is BLAS that computes it."""


class Key(NamedTuple):
    """What the statistics are kept apart by.

    Attributes:
        slug: the class.
        modalities: what the samples were perceived by, in the order of the embedding.
    """

    slug: str
    modalities: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sums:
    """What is known of a set of embeddings.

    Attributes:
        vectors: how many embeddings (n).
        samples: how many things they are of (m); one sample gives several vectors by augmentation.
        total: sum of q, shape (k,), int64.
        products: sum of q qT, upper triangle row by row, shape (k (k + 1) / 2,), int64.
    """

    vectors: int
    samples: int
    total: NDArray[np.int64]
    products: NDArray[np.int64]

    @classmethod
    def of(cls, rows: NDArray[np.int16]) -> Self:
        """Give the sums of one sample's vectors, shape (n, k)."""
        if len(rows) > _EXACT_ROWS:
            raise ValueError(f"{len(rows)} vectors of one sample, at most {_EXACT_ROWS}")
        q = rows.astype(np.float64)
        products = (q.T @ q)[upper(rows.shape[1])]
        return cls(len(rows), 1, rows.sum(axis=0, dtype=np.int64), products.astype(np.int64))

    def __add__(self, other: Sums) -> Sums:
        return Sums.added([self, other])

    def __sub__(self, other: Sums) -> Sums:
        return Sums(
            self.vectors - other.vectors,
            self.samples - other.samples,
            self.total - other.total,
            self.products - other.products,
        )

    @staticmethod
    def added(all_sums: Sequence[Sums]) -> Sums:
        """Add up at least one; raise `ValueError` where the result could leave int64."""
        vectors = sum(sums.vectors for sums in all_sums)
        if vectors > MAX_VECTORS:
            raise ValueError(f"{vectors} vectors, at most {MAX_VECTORS}")
        total, products = all_sums[0].total.copy(), all_sums[0].products.copy()
        for sums in all_sums[1:]:
            total += sums.total
            products += sums.products
        return Sums(vectors, sum(sums.samples for sums in all_sums), total, products)

    def restricted(self, dims: NDArray[np.bool_]) -> Sums:
        """Give the sums that the same vectors have in the dimensions where `dims`, shape (k,), is true."""
        if dims.all():
            return self
        rows, columns = upper(len(dims))
        return Sums(self.vectors, self.samples, self.total[dims], self.products[dims[rows] & dims[columns]])

    def scatter(self) -> NDArray[np.float64]:
        """Give the sum of (z - mean)(z - mean)T, upper triangle row by row, shape (k (k + 1) / 2,)."""
        s = self.total.astype(np.float64)
        scatter: NDArray[np.float64] = np.outer(s, s).take(flat_upper(len(s)))
        scatter /= self.vectors
        np.subtract(self.products, scatter, out=scatter)
        scatter /= SCALE**2
        return scatter

    def flaw(self) -> str | None:
        """Say why no set of vectors with |q|^2 <= 2^28 can have these sums; None when nothing speaks against it.

        Where there are vectors, n * sum(q_i^2) >= (sum q_i)^2 in every dimension, in integers of any size.
        """
        if not 1 <= self.samples <= self.vectors <= MAX_VECTORS:
            return f"{self.samples} samples in {self.vectors} vectors"
        k = len(self.total)
        first = np.arange(k)
        squares: NDArray[Any] = self.products[first * k - first * (first - 1) // 2].astype(object)
        total: NDArray[Any] = self.total.astype(object)
        if (squares * self.vectors < total * total).any():
            return "squares smaller than the mean allows"
        most = self.vectors * MAX_NORM2
        if sum(squares) > most or self.products.max() > most or self.products.min() < -most:
            return "products larger than |q| allows"
        return None

    @property
    def is_zero(self) -> bool:
        """Nothing is left."""
        return not (self.vectors or self.samples or self.total.any() or self.products.any())


@cache
def flat_upper(k: int) -> NDArray[np.intp]:
    """Where the upper triangle is in a matrix (k, k) that is written row by row."""
    rows, columns = upper(k)
    flat: NDArray[np.intp] = rows * k + columns
    return flat


@cache
def upper(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column numbers of the upper triangle, row by row."""
    rows, columns = np.triu_indices(k)
    return rows, columns
