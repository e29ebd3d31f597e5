"""One state of what was learned, as blobs: writes a state and gives the slot that names them, and reads it back.

What is damaged costs as little as can be: knowledge without an exemplar, or exemplars without their sum. Which state is
the active one, and what is removed, is the store's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from edge_agent.errors import BadData, ConfigError, StateDamaged
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.calibration import chunk_from_rows
from edge_agent.learning.exemplar import Chunk
from edge_agent.learning.goodparts import GoodParts, decode_details
from edge_agent.learning.guiding import Guiding, fitted_in, guided, making, members_of, space_of, unguided
from edge_agent.learning.learned import Learned
from edge_agent.learning.slots import BundleName, Change, Slot
from edge_agent.records import Details
from edge_agent.runtime.steps import Steps, finished
from models import Bundle, Knowledge
from models.errors import KnowledgeDamaged
from models.guide import GuidedBundle

HINT: Final = "teach it again, or take the file from a backup"

T = TypeVar("T")
Damage = list[StateDamaged]


class OtherBundle(ConfigError):
    """A state is of another bundle than the one that is used: its embeddings mean something else."""


class StateBlobs:
    """Writes and reads the states of one recipe with one bundle.

    Attributes:
        nothing: what is known before anything is.

    Args:
        blobs: where they are.
        recipe: name of the recipe.
        bundle: what makes its embeddings.
        guided: pictures are looked at as good ones say, where the bundle can be guided.
    """

    def __init__(self, blobs: Blobs, recipe: str, bundle: Bundle, *, guided: bool = False) -> None:
        self.nothing = Learned.nothing(recipe, bundle)
        self._guided = guided
        self._blobs = blobs
        self._recipe = recipe
        self._bundle = bundle
        self._named_of: dict[str, frozenset[str]] = {}
        self._bundle_of: dict[str, str] = {}

    def write(self, learned: Learned, change: Change | None) -> Slot:
        """Write the blobs of a state, and give the slot that names them."""
        learned = self.completed(learned, [])
        if not learned.lessons and not learned.base.groups:
            return Slot(change=change)
        return Slot(
            knowledge=self._blobs.write(learned.knowledge.to_bytes()),
            base=self._blobs.write(learned.base.to_bytes()) if learned.base.groups else "",
            lessons=tuple(map(self._written, learned.lessons)),
            names=dict(learned.names),
            change=change,
            good="" if learned.good is None else self._blobs.write(learned.good.to_bytes()),
            guide="" if learned.guiding is None else self._blobs.write(learned.guiding.to_bytes()),
            bundle=BundleName.of(self._bundle),
        )

    def read(self, slot: Slot, damage: Damage) -> Learned:
        """Give a state; a damaged blob costs at most the samples that it held, never what they taught.

        Args:
            slot: names its blobs.
            damage: takes what was found damaged and could be done without.

        Returns:
            What is known in it.

        Raises:
            OtherBundle: it was learned with another bundle.
            StateDamaged: too much of it is damaged.
        """
        return finished(self.reading(slot, damage))

    def reading(self, slot: Slot, damage: Damage) -> Steps[Learned]:
        """Do what `read` does in parts of a tenth of a second."""
        if not slot.knowledge:
            return self.nothing
        if slot.bundle is not None and slot.bundle.digest != self._bundle.digest:
            raise self.other_bundle(slot)
        lost: Damage = []
        guiding = _or_lost(self._guiding, slot.guide, damage) if slot.guide else None
        sightless = bool(slot.guide) and guiding is None
        nothing = self._nothing(guiding)

        def known(digest: str) -> Knowledge:
            return self._knowledge(digest, slot, nothing)

        knowledge = None if sightless else _or_lost(known, slot.knowledge, damage)
        base = _or_lost(known, slot.base, lost) if slot.base else nothing
        readers = [(lambda digest: self._lesson(digest, nothing, sightless), digest) for digest in slot.lessons]
        readers += [(self._version_1, slot.calibration)] if slot.calibration else []
        lessons: tuple[Chunk, ...] = ()
        for read, digest in readers:
            yield None
            lessons += _or_lost(read, digest, lost) or ()
        damage += lost
        if knowledge is None:
            if base is None or lost:
                raise StateDamaged(f"knowledge {slot.knowledge[:12]} and what it was made of are lost", hint=HINT)
            learned = Learned.of(base, lessons, slot.names)
        else:
            if base is None or lost:
                base = _without_fitted(knowledge, Learned.of(nothing, lessons, {}))
            learned = Learned(base, lessons, slot.names, knowledge)
        good = _or_lost(self._good, slot.good, damage) if slot.good else None
        if guiding is not None and lost:  # what is lost was not forgotten, and still says where to look
            left = set(fitted_in(learned.lessons, self._bundle))
            guiding = replace(guiding, members=tuple(id_ for id_ in guiding.members if id_ in left))
        learned = replace(learned, good=good, guiding=guiding)
        try:
            learned = yield from self._looked_at(learned, damage)
        except BadData as error:  # what is judged by must not depend on what only a change needs
            damage.append(StateDamaged(f"pictures are looked at as before: {error.message}", hint=HINT))
        return (yield from self._in_detail(learned, damage))

    def completed(self, learned: Learned, damage: Damage) -> Learned:
        """Derive what follows from the kept examples, where it is not known of just these.

        Args:
            learned: what is known.
            damage: takes the details that are lost.

        Returns:
            The same with where to look, and with what is known of good parts in detail.

        Raises:
            BadData: where to look would change, and an example cannot be embedded again.
        """
        return finished(self.completing(learned, damage))

    def completing(self, learned: Learned, damage: Damage) -> Steps[Learned]:
        """Do what `completed` does in parts of a tenth of a second."""
        learned = yield from self._looked_at(learned, damage)
        yield None
        return (yield from self._in_detail(learned, damage))

    def _in_detail(self, learned: Learned, damage: Damage) -> Steps[Learned]:
        """Learn good parts in detail, where that is not known of just these."""
        good = learned.good_ones(self._bundle.normal)
        if learned.good is not None and learned.good.is_of(good):
            return learned
        read = partial(self._details, damage=damage)
        return replace(learned, good=(yield from GoodParts.learning(self._bundle, good, read, learned.good)))

    def _looked_at(self, learned: Learned, damage: Damage) -> Steps[Learned]:
        """Guide what is known by the good parts that there are, or no more; mostly nothing changes."""
        old = learned.guiding
        if learned.base.groups:
            if old is None or set(old.members) <= set(fitted_in(learned.lessons, self._bundle)):
                return learned
            raise BadData("what came without its samples cannot be looked at in another way", hint="undo instead")
        members = members_of(learned.lessons, self._bundle, wanted=self._guided)
        if members == (() if old is None else old.members):
            return learned

        def read(digest: str) -> Details | None:
            return self._details(digest, damage)

        guiding, own = yield from making(learned.lessons, self._bundle, members, read)
        if guiding is None and old is None:
            return learned
        space = space_of(self._bundle, guiding)
        try:
            if isinstance(space, GuidedBundle):
                lessons = yield from guided(learned.lessons, space, read, own)
            else:
                lessons = unguided(learned.lessons, self._bundle)
        except BadData:
            if old is not None:
                raise
            return learned  # it was taught something without tokens: by an older release, or without a guide
        again = yield from Learned.adding(self._nothing(guiding), lessons, learned.names)
        return replace(again, good=learned.good, guiding=guiding)

    def is_ours(self, slot: Slot) -> bool:
        """Say whether something is known in a state, with the bundle that is used; what cannot be read is not ours."""
        return bool(slot.knowledge) and self._digest_of(slot) == self._bundle.digest

    def named(self, lesson: str) -> frozenset[str]:
        """Give the digests of what a lesson's exemplars were made from and of their details."""
        if lesson not in self._named_of:
            exemplars = Chunk.from_bytes(self._blobs.read(lesson)).exemplars
            self._named_of[lesson] = frozenset({d for e in exemplars for d in (e.picture, e.window, e.details)} - {""})
        return self._named_of[lesson]

    def other_bundle(self, slot: Slot) -> OtherBundle:
        """Give the refusal of a state of another bundle, which names that bundle where the state does."""
        used = BundleName.of(self._bundle)
        which = f" ({slot.bundle})" if slot.bundle is not None else ""
        reason = f"recipe {self._recipe} was taught with another bundle than {used}{which}"
        back = "in [recipe] bundle the folder of the one it was taught with, from the release of that time,"
        if slot.bundle is not None and slot.bundle.name != used.name:
            back = f'in [recipe] bundle "{slot.bundle.name}" again'
        return OtherBundle(
            f"{reason}: its embeddings mean something else",
            hint=f"name {back} and run `edge-agent adopt {used.name}` to carry over what is known; or give another "
            "[recipe] name to begin anew",
        )

    def _written(self, lesson: Chunk) -> str:
        return lesson.digest if self._blobs.has(lesson.digest) else self._blobs.write(lesson.to_bytes())

    def _digest_of(self, slot: Slot) -> str:
        if slot.bundle is not None:
            return slot.bundle.digest
        if slot.knowledge not in self._bundle_of:
            try:
                knowledge = Knowledge.from_bytes(self._blobs.read(slot.knowledge))
            except (KnowledgeDamaged, StateDamaged):
                return ""
            self._bundle_of[slot.knowledge] = knowledge.bundle_digest
        return self._bundle_of[slot.knowledge]

    def _nothing(self, guiding: Guiding | None) -> Knowledge:
        """Know nothing of what embeddings are of."""
        space = space_of(self._bundle, guiding)
        return Knowledge.empty(self._recipe, space.digest, space.blocks)

    def _guiding(self, digest: str) -> Guiding:
        return Guiding.from_bytes(self._blobs.read(digest), self._bundle)

    def _knowledge(self, digest: str, slot: Slot, nothing: Knowledge) -> Knowledge:
        try:
            knowledge = Knowledge.from_bytes(self._blobs.read(digest))
        except KnowledgeDamaged as error:
            raise StateDamaged(f"knowledge {digest[:12]}: {error}", hint=HINT) from error
        if knowledge.bundle_digest != nothing.bundle_digest:
            raise self.other_bundle(slot)
        return knowledge

    def _good(self, digest: str) -> GoodParts:
        return GoodParts.from_bytes(self._blobs.read(digest), self._bundle)

    def _details(self, digest: str, damage: Damage) -> Details | None:
        return _or_lost(lambda name: decode_details(self._blobs.read(name)), digest, damage)

    def _lesson(self, digest: str, nothing: Knowledge, sightless: bool) -> tuple[Chunk, ...]:
        """Read a lesson; where it is lost how it was looked at, its embeddings are taken without that."""
        chunk = Chunk.from_bytes(self._blobs.read(digest))
        if sightless:
            (chunk,) = unguided((chunk,), self._bundle)
        chunk.check_subject(nothing)
        return (chunk,)

    def _version_1(self, digest: str) -> tuple[Chunk, ...]:
        return chunk_from_rows(self._blobs.read(digest), self.nothing.base, self._bundle.normal)


def _or_lost(read: Callable[[str], T], digest: str, lost: Damage) -> T | None:
    try:
        return read(digest)
    except StateDamaged as error:
        lost.append(error)
        return None


def _without_fitted(knowledge: Knowledge, left: Learned) -> Knowledge:
    """Give what of `knowledge` does not come from the exemplars that are left."""
    try:
        return knowledge.without(left.knowledge)
    except ValueError as error:
        raise StateDamaged(f"knowledge {knowledge.digest[:12]} is not that of its exemplars: {error}") from error
