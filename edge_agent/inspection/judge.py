"""From an embedding to OK, NG or UNSURE: the one rule, pure, built anew whenever knowledge changes.

How unusual the part is among held-out good parts (`ring`) says how probably it is defective, and the recipe's prices
say which answer is cheapest then (`decision`). A part that is not normal, or that lacks something, is never OK.

**Not normal** is a part whose conformal p-value is at most `recipe.false_reject`. With n held-out parts, n below
1 / false_reject - 1, no p-value is so small and the condition would forbid nothing; then it is the part that lies
farther from good than all of them. That stops 1 / (n + 1) of the good parts, more than was asked for. The other way
would be to keep to the share that was asked for by guessing how far good parts reach beyond the farthest known one; but
a station with few parts is one that was just set up, and there a second look costs less than an escape. NG is no way
out of too few parts: how far the unknown reaches is then so uncertain that such parts are mostly UNSURE.

**Another lot** of good parts differs from those that were taught by more than these do from each other. So held-out
parts are held against the other lots only, where good parts were taught at several times: then they lie as far from
good as parts of the next lot will, and not as near as those that lay beside them. One lot in five, the most unusual,
sets no limit: one strange lot would put it where no defect lies. It takes several lots to know how lots differ;
`Promise.unshown` says what as many as there are can promise of the next one.

**How far from good** a part is says its embedding, and where enough is known of good parts, the most unusual regions
of its picture and features of its window as well; all of these are weighed together (`joint`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import RecipeConfig
from edge_agent.inspection.decision import Thresholds
from edge_agent.inspection.joint import HeldOut, sizes_of, usual
from edge_agent.inspection.look import Look, Sight
from edge_agent.inspection.ring import of_another_lot, promised
from edge_agent.inspection.view import Evidence, View
from edge_agent.records import Anomaly, Embedding, Modality, Outcome, Verdict
from models import Bundle, Knowledge
from models.bnk import Normality
from models.embedding import dequantise
from models.errors import NotTaught
from models.head import Head
from models.tokenbank import Tokens

Floats = NDArray[np.float64]

COLUMNS: Final = (Modality.IMAGE, Modality.VIBRATION)
"""Whose anomaly is in which column of `HeldOut.anomaly`."""


@dataclass(frozen=True)
class Promise:
    """What the held-out good parts say about false rejects.

    Attributes:
        held_out: how many have all that the recipe expects.
        asked: share of good parts that may be found not normal.
        possible: share that is: what was asked for, or more where they are too few to promise that.
        expected: share of good parts that are not OK, for whatever reason; None without held-out parts.
        lots: how many lots they are from that are held against each other; 0 where all were taught at one time.
        unshown: share of good parts of a lot never shown that may be found not normal at most, on average over lots;
            None where all were taught at one time, from which nothing follows.
    """

    held_out: int
    asked: float
    possible: float
    expected: float | None
    lots: int = 0
    unshown: float | None = None


class Judge:
    """Gives verdicts from one state of knowledge.

    Args:
        bundle: what embeddings are of, guided or not.
        knowledge: what the station knows.
        held_out: good parts that took no part in fitting.
        recipe: how strict to be.
        normality: what good parts look and sound like in detail; None where that is not known, or not asked for.
    """

    def __init__(
        self,
        bundle: Bundle,
        knowledge: Knowledge,
        held_out: HeldOut,
        recipe: RecipeConfig,
        normality: Normality | None = None,
    ) -> None:
        self._bundle = bundle
        self._knowledge = knowledge
        self._held_out = held_out
        self._recipe = recipe
        self._normality = normality
        self._look = Look(bundle, normality)
        self._prior = bundle.prior()
        self._thresholds = Thresholds.of(recipe.costs)
        self._heads: dict[frozenset[Modality], Head | None] = {}
        self._kinds: dict[frozenset[Modality], Head | None] = {}
        self._distances: dict[frozenset[Modality], Floats] = {}
        self._views: dict[tuple[frozenset[Modality], tuple[int, ...]], View | None] = {}
        self._promise: Promise | None = None
        self.digest = knowledge.digest if knowledge.classes else ""

    def prepare(self) -> None:
        """Solve now what the recipe's parts will need, whatever they may lack: some 10 ms that no part waits for."""
        for _ in self.preparing():
            pass

    def preparing(self) -> Iterator[None]:
        """Do what `prepare` does in parts, one for each classifier that is solved."""
        for count in range(1, len(self._recipe.modalities) + 1):
            for present in map(frozenset, combinations(self._recipe.modalities, count)):
                yield from self._solving(present)
                self._view(present, ())
                self._view(present, self._known_of(present))
                yield
        self.promise()

    def look(self, embedding: Embedding, sight: Sight | None = None) -> Embedding:
        """Look at the details of a part, which are dropped; see `Look.at`. Some milliseconds, from any thread."""
        return self._look.at(embedding, sight)

    def sight(self, tokens: Tokens) -> Sight:
        """Look at a picture before the rest of its part is there; see `Look.sight`. The same."""
        return self._look.sight(tokens)

    @property
    def normality(self) -> str:
        """Which knowledge of good parts `look` goes by, as `Anomaly.normality`; "" for none."""
        return self._look.normality

    def judge(self, embedding: Embedding) -> Verdict:
        """Give the verdict on one part; who has not looked at its details before has them looked at here."""
        embedding = self.look(embedding)
        anomaly = self._anomaly(embedding.anomaly)
        there = tuple(int(column) for column in np.flatnonzero(np.isfinite(anomaly)))
        view = self._view(embedding.present, there)
        if view is None:
            return Verdict(Outcome.UNSURE, cause="untaught", degraded=embedding.degraded)
        z = dequantise(embedding.q)
        distances = view.head.distances(z[np.newaxis])[0]
        evidence = view.evidence(distances, anomaly, self._recipe.defect_share)
        answer = self._answer(view, distances, evidence, z)
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
        asked, present = self._recipe.false_reject, frozenset(self._recipe.modalities)
        view = self._view(present, self._known_of(present))
        evidence = None if view is None else view.own_evidence(self._recipe.defect_share)
        if view is None or evidence is None:
            return Promise(0, asked, 1.0, None)
        n = len(evidence.p_normal)
        ok = self._may_be_ok(evidence.p_normal, n) & (evidence.p_defective <= self._thresholds.ok)
        possible, lots = promised(n, asked), view.lots
        unshown = of_another_lot(possible, n, lots) if len(lots) > 1 else None
        return Promise(n, asked, possible, (1 + n - int(ok.sum())) / (n + 1), len(lots), unshown)

    def _answer(self, view: View, distances: Floats, evidence: Evidence | None, z: Floats) -> Verdict:
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
        kind, share = _kind(view, z)
        if outcome is Outcome.UNSURE:
            return Verdict(outcome, kind, p * share, cause="ambiguous")
        return Verdict(outcome, kind, p * share)

    def _may_be_ok(self, p_normal: Floats, held_out: int) -> NDArray[np.bool_]:
        """Say which parts are normal; the head of this file says what that is with too few held-out parts."""
        return p_normal > max(self._recipe.false_reject, 1.0 / (held_out + 1))

    def _anomaly(self, anomaly: Anomaly | None) -> Floats:
        """Give the anomalies of a part that are of what is known here, (2,), NaN for none."""
        known = anomaly is not None and anomaly.normality == self.normality
        return np.array([anomaly.picture, anomaly.window] if anomaly and known else [None, None], np.float64)

    def _known_of(self, present: frozenset[Modality]) -> tuple[int, ...]:
        """Say which anomalies of parts that are seen by some modalities can be known."""
        if self._normality is None:
            return ()
        known = {Modality.IMAGE: self._normality.seen, Modality.VIBRATION: self._normality.heard}
        return tuple(i for i, m in enumerate(COLUMNS) if m in present and known[m] is not None)

    def _view(self, present: frozenset[Modality], anomalies: tuple[int, ...]) -> View | None:
        key = present, anomalies
        if key not in self._views:
            self._views[key] = self._make_view(present, anomalies)
        return self._views[key]

    def _make_view(self, present: frozenset[Modality], anomalies: tuple[int, ...]) -> View | None:
        for _ in self._solving(present):
            pass
        head = self._heads[present]
        if head is None:
            return None
        known, anomalies = self._held_out_with(present, anomalies)
        distances, anomaly = self._distances[present][known], self._held_out.anomaly[known][:, anomalies]
        scores = np.column_stack([distances[:, head.classes.index(self._bundle.normal)], anomaly])
        lots = [lot.which[known] for lot in self._held_out.lots]
        kept = usual(scores, lots)
        view = View.of(head, self._bundle.normal, distances[kept], anomaly[kept], anomalies)
        return replace(view, lots=sizes_of(kept, lots), kinds=self._kinds[present])

    def _solving(self, present: frozenset[Modality]) -> Iterator[None]:
        """Solve the classifier, and how far from each class held-out parts are without those of their lot."""
        if present in self._heads:
            return
        head = self._head(present, self._knowledge)
        if head is not None:
            distances = head.distances(dequantise(self._held_out.rows))
            for lot in self._held_out.lots:
                yield
                others = self._head(present, lot.others)
                if others is not None and others.classes == head.classes:
                    distances[lot.which] = others.distances(dequantise(self._held_out.rows[lot.which]))
            self._distances[present] = distances
            yield
            self._kinds[present] = self._solved_kinds(present)
        self._heads[present] = head

    def _head(self, present: frozenset[Modality], knowledge: Knowledge) -> Head | None:
        """Solve the classifier for parts that are seen so; None where that knows no good parts."""
        try:
            head = knowledge.head(self._prior, sorted(present), self._bundle.normal)
        except NotTaught:
            return None
        return head if self._bundle.normal in head.classes else None

    def _solved_kinds(self, present: frozenset[Modality]) -> Head | None:
        """Solve what names the defects of parts that are seen so; None where none was taught."""
        try:
            return self._knowledge.kinds(self._prior, sorted(present), self._bundle.normal)
        except NotTaught:
            return None

    @property
    def strength(self) -> float | None:
        """How many samples the bundle's prior is worth where defects of parts that lack nothing are named."""
        present = frozenset(self._recipe.modalities)
        view = self._view(present, self._known_of(present))
        return None if view is None or view.kinds is None else view.kinds.strength

    def _held_out_with(
        self, present: frozenset[Modality], anomalies: tuple[int, ...]
    ) -> tuple[NDArray[np.bool_], tuple[int, ...]]:
        """Say which held-out parts parts seen so are ranked among, and which anomalies are weighed then.

        Where most held-out parts lack an anomaly, because they were taught by a release that did not know it, none is
        weighed: few parts promise less than many by their embeddings.
        """
        rows, anomaly = self._held_out.rows, self._held_out.anomaly
        there = np.ones(len(rows), bool)
        for block in self._bundle.blocks:
            if block.modality in present:
                there &= np.any(rows[:, block.start : block.stop], axis=1)
        known = there & np.isfinite(anomaly[:, anomalies]).all(axis=1)
        if 2 * known.sum() < there.sum():
            known, anomalies = there, ()
        return known, anomalies


def _kind(view: View, z: Floats) -> tuple[str, float]:
    """Give the most probable taught defect, and its share of what all of them make probable."""
    assert view.kinds is not None  # a kind, or how alike the taught ones are, has been weighed
    probabilities = view.kinds.probabilities(z)
    kind = int(np.argmax(probabilities))
    return view.kinds.classes[kind], float(probabilities[kind])
