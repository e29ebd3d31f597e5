"""One lesson: examples become encodings to be made, and their embeddings become exemplars.

Pure bookkeeping; who encodes, and when, is the caller's business. Defect classes enter with label-preserving
augmentations. Good parts enter as they are, and every second one is held out for calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import MAX_SOURCE, MAX_WHO, Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.records import Details, Embedding
from edge_agent.sources.imagehealth import picture_faults
from models.augment import AUGMENTATIONS, augment_picture, augment_vibration


@dataclass
class _Sample:
    """One example and the embeddings of its variants so far."""

    example: Example
    rows: list[NDArray[np.int16]] = field(default_factory=list)
    details: Details | None = None
    refused: str = ""


class Sample(NamedTuple):
    """What is to be kept of an example.

    Attributes:
        exemplar: of it, without picture, window or details.
        example: what it was made from.
        details: of a good part; None of any other.
    """

    exemplar: Exemplar
    example: Example
    details: Details | None = None


class Lesson:
    """Gives out what must be encoded, takes the embeddings, and turns them into exemplars.

    Args:
        name: the class that is taught, as a person writes it.
        examples: its examples, at least one.
        learned: what is known already: the same example is not taught twice.
        normal: slug of the class of good parts.
        limits: when a picture is too bad to learn from.
        golden: nothing is learned from them; they are to be asked whenever knowledge is to change.

    Raises:
        BadData: the name is no class name, or nearly that of another class.
    """

    def __init__(
        self,
        name: str,
        examples: Sequence[Example],
        learned: Learned,
        normal: str,
        limits: ImageHealthConfig,
        *,
        golden: bool = False,
    ) -> None:
        self.name = name
        self.label = learned.slug_for(name)
        self._normal = normal
        self._golden = golden
        self._variants = 1 if golden or self.label == normal else AUGMENTATIONS
        self._samples = [_Sample(example, refused=_faults(example, limits)) for example in examples]
        self._at = (0, 0)
        self._refuse_known(learned)
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
            self._samples[i].details = result.details if self.label == self._normal else None
            if k + 1 < self._variants:
                self._at = (i, k + 1)
                return
        self._at = (i + 1, 0)
        self._pass_over_refused()

    def exemplars(self, learned: Learned, who: str, utc: float) -> list[Sample]:
        """Give what is to be kept of this lesson.

        Args:
            learned: what is known by now.
            who: the person who teaches.
            utc: wall time [s since the epoch].

        Returns:
            At least one.

        Raises:
            BadData: no example could be learned.
        """
        self._refuse_known(learned)
        usable = [sample for sample in self._samples if sample.rows and not sample.refused]
        if not usable:
            raise BadData(
                f"no example of {self.name} could be learned: {'; '.join(self.refused[:3])}",
                hint="see docs/teaching.md",
            )
        return [
            Sample(
                Exemplar(
                    id=sample.example.id,
                    label=self.label,
                    role=role,
                    rows=np.stack(sample.rows),
                    source=_told(sample.example.source, MAX_SOURCE),
                    who=_told(who, MAX_WHO),
                    utc=utc,
                ),
                sample.example,
                sample.details,
            )
            for sample, role in zip(usable, self._roles(learned, len(usable)), strict=True)
        ]

    def _roles(self, learned: Learned, count: int) -> list[Role]:
        """Say what each usable example is for; every second good part is held out, over all lessons together."""
        if self._golden:
            return [Role.GOLDEN] * count
        if self.label != self._normal:
            return [Role.FIT] * count
        fewer_held_out = len(learned.calibration) < learned.knowledge.samples(self.label)
        return [Role.RING if i % 2 != fewer_held_out else Role.FIT for i in range(count)]

    def _refuse_known(self, learned: Learned) -> None:
        """Refuse the examples that are kept already, and those that are here twice."""
        first: dict[str, str] = {}
        for sample in self._samples:
            source, id_ = sample.example.source, sample.example.id
            twice = f"the same as {first[id_]}" if id_ in first else ""
            first.setdefault(id_, source)
            sample.refused = sample.refused or learned.objection(id_, self.label) or twice

    def _pass_over_refused(self) -> None:
        while self._at[0] < len(self._samples) and self._samples[self._at[0]].refused:
            self._at = (self._at[0] + 1, 0)


def _told(text: str, most: int) -> str:
    """Give a name that can be stored: file names may hold what is no text."""
    return text.encode(errors="replace").decode()[:most]


def _faults(example: Example, limits: ImageHealthConfig) -> str:
    faults = () if example.image is None else picture_faults(example.image, limits)
    return f"its picture is {' and '.join(faults)}" if faults else ""


def variant_of(example: Example, k: int) -> Example:
    """Give variant `k` of an example, 0 to `AUGMENTATIONS` - 1; variant 0 is the example itself."""
    image = None if example.image is None else augment_picture(example.image, k)
    samples = None if example.samples is None else augment_vibration(example.samples, k)
    return Example(example.source, image, samples, example.rate_hz)
