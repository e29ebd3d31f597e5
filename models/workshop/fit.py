"""How the generic bundle's projection and prior follow from features of labelled pictures and windows. Pure numpy.

Nothing is trained by gradient: a projection is a principal component analysis with half or full whitening, the prior
is the mean covariance inside the classes of many lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR: Final = 1e-6
"""Smallest variance of a component that is whitened, of the largest: few samples have none in most directions."""

LOOSE: Final = 2.0
"""Chosen on two of the seven pairs of classes of X-SDD that were left out (decision 36)."""

RIDGE: Final = 1e-3
"""Share of the mean variance that is added to the prior's diagonal: no direction is ever taken as free of noise."""


@dataclass(frozen=True, eq=False)
class Material:
    """Features of labelled things.

    Attributes:
        features: shape (n, F).
        lines: which line each is from, shape (n,).
        classes: which class of that line, shape (n,); 0 is good.
    """

    features: Array
    lines: NDArray[np.int64]
    classes: NDArray[np.int64]

    def only_good(self) -> Material:
        """Give the good ones."""
        good = self.classes == 0
        return Material(self.features[good], self.lines[good], self.classes[good])


@dataclass(frozen=True, eq=False)
class Projection:
    """An affine map of features to raw values of an embedding block.

    Attributes:
        mean: subtracted first, shape (F,).
        matrix: shape (F, d).
    """

    mean: Array
    matrix: Array

    def embed(self, features: Array) -> Array:
        """Give the raw values, each of length 1, shape (n, d)."""
        raw = (features - self.mean) @ self.matrix
        unit: Array = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        return unit


def principal(material: Material, d: int, power: float, *, centred: bool) -> Projection:
    """Fit a projection.

    Args:
        material: what varies.
        d: how many components.
        power: 0 keeps the variances of the components, 1 makes them equal, 0.5 is between (half whitening).
        centred: leave out how lines differ from one another, so that only what varies within a line counts.

    Returns:
        The projection.
    """
    mean = material.features.mean(axis=0)
    scale = material.features.std(axis=0) + 1e-9
    rows = (material.features - mean) / scale
    if centred:
        rows = rows - _means(rows, material.lines)
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    variances, directions = variances[::-1][:d], directions[:, ::-1][:, :d]
    variances = np.maximum(variances, FLOOR * variances[0])
    return Projection(mean, directions * variances ** (-power / 2) / scale[:, None])


def within(embeddings: Array, material: Material) -> Array:
    """Give the mean covariance inside the classes of the lines, shape (d, d)."""
    groups = material.lines * (int(material.classes.max()) + 1) + material.classes
    away = embeddings - _means(embeddings, groups)
    covariance: Array = away.T @ away / (len(away) - len(np.unique(groups)))
    return covariance


def loosened(covariance: Array, embeddings: Array, first: int) -> Array:
    """Let the prior expect that classes which nobody trained on are wide where training made its own narrow.

    Args:
        covariance: inside the classes of training, shape (d, d).
        embeddings: of the samples of training, shape (n, d).
        first: dimension from which on they are trained.

    Returns:
        The covariance, shape (d, d): each trained dimension is wider by `LOOSE` of their mean variance.
    """
    trained = np.arange(len(covariance)) >= first
    loose: Array = covariance + np.diag(trained * (LOOSE * embeddings[:, trained].var(axis=0).mean()))
    return loose


def prior_of(blocks: list[Array]) -> Array:
    """Put the covariances of blocks that are never seen together into one prior, shape (d, d)."""
    d = sum(len(block) for block in blocks)
    prior, at = np.zeros((d, d)), 0
    for block in blocks:
        ridge = RIDGE * np.trace(block) / len(block) * np.eye(len(block))
        prior[at : at + len(block), at : at + len(block)] = (block + block.T) / 2 + ridge
        at += len(block)
    return prior


def _means(rows: Array, groups: NDArray[np.int64]) -> Array:
    """Give each row's group mean, same shape as `rows`."""
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, index, rows)
    means: Array = (sums / counts[:, None])[index]
    return means
