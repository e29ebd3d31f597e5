"""What was learned, on the disk: content-addressed blobs, and one small file that says which of them are which state.

A change is new blobs and then one replaced file, so that power may go at any step. What is damaged is kept aside and
what is left is used: knowledge without an exemplar, exemplars without their sum, or the last good state. No clock, no
thread; only one thread may write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.learning.blobs import Blobs, keep_aside
from edge_agent.learning.calibration import chunk_from_rows
from edge_agent.learning.exemplar import Chunk
from edge_agent.learning.goodparts import GoodParts, decode_details
from edge_agent.learning.learned import Learned
from edge_agent.learning.slots import SLOTS, Change, RecipeSlots, Slot, Slots, decode_slots, encode_slots
from edge_agent.records import Details
from edge_agent.runtime.disk import Disk, Missing, load_checked, save_checked
from models import Bundle, Knowledge
from models.errors import KnowledgeDamaged

HINT: Final = "teach it again, or take the file from a backup"

T = TypeVar("T")
Damage = list[StateDamaged]


@dataclass(frozen=True, eq=False)
class State:
    """One state of what was learned.

    Attributes:
        learned: what is known in it.
        change: what made it; None where that is not known.
    """

    learned: Learned
    change: Change | None = None


@dataclass(frozen=True, eq=False)
class Stored:
    """What a start finds.

    Attributes:
        active: what is judged by: nothing is known, on a first start.
        candidate: what was proposed and not yet promoted.
        damage: what was found damaged on the way.
    """

    active: State
    candidate: State | None
    damage: tuple[StateDamaged, ...]


class KnowledgeStore:
    """Loads and saves what one recipe has learned.

    Every change is on the disk when its method returns; one that raises has changed nothing.

    Attributes:
        blobs: what the states are made of.

    Args:
        disk: the state directory.
        recipe: name of the recipe.
        bundle: what makes its embeddings.
    """

    def __init__(self, disk: Disk, recipe: str, bundle: Bundle) -> None:
        self._disk = disk
        self.blobs = Blobs(disk)
        self._recipe = recipe
        self._bundle = bundle
        self._nothing = Learned.nothing(recipe, bundle)
        self._slots = Slots()
        self._unusable: list[Slot] = []
        self._raw_of: dict[str, frozenset[str]] = {}

    def load(self) -> Stored:
        """Give the active state, or the last good one before it, and the candidate where one waits.

        Returns:
            What was found.

        Raises:
            ConfigError: it was learned with another bundle, or a newer release wrote it.
        """
        damage: Damage = []
        try:
            self._slots = self._read_slots()
        except StateDamaged as error:
            damage.append(error)
            keep_aside(self._disk, SLOTS)
        mine = self._mine
        usable = (self._usable(slot, damage) for slot in (mine.active, *reversed(mine.history)))
        active = next((state for state in usable if state is not None), None)
        candidate = None if mine.candidate is None else self._usable(mine.candidate, damage)
        return Stored(active or State(self._nothing), candidate, tuple(damage))

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the knowledge of all states that parts can have been judged by, as far as they are kept."""
        mine = self._mine
        return frozenset(slot.knowledge for slot in (*mine.history, mine.active)) - {""}

    def check_free(self) -> None:
        """Raise `BadData` while a candidate waits: nothing can be changed then."""
        self._now().check_free()

    def completed(self, learned: Learned) -> Learned:
        """Learn what good parts look and sound like in detail, where that is not known of just those in `learned`.

        Args:
            learned: what is known; some seconds where hundreds of good parts are.

        Returns:
            The same with what is known of good parts; their lost details are not counted.
        """
        return self._completed(learned, [])

    def propose(self, learned: Learned, change: Change, *, instead: bool = False) -> None:
        """Make `learned` the candidate; raise `BadData` where another one waits that it is not to come `instead` of."""
        now = self._now().cancelled() if instead else self._now()
        now.check_free()
        self._turn(now.proposed(self._slot(learned, change)))

    def promote(self) -> None:
        """Make the candidate the active state; raise `BadData` without one."""
        self._turn(self._now().promoted())

    def cancel(self) -> None:
        """Drop the candidate; raise `BadData` without one."""
        self._turn(self._now().cancelled())

    def save(self, learned: Learned, change: Change) -> None:
        """Make `learned` the active state at once; raise `BadData` while a candidate waits."""
        now = self._now()
        now.check_free()
        self._turn(now.changed(self._slot(learned, change)))

    def undo(self) -> State:
        """Go back to the state before the active one.

        Returns:
            What is active now.

        Raises:
            BadData: there is none, or a candidate waits.
            ConfigError: it was learned with another bundle.
            StateDamaged: it cannot be read.
            Unavailable: the disk is full or failing.
        """
        before = self._now().undone()
        state = State(self._read(before.active, []), before.active.change)
        self._turn(before)
        return state

    def _read_slots(self) -> Slots:
        try:
            return decode_slots(load_checked(self._disk, SLOTS))
        except Missing:
            return Slots()

    @property
    def _mine(self) -> RecipeSlots:
        return self._slots.recipes.get(self._recipe, RecipeSlots())

    def _now(self) -> RecipeSlots:
        """Give the recipe's states as they are on the disk, but for those that were found unusable."""
        with contextlib.suppress(StateDamaged):  # then what was read or written last still holds
            self._slots = self._read_slots()
        mine = self._mine
        *history, active = [s for s in (*mine.history, mine.active) if s not in self._unusable] or [Slot()]
        return RecipeSlots(active, tuple(history), None if mine.candidate in self._unusable else mine.candidate)

    def _turn(self, mine: RecipeSlots) -> None:
        """Replace the recipe's states on the disk, then remove what no state needs any more."""
        slots = Slots(recipes={**self._slots.recipes, self._recipe: mine})
        save_checked(self._disk, SLOTS, encode_slots(slots))
        self._slots = slots
        self._remove_unneeded()

    def _slot(self, learned: Learned, change: Change) -> Slot:
        """Write the blobs of a state, and give the slot that names them."""
        learned = self.completed(learned)
        if not learned.lessons and not learned.base.groups:
            return Slot(change=change)
        return Slot(
            knowledge=self.blobs.write(learned.knowledge.to_bytes()),
            base=self.blobs.write(learned.base.to_bytes()) if learned.base.groups else "",
            lessons=tuple(map(self._written, learned.lessons)),
            names=dict(learned.names),
            change=change,
            good="" if learned.good is None else self.blobs.write(learned.good.to_bytes()),
        )

    def _written(self, lesson: Chunk) -> str:
        return lesson.digest if self.blobs.has(lesson.digest) else self.blobs.write(lesson.to_bytes())

    def _usable(self, slot: Slot, damage: Damage) -> State | None:
        try:
            return State(self._read(slot, damage), slot.change)
        except StateDamaged as error:
            damage.append(error)
            self._unusable.append(slot)
            return None

    def _read(self, slot: Slot, damage: Damage) -> Learned:
        """Give a state; one damaged blob costs at most the samples that it held, never what was learned from them."""
        if not slot.knowledge:
            return self._nothing
        lost: Damage = []
        knowledge = _or_lost(self._knowledge, slot.knowledge, damage)
        base = _or_lost(self._knowledge, slot.base, lost) if slot.base else self._nothing.base
        readers = [(self._lesson, digest) for digest in slot.lessons]
        readers += [(self._version_1, slot.calibration)] if slot.calibration else []
        lessons = tuple(chunk for read, digest in readers for chunk in _or_lost(read, digest, lost) or ())
        damage += lost
        if knowledge is None:
            if base is None or lost:
                raise StateDamaged(f"knowledge {slot.knowledge[:12]} and what it was made of are lost", hint=HINT)
            learned = Learned.of(base, lessons, slot.names)
        else:
            if base is None or lost:
                base = _without_fitted(knowledge, Learned.of(self._nothing.base, lessons, {}))
            learned = Learned(base, lessons, slot.names, knowledge)
        good = _or_lost(self._good, slot.good, damage) if slot.good else None
        return self._completed(replace(learned, good=good), damage)

    def _completed(self, learned: Learned, damage: Damage) -> Learned:
        good = learned.good_ones(self._bundle.normal)
        if learned.good is not None and learned.good.is_of(good):
            return learned
        return replace(learned, good=GoodParts.of(self._bundle, good, lambda digest: self._details(digest, damage)))

    def _good(self, digest: str) -> GoodParts:
        return GoodParts.from_bytes(self.blobs.read(digest), self._bundle)

    def _details(self, digest: str, damage: Damage) -> Details | None:
        return _or_lost(lambda name: decode_details(self.blobs.read(name)), digest, damage)

    def _knowledge(self, digest: str) -> Knowledge:
        try:
            knowledge = Knowledge.from_bytes(self.blobs.read(digest))
        except KnowledgeDamaged as error:
            raise StateDamaged(f"knowledge {digest[:12]}: {error}", hint=HINT) from error
        if knowledge.bundle_digest != self._bundle.digest:
            raise ConfigError(
                f"recipe {self._recipe} was taught with another bundle than {self._bundle.name} "
                f"{self._bundle.manifest.version}: its embeddings mean something else",
                hint="name the bundle it was taught with in [recipe] bundle, or another [recipe] name to begin anew",
            )
        return knowledge

    def _lesson(self, digest: str) -> tuple[Chunk, ...]:
        chunk = Chunk.from_bytes(self.blobs.read(digest))
        chunk.check_subject(self._nothing.base)
        return (chunk,)

    def _version_1(self, digest: str) -> tuple[Chunk, ...]:
        return chunk_from_rows(self.blobs.read(digest), self._nothing.base, self._bundle.normal)

    def _remove_unneeded(self) -> None:
        """Remove the blobs that no state needs any more.

        Where a state's exemplars cannot be read, it is not known what they need, and nothing is removed.
        """
        slots = [slot for recipe in self._slots.recipes.values() for slot in recipe.all]
        needed = set[str]().union(*(slot.blobs for slot in slots))
        with contextlib.suppress(StateDamaged, Unavailable):  # the change itself is made, and stays so
            needed = needed.union(*(self._raw(digest) for slot in slots for digest in slot.lessons))
            self.blobs.remove_all_but(needed)

    def _raw(self, lesson: str) -> frozenset[str]:
        """Give the digests of what a lesson's exemplars were made from and of their details."""
        if lesson not in self._raw_of:
            exemplars = Chunk.from_bytes(self.blobs.read(lesson)).exemplars
            self._raw_of[lesson] = frozenset({d for e in exemplars for d in (e.picture, e.window, e.details)} - {""})
        return self._raw_of[lesson]


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
