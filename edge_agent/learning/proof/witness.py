"""Asks a state of knowledge about samples that it does not contain: what was taught is left out first.

Leaving out means forgetting the sample with all its variants and solving anew, which is exact; nothing is taken from a
solution that has seen the sample. Pure; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_agent.errors import StateDamaged
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.proof.sheet import Call
from models.embedding import dequantise
from models.errors import NotTaught
from models.head import Head, Prior


class Witness:
    """Answers for one state of knowledge.

    Args:
        learned: the state.
        prior: its bundle's.
        normal: slug of the class of good parts.
        bundle_digest: the bundle that made the rows of samples that the state does not have.
    """

    def __init__(self, learned: Learned, prior: Prior, normal: str, bundle_digest: str) -> None:
        self.knowledge = learned.knowledge
        self.fitted = {sample.id: sample for sample in learned.exemplars if sample.role is Role.FIT}
        self._kept = {sample.id: sample for sample in learned.exemplars}
        self._understands_others = bundle_digest == learned.knowledge.bundle_digest
        self._prior = prior
        self._normal = normal
        self._heads: dict[tuple[str, tuple[str, ...]], Head | None] = {}
        self._calls: dict[tuple[str, str], Call | None] = {}

    def call(self, sample: Exemplar, without: Exemplar | None = None) -> Call | None:
        """Say what a sample is called by what is known without it.

        Args:
            sample: what is asked about; where it was fitted, it is left out with all its variants.
            without: another sample that is left out as well.

        Returns:
            The class, with the label "" where nothing that was taught bears on the sample; None where the sample was
            all that is known of its class, or where another bundle made its embedding, so that nothing can be asked.

        Raises:
            StateDamaged: the sample is said to be fitted, and is not part of what is known.
        """
        asked = (sample.id, "" if without is None else without.id)
        if asked not in self._calls:
            self._calls[asked] = self._called(sample, without)
        return self._calls[asked]

    def _called(self, sample: Exemplar, without: Exemplar | None) -> Call | None:
        if sample.id not in self._kept and not self._understands_others:
            return None
        row = self._kept.get(sample.id, sample).rows[0]
        present = tuple(span.modality for span in self.knowledge.spans if row[span.start : span.stop].any())
        own = self.fitted.get(sample.id)
        if own is None:
            head = self._shared(without, present)
        else:
            head = self._solved([own] if without is None else [own, without], present)
        if own is not None and (head is None or own.label not in head.classes):
            return None
        if head is None:
            return Call("", 0.0)
        probabilities = head.probabilities(dequantise(row))
        winner = int(np.argmax(probabilities))
        return Call(head.classes[winner], float(probabilities[winner]))

    def _shared(self, without: Exemplar | None, present: tuple[str, ...]) -> Head | None:
        """Solve once what is asked about many samples that were not fitted."""
        key = ("" if without is None else without.id, present)
        if key not in self._heads:
            self._heads[key] = self._solved([] if without is None else [without], present)
        return self._heads[key]

    def _solved(self, left_out: Sequence[Exemplar], present: tuple[str, ...]) -> Head | None:
        rest = self.knowledge
        for sample in left_out:
            try:
                rest = rest.forget(sample.label, sample.rows)
            except ValueError as error:
                raise StateDamaged(
                    f"the kept example {sample.source} of {sample.label} is not part of the knowledge: {error}",
                    hint="teach the class again",
                ) from error
        try:
            return rest.head(self._prior, present, self._normal)
        except NotTaught:
            return None
