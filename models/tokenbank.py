"""Tokens by place: how far each is from those that are kept, and which are kept. Pure integer arithmetic inside.

Dot products of int8 tokens are exact in float32 whatever the order of the sum, and everything after them is rounded
in one defined way, so that the same tokens give the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tokens = NDArray[np.floating] | NDArray[np.int8]
Small = NDArray[np.int8]

KEPT: Final = 16
"""Most tokens of a place. Measured: 8 lose up to 0.02 of the AUROC on crystalline surfaces, 32 gain nothing."""

REACH: Final = 1
"""How many places away a token may have come from."""

NEAREST: Final = 3

MAX_WIDTH: Final = 1024
"""A float32 sum of so many products of int8 is an exact integer, in whatever order BLAS adds."""

MAX_SIDE: Final = 256
"""Places of a row or column."""


class Bank:
    """Kept tokens, ready to be compared with.

    Args:
        tokens: shape (rows, columns, kept, width), int8.
        owners: number of the picture that each is from, (rows, columns, kept); None where nobody asks.
    """

    def __init__(self, tokens: Small, owners: NDArray[np.int64] | None = None) -> None:
        self._tokens = tokens.astype(np.float32)
        self._lengths = _lengths(self._tokens)
        self._owners = owners

    def distances(self, tokens: Small, but: int | None = None) -> Floats:
        """Give the mean distance of each token (rows, columns, width) to its nearest; without those that `but` owns."""
        rows, columns, kept, _ = self._tokens.shape
        asked = tokens.astype(np.float32)
        lengths = _lengths(asked)
        shifts = list(_shifts(rows, columns))
        alike = np.full((rows, columns, len(shifts), kept), -1.0)
        for i, (here, there) in enumerate(shifts):
            products = np.matmul(self._tokens[there], asked[here][..., None])[..., 0].astype(np.float64)
            cosine = products / (self._lengths[there] * lengths[here][..., None])
            if but is not None and self._owners is not None:
                cosine[self._owners[there] == but] = -1.0
            alike[(*here, i)] = cosine
        flat = alike.reshape(rows, columns, -1)
        count = min(NEAREST, flat.shape[2])
        nearest = np.sort(np.partition(flat, -count, axis=2)[:, :, -count:], axis=2)
        apart: Floats = np.sqrt(np.maximum(2.0 - 2.0 * nearest, 0.0)).mean(axis=2)
        return apart


def placed(tokens: Tokens, grid: tuple[int, int]) -> Tokens:
    """Give tokens (regions, width) their places, (rows, columns, width); raise `ValueError` where they have none."""
    rows, columns = grid
    if not (1 <= rows <= MAX_SIDE and 1 <= columns <= MAX_SIDE):
        raise ValueError(f"a grid of {rows} x {columns}, at most {MAX_SIDE} a side")
    if tokens.ndim != 2 or tokens.shape[0] != rows * columns or not 1 <= tokens.shape[1] <= MAX_WIDTH:
        raise ValueError(f"want {rows * columns} tokens of 1 to {MAX_WIDTH} numbers, got {tokens.shape}")
    return tokens.reshape(rows, columns, -1)


def rounded(tokens: Tokens) -> Small:
    """Round directions of tokens (…, width) to int8, or raise `ValueError` where they are not finite.

    One of zeros stays so, and what is int8 is taken as rounded.
    """
    if tokens.dtype == np.int8:
        return np.asarray(tokens, np.int8)
    values = tokens.astype(np.float64)
    largest = np.abs(values).max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError("tokens that are not finite numbers")
    return np.rint(values / np.where(largest > 0.0, largest, 1.0) * 127.0).astype(np.int8)


def _lengths(tokens: Tokens) -> Floats:
    """Give the lengths of tokens (…, width) of whole numbers; that of zeros is 1, so that they are alike to nothing."""
    squared = np.matmul(tokens[..., None, :], tokens[..., None])[..., 0, 0].astype(np.float64)
    lengths: Floats = np.sqrt(np.maximum(squared, 1.0))
    return lengths


def _shifts(rows: int, columns: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Give for each shift inside `REACH` the places that it leads from and the ones that it leads to."""
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            if abs(down) < rows and abs(right) < columns:
                here = slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right))
                there = slice(max(0, down), rows + min(0, down)), slice(max(0, right), columns + min(0, right))
                yield here, there


def smoothed(values: Floats) -> Floats:
    """Give the mean over each place and those inside `REACH`, at the border of those that there are."""
    total, count = np.zeros(values.shape), np.zeros(values.shape)
    for here, there in _shifts(*values.shape):
        total[here] += values[there]
        count[here] += 1.0
    return total / count


def chosen(pictures: Small) -> tuple[Small, NDArray[np.int64]]:
    """Choose the tokens that are kept.

    Args:
        pictures: shape (n, rows, columns, width).

    Returns:
        The kept ones, (rows, columns, min(n, KEPT), width), sorted; and the picture that each is from,
        (rows, columns, kept), -1 where several have it at this place.
    """
    count, rows, columns, width = pictures.shape
    kept = min(count, KEPT)
    tokens = np.empty((rows, columns, kept, width), np.int8)
    owners = np.empty((rows, columns, kept), np.int64)
    for row in range(rows):
        for column in range(columns):
            own = pictures[:, row, column]
            order = np.lexsort(own.T[::-1])
            ordered = own[order]
            equal = (ordered[1:] == ordered[:-1]).all(axis=1)
            shared = np.concatenate([[False], equal]) | np.concatenate([equal, [False]])
            picked = sorted(_farthest(ordered, kept))
            tokens[row, column] = ordered[picked]
            owners[row, column] = np.where(shared, -1, order)[picked]
    return tokens, owners


def _farthest(tokens: Small, count: int) -> Sequence[int]:
    """Pick the most central token and then, time after time, the one farthest from all picked; `tokens` are sorted."""
    values = tokens.astype(np.float32)
    lengths = _lengths(values)
    centre = tokens.sum(axis=0, dtype=np.int64)
    picked = [int(np.argmax((tokens.astype(np.int64) @ centre) / lengths))]
    nearest = np.full(len(tokens), -np.inf)
    while len(picked) < count:
        last = picked[-1]
        nearest = np.maximum(nearest, (values @ values[last]).astype(np.float64) / (lengths * lengths[last]))
        nearest[picked] = np.inf
        picked.append(int(np.argmin(nearest)))
    return picked
