"""What `slots.json` says: which blobs are which state of what was learned, and the only ways from one to the next.

Pure values; the store reads and writes them. While a candidate waits, nothing else may change: what is promoted is
then exactly what was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from edge_agent.errors import BadData, ConfigError, StateDamaged
from models import Bundle
from models.manifest import Digest, Slug

SLOTS: Final = "slots.json"

VERSION: Final = 3
"""Version 2 had no knowledge of good parts in detail, and did not say which bundle a state is of."""

MAX_HISTORY: Final = 32
"""States that can be returned to: some 20 MB of knowledge of ten classes; the exemplars are shared between them."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What made a state out of the one before.

    Attributes:
        action: what was done; `adopt` is to go on with another bundle, `look` to look at pictures otherwise.
        slug: the class it was done to; "" where it was several, or all.
        sources: the examples, as people know them.
        who: the person.
        utc: when [s since the epoch].
    """

    action: Literal["teach", "forget", "undo", "adopt", "look"]
    slug: str
    sources: tuple[str, ...]
    who: str
    utc: float


class BundleName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bundle made the embeddings of a state.

    Attributes:
        digest: of the bundle.
        name: its name, for people.
        version: its version, for people.
    """

    digest: Digest
    name: str
    version: str

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Name a bundle."""
        return cls(bundle.digest, bundle.name, bundle.manifest.version)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One state of what was learned; blobs by digest. Without any, nothing is known.

    Attributes:
        knowledge: the sum of all that is fitted.
        base: the part of it that came without its samples, "" for none.
        lessons: the exemplars of each lesson.
        names: by slug, what a person calls a class.
        change: what made this state; None where that is not known.
        calibration: held-out good parts without their exemplars, as version 1 kept them; "" for none.
        good: what good parts look and sound like in detail; "" where that is not known.
        guide: where pictures are looked at; "" where they are not guided.
        bundle: what made its embeddings; None where nothing is known, or an older release wrote it.
    """

    knowledge: Digest | Literal[""] = ""
    base: Digest | Literal[""] = ""
    lessons: tuple[Digest, ...] = ()
    names: dict[Slug, str] = {}
    change: Change | None = None
    calibration: Digest | Literal[""] = ""
    good: Digest | Literal[""] = ""
    guide: Digest | Literal[""] = ""
    bundle: BundleName | None = None

    @property
    def contents(self) -> str:
        """A digest of all that is known in this state; equal for equal contents, whatever made them."""
        named = replace(self, change=None, good="", bundle=None)
        return hashlib.sha256(msgspec.json.encode(named, order="sorted")).hexdigest()

    @property
    def blobs(self) -> set[str]:
        """The digests of all blobs that it names itself."""
        return {self.knowledge, self.base, self.calibration, self.good, self.guide, *self.lessons} - {""}


class RecipeSlots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The states of one recipe.

    Attributes:
        active: what is judged by.
        history: the states before it, oldest first.
        candidate: what was proposed and not yet promoted.
    """

    active: Slot = Slot()
    history: Annotated[tuple[Slot, ...], Meta(max_length=MAX_HISTORY)] = ()
    candidate: Slot | None = None

    @property
    def all(self) -> tuple[Slot, ...]:
        """Every state that must stay readable."""
        return (*self.history, self.active, *([self.candidate] if self.candidate is not None else []))

    def proposed(self, slot: Slot) -> Self:
        """Have a candidate; raise `BadData` where another one waits."""
        self.check_free()
        return replace(self, candidate=slot)

    def promoted(self) -> Self:
        """Make the candidate the active state; raise `BadData` without one."""
        return self._followed_by(self._waiting())

    def cancelled(self) -> Self:
        """Drop the candidate; raise `BadData` without one."""
        self._waiting()
        return replace(self, candidate=None)

    def changed(self, slot: Slot) -> Self:
        """Make another state the active one at once; raise `BadData` while a candidate waits."""
        self.check_free()
        return self._followed_by(slot)

    def undone(self) -> Self:
        """Go back to the state before; raise `BadData` at the beginning, and while a candidate waits."""
        self.check_free()
        if not self.history:
            raise BadData(
                "there is nothing to undo: no earlier state is kept",
                hint="`edge-agent learned` lists what is known, `edge-agent forget CLASS` takes a class out of it",
            )
        return replace(self, active=self.history[-1], history=self.history[:-1])

    def check_free(self) -> None:
        """Raise `BadData` while a candidate waits."""
        if self.candidate is not None:
            change = self.candidate.change
            said = f" ({change.action} {change.slug}, by {change.who})" if change is not None else ""
            raise BadData(
                f"a change is waiting to be promoted{said}", hint="`edge-agent promote` or `edge-agent cancel` it first"
            )

    def _waiting(self) -> Slot:
        if self.candidate is None:
            raise nothing_waits()
        return self.candidate

    def _followed_by(self, slot: Slot) -> Self:
        return replace(self, active=slot, history=(*self.history, self.active)[-MAX_HISTORY:], candidate=None)


class Slots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int = VERSION
    recipes: dict[str, RecipeSlots] = {}

    def class_names(self, recipe: str) -> Mapping[str, str]:
        """Say by slug what the classes are called that a recipe was taught, or is to be taught.

        Args:
            recipe: its name.

        Returns:
            The names; none where nothing was taught, or where some classes came without their samples and names.
        """
        mine = self.recipes.get(recipe, RecipeSlots())
        return {} if mine.active.base else {**mine.active.names, **(mine.candidate or Slot()).names}


class _Version(msgspec.Struct, frozen=True):
    version: Annotated[int, Meta(ge=1)]


class _Slot1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    knowledge: Digest
    calibration: Digest

    def now(self) -> Slot:
        return Slot(knowledge=self.knowledge, base=self.knowledge, calibration=self.calibration)


class _RecipeSlots1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    active: _Slot1
    previous: _Slot1 | None = None

    def now(self) -> RecipeSlots:
        return RecipeSlots(self.active.now(), () if self.previous is None else (self.previous.now(),))


class _Slots1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    recipes: dict[str, _RecipeSlots1] = {}


def nothing_waits() -> BadData:
    """Give the refusal where a candidate is wanted and there is none."""
    return BadData("no change is waiting to be promoted", hint="teach something first: edge-agent teach CLASS FOLDER")


def decode_slots(body: bytes) -> Slots:
    """Read the file, of this version or an older one.

    Args:
        body: its contents, without the line that seals them.

    Returns:
        The slots; what version 1 knew came without its samples.

    Raises:
        ConfigError: a newer release wrote it.
        StateDamaged: it is anything else.
    """
    try:
        version = msgspec.json.decode(body, type=_Version).version
        if version == 1:
            old = msgspec.json.decode(body, type=_Slots1)
            return Slots(recipes={name: recipe.now() for name, recipe in old.recipes.items()})
        if version <= VERSION:
            return replace(msgspec.json.decode(body, type=Slots), version=VERSION)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateDamaged(f"{SLOTS} is damaged: {error}", hint="restore it from a backup") from error
    raise ConfigError(
        f"{SLOTS} has version {version}, this release knows {VERSION}", hint="install the newer edge-agent again"
    )


def encode_slots(slots: Slots) -> bytes:
    """Write the file, without the line that seals it."""
    return msgspec.json.encode(slots, order="sorted")
