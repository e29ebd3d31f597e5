"""One lesson: examples become encodings to be made, and their embeddings become exemplars.

Pure bookkeeping; who encodes, and when, is the caller's business. Defect classes enter with label-preserving
augmentations. Good parts enter as they are, and every second one is held out for calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import MAX_SOURCE, MAX_WHO, Exemplar, Role
from edge_agent.learning.goodparts import DETAILED
from edge_agent.learning.learned import Learned
from edge_agent.records import Details, Embedding
from edge_agent.sources.imagehealth import picture_faults
from models.augment import AUGMENTATIONS, augment_picture, augment_vibration
from models.guide import GuidedBundle
from models.tokenbank import rounded

MAX_GOOD: Final = 20_000
"""Good parts that are learned and held out: 1 GB of details with `generic`."""

MAX_VARIED: Final = 1000
"""Examples of one class whose tokens are kept, in all their variants: 0.4 GB with `generic`."""


Place = tuple[int, int]
"""Which variant of a lesson: number of its example, number of the variant."""

NAMED: Final = 3
"""Examples that a lesson that came to nothing names with their reasons."""


@dataclass
class _Sample:
    """One example and the embeddings of its variants so far."""

    example: Example
    rows: list[NDArray[np.int16]] = field(default_factory=list)
    plain: list[NDArray[np.int16]] = field(default_factory=list)
    details: list[Details] = field(default_factory=list)
    refused: str = ""


class Sample(NamedTuple):
    """What is to be kept of an example.

    Attributes:
        exemplar: of it, without picture, window or details.
        example: what it was made from.
        details: of a good part; of any other, and of all its variants, where tokens are kept; else None.
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
        space: what embeddings are of, where a guide says where to look; None where none does.
        tokens: those of every example are kept, so that it can be looked at by a guide that is made another time.
        following: examples of the class that are to be taught after these.

    Raises:
        BadData: the name is no class name, or nearly that of another class, or there would be too many of it.
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
        space: GuidedBundle | None = None,
        tokens: bool = False,
        following: int = 0,
    ) -> None:
        self.name = name
        self._space = space
        self._tokens = tokens or space is not None
        self.label = learned.slug_for(name)
        self._normal = normal
        self._golden = golden
        self._variants = 1 if golden or self.label == normal else AUGMENTATIONS
        self._samples = [_Sample(example, refused=_faults(example, limits)) for example in examples]
        self._at: Place = (0, 0)
        self._refuse_known(learned)
        self._check_room(learned, following)
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

    @property
    def at(self) -> Place | None:
        """What is to be encoded next; None when nothing is left."""
        return self._at if self._at[0] < len(self._samples) else None

    def after(self, place: Place) -> Place | None:
        """Say what is going to be encoded after that, where nothing is given up meanwhile."""
        i, k = place
        if k + 1 < self._variants:
            return i, k + 1
        left = (j for j in range(i + 1, len(self._samples)) if not self._samples[j].refused)
        return next(((j, 0) for j in left), None)

    def example(self, place: Place) -> Example:
        """Give the example that a place is a variant of; from any thread."""
        return self._samples[place[0]].example

    def variant(self, place: Place) -> Example:
        """Give what is to be encoded there; a millisecond, from any thread."""
        return variant_of(self.example(place), place[1])

    def next_variant(self) -> Example | None:
        """Give the next thing to encode; None when nothing is left."""
        return None if self.at is None else self.variant(self.at)

    def take(self, result: Embedding | BadData) -> None:
        """Take the embedding of the variant given out last, or why there is none; the example is then given up."""
        i, k = self._at
        if isinstance(result, BadData):
            self._samples[i].refused = result.message
        elif "bad_vibration" in result.degraded:
            self._samples[i].refused = "its vibration window cannot be used"
        else:
            self._keep(self._samples[i], result)
            if k + 1 < self._variants:
                self._at = (i, k + 1)
                return
        self._at = (i + 1, 0)
        self._pass_over_refused()

    def look(self, embedding: Embedding) -> Embedding:
        """Round an encoded variant's tokens where they are kept, and look at it where a guide says where.

        Some milliseconds, from any thread; what was looked at stays as it is.
        """
        details = embedding.details
        if self._keeps and details is not None and details.tokens is not None:
            details = Details(rounded(details.tokens), details.features)
            embedding = replace(embedding, details=details)
        if self._space is None or embedding.plain is not None:
            return embedding
        tokens = None if details is None else details.tokens
        return replace(embedding, q=self._space.extended(embedding.q, tokens), plain=embedding.q)

    @property
    def _keeps(self) -> bool:
        """Whether details are kept."""
        return self._tokens or self.label == self._normal

    def _keep(self, sample: _Sample, result: Embedding) -> None:
        looked = self.look(result)
        if looked.plain is not None:
            sample.plain.append(looked.plain)
        sample.rows.append(looked.q)
        if self._keeps:
            sample.details.append(looked.details or Details())

    def _kept_details(self, sample: _Sample, role: Role) -> Details | None:
        """Give what is kept of a sample in detail: enough to learn good parts, or to look at it anew."""
        if self.label == self._normal and role in DETAILED:
            return sample.details[0]
        if not self._tokens:
            return None
        tokens = [details.tokens for details in sample.details if details.tokens is not None]
        return Details(np.stack(tokens).astype(np.int8) if tokens else None)

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
        if any(row.shape != (learned.knowledge.d,) for sample in self._samples for row in sample.rows) or (
            self._space is not None and self._space.digest != learned.knowledge.bundle_digest
        ):
            raise BadData(
                f"where pictures are looked at has changed while {self.name} was taught", hint="teach it once more"
            )
        self._refuse_known(learned)
        usable = [sample for sample in self._samples if sample.rows and not sample.refused]
        if not usable:
            more = len(self.refused) - NAMED
            raise BadData(
                f"no example of {self.name} could be learned: {'; '.join(self.refused[:NAMED])}"
                + (f"; and {more} more" if more > 0 else ""),
                hint="choose other examples; `edge-agent learned CLASS` lists those that are known",
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
                    plain=np.stack(sample.plain) if sample.plain else None,
                    pixels=sample.example.pixels if sample.example.samples is not None else "",
                ),
                sample.example,
                self._kept_details(sample, role),
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
            source, id_, pixels = sample.example.source, sample.example.id, sample.example.pixels
            twice = f"the same as {first[id_]}" if id_ in first else ""
            first.setdefault(id_, source)
            objection = learned.objection(id_, self.label, pixels, golden=self._golden)
            sample.refused = sample.refused or objection or twice

    def _check_room(self, learned: Learned, following: int) -> None:
        """Refuse a lesson after which details of more examples would have to be kept than may be.

        Those that follow are new where all of these are; else they may be known already, and count when they come.
        """
        most = MAX_GOOD if self.label == self._normal else MAX_VARIED
        known = sum(exemplar.label == self.label for exemplar in learned.exemplars)
        new = sum(not sample.refused for sample in self._samples)
        new += following if new == len(self._samples) else 0
        if known + new > most and self._keeps:
            raise BadData(
                f"{new} more example{'' if new == 1 else 's'} of {self.name} would be too many: {known} are known, "
                f"{most} are the most",
                hint="choose those that differ most, or `edge-agent forget` some",
            )

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
