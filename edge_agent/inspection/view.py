"""What is known of parts that are seen by one set of modalities: how far good ones lie, and what defects look like.

Built once for each state of knowledge; the judge decides by what it says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.inspection.decision import likelihood_ratio, p_defective
from edge_agent.inspection.joint import Joint
from edge_agent.inspection.ring import Ring
from models.head import Head

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
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
class View:
    """What is known when a part is seen by one set of modalities.

    Attributes:
        head: the classifier on their dimensions.
        normal: which of its classes is that of good parts.
        held_out: distances of held-out good parts to each class, shape (n, classes).
        anomalies: which anomalies are weighed beside the distance to good, columns of `HeldOut.anomaly`.
        unlike: how far good parts lie from good; None without held-out parts.
        contrast: how much more probable the taught defects make them than good parts do, log; None without either.
        lots: how many held-out parts are of each lot, 0 for one that is set aside.
        kinds: names defects; None where none was taught.
    """

    head: Head
    normal: int
    held_out: Floats
    anomalies: tuple[int, ...]
    unlike: Joint | None
    contrast: Ring | None
    lots: tuple[int, ...] = ()
    kinds: Head | None = None

    @classmethod
    def of(cls, head: Head, normal: str, distances: Floats, anomaly: Floats, anomalies: tuple[int, ...]) -> View:
        """Make it from held-out good parts.

        Args:
            head: the classifier.
            normal: slug of the class of good parts.
            distances: theirs to each class, shape (n, classes).
            anomaly: theirs, shape (n, len(anomalies)), all known.
            anomalies: which these are.

        Returns:
            What is known.
        """
        at = head.classes.index(normal)
        if not len(distances):
            return cls(head, at, distances, anomalies, None, None)
        contrast = None if len(head.classes) == 1 else Ring(_contrast(head.logits_at(distances), at))
        scores = np.column_stack([distances[:, at], anomaly])
        return cls(head, at, distances, anomalies, Joint(scores), contrast)

    def evidence(self, distances: Floats, anomaly: Floats, defect_share: float) -> Evidence | None:
        """Say how unusual a part is by its distances to each class, (classes,); None if nothing can."""
        if self.unlike is None:
            return None
        scores = np.concatenate([distances[[self.normal]], anomaly[list(self.anomalies)]])[np.newaxis]
        unlike = self.unlike.ratio(scores)
        return self._evidence(distances[np.newaxis], self.unlike.p_value(scores, unlike), unlike, defect_share)

    def own_evidence(self, defect_share: float) -> Evidence | None:
        """Say how unusual the held-out parts are."""
        if self.unlike is None:
            return None
        return self._evidence(self.held_out, self.unlike.own_p_value, self.unlike.own, defect_share)

    def _evidence(self, distances: Floats, p_normal: Floats, unlike: Floats, defect_share: float) -> Evidence:
        alike = None
        if self.contrast is not None:
            contrast = _contrast(self.head.logits_at(distances), self.normal)
            alike = likelihood_ratio(self.contrast.chance(contrast))
        kinds = len(self.head.classes) - 1
        return Evidence(p_normal, unlike, alike, p_defective(defect_share, unlike, alike, kinds))


def _contrast(logits: Floats, normal: int) -> Floats:
    """Give the log of how much more probable the defects make parts than good parts do, but for a constant."""
    return log_sum(np.delete(logits, normal, axis=-1)) - logits[..., normal]


def log_sum(logits: Floats) -> Floats:
    """Give log sum exp of the last axis."""
    top = logits.max(axis=-1)
    total: Floats = top + np.log(np.exp(logits - top[..., np.newaxis]).sum(axis=-1))
    return total
