"""From an embedding to OK, NG or UNSURE: the one rule, pure, built anew whenever knowledge changes.

How unusual the part is among held-out good parts (`ring`) says how probably it is defective, and the recipe's prices
say which answer is cheapest then (`decision`). A part that is not normal, or that lacks something, is never OK.

**Not normal** is a part whose conformal p-value is at most `recipe.false_reject`. With n held-out parts, n below
1 / false_reject - 1, no p-value is so small and the condition would forbid nothing; then it is the part that lies
farther from good than all of them. That stops 1 / (n + 1) of the good parts, more than was asked for. The other way
would be to keep to the share that was asked for by guessing how far good parts reach beyond the farthest known one; but
a station with few parts is one that was just set up, and there a second look costs less than an escape. NG is no way
out of too few parts: how far the unknown reaches is then so uncertain that such parts are mostly UNSURE.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import RecipeConfig
from edge_agent.inspection.decision import Thresholds, likelihood_ratio, p_defective
from edge_agent.inspection.ring import Ring, promised
from edge_agent.records import Embedding, Modality, Outcome, Verdict
from models import Bundle, Knowledge
from models.embedding import dequantise
from models.errors import NotTaught
from models.head import Head

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Promise:
    """What the held-out good parts say about false rejects.

    Attributes:
        held_out: how many have all that the recipe expects.
        asked: share of good parts that may be found not normal.
        possible: share that is: what was asked for, or more where they are too few to promise that.
        expected: share of good parts that are not OK, for whatever reason; None without held-out parts.
    """

    held_out: int
    asked: float
    possible: float
    expected: float | None


@dataclass(frozen=True)
class _Evidence:
    """How unusual parts are, each of shape (n,).

    Attributes:
        p_normal: conformal p-value of their distance to good.
        unlike: likelihood ratio of any other defect.
        alike: likelihood ratio of the taught defects; None where none was taught.
        p_defective: probability that they are defective.
    """

    p_normal: Floats
    unlike: Floats
    alike: Floats | None
    p_defective: Floats


@dataclass(frozen=True, eq=False)
class _View:
    """What is known when a part is seen by one set of modalities.

    Attributes:
        head: the classifier on their dimensions.
        normal: which of its classes is that of good parts.
        held_out: distances of held-out good parts to each class, shape (n, classes).
        distance: their distance to good; None without held-out parts.
        contrast: how much more probable the taught defects make them than good parts do, log; None without either.
    """

    head: Head
    normal: int
    held_out: Floats
    distance: Ring | None
    contrast: Ring | None

    @classmethod
    def of(cls, head: Head, normal: str, held_out: Floats) -> _View:
        """Make it from what a head says of held-out good parts, shape (n, classes)."""
        at = head.classes.index(normal)
        if not len(held_out):
            return cls(head, at, held_out, None, None)
        contrast = None if len(head.classes) == 1 else Ring(_contrast(head.logits_at(held_out), at))
        return cls(head, at, held_out, Ring(held_out[:, at]), contrast)

    def evidence(self, distances: Floats, defect_share: float) -> _Evidence | None:
        """Say how unusual parts are by their distances to each class, shape (n, classes); None if nothing can."""
        if self.distance is None:
            return None
        to_good = distances[:, self.normal]
        unlike = likelihood_ratio(self.distance.chance(to_good))
        alike = None
        if self.contrast is not None:
            contrast = _contrast(self.head.logits_at(distances), self.normal)
            alike = likelihood_ratio(self.contrast.chance(contrast))
        kinds = len(self.head.classes) - 1
        p = p_defective(defect_share, unlike, alike, kinds)
        return _Evidence(self.distance.p_value(to_good), unlike, alike, p)


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
        self._thresholds = Thresholds.of(recipe.costs)
        self._views: dict[frozenset[Modality], _View | None] = {}
        self._promise: Promise | None = None
        self.digest = knowledge.digest if knowledge.classes else ""

    def prepare(self) -> None:
        """Solve now what the recipe's parts will need, whatever they may lack: some 10 ms that no part waits for."""
        for count in range(1, len(self._recipe.modalities) + 1):
            for present in combinations(self._recipe.modalities, count):
                self._view(frozenset(present))
        self.promise()

    def judge(self, embedding: Embedding) -> Verdict:
        """Give the verdict on one part."""
        view = self._view(embedding.present)
        if view is None:
            return Verdict(Outcome.UNSURE, cause="untaught", degraded=embedding.degraded)
        distances = view.head.distances(dequantise(embedding.q)[np.newaxis])
        evidence = view.evidence(distances, self._recipe.defect_share)
        answer = self._answer(view, distances[0], evidence)
        outcome, cause = answer.outcome, answer.cause
        if outcome is Outcome.OK and set(self._recipe.modalities) - embedding.present:
            outcome, cause = Outcome.UNSURE, "degraded"
        p_normal = None if evidence is None else float(evidence.p_normal[0])
        distance = float(distances.min())
        return Verdict(outcome, answer.label, answer.score, p_normal, distance, cause, embedding.degraded)

    def promise(self) -> Promise:
        """Say what the held-out good parts tell about false rejects of parts that lack nothing."""
        if self._promise is None:
            self._promise = self._promised()
        return self._promise

    def _promised(self) -> Promise:
        view, asked = self._view(frozenset(self._recipe.modalities)), self._recipe.false_reject
        evidence = None if view is None else view.evidence(view.held_out, self._recipe.defect_share)
        if evidence is None:
            return Promise(0, asked, 1.0, None)
        n = len(evidence.p_normal)
        ok = self._may_be_ok(evidence.p_normal, n) & (evidence.p_defective <= self._thresholds.ok)
        return Promise(n, asked, promised(n, asked), (1 + n - int(ok.sum())) / (n + 1))

    def _answer(self, view: _View, distances: Floats, evidence: _Evidence | None) -> Verdict:
        """Give outcome, label, score and cause of one part, whatever it may lack."""
        classes, normal = view.head.classes, self._bundle.normal
        probabilities = view.head.probabilities_at(distances)
        winner = int(np.argmax(probabilities))
        if evidence is None:
            return Verdict(Outcome.UNSURE, classes[winner], float(probabilities[winner]), cause="uncalibrated")
        p = float(evidence.p_defective[0])
        may_be_ok = bool(self._may_be_ok(evidence.p_normal, len(view.held_out))[0])
        outcome = self._thresholds.outcome(p, may_be_ok=may_be_ok)
        if outcome is Outcome.OK:
            return Verdict(outcome, normal, 1.0 - p)
        kinds = len(classes) - 1
        unknown = evidence.alike is None or bool(evidence.unlike[0] > kinds * evidence.alike[0])
        if winner == view.normal and unknown:
            return Verdict(outcome, None, p, cause="not_normal")
        if winner == view.normal and outcome is Outcome.UNSURE:
            return Verdict(outcome, normal, 1.0 - p, cause="ambiguous")
        kind, share = _nearest_kind(view, distances)
        if outcome is Outcome.UNSURE:
            return Verdict(outcome, classes[kind], p * share, cause="ambiguous")
        return Verdict(outcome, classes[kind], p * share)

    def _may_be_ok(self, p_normal: Floats, held_out: int) -> NDArray[np.bool_]:
        """Say which parts are normal; the head of this file says what that is with too few held-out parts."""
        return p_normal > max(self._recipe.false_reject, 1.0 / (held_out + 1))

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
        return _View.of(head, self._bundle.normal, head.distances(dequantise(rows)))


def _contrast(logits: Floats, normal: int) -> Floats:
    """Give the log of how much more probable the defects make parts than good parts do, but for a constant."""
    return _log_sum(np.delete(logits, normal, axis=-1)) - logits[..., normal]


def _nearest_kind(view: _View, distances: Floats) -> tuple[int, float]:
    """Give the most probable taught defect, and its share of what all of them make probable."""
    logits = view.head.logits_at(distances)
    logits[view.normal] = -np.inf
    kind = int(np.argmax(logits))
    return kind, float(np.exp(logits[kind] - _log_sum(logits)))


def _log_sum(logits: Floats) -> Floats:
    top = logits.max(axis=-1)
    total: Floats = top + np.log(np.exp(logits - top[..., np.newaxis]).sum(axis=-1))
    return total
