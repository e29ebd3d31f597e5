"""From an embedding to OK, NG or UNSURE: the one rule, pure, built anew whenever knowledge changes.

With good parts only, the verdict is the Mahalanobis distance to good against a quantile of held-out good parts. With
defect classes known, it must be probable enough that the part has one of them; which one may stay open. What a part
could not be seen by is never taken as good.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import RecipeConfig
from edge_agent.records import Embedding, Modality, Outcome, Verdict
from models import Bundle, Knowledge
from models.embedding import dequantise
from models.errors import NotTaught
from models.head import Head

CLEAR: Final = 1.5
"""A part this many times farther from good than the limit is NG without a second look; between 1 and this, UNSURE."""


@dataclass(frozen=True, eq=False)
class _View:
    """What is known when a part is seen by one set of modalities.

    Attributes:
        head: the classifier on their dimensions.
        calibration: squared distances of held-out good parts to good, sorted, shape (n,).
    """

    head: Head
    calibration: NDArray[np.float64]


class Judge:
    """Gives verdicts from one state of knowledge.

    Args:
        bundle: what made the embeddings.
        knowledge: what the station knows.
        calibration: embeddings of held-out good parts that took no part in fitting, int16, shape (n, d).
        recipe: how strict to be.
    """

    def __init__(
        self, bundle: Bundle, knowledge: Knowledge, calibration: NDArray[np.int16], recipe: RecipeConfig
    ) -> None:
        self._bundle = bundle
        self._knowledge = knowledge
        self._calibration = calibration
        self._recipe = recipe
        self._prior = bundle.prior()
        self._views: dict[frozenset[Modality], _View | None] = {}
        self.digest = knowledge.digest if knowledge.classes else ""

    def prepare(self) -> None:
        """Solve now what the recipe's parts will need, whatever they may lack: some 10 ms that no part waits for."""
        for count in range(1, len(self._recipe.modalities) + 1):
            for present in combinations(self._recipe.modalities, count):
                self._view(frozenset(present))

    def judge(self, embedding: Embedding) -> Verdict:
        """Give the verdict on one part."""
        view = self._view(embedding.present)
        if view is None:
            return Verdict(Outcome.UNSURE, cause="untaught", degraded=embedding.degraded)
        z = dequantise(embedding.q)
        distances = view.head.distances(z)
        probabilities = view.head.probabilities_at(distances)
        normal = view.head.classes.index(self._bundle.normal)
        winner = int(np.argmax(probabilities))
        label = view.head.classes[winner]
        p_normal = p_value(view.calibration, float(distances[normal]))
        p_good = float(probabilities[normal])
        outcome, cause = self._rule(view, label, p_good, float(distances[normal]), p_normal)
        missing = set(self._recipe.modalities) - embedding.present
        if outcome is Outcome.OK and missing:
            outcome, cause = Outcome.UNSURE, "degraded"
        return Verdict(
            outcome,
            None if cause == "not_normal" else label,
            float(probabilities[winner]),
            p_normal,
            float(distances.min()),
            cause,
            embedding.degraded,
        )

    def _rule(
        self, view: _View, label: str, p_good: float, distance: float, p_normal: float | None
    ) -> tuple[Outcome, str]:
        limit = None if p_normal is None else limit_at(view.calibration, self._recipe.false_reject)
        if label != self._bundle.normal:
            # Which defect it is may be open where it is certain that it is one.
            defective = 1.0 - p_good >= self._recipe.confidence
            far = limit is not None and distance > CLEAR * limit
            return (Outcome.NG, "") if defective or far else (Outcome.UNSURE, "ambiguous")
        if limit is None:
            return Outcome.UNSURE, "uncalibrated"
        if distance <= limit:
            return (Outcome.OK, "") if p_good >= 0.5 else (Outcome.UNSURE, "ambiguous")
        return (Outcome.NG if distance > CLEAR * limit else Outcome.UNSURE), "not_normal"

    def _view(self, present: frozenset[Modality]) -> _View | None:
        if present not in self._views:
            self._views[present] = self._make_view(present)
        return self._views[present]

    def _make_view(self, present: frozenset[Modality]) -> _View | None:
        try:
            head = self._knowledge.head(self._prior, sorted(present), self._bundle.normal)
        except NotTaught:
            return None
        if self._bundle.normal not in head.classes:
            return None
        seen = [
            np.any(self._calibration[:, b.start : b.stop], axis=1) for b in self._bundle.blocks if b.modality in present
        ]
        rows = self._calibration[np.logical_and.reduce(seen)]
        normal = head.classes.index(self._bundle.normal)
        return _View(head, np.sort(head.distances(dequantise(rows))[:, normal]))


def p_value(calibration: NDArray[np.float64], distance: float) -> float | None:
    """Split-conformal p-value of being good (Vovk et al., Algorithmic Learning in a Random World, 2005, ch. 2).

    Args:
        calibration: sorted distances of held-out good parts, shape (n,).
        distance: of the part.

    Returns:
        (1 + number of held-out parts at least as far) / (n + 1), or None without held-out parts.
    """
    if not len(calibration):
        return None
    farther = len(calibration) - int(np.searchsorted(calibration, distance, side="left"))
    return (1 + farther) / (len(calibration) + 1)


def limit_at(calibration: NDArray[np.float64], false_reject: float) -> float:
    """Largest distance that is still taken as good.

    Args:
        calibration: sorted distances of held-out good parts, shape (n,), n >= 1.
        false_reject: share of good parts that may lie beyond it.

    Returns:
        The conformal quantile; with fewer than 1 / false_reject - 1 parts no finite quantile keeps the promise, and
        the largest held-out distance is given, which is stricter than asked.
    """
    n = len(calibration)
    rank = int(np.ceil((n + 1) * (1.0 - false_reject)))
    return float(calibration[min(rank, n) - 1])
