"""What was learned, on the disk: content-addressed blobs, and one small file that says which of them are which state.

A change is new blobs and then one replaced file, so that power may go at any step. What is damaged is kept aside and
what is left is used: knowledge without an exemplar, exemplars without their sum, or the last good state. No clock, no
thread; only one thread may write.
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.learning.blobs import DAMAGED, Blobs, keep_aside
from edge_agent.learning.carried import CarriedFolder
from edge_agent.learning.crossing import Crossing, back, check_carried, check_nothing_waits, former, interrupted
from edge_agent.learning.learned import Learned
from edge_agent.learning.slots import SLOTS, Change, RecipeSlots, Slot, Slots, decode_slots, encode_slots
from edge_agent.learning.state import State, Stored
from edge_agent.learning.stateblobs import Damage, OtherBundle, StateBlobs
from edge_agent.runtime.disk import Disk, Missing, load_checked, save_checked
from edge_agent.runtime.steps import Steps
from models import Bundle

WHO: Final = "configuration"
"""Who goes back to an earlier bundle: whoever named it in the configuration, which does not say who that was."""


class KnowledgeStore:
    """Loads and saves what one recipe has learned.

    Every change is on the disk when its method returns; one that raises has changed nothing.

    Attributes:
        blobs: what the states are made of.

    Args:
        disk: the state directory.
        recipe: name of the recipe.
        bundle: what makes its embeddings.
        guided: pictures are looked at as good ones say, where the bundle can be guided.
    """

    def __init__(self, disk: Disk, recipe: str, bundle: Bundle, *, guided: bool = False) -> None:
        self._disk = disk
        self.blobs = Blobs(disk)
        self._recipe = recipe
        self._bundle = bundle
        self._states = StateBlobs(self.blobs, recipe, bundle, guided=guided)
        self._carried = CarriedFolder(disk, recipe, bundle, guided=guided)
        self._slots = Slots()
        self._unusable: list[Slot] = []

    def load(self) -> Stored:
        """Give the active state, or the last good one before it, and the candidate where one waits.

        Where the active state is of another bundle, it is what was carried over from it, or else the newest earlier
        state of this bundle; nothing is written before `cross`.

        Returns:
            What was found.

        Raises:
            ConfigError: it was learned with another bundle and not carried over, or a newer release wrote it.
        """
        damage: Damage = []
        try:
            self._slots = self._read_slots()
        except StateDamaged as error:
            damage.append(error)
            keep_aside(self._disk, SLOTS)
        mine = self._mine
        try:
            active = self._usable(mine.active, damage)
        except OtherBundle as other:
            active, crossing = self._crossed(mine, other, damage)
            return Stored(active, None, tuple(damage), crossing)
        before = (self._usable_of_ours(slot, damage) for slot in reversed(mine.history))
        active = active or next((state for state in before if state is not None), State(self._states.nothing))
        try:
            candidate = None if mine.candidate is None else self._usable(mine.candidate, damage)
        except OtherBundle:
            check_nothing_waits(mine)
            raise
        return Stored(active, candidate, tuple(damage), self._half_crossed(mine))

    def cross(self, crossing: Crossing, utc: float) -> Change:
        """Make what `load` gave instead of a state of another bundle the active state on the disk.

        Args:
            crossing: as `load` gave it; one that a power cut interrupted is completed.
            utc: wall time [s since the epoch].

        Returns:
            What the state says of how it came about.

        Raises:
            StateDamaged: what was carried over was damaged meanwhile.
            Unavailable: the disk is full or failing.
        """
        slot = crossing.slot
        if crossing.sealed is None:
            slot = replace(slot, change=Change("adopt", "", (), WHO, utc))
        elif slot != self._mine.active:
            self._carried.copy_to(self.blobs, crossing.sealed)
        if slot != self._mine.active:
            self._turn(self._now().changed(slot))
        return slot.change or Change("adopt", "", (), WHO, utc)

    def settle(self, active: Learned, candidate: Learned | None) -> bool:
        """Write what `load` derived, where it is not what is on the disk.

        It is not where pictures are to be looked at otherwise now, or an older release knew good parts otherwise. The
        states keep their place and what made them; nothing can be undone that nobody did.

        Args:
            active: what is judged by.
            candidate: what was proposed and not yet promoted.

        Returns:
            Whether the knowledge of the active state is another one now.

        Raises:
            Unavailable: the disk is full or failing.
        """
        now = self._now()
        slot = self._settled(now.active, active)
        waiting = None if now.candidate is None or candidate is None else self._settled(now.candidate, candidate)
        if (slot, waiting) != (now.active, now.candidate):
            self._turn(RecipeSlots(slot, now.history, waiting))
        return slot.knowledge != now.active.knowledge

    def looks_otherwise(self, active: Learned, candidate: Learned | None) -> bool:
        """Say whether `settle` would change more than what is known of good parts in detail, as the next start can."""
        now = self._now()
        states = ((now.active, active), (now.candidate, candidate))
        return any(slot and known and slot.knowledge not in ("", known.knowledge.digest) for slot, known in states)

    def _settled(self, slot: Slot, learned: Learned) -> Slot:
        """Give the slot of what is known in it by now, which is this very slot where that is what it names."""
        good = "" if learned.good is None else sha256(learned.good.to_bytes()).hexdigest()
        same = (learned.knowledge.digest, good) == (slot.knowledge, slot.good) or not slot.knowledge
        return slot if same else self._states.write(learned, slot.change)

    def remove_carried(self) -> None:
        """Remove what was carried over, which is active now."""
        self._carried.remove()

    @property
    def knowledge(self) -> str:
        """Digest of the knowledge of the active state on the disk, "" for nothing."""
        return self._mine.active.knowledge

    @property
    def origin(self) -> str:
        """`Slot.contents` of what was active on the disk when it was last read or written here."""
        return self._mine.active.contents

    def check_unchanged(self) -> None:
        """Raise `BadData` where somebody else has changed what is active on the disk, or a candidate waits there."""
        now = self._read_slots().recipes.get(self._recipe, RecipeSlots())
        now.check_free()
        if now.active.contents != self.origin:
            raise BadData("what is known has changed meanwhile", hint="do it again")

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the knowledge of all states that parts can have been judged by as today, while kept."""
        mine = self._mine
        ours = [slot for slot in (*mine.history, mine.active) if self._states.is_ours(slot)]
        return frozenset(slot.knowledge for slot in ours if slot.guide == mine.active.guide)

    def check_free(self) -> None:
        """Raise `BadData` while a candidate waits: nothing can be changed then."""
        self._now().check_free()

    def completing(self, learned: Learned) -> Steps[Learned]:
        """Give in parts the same with what follows from the kept examples; their lost details are not counted."""
        return self._states.completing(learned, [])

    def propose(self, learned: Learned, change: Change, *, instead: bool = False) -> None:
        """Make `learned` the candidate; raise `BadData` where another one waits that it is not to come `instead` of."""
        now = self._now().cancelled() if instead else self._now()
        now.check_free()
        self._turn(now.proposed(self._states.write(learned, change)))

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
        self._turn(now.changed(self._states.write(learned, change)))

    def before(self) -> Steps[State]:
        """Give the state before the active one, in parts; `undo` goes back to it.

        Returns:
            What it is.

        Raises:
            BadData: there is none, or a candidate waits.
            ConfigError: it was learned with another bundle.
            StateDamaged: it cannot be read.
            Unavailable: the disk is full or failing.
        """
        before = self._now().undone()
        try:
            learned = yield from self._states.reading(before.active, [])
        except OtherBundle as other:
            raise OtherBundle(
                f"the state before was learned with another bundle ({former(before.active)})",
                hint=f"set [recipe] bundle to {former(before.active)} and restart the station, which goes back to it",
            ) from other
        return State(learned, before.active.change)

    def undo(self, state: State) -> None:
        """Go back to the state before the active one, which `before` gave; raises as that does."""
        before = self._now().undone()
        self._turn(replace(before, active=self._settled(before.active, state.learned)))

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
            found = self._read_slots()
            if found.recipes or not self._slots.recipes:  # somebody who only looked may have put a damaged file aside
                self._slots = found
        mine = self._mine
        *history, active = [s for s in (*mine.history, mine.active) if s not in self._unusable] or [Slot()]
        return RecipeSlots(active, tuple(history), None if mine.candidate in self._unusable else mine.candidate)

    def _turn(self, mine: RecipeSlots) -> None:
        """Replace the recipe's states on the disk, then remove what no state needs any more."""
        slots = Slots(recipes={**self._slots.recipes, self._recipe: mine})
        save_checked(self._disk, SLOTS, encode_slots(slots))
        self._slots = slots
        self._remove_unneeded()

    def _usable(self, slot: Slot, damage: Damage) -> State | None:
        try:
            return State(self._states.read(slot, damage), slot.change)
        except StateDamaged as error:
            damage.append(error)
            self._unusable.append(slot)
            return None

    def _usable_of_ours(self, slot: Slot, damage: Damage) -> State | None:
        with contextlib.suppress(OtherBundle):
            return self._usable(slot, damage)
        return None

    def _crossed(self, mine: RecipeSlots, other: OtherBundle, damage: Damage) -> tuple[State, Crossing]:
        check_nothing_waits(mine)
        try:
            sealed = self._carried.find()
            if sealed is not None:
                crossing = check_carried(mine, sealed, self._bundle.name)
                return State(self._carried.read(sealed), sealed.slot.change), crossing
        except StateDamaged as error:
            raise ConfigError(
                f"what was carried over to {self._bundle.name} cannot be used: {error.message}",
                hint=f"set [recipe] bundle to {former(mine.active)}, then `edge-agent adopt {self._bundle.name}` again",
            ) from error
        for at in reversed(range(len(mine.history))):
            slot = mine.history[at]
            if self._states.is_ours(slot) and (state := self._usable(slot, damage)) is not None:
                return state, back(mine, at)
        raise other

    def _half_crossed(self, mine: RecipeSlots) -> Crossing | None:
        """Give the crossing that a power cut interrupted after it was made, None where there is none."""
        with contextlib.suppress(StateDamaged):
            return interrupted(mine, self._carried.find())
        return None

    def _remove_unneeded(self) -> None:
        """Remove the blobs that no state needs any more.

        Where a state's exemplars cannot be read, it is not known what they need, and nothing is removed; nor while a
        damaged file lies aside for a specialist, who will want what it names.
        """
        if self._disk.exists(SLOTS + DAMAGED):
            return
        slots = [slot for recipe in self._slots.recipes.values() for slot in recipe.all]
        needed = set[str]().union(*(slot.blobs for slot in slots))
        with contextlib.suppress(StateDamaged, Unavailable):  # the change itself is made, and stays so
            needed = needed.union(*(self._states.named(lesson) for slot in slots for lesson in slot.lessons))
            self.blobs.remove_all_but(needed)
