"""One lesson: labelled examples become encodings to be made, and their embeddings become knowledge.

Pure bookkeeping; who encodes, and when, is the caller's business. Defect classes enter with label-preserving
augmentations. Good parts enter as they are, and every second one is held out for calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.learning.store import MAX_CALIBRATION, Learned
from edge_agent.records import Embedding
from edge_agent.sources.imagehealth import picture_faults
from models.augment import AUGMENTATIONS, augment_picture, augment_vibration


@dataclass
class _Sample:
    """One example and the embeddings of its variants so far."""

    example: Example
    rows: list[NDArray[np.int16]] = field(default_factory=list)
    refused: str = ""


class Lesson:
    """Gives out what must be encoded, takes the embeddings, and turns them into knowledge.

    Args:
        label: the class that is taught.
        examples: its examples, at least one.
        normal: slug of the class of good parts.
        limits: when a picture is too bad to learn from.
    """

    def __init__(self, label: str, examples: Sequence[Example], normal: str, limits: ImageHealthConfig) -> None:
        self.label = label
        self._normal = normal
        self._variants = 1 if label == normal else AUGMENTATIONS
        self._samples = [_Sample(example, refused=_faults(example, limits)) for example in examples]
        self._at = (0, 0)
        self._pass_over_refused()

    @property
    def total(self) -> int:
        """Encodings to be made."""
        return len(self._samples) * self._variants

    @property
    def done(self) -> int:
        """Encodings made or given up."""
        return self._at[0] * self._variants + self._at[1]

    @property
    def taught(self) -> list[str]:
        """Where the examples that can be learned came from."""
        return [s.example.source for s in self._samples if s.rows and not s.refused]

    @property
    def refused(self) -> list[str]:
        """The examples that cannot be learned, each with its reason."""
        return [f"{s.example.source}: {s.refused}" for s in self._samples if s.refused]

    def next_variant(self) -> Example | None:
        """Give the next thing to encode; None when nothing is left."""
        i, k = self._at
        if i == len(self._samples):
            return None
        return variant_of(self._samples[i].example, k)

    def take(self, result: Embedding | BadData) -> None:
        """Take the embedding of the variant given out last, or why there is none; the example is then given up."""
        i, k = self._at
        if isinstance(result, BadData):
            self._samples[i].refused = result.message
        elif "bad_vibration" in result.degraded:
            self._samples[i].refused = "its vibration window cannot be used"
        else:
            self._samples[i].rows.append(result.q)
            if k + 1 < self._variants:
                self._at = (i, k + 1)
                return
        self._at = (i + 1, 0)
        self._pass_over_refused()

    def apply(self, learned: Learned) -> Learned:
        """Give what is known with this lesson; what was known stays as it is.

        Args:
            learned: what is known so far.

        Returns:
            What is known with this lesson.

        Raises:
            BadData: no example could be learned, or the label is no slug.
        """
        rows = [np.stack(s.rows) for s in self._samples if s.rows and not s.refused]
        if not rows:
            raise BadData(f"no example of {self.label} could be learned", hint="; ".join(self.refused[:3]))
        knowledge = learned.knowledge
        fitted, held_out = rows, list[NDArray[np.int16]]()
        if self.label == self._normal:
            fewer_held_out = len(learned.calibration) < knowledge.samples(self.label)
            fitted, held_out = rows[fewer_held_out::2], rows[not fewer_held_out :: 2]
        try:
            for sample in fitted:
                knowledge = knowledge.learn(self.label, sample)
        except ValueError as error:
            raise BadData(f"cannot learn {self.label}: {error}", hint="see docs/teaching.md") from error
        calibration = np.concatenate([learned.calibration, *held_out])[-MAX_CALIBRATION:]
        return Learned(knowledge, calibration)

    def _pass_over_refused(self) -> None:
        while self._at[0] < len(self._samples) and self._samples[self._at[0]].refused:
            self._at = (self._at[0] + 1, 0)


def _faults(example: Example, limits: ImageHealthConfig) -> str:
    faults = () if example.image is None else picture_faults(example.image, limits)
    return f"its picture is {' and '.join(faults)}" if faults else ""


def variant_of(example: Example, k: int) -> Example:
    """Give variant `k` of an example, 0 to `AUGMENTATIONS` - 1; variant 0 is the example itself."""
    image = None if example.image is None else augment_picture(example.image, k)
    samples = None if example.samples is None else augment_vibration(example.samples, k)
    return Example(example.source, image, samples, example.rate_hz)
