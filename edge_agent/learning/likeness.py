"""How much a part looks like a class rather than like good parts, beside how much held-out good parts do. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import Knowledge
from models.embedding import Span, dequantise
from models.errors import NotTaught
from models.head import Head, Prior

Floats = NDArray[np.float64]


class Scores(NamedTuple):
    """What is said of some parts, each of shape (n,).

    Attributes:
        score: logit of the class minus logit of good.
        wins: whether the class is the most probable of all.
        chance: conformal p-value, the share of held-out good parts that have at least this score; None without any.
        distance: squared Mahalanobis distance to the sample that they are held against.
    """

    score: Floats
    wins: NDArray[np.bool_]
    chance: Floats | None
    distance: Floats


@dataclass(frozen=True, eq=False)
class Likeness:
    """What tells one class from good parts where parts are seen by some modalities.

    Attributes:
        head: the classifier.
        spans: the dimensions that it looks at.
        slug: which of its classes is in question.
        normal: which of its classes is that of good parts.
        sample: z that parts are held against, (d,).
        ring: scores of held-out good parts, ascending.
    """

    head: Head
    spans: tuple[Span, ...]
    slug: int
    normal: int
    sample: Floats
    ring: Floats

    @classmethod
    def of(
        cls,
        knowledge: Knowledge,
        prior: Prior,
        held_out: NDArray[np.int16],
        sample: NDArray[np.int16],
        seen: Collection[str],
        slug: str,
        normal: str,
    ) -> Self | None:
        """Solve it.

        Args:
            knowledge: what is known.
            prior: the bundle's.
            held_out: embeddings of good parts that are not in `knowledge`, int16, (n, d).
            sample: the embedding that parts are held against, int16, (d,).
            seen: the modalities.
            slug: the class in question.
            normal: the class of good parts.

        Returns:
            The likeness; None where this was never taught with these modalities.
        """
        try:
            head = knowledge.head(prior, sorted(seen), normal) if seen else None
        except NotTaught:
            head = None
        if head is None or not {slug, normal} <= set(head.classes):
            return None
        spans = tuple(span for span in knowledge.spans if span.modality in head.modalities)
        likeness = cls(
            head, spans, head.classes.index(slug), head.classes.index(normal), dequantise(sample), np.empty(0)
        )
        ring = likeness.scores(held_out[likeness.sees(held_out)]).score
        return cls(head, spans, likeness.slug, likeness.normal, likeness.sample, np.sort(ring))

    def sees(self, rows: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Say which embeddings, (n, d), have all that it looks at."""
        has_all: NDArray[np.bool_] = np.all([np.any(rows[:, s.start : s.stop], axis=1) for s in self.spans], axis=0)
        return has_all

    def scores(self, rows: NDArray[np.int16]) -> Scores:
        """Score embeddings, int16, (n, d)."""
        z = dequantise(rows)
        logits = self.head.logits(z)
        score = logits[:, self.slug] - logits[:, self.normal]
        distance = np.square((z - self.sample)[:, self.head.dims] @ self.head.whitening.T).sum(axis=1)
        chance = self.chance(score) if len(self.ring) else None
        return Scores(score, logits.argmax(axis=1) == self.slug, chance, distance)

    def as_alike(self, score: ArrayLike) -> NDArray[np.intp]:
        """Count the held-out good parts that have at least this score."""
        return np.asarray(len(self.ring) - np.searchsorted(self.ring, score, side="left"))

    def chance(self, score: ArrayLike) -> Floats:
        """Give the share of good parts that have at least this score: never below 1 / (held-out parts + 1)."""
        share: Floats = (1.0 + self.as_alike(score)) / (len(self.ring) + 1)
        return share
