"""What a station knows: sums of labelled embeddings, as one immutable value that can be added to and taken from.

Statistics are kept per class and per set of modalities that the samples had, in integers only, so any order of
teaching, any split over stations and any merge give the same value and the same bytes. The classifier is solved
from it by `head`; the file format is in `knw`. No clock, no file, no names of people or stations.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models import knw
from models.embedding import MAX_NORM2, Span
from models.head import Head, Prior, solve
from models.manifest import Block
from models.sums import Key, Sums

SLUG: Final = re.compile(r"[a-z0-9_]{1,40}")
"""What a class may be called; slugs join the knowledge of stations."""

DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Statistics of labelled embeddings; equal knowledge is equal bytes.

    Attributes:
        recipe: the product that it is about.
        bundle_digest: the bundle that made the embeddings; those of another bundle mean something else.
        spans: which dimensions each modality owns.
        groups: the statistics of each class and set of modalities, over the dimensions of those; none is empty.
    """

    recipe: str
    bundle_digest: str
    spans: tuple[Span, ...]
    groups: Mapping[Key, Sums] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.recipe) <= knw.MAX_RECIPE or not DIGEST.fullmatch(self.bundle_digest):
            raise ValueError(
                f"want a recipe of 1 to {knw.MAX_RECIPE} characters and a SHA-256, "
                f"got {self.recipe!r} and {self.bundle_digest!r}"
            )
        object.__setattr__(self, "groups", MappingProxyType(dict(sorted(self.groups.items()))))

    @classmethod
    def empty(cls, recipe: str, bundle_digest: str, blocks: Iterable[Block]) -> Self:
        """Know nothing yet about a recipe."""
        return cls(recipe, bundle_digest, tuple(Span(b.modality, b.start, b.stop) for b in blocks))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise `KnowledgeDamaged` with the reason when it is anything else."""
        return cls(*knw.decode(data))

    def to_bytes(self) -> bytes:
        """Give the one file that holds this knowledge."""
        return knw.encode(knw.Content(self.recipe, self.bundle_digest, self.spans, self.groups))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `to_bytes`, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Knowledge) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def d(self) -> int:
        """Number of dimensions of an embedding."""
        return self.spans[-1].stop

    @property
    def classes(self) -> tuple[str, ...]:
        """Slugs of what was taught, sorted."""
        return tuple(sorted({key.slug for key in self.groups}))

    def samples(self, slug: str) -> int:
        """Count the samples of a class, 0 for an unknown one."""
        return sum(sums.samples for key, sums in self.groups.items() if key.slug == slug)

    def learn(self, slug: str, rows: NDArray[np.int16]) -> Self:
        """Add one sample.

        Args:
            slug: its class, 1 to 40 of a to z, 0 to 9 and _.
            rows: q of the sample and of its augmentations, shape (K, d), K >= 1; the block of a modality that the
                sample lacks is zero, in every row.

        Returns:
            The knowledge with the sample; this one stays as it is.

        Raises:
            ValueError: the slug or the rows are none.
        """
        key, sums = self._sample(slug, rows)
        have = self.groups.get(key)
        return self._with(key, sums if have is None else have + sums)

    def forget(self, slug: str, rows: NDArray[np.int16]) -> Self:
        """Take one sample away; what is left is what never learning it would have given, byte for byte.

        Sums do not remember what they are made of: rows that were never taught are refused only where the rest
        could not be the sums of anything.

        Args:
            slug: the class it was taught as.
            rows: the very rows it was taught with, in any order.

        Returns:
            The knowledge without the sample; this one stays as it is.

        Raises:
            ValueError: the sample cannot have been taught.
        """
        key, sums = self._sample(slug, rows)
        return self._with(key, self._left(key, sums, f"this sample of {slug}"))

    def merge(self, *others: Knowledge) -> Self:
        """Add what others know of the same recipe with the same bundle; raise `ValueError` for anything else."""
        together = {key: [sums] for key, sums in self.groups.items()}
        for other in others:
            if other.subject != self.subject:
                raise ValueError(f"knowledge of {other.subject} cannot be added to that of {self.subject}")
            for key, sums in other.groups.items():
                together.setdefault(key, []).append(sums)
        return replace(self, groups={key: Sums.added(sums) for key, sums in together.items()})

    def without(self, other: Knowledge) -> Self:
        """Take away what was merged in; what is left is what never merging it would have given, byte for byte.

        Args:
            other: a part of this, such as what one station contributed.

        Returns:
            The knowledge without it; this one stays as it is.

        Raises:
            ValueError: it is about something else, or cannot be a part of this.
        """
        if other.subject != self.subject:
            raise ValueError(f"knowledge of {other.subject} cannot be part of that of {self.subject}")
        left = {key: self._left(key, sums, f"what is known of {key.slug} there") for key, sums in other.groups.items()}
        groups = {key: left.get(key, sums) for key, sums in self.groups.items()}
        return replace(self, groups={key: sums for key, sums in groups.items() if sums is not None})

    def without_class(self, slug: str) -> Self:
        """Take away all that is known of a class; nothing, for an unknown one."""
        return replace(self, groups={key: sums for key, sums in self.groups.items() if key.slug != slug})

    def head(self, prior: Prior, present: Iterable[str] | None = None, normal: str = "good") -> Head:
        """Solve the classifier.

        Args:
            prior: the bundle's.
            present: the modalities that the part to be judged has; all of them when not given.
            normal: the class of good parts.

        Returns:
            A classifier over the classes that were taught with any of the modalities.

        Raises:
            NotTaught: nothing was taught that bears on these modalities.
            KnowledgeDamaged: the statistics are not those of any embeddings.
            ValueError: the prior or a modality belongs to another bundle.
        """
        wanted = None if present is None else frozenset(present)
        return solve(self.groups, self.spans, prior, wanted, normal)

    def kinds(self, prior: Prior, present: Iterable[str] | None = None, normal: str = "good") -> Head:
        """Solve what tells kinds of defects from each other; it knows no good parts and says nothing about them.

        The prior is worth as many samples there as make the spread that was taught most probable.

        Args:
            prior: the bundle's.
            present: the modalities that the part has; all of them when not given.
            normal: the class of good parts, whose spread counts; "" where no class is that.

        Returns:
            A classifier over the other classes that were taught with any of the modalities.

        Raises:
            NotTaught: no kind was taught that bears on these modalities.
            KnowledgeDamaged: the statistics are not those of any embeddings.
            ValueError: the prior or a modality belongs to another bundle.
        """
        wanted = None if present is None else frozenset(present)
        return solve(self.groups, self.spans, prior, wanted, normal, kinds=True)

    @property
    def subject(self) -> tuple[str, str, tuple[Span, ...]]:
        """What two pieces of knowledge must have in common to be added: recipe, bundle and dimensions."""
        return self.recipe, self.bundle_digest, self.spans

    def _left(self, key: Key, gone: Sums, what: str) -> Sums | None:
        """Give the statistics of `key` without `gone`, None where nothing is left; refuse what they cannot contain."""
        have = self.groups.get(key)
        if have is None:
            raise ValueError(f"no sample of {key.slug} with {' and '.join(key.modalities)} was taught")
        left = have - gone
        if left.is_zero:
            return None
        if flaw := left.flaw():
            raise ValueError(f"{what} was not taught: without it, {flaw}")
        return left

    def _with(self, key: Key, sums: Sums | None) -> Self:
        rest = {k: s for k, s in self.groups.items() if k != key}
        return replace(self, groups=rest if sums is None else {**rest, key: sums})

    def _sample(self, slug: str, rows: NDArray[np.int16]) -> tuple[Key, Sums]:
        """Check a sample; give where it belongs and its sums over the dimensions of its modalities."""
        if not SLUG.fullmatch(slug):
            raise ValueError(f"class {slug!r} must be 1 to 40 of a to z, 0 to 9 and _")
        if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] != self.d or rows.dtype != np.int16:
            raise ValueError(f"want rows (K, {self.d}) int16 with K >= 1, got {rows.shape} {rows.dtype}")
        if (longest := int((rows.astype(np.int64) ** 2).sum(axis=1).max())) > MAX_NORM2:
            raise ValueError(f"|q|^2 is {longest}, at most {MAX_NORM2}")
        dims = np.zeros(self.d, dtype=bool)
        modalities = []
        for span in self.spans:
            there = rows[:, span.start : span.stop].any(axis=1)
            if there.all():
                modalities.append(span.modality)
                dims[span.start : span.stop] = True
            elif there.any():
                raise ValueError(f"some rows of the sample have {span.modality} and some have not")
        if not modalities:
            raise ValueError("the sample has no modality: every row is zero")
        return Key(slug, tuple(modalities)), Sums.of(rows[:, dims])
