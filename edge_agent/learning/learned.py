"""All that a station has learned, as one immutable value: kept examples, what came without its samples, and their sum.

Adding and forgetting give a new value; what is forgotten leaves no byte behind. Pure: the disk is the store's business,
judging the judge's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from edge_agent.learning.goodparts import GoodParts
from edge_agent.learning.guiding import Guiding
from edge_agent.learning.label import slug_of
from edge_agent.learning.lot import PART, Lots
from edge_agent.records import Embedding
from edge_agent.runtime.steps import Steps, finished
from models import Bundle, Knowledge

MAX_CALIBRATION: Final = 10_000
"""Held-out good parts that count: enough for a false-reject rate of 0.01 %, 2.5 MB."""

MAX_LESSONS: Final = 4000
"""Ten years of one lesson each day; every state that can be returned to lists those it has."""

HINT: Final = "see docs/teaching.md"


@dataclass(frozen=True, eq=False)
class Learned:
    """What the station judges with, and what that is made of.

    Attributes:
        base: what came without its samples; empty on a station that knows only what it was taught.
        lessons: the exemplars of each lesson, in the order taught; no exemplar is there twice.
        names: by slug, what a class is called where a person has named it.
        knowledge: what the classifier is solved from: `base` and every exemplar that is fitted, to the bit.
        good: what good parts look and sound like in detail; it is the store that learns it, see
            `KnowledgeStore.completing`.
        guiding: where pictures are looked at; so does this. None where they are looked at as a whole.
    """

    base: Knowledge
    lessons: tuple[Chunk, ...]
    names: Mapping[str, str]
    knowledge: Knowledge = field(repr=False)
    good: GoodParts | None = None
    guiding: Guiding | None = None

    @classmethod
    def nothing(cls, recipe: str, bundle: Bundle) -> Self:
        """Know nothing yet."""
        empty = Knowledge.empty(recipe, bundle.digest, bundle.blocks)
        return cls(empty, (), {}, empty)

    @classmethod
    def of(cls, base: Knowledge, lessons: Iterable[Chunk], names: Mapping[str, str]) -> Self:
        """Add up what is known.

        Args:
            base: what came without its samples.
            lessons: the exemplars of each lesson.
            names: what the classes are called.

        Returns:
            All of it together.

        Raises:
            StateDamaged: the exemplars are not those of this recipe and bundle.
        """
        return finished(cls.adding(base, lessons, names))

    @classmethod
    def adding(cls, base: Knowledge, lessons: Iterable[Chunk], names: Mapping[str, str]) -> Steps[Self]:
        """Do what `of` does in parts of a tenth of a second."""
        lessons = tuple(lessons)
        fitted = [e for lesson in lessons for e in lesson.exemplars if e.role is Role.FIT]
        try:
            for lesson in lessons:
                lesson.check_subject(base)
            return cls(base, lessons, names, (yield from _adding(fitted, base)))
        except ValueError as error:
            raise StateDamaged(f"the exemplars do not fit: {error}", hint="teach them again") from error

    @cached_property
    def exemplars(self) -> tuple[Exemplar, ...]:
        """All kept examples, in the order taught."""
        return tuple(exemplar for lesson in self.lessons for exemplar in lesson.exemplars)

    @cached_property
    def calibration(self) -> NDArray[np.int16]:
        """The newest held-out good parts as they are, without variants, shape (n, d), int16."""
        rows = [exemplar.rows[0] for exemplar in self.exemplars if exemplar.role is Role.RING][-MAX_CALIBRATION:]
        return np.stack(rows) if rows else np.empty((0, self.knowledge.d), np.int16)

    @cached_property
    def anomaly(self) -> NDArray[np.float64]:
        """How unlike other good parts picture and window of those in `calibration` are, (n, 2); NaN for unknown."""
        known = [] if self.good is None else [self.good.anomaly(e) for e in self.exemplars if e.role is Role.RING]
        unknown = np.full((len(self.calibration), 2), np.nan)
        return np.array(known[-MAX_CALIBRATION:], np.float64) if known else unknown

    @cached_property
    def lots(self) -> Lots:
        """The good parts by lot."""
        return Lots(self.knowledge, self.exemplars)

    def untaught(self, drawn: Iterable[Embedding]) -> list[Embedding]:
        """Give those of some embeddings that are of no example that was taught in any role."""
        taught = {exemplar.rows[0].tobytes() for exemplar in self.exemplars}
        return [embedding for embedding in drawn if embedding.q.tobytes() not in taught]

    @property
    def classes(self) -> tuple[str, ...]:
        """Slugs of all that was taught in any role, sorted."""
        return tuple(sorted({*self.base.classes, *(exemplar.label for exemplar in self.exemplars)}))

    def count(self, slug: str, role: Role) -> int:
        """Count the kept examples of a class in one role."""
        return sum(exemplar.label == slug and exemplar.role is role for exemplar in self.exemplars)

    def good_ones(self, normal: str) -> list[Exemplar]:
        """Give the kept examples of the class of good parts."""
        return [exemplar for exemplar in self.exemplars if exemplar.label == normal]

    def raw_bytes(self, slug: str, role: Role) -> int:
        """Say what the kept pictures and windows of a class in one role take [bytes]."""
        return sum(e.raw_bytes for e in self.exemplars if e.label == slug and e.role is role)

    def find(self, sample: str) -> tuple[Exemplar, ...]:
        """Give the exemplars with this id, or that came from there."""
        return tuple(exemplar for exemplar in self.exemplars if sample in (exemplar.id, exemplar.source))

    def unknown(self, what: str) -> BadData:
        """Give the refusal of what nothing is known of, by whatever name a person has for it."""
        hint = "`edge-agent learned` lists the classes, `edge-agent learned CLASS` its samples"
        with contextlib.suppress(BadData):  # it need not be a name
            if (slug := slug_of(what)) in self.classes:
                hint = f"write {self.names.get(slug, slug)} if that is meant"
        return BadData(f"nothing was learned that is called {what}", hint=hint)

    def slug_for(self, name: str) -> str:
        """Give the slug of a class that exists, or may.

        Args:
            name: what a person calls it.

        Returns:
            The slug.

        Raises:
            BadData: the name is none, or differs from that of a class by case, accents or punctuation only.
        """
        if (there := next((slug for slug, known in self.names.items() if known == name), "")) in self.classes:
            return there  # also where no new class could be called so
        slug = slug_of(name)
        known = self.names.get(slug, slug)
        if name != known and slug in self.classes:
            raise BadData(
                f"there is a class {known} already, and {name} would be the same",
                hint=f"write {known} if that is meant, else choose a name that differs by more",
            )
        return slug

    def objection(self, id_: str, slug: str, pixels: str = "", *, golden: bool | None = None) -> str:
        """Say why an example cannot be taught as this class.

        The first call of a state makes indexes of all exemplars, some 10 ms for 20,000: not for the loop thread.

        Args:
            id_: the example's.
            slug: the class.
            pixels: the id that its picture has alone, "" without one.
            golden: it is to be asked about and not learned; None where that does not matter.

        Returns:
            It is kept already, or its picture is, of another class or for the other use; "" where it can be taught.
        """
        kept = self._by_id.get(id_)
        if kept is None:
            return self._contradiction(self._by_picture.get(pixels), slug, golden)
        at = datetime.fromtimestamp(kept.utc, UTC).strftime("%Y-%m-%d %H:%M UTC")
        said = f"already an example of {self.names.get(kept.label, kept.label)}, taught by {kept.who} at {at}"
        as_what = f"{said} as {kept.source}"
        return as_what if kept.label == slug else f"{as_what}; forget that first if it was wrong"

    def _contradiction(self, kept: Exemplar | None, slug: str, golden: bool | None) -> str:
        if kept is None or (kept.label == slug and golden in (None, kept.role is Role.GOLDEN)):
            return ""
        an = "a golden example" if kept.role is Role.GOLDEN else "an example"
        said = f"its picture is that of {kept.source}, {an} of {self.names.get(kept.label, kept.label)}"
        return f"{said}; forget that first if it was wrong"

    def with_exemplars(self, name: str, exemplars: Sequence[Exemplar]) -> Self:
        """Add the exemplars of one lesson; see `adding_exemplars`."""
        return finished(self.adding_exemplars(name, exemplars))

    def adding_exemplars(self, name: str, exemplars: Sequence[Exemplar]) -> Steps[Self]:
        """Add the exemplars of one lesson, in parts of a tenth of a second.

        Args:
            name: what a person calls their class.
            exemplars: at least one, of that class.

        Returns:
            What is known with them; this stays as it is.

        Raises:
            BadData: one of them cannot be added; the message says which and why.
        """
        slug = self.slug_for(name)
        if not exemplars or len(self.lessons) >= MAX_LESSONS:
            what = f"{MAX_LESSONS} lessons are the most that are kept" if exemplars else "a lesson has examples"
            raise BadData(f"cannot learn {name}: {what}", hint=HINT)
        seen = set[str]()
        for exemplar in exemplars:
            if exemplar.label != slug:
                raise BadData(f"{exemplar.source} is an example of {exemplar.label}, not of {name}", hint=HINT)
            if reason := "twice in one lesson" if exemplar.id in seen else self.objection(exemplar.id, slug):
                raise BadData(f"{exemplar.source}: {reason}", hint=HINT)
            seen.add(exemplar.id)
        try:
            knowledge = yield from _adding([e for e in exemplars if e.role is Role.FIT], self.knowledge)
            chunk = Chunk(knowledge.recipe, knowledge.bundle_digest, tuple(exemplars))
            chunk = Chunk.from_bytes(chunk.to_bytes())  # what is kept can be read again
            chunk.check_subject(knowledge)
        except (ValueError, StateDamaged) as error:
            raise BadData(f"cannot learn {name}: {error}", hint=HINT) from error
        names = {**self.names, slug: name}
        return replace(self, lessons=(*self.lessons, chunk), names=names, knowledge=knowledge)

    def without(self, ids: Iterable[str]) -> Self:
        """Forget some exemplars: what is left is what never learning them would have given, byte for byte.

        What the others are for, learned from or held out, stays what it was.

        Args:
            ids: theirs.

        Returns:
            What is known without them; this stays as it is.

        Raises:
            BadData: one of them was never learned.
        """
        gone = frozenset(ids)
        if unknown := sorted(gone - self._by_id.keys()):
            raise BadData(f"no example {', '.join(unknown[:5])} was ever learned", hint=HINT)
        knowledge = self.knowledge
        for exemplar in (self._by_id[id_] for id_ in sorted(gone)):
            if exemplar.role is Role.FIT:
                knowledge = knowledge.forget(exemplar.label, exemplar.rows)
        return self._reduced(self.base, gone, knowledge)

    def without_class(self, slug: str) -> Self:
        """Forget a class with all its exemplars, and what came of it without them.

        Args:
            slug: the class.

        Returns:
            What is known without it; this stays as it is.

        Raises:
            BadData: it was never learned.
        """
        if slug not in self.classes:
            known = ", ".join(self.classes) or "nothing"
            raise BadData(f"the class {slug} was never learned", hint=f"what was learned: {known}")
        gone = frozenset(exemplar.id for exemplar in self.exemplars if exemplar.label == slug)
        return self._reduced(self.base.without_class(slug), gone, self.knowledge.without_class(slug))

    @cached_property
    def _by_picture(self) -> dict[str, Exemplar]:
        """By the id that a picture has alone, which is the exemplar's own where nothing lies beside the picture."""
        return {exemplar.pixels or exemplar.id: exemplar for exemplar in self.exemplars}

    @cached_property
    def _by_id(self) -> dict[str, Exemplar]:
        return {exemplar.id: exemplar for exemplar in self.exemplars}

    def _reduced(self, base: Knowledge, gone: frozenset[str], knowledge: Knowledge) -> Self:
        lessons = tuple(left for lesson in self.lessons if (left := lesson.without(gone)) is not None)
        classes = {*base.classes, *(exemplar.label for lesson in lessons for exemplar in lesson.exemplars)}
        names = {slug: name for slug, name in self.names.items() if slug in classes}
        return replace(self, base=base, lessons=lessons, names=names, knowledge=knowledge)


def _adding(exemplars: Sequence[Exemplar], knowledge: Knowledge) -> Steps[Knowledge]:
    for count, exemplar in enumerate(exemplars, start=1):
        knowledge = knowledge.learn(exemplar.label, exemplar.rows)
        if count % PART == 0:
            yield None
    return knowledge
