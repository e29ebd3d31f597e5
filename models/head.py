"""The classifier that is solved from knowledge: one covariance for all classes, one mean for each.

Pure float64 arithmetic on sums; it stores nothing and learns nothing. The model behind it:

**Covariance.** Embeddings of class c are normal around mu_c with a covariance that all classes share. It is the
mean of what was taught and of the bundle's prior, Sigma = (sum_c m_c/n_c W_c + nu_0 Sigma_0) / (sum_c m_c + nu_0),
with W_c the scatter of the n_c vectors of m_c samples around their mean. Samples are counted, not vectors: the
augmentations of one sample are not independent, and how many were made must not decide how soon the prior is left
behind. Samples without a modality say nothing about its dimensions: their scatter is padded with zeros, and each
dimension is divided by the number of samples that have it (rows and columns by the square root, which keeps Sigma
positive definite and takes correlations that nobody observed as none).

**Means.** A mean of few samples is noisy, and in 128 dimensions that noise outweighs the evidence: measured plainly,
a class of five samples loses against one of hundreds. So a mean is not taken as known. Before any sample, mu_c is
normal around the mean of good parts with covariance Sigma, a prior worth one sample; after m samples its mean lies
m / (m + 1) of the way to their mean, and what the class is going to show has covariance Sigma (1 + 1 / (m + 1)).
With m = 0 the same formula says what is wanted of a modality that a class was never taught with: it is taken as
good, and counts for little. Good parts have no such prior, only the error of their mean, Sigma (1 + 1 / m).

**Kinds.** Where defects are told apart from each other, and not from good parts, the prior may be worth more samples
than that: as many as make the spread that was taught most probable (`strength`). Good parts are many and narrow, and a
wide prior would hide faint defects among them; what kind a defect is, five examples do not tell without it.

Everything is first restricted to the modalities asked for, so a head for pictures is the same whether the samples
had vibration as well or not. Classes are taken as equally frequent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.embedding import SCALE, Span
from models.errors import KnowledgeDamaged, NotTaught
from models.strength import Spread, chosen
from models.sums import Key, Sums, flat_upper

Floats = NDArray[np.float64]

_SMALL: Final = 32
"""Dimensions up to which a triangular matrix is inverted like any other."""


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of the spread inside a class before anything is taught.

    Attributes:
        covariance: of z inside a class (Sigma_0), shape (d, d), symmetric, positive definite.
        strength: how many samples it is worth (nu_0).
    """

    covariance: Floats
    strength: float

    def __post_init__(self) -> None:
        c = self.covariance
        if c.ndim != 2 or c.shape[0] != c.shape[1] or not np.isfinite(c).all():
            raise ValueError(f"the covariance must be square and finite, it has shape {c.shape}")
        if not np.allclose(c, c.T, rtol=0.0, atol=1e-12 * float(np.abs(c).max())):
            raise ValueError("the covariance is not symmetric")
        try:
            np.linalg.cholesky(c)
        except np.linalg.LinAlgError:
            raise ValueError("the covariance is not positive definite") from None
        if not 0.0 < self.strength < np.inf:
            raise ValueError(f"the strength must be positive, got {self.strength}")


@dataclass(frozen=True, eq=False)
class Head:
    """A solved classifier.

    Attributes:
        classes: slugs of its classes, sorted.
        modalities: what it looks at.
        dims: which dimensions of z those own, shape (d,).
        means: expected mean of each class in these dimensions, shape (classes, k).
        inflation: variance that a class is going to show, in units of Sigma, shape (classes, k).
        whitening: inverse of the Cholesky factor of Sigma, shape (k, k).
        strength: how many samples the prior was taken to be worth.
    """

    classes: tuple[str, ...]
    modalities: tuple[str, ...]
    dims: NDArray[np.bool_]
    means: Floats
    inflation: Floats
    whitening: Floats
    strength: float

    def distances(self, z: ArrayLike) -> Floats:
        """Give the squared Mahalanobis distance to each class.

        Args:
            z: embeddings, shape (..., d).

        Returns:
            Shape (..., classes); comparable between classes, however few samples each was taught with.
        """
        values = np.asarray(z, dtype=np.float64)[..., self.dims]
        rows = values.reshape(-1, values.shape[-1])
        away = np.zeros((len(rows), *self.means.shape))
        for span, mean in zip(self._spans, self._whitened_means, strict=True):
            whitened = rows[:, span] @ self.whitening[:, span].T
            away += (whitened[:, np.newaxis] - mean) / np.sqrt(self.inflation[:, span.start, np.newaxis])
        distances: Floats = np.square(away).sum(axis=-1).reshape(*values.shape[:-1], len(self.classes))
        return distances

    @cached_property
    def _spans(self) -> tuple[slice, ...]:
        """Neighbouring dimensions in which no class's inflation changes: mostly those of one modality."""
        changes = np.flatnonzero((np.diff(self.inflation, axis=1) != 0.0).any(axis=0)) + 1
        edges = [0, *changes.tolist(), self.inflation.shape[1]]
        return tuple(map(slice, edges[:-1], edges[1:]))

    @cached_property
    def _whitened_means(self) -> tuple[Floats, ...]:
        """What each span adds to the whitened mean of each class, (classes, k)."""
        return tuple(self.means[:, span] @ self.whitening[:, span].T for span in self._spans)

    def logits(self, z: ArrayLike) -> Floats:
        """Give the log density of z in each class but for a constant, shape (..., classes)."""
        return self.logits_at(self.distances(z))

    def logits_at(self, distances: Floats) -> Floats:
        """Give what `logits` gives for embeddings with these `distances`, shape (..., classes)."""
        logits: Floats = -0.5 * (distances + np.log(self.inflation).sum(axis=-1))
        return logits

    def probabilities(self, z: ArrayLike) -> Floats:
        """Give the probability of each class, were z of one of them, shape (..., classes)."""
        return self.probabilities_at(self.distances(z))

    def probabilities_at(self, distances: Floats) -> Floats:
        """Give what `probabilities` gives for embeddings with these `distances`, shape (..., classes)."""
        logits = self.logits_at(distances)
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities: Floats = odds / odds.sum(axis=-1, keepdims=True)
        return probabilities


def solve(
    groups: Mapping[Key, Sums],
    spans: Sequence[Span],
    prior: Prior,
    present: frozenset[str] | None,
    normal: str,
    *,
    kinds: bool = False,
) -> Head:
    """Solve a head; `Knowledge.head` and `Knowledge.kinds` say what goes in and what comes out."""
    if len(prior.covariance) != spans[-1].stop:
        raise ValueError(f"a prior of {len(prior.covariance)} dimensions, knowledge of {spans[-1].stop}")
    if strangers := (present or frozenset()) - {span.modality for span in spans}:
        raise ValueError(f"no dimensions for {', '.join(sorted(strangers))}")
    taught = {modality for key in groups for modality in key.modalities}
    seen = [s for s in spans if s.modality in taught and (present is None or s.modality in present)]
    if not seen:
        raise NotTaught("nothing was taught with any of these modalities")
    dims = _dims(spans, [span.modality for span in seen])
    shared = _restricted(groups, spans, seen)
    labels = tuple(sorted({key.slug for key, _, _ in shared}))
    told = [i for i, label in enumerate(labels) if not (kinds and label == normal)]
    if not told:
        raise NotTaught("no kind of defect was taught with any of these modalities")
    sigma, strength = prior.covariance[np.ix_(dims, dims)], prior.strength
    means, inflation = _means(shared, labels, normal)
    try:
        if kinds:
            strength = chosen(_spreads(shared, sigma, seen), strength)
        covariance = _covariance(shared, sigma, strength)
        whitening = _inverse(np.asarray(np.linalg.cholesky(covariance), np.float64))
    except np.linalg.LinAlgError:
        raise KnowledgeDamaged("the scatter inside the classes is not that of any embeddings") from None
    modalities, labels = tuple(span.modality for span in seen), tuple(labels[i] for i in told)
    return Head(labels, modalities, dims, means[told], inflation[told], whitening, strength)


_Shared = list[tuple[Key, NDArray[np.bool_], Sums]]
"""Statistics with the k dimensions of the head that they are about."""


def _dims(spans: Sequence[Span], modalities: Sequence[str]) -> NDArray[np.bool_]:
    """Say which of the dimensions of `spans`, put one after the other, belong to `modalities`."""
    return np.concatenate([np.full(s.stop - s.start, s.modality in modalities) for s in spans])


def _restricted(groups: Mapping[Key, Sums], spans: Sequence[Span], seen: Sequence[Span]) -> _Shared:
    """Give the statistics as if every sample had been perceived by the modalities `seen` alone."""
    together: dict[Key, list[Sums]] = {}
    for key, sums in groups.items():
        kept = tuple(span.modality for span in seen if span.modality in key.modalities)
        if kept:
            own = [span for span in spans if span.modality in key.modalities]
            together.setdefault(Key(key.slug, kept), []).append(sums.restricted(_dims(own, kept)))
    return [(key, _dims(seen, key.modalities), Sums.added(sums)) for key, sums in sorted(together.items())]


def _covariance(shared: _Shared, prior: Floats, strength: float) -> Floats:
    k = len(prior)
    flat = flat_upper(k)
    scatter = prior.take(flat) * strength
    counts = np.full(k, strength)
    for _, dims, sums in shared:
        own = slice(None) if dims.all() else np.outer(dims, dims).take(flat)
        scatter[own] += sums.scatter() * (sums.samples / sums.vectors)
        counts[dims] += sums.samples
    covariance = np.zeros((k, k))
    covariance.put(flat, scatter)
    covariance += np.triu(covariance, 1).T
    covariance /= np.sqrt(np.outer(counts, counts))
    return covariance


def _spreads(shared: _Shared, prior: Floats, seen: Sequence[Span]) -> list[Spread]:
    """Give how far samples lie from the mean of their group, by modality, with the prior of its dimensions.

    A group's mean is estimated from its samples and costs one of them; one of a single sample spreads nowhere.
    """
    spreads = []
    for span in seen:
        at = _dims(seen, [span.modality])
        k = int(at.sum())
        own = [sums.restricted(at[dims]) for _, dims, sums in shared if dims[at].all() and sums.samples > 1]
        scatter = np.zeros((k, k))
        for sums in own:
            scatter.put(flat_upper(k), scatter.take(flat_upper(k)) + sums.scatter() * (sums.samples / sums.vectors))
        scatter += np.triu(scatter, 1).T
        spreads.append(Spread(scatter, float(sum(sums.samples - 1 for sums in own)), prior[np.ix_(at, at)]))
    return spreads


def _inverse(factor: Floats) -> Floats:
    """Invert a lower triangular matrix by halves: a quarter of what a matrix of any form takes."""
    k = len(factor)
    if k <= _SMALL:
        return np.asarray(np.linalg.inv(factor), np.float64)
    half = k // 2
    inverse = np.zeros((k, k))
    inverse[:half, :half] = _inverse(factor[:half, :half])
    inverse[half:, half:] = _inverse(factor[half:, half:])
    inverse[half:, :half] = -inverse[half:, half:] @ (factor[half:, :half] @ inverse[:half, :half])
    return inverse


def _means(shared: _Shared, labels: Sequence[str], normal: str) -> tuple[Floats, Floats]:
    k = len(shared[0][1])
    totals, vectors, samples = (np.zeros((len(labels), k)) for _ in range(3))
    for key, dims, sums in shared:
        row = labels.index(key.slug)
        totals[row, dims] += sums.total / SCALE
        vectors[row, dims] += sums.vectors
        samples[row, dims] += sums.samples
    measured = totals / np.maximum(vectors, 1.0)
    centre = measured.sum(axis=0) / (samples > 0).sum(axis=0)
    good = np.array([[label == normal] for label in labels]) & (samples > 0)
    if normal in labels:
        centre = np.where(good[labels.index(normal)], measured[labels.index(normal)], centre)
    means = np.where(good, measured, centre + (measured - centre) * samples / (samples + 1.0))
    inflation = 1.0 + 1.0 / np.where(good, samples, samples + 1.0)
    return means, inflation
