"""The embedding z: how the blocks of the modalities are put together, and its integer form q.

Everything that is stored, counted or judged is q; z is only its value as real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.manifest import Block

SCALE: Final = 2**14
"""q = trunc(z * SCALE): the largest power of two with which |z| <= 1 fits int16."""

MAX_NORM2: Final = SCALE**2
"""Largest |q|^2; truncating toward zero keeps |z| <= 1 below it."""


class Span(NamedTuple):
    """The dimensions start to stop - 1, owned by one modality."""

    modality: str
    start: int
    stop: int


def assemble(blocks: Sequence[Block], raw: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Put the raw values of the modalities that are there together to z.

    Args:
        blocks: who owns which dimensions.
        raw: the raw values by modality, each with as many elements as its block; an absent modality is left out.

    Returns:
        z, shape (d,), |z| <= 1; the block of an absent modality is zero.

    Raises:
        ValueError: a modality has no block, the wrong size, or no length (all zero or not finite).
    """
    z = np.zeros(blocks[-1].stop)
    if strangers := raw.keys() - {block.modality for block in blocks}:
        raise ValueError(f"no block for {', '.join(sorted(strangers))}")
    for block in blocks:
        if block.modality in raw:
            values = np.asarray(raw[block.modality], dtype=np.float64).reshape(-1)
            length = float(np.linalg.norm(values))
            if len(values) != block.stop - block.start or not 0.0 < length < np.inf:
                raise ValueError(
                    f"{block.modality}: want {block.stop - block.start} finite values that are not all zero, "
                    f"got {len(values)} of length {length}"
                )
            z[block.start : block.stop] = values * (block.weight**0.5 / length)
    return z


def quantise(z: ArrayLike) -> NDArray[np.int16]:
    """Give q = trunc(z * 2^14).

    Args:
        z: embeddings, shape (..., d), |z| <= 1 but for rounding errors.

    Returns:
        q, same shape; |q|^2 <= 2^28.

    Raises:
        ValueError: an embedding is not finite or clearly longer than 1.
    """
    values = np.asarray(z, dtype=np.float64)
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    if not (length <= 1.0 + 1e-5).all():
        raise ValueError(f"an embedding must have |z| <= 1, got {length.max()}")
    q: NDArray[np.int16] = np.trunc(values / np.maximum(length, 1.0) * SCALE).astype(np.int16)
    return q


def dequantise(q: ArrayLike) -> NDArray[np.float64]:
    """Give z = q / 2^14, same shape."""
    return np.asarray(q, dtype=np.float64) / SCALE
