"""Whether what was learned is guided, and by what: derived from the kept examples and from nothing else.

A guide is made of the good parts of the first lessons, before anything else was taught, and stays, so that embeddings
of yesterday and of today mean the same. Forget one of these, and it is made of the others, as it would have been had
the forgotten one never been there: every embedding is then made again from the tokens that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.exemplar import MAX_EXEMPLARS, Chunk, Exemplar, Role
from edge_agent.learning.goodparts import MAX_DETAILED
from edge_agent.records import Details
from edge_agent.runtime.steps import Steps
from models import Bundle
from models.errors import KnowledgeDamaged
from models.guide import MEMBERS, Guide, GuidedBundle, can_be_guided
from models.joined import joined, parted
from models.normality import Seen
from models.tokenbank import rounded

PART: Final = 32
"""Embeddings that are made again before others are let in: a tenth of a second."""

HINT: Final = "teach good parts again, or take the file from a backup"

Read = Callable[[str], Details | None]
Own = Mapping[str, NDArray[np.float64]]

_Ids = Annotated[tuple[str, ...], Meta(max_length=MAX_EXEMPLARS)]


@dataclass(frozen=True, eq=False)
class Guiding:
    """A guide, and what it was made of.

    Attributes:
        guide: where to look.
        members: ids of the good parts, sorted.
    """

    guide: Guide
    members: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Give the one form of it."""
        return joined(msgspec.json.encode(self.members), self.guide.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, bundle: Bundle) -> Self:
        """Read what `to_bytes` wrote, of `bundle`; raise `StateDamaged` where it is anything else."""
        ids, body = parted(data)
        try:
            members = msgspec.json.decode(ids, type=_Ids)
            guide = Guide.from_bytes(body)
        except (msgspec.DecodeError, UnicodeDecodeError, KnowledgeDamaged) as error:
            raise StateDamaged(f"where to look cannot be used: {error}", hint=HINT) from error
        if guide.bundle_digest != bundle.digest:
            raise StateDamaged("where to look is of another bundle", hint=HINT)
        return cls(guide, members)


def space_of(bundle: Bundle, guiding: Guiding | None) -> Bundle:
    """Give what embeddings are of: the bundle, guided where it is."""
    return bundle if guiding is None else GuidedBundle.of(bundle, guiding.guide)


def members_of(lessons: tuple[Chunk, ...], bundle: Bundle, *, wanted: bool) -> tuple[str, ...]:
    """Say which good parts a guide is made of: those of the first lessons, before anything else was taught.

    It depends on the lessons alone, so that whatever is forgotten leaves what never learning it would have given.

    Args:
        lessons: the exemplars of each lesson, in the order taught.
        bundle: gives their tokens.
        wanted: the recipe wants a guide.

    Returns:
        Their ids, sorted, of as few lessons as have enough of them, and of these the first `MAX_DETAILED`; none where
        there is no guide.
    """
    if not wanted or not can_be_guided(bundle):
        return ()
    members: list[str] = []
    for lesson in lessons:
        if any(exemplar.label != bundle.normal for exemplar in lesson.exemplars):
            return ()
        members += fitted_in((lesson,), bundle)
        if len(members) >= MEMBERS:
            return tuple(sorted(members[:MAX_DETAILED]))
    return ()


def fitted_in(lessons: tuple[Chunk, ...], bundle: Bundle) -> list[str]:
    """Give the ids of the good parts that are learned from and were seen in detail."""
    exemplars = (exemplar for lesson in lessons for exemplar in lesson.exemplars)
    return [e.id for e in exemplars if e.label == bundle.normal and e.role is Role.FIT and e.details]


def making(
    lessons: tuple[Chunk, ...], bundle: Bundle, members: tuple[str, ...], read: Read
) -> Steps[tuple[Guiding | None, Own]]:
    """Make a guide of good parts, in parts.

    Args:
        lessons: the exemplars of each lesson.
        bundle: gave their tokens.
        members: ids of the good parts.
        read: gives kept details by digest, None where they are lost.

    Returns:
        The guide, None where too many of their details are lost, or they were never seen; and the anomaly of each of
        them as the others see it, by id.
    """
    wanted = set(members)
    pictures = {}
    for exemplar in (e for lesson in lessons for e in lesson.exemplars if e.id in wanted):
        details = read(exemplar.details)
        if details is not None and details.tokens is not None:
            pictures[exemplar.id] = rounded(details.tokens)
    if len(pictures) < MEMBERS or bundle.grid is None:
        return None, {}
    ids = sorted(pictures)
    of_ids = [pictures[id_] for id_ in ids]
    seen, own = (yield from Seen.learning(np.stack(of_ids), bundle.grid)).as_the_others_see_it
    guide = Guide.that_saw(bundle, of_ids, seen, own)
    return Guiding(guide, members), dict(zip(ids, own, strict=True))


def guided(lessons: tuple[Chunk, ...], space: GuidedBundle, read: Read, own: Own) -> Steps[tuple[Chunk, ...]]:
    """Embed examples again as a guide says, from what is kept of them; 3 ms for each variant, in parts.

    Args:
        lessons: the exemplars of each lesson, guided otherwise or not at all.
        space: says where to look.
        read: gives kept details by digest, None where they are lost.
        own: the anomalies of those that the guide is made of, each as the others see it.

    Returns:
        The lessons; an example is embedded from its first embedding and its tokens, never from its picture.

    Raises:
        BadData: the tokens of one of them are not kept.
    """

    def anew(exemplar: Exemplar) -> Exemplar:
        plain = exemplar.rows if exemplar.plain is None else exemplar.plain
        details = read(exemplar.details) if exemplar.details else None
        if details is None:
            raise BadData(
                f"{exemplar.source} was taught by where to look, and the tokens that would say it anew are not kept",
                hint="forget it first, or undo instead",
            )
        tokens = [None] * len(plain) if details.tokens is None else variants_of(details)
        known = own.get(exemplar.id)
        rows = np.stack([space.extended(q, one, known) for q, one in zip(plain, tokens, strict=True)])
        return replace(exemplar, rows=rows, plain=plain)

    def all_anew() -> Steps[tuple[Chunk, ...]]:
        made, since, done = [], 0, 0
        total = sum(len(lesson.exemplars) for lesson in lessons)
        for lesson in lessons:
            exemplars = []
            for exemplar in lesson.exemplars:
                exemplars.append(anew(exemplar))
                since += len(exemplar.rows)
                done += 1
                if since >= PART:
                    since = 0
                    yield done, total
            made.append(Chunk(lesson.recipe, space.digest, tuple(exemplars)))
        return tuple(made)

    return all_anew()


def unguided(lessons: tuple[Chunk, ...], bundle: Bundle) -> tuple[Chunk, ...]:
    """Give the embeddings of examples without any guide."""
    return tuple(
        Chunk(
            lesson.recipe,
            bundle.digest,
            tuple(e if e.plain is None else replace(e, rows=e.plain, plain=None) for e in lesson.exemplars),
        )
        for lesson in lessons
    )


def variants_of(details: Details) -> list[NDArray[np.float32] | NDArray[np.int8]]:
    """Give the tokens of each variant of an example."""
    tokens = details.tokens
    if tokens is None:
        return []
    return list(tokens) if tokens.ndim == 3 else [tokens]
