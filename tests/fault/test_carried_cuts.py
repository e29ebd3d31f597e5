"""Power goes at any moment while knowledge is carried over to another bundle, or taken over at a start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from learned_values import EMPTY, NOTHING, SmallBundle, details, exemplar, identity, rows, undone

from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.learning.blobs import blob_name
from edge_agent.learning.carried import CarriedFolder, Sealed
from edge_agent.learning.carry import Carried, carry
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Sample
from edge_agent.learning.raw import example_of, keeping
from edge_agent.learning.slots import SLOTS, Change, RecipeSlots, Slot, Slots, decode_slots, encode_slots
from edge_agent.learning.state import Stored
from edge_agent.learning.store import KnowledgeStore
from edge_agent.records import Embedding, Modality
from edge_agent.runtime.disk import Disk, load_checked, save_checked
from edge_agent.runtime.steps import finished
from edge_agent.testing.disk import FakeDisk, Files, power_cuts

OLD, NEW = SmallBundle(name="old"), SmallBundle("1" * 64, "new")
UTC = 1e9
PICTURE = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
FOLDER = f"carried/{NEW.digest[:16]}"


def change(what: str, action: str = "teach") -> Change:
    return Change(action, what, (f"{what} 1.png",), "ann", UTC)  # type: ignore[arg-type]  # the tests give actions


ADOPT = Change("adopt", "", (), "bob", UTC)


def store(disk: Disk, bundle: SmallBundle = OLD, kind: type[KnowledgeStore] = KnowledgeStore) -> KnowledgeStore:
    return kind(disk, "r", bundle)


def taught(disk: Disk, bundle: SmallBundle, label: str, *samples: tuple[int, Role]) -> None:
    """Teach examples with their pictures and, of good parts, details."""
    opened = store(disk, bundle)
    learned = opened.load().active.learned
    made = [
        Sample(
            exemplar(seed, label, role),
            Example(str(seed), PICTURE + np.uint8(seed)),
            details(seed) if label == "good" else None,
        )
        for seed, role in samples
    ]
    opened.save(learned.with_exemplars(label, finished(keeping(opened.blobs, made, learned))), change(label))


def encode(example: Example) -> Embedding:
    seed = int(example.id, 16)
    return Embedding(rows(seed, 1)[0], frozenset(Modality), details=details(seed % 2**32))


def carried(disk: Disk) -> tuple[Carried, str]:
    opened, blobs = store(disk), CarriedFolder(disk, "r", NEW).blobs
    found = opened.load()
    return carry(found.active.learned, NEW, lambda e: example_of(opened.blobs, e), encode, blobs), opened.origin


def adopt(disk: Disk, overruled: tuple[str, ...] = (), kind: type[CarriedFolder] = CarriedFolder) -> None:
    made, origin = carried(disk)
    kind(disk, "r", NEW).write(made, ADOPT, origin, overruled)


def begin(disk: Disk, bundle: SmallBundle = NEW, kind: type[KnowledgeStore] = KnowledgeStore) -> Stored:
    """What a start does."""
    opened = store(disk, bundle, kind)
    found = opened.load()
    if found.crossing is not None:
        opened.cross(found.crossing, UTC)
        opened.remove_carried()
    return found


def files(*actions: Callable[[Disk], object]) -> Files:
    disk = FakeDisk()
    for act in actions:
        act(disk)
    return list(disk.outcomes())[-1]


def teach_good(disk: Disk) -> None:
    taught(disk, OLD, "good", *((seed, Role.RING if seed % 2 else Role.FIT) for seed in (10, 11, 12)))


def teach_pits(disk: Disk) -> None:
    taught(disk, OLD, "pit", (20, Role.FIT))


def teach_dents(disk: Disk) -> None:
    taught(disk, OLD, "dent", (30, Role.FIT))


KNOWN = files(teach_good, teach_pits)
ADOPTED = files(teach_good, teach_pits, adopt)
OUTDATED = files(teach_good, teach_pits, adopt, teach_dents)


def whole(disk: Disk, bundle: SmallBundle) -> object:
    """All that a start with a bundle finds, down to pictures and details; how it was refused; None where damaged."""
    try:
        found = begin(disk, bundle)
    except ConfigError as error:
        return error.message
    blobs = store(disk, bundle).blobs
    learned = found.active.learned
    try:
        pictures = [example.image.tobytes() for e in learned.exemplars if (example := example_of(blobs, e))]
        kept = [blobs.read(e.details) for e in learned.exemplars if e.details]
    except StateDamaged:
        return None
    good = None if learned.good is None else learned.good.to_bytes()
    return None if found.damage else (identity(learned), pictures, kept, good)


def copy(of: Files) -> FakeDisk:
    return FakeDisk(of)


OF_OLD = whole(copy(KNOWN), OLD)
OF_NEW = whole(copy(ADOPTED), NEW)
OF_NEWER = whole(copy(files(teach_good, teach_pits, teach_dents, adopt)), NEW)


def test_what_the_sweeps_look_for_differs() -> None:
    assert len({repr(seen) for seen in (OF_OLD, OF_NEW, OF_NEWER)}) == 3
    assert None not in (OF_OLD, OF_NEW, OF_NEWER)


def carries_all_or_nothing(before: Files, act: Callable[[Disk], object], of_old: object, *of_new: object) -> bool:
    """After every cut the old bundle knows what it did, and the new one is refused by name or has all of it."""
    return all(
        whole(copy(after), OLD) == of_old and whole(copy(after), NEW) in of_new for after in power_cuts(before, act)
    )


REFUSED = whole(copy(KNOWN), NEW)
CHANGED_SINCE = whole(copy(OUTDATED), NEW)


def test_it_is_said_why_a_start_with_another_bundle_is_refused() -> None:
    assert REFUSED == ("recipe r was taught with another bundle than new 1 (old 1): its embeddings mean something else")
    assert CHANGED_SINCE == "what is known has changed since it was carried over to new"


def test_carrying_over_leaves_nothing_or_all_of_it() -> None:
    assert carries_all_or_nothing(KNOWN, adopt, OF_OLD, REFUSED, OF_NEW)


def test_carrying_over_again_leaves_the_one_or_the_other() -> None:
    of_old = whole(copy(OUTDATED), OLD)

    assert carries_all_or_nothing(OUTDATED, adopt, of_old, CHANGED_SINCE, OF_NEWER)
    assert carries_all_or_nothing(ADOPTED, lambda disk: adopt(disk, ("it is worse",)), OF_OLD, OF_NEW)


def test_what_nobody_wanted_leaves_nothing_and_what_was_carried_over_before_stays() -> None:
    disk = copy(KNOWN)
    carried(disk)
    assert carried_blobs(disk), "details are written while the examples are embedded"
    CarriedFolder(disk, "r", NEW).remove_unsealed()
    assert not carried_blobs(disk)

    disk = copy(OUTDATED)
    before = carried_blobs(disk)
    disk.write(blob_name("f" * 64, f"{FOLDER}/blobs/sha256"), b"of something that nobody wanted")
    CarriedFolder(disk, "another recipe", NEW).remove_unsealed()
    assert carried_blobs(disk) == before


def test_what_a_start_removed_meanwhile_is_not_sealed() -> None:
    disk = copy(KNOWN)
    made, origin = carried(disk)
    folder = CarriedFolder(disk, "r", NEW)
    folder.remove()
    with pytest.raises(BadData, match="removed meanwhile"):
        folder.write(made, ADOPT, origin)
    assert whole(disk, NEW) == REFUSED


class SealsFirst(CarriedFolder):
    """The wrong implementation: says what was carried over before it is there."""

    def write(self, carried: Carried, change: Change, origin: str, overruled: tuple[str, ...] = ()) -> None:
        made = FakeDisk()
        folder = CarriedFolder(made, self._recipe, NEW)
        for digest in {e.details for e in carried.learned.exemplars if e.details}:
            folder.blobs.write(self.blobs.read(digest))
        folder.write(carried, change, origin, overruled)
        self._disk.write(self._file, made.read(self._file))
        super().write(carried, change, origin, overruled)


def test_the_sweep_of_carrying_over_has_teeth() -> None:
    assert not carries_all_or_nothing(KNOWN, lambda disk: adopt(disk, kind=SealsFirst), OF_OLD, REFUSED, OF_NEW)


def taken_over(disk: Disk) -> bool:
    """The other bundle knows all of it, the state before is kept, and it cannot be taken over a second time."""
    of_new, mine = whole(disk, NEW), decode_slots(load_checked(disk, SLOTS)).recipes["r"]
    count = sum(slot.bundle is not None and slot.bundle.digest == NEW.digest for slot in (*mine.history, mine.active))
    return of_new == OF_NEW and not disk.names(FOLDER) and count == 1 and whole(disk, OLD) == OF_OLD


def starts_again(before: Files, act: Callable[[Disk], object]) -> bool:
    return all(taken_over(copy(after)) for after in power_cuts(before, act))


def carried_blobs(disk: Disk) -> set[str]:
    return {name for i in range(256) for name in disk.names(f"{FOLDER}/blobs/sha256/{i:02x}")}


def test_nothing_is_left_of_what_was_taken_over_nor_of_what_was_carried_over_before() -> None:
    disk = copy(OUTDATED)
    before = carried_blobs(disk)
    adopt(disk)
    begun = files(teach_good, teach_pits, teach_dents, adopt)
    assert carried_blobs(disk) == carried_blobs(copy(begun)) != before
    begin(disk)

    assert not carried_blobs(disk)


def test_taking_over_is_done_by_the_next_start_whenever_power_goes() -> None:
    assert taken_over(copy(ADOPTED))
    assert starts_again(ADOPTED, begin)


class NamesFirst(KnowledgeStore):
    """The wrong implementation: what was carried over becomes active before its blobs are there."""

    def cross(self, crossing, utc):  # type: ignore[no-untyped-def]
        slots = Slots(recipes={**self._slots.recipes, self._recipe: self._mine.changed(crossing.slot)})
        save_checked(self._disk, SLOTS, encode_slots(slots))
        self._carried.copy_to(self.blobs, crossing.sealed)
        return crossing.slot.change


class RemovesFirst(KnowledgeStore):
    """The wrong implementation: what was carried over is removed before it is active."""

    def cross(self, crossing, utc):  # type: ignore[no-untyped-def]
        self._carried.copy_to(self.blobs, crossing.sealed)
        self._carried.remove()
        self._turn(self._now().changed(crossing.slot))
        return crossing.slot.change


@pytest.mark.parametrize("kind", [NamesFirst, RemovesFirst])
def test_the_sweep_of_taking_over_has_teeth(kind: type[KnowledgeStore]) -> None:
    assert not starts_again(ADOPTED, lambda disk: begin(disk, kind=kind))


def test_a_start_that_was_cut_short_tells_of_the_change_again_and_only_then() -> None:
    told = set()
    for after in power_cuts(ADOPTED, begin):
        found = store(copy(after), NEW).load()
        told.add(found.crossing is None)
        if found.crossing is not None:
            assert found.crossing.before.bundle.name == "old"
            assert found.crossing.sealed.slot.change == ADOPT
    disk = copy(ADOPTED)
    begin(disk)

    assert told == {True, False}
    assert store(disk, NEW).load().crossing is None


def crossed() -> FakeDisk:
    disk = copy(ADOPTED)
    begin(disk)
    return copy(list(disk.outcomes())[-1])


def test_the_newest_state_of_the_bundle_is_gone_back_to_and_what_it_lacks_is_counted() -> None:
    disk = crossed()
    taught(disk, NEW, "dent", (30, Role.FIT))
    taught(disk, NEW, "dent", (31, Role.FIT))
    found = begin(disk, OLD)

    assert identity(found.active.learned) == OF_OLD[0]
    assert found.crossing.missing == 2
    again = store(disk, OLD).load()
    assert again.crossing is None
    assert (again.active.change.action, again.active.change.who) == ("adopt", "configuration")
    back = begin(disk, NEW)
    assert back.crossing.missing == 0
    assert "dent" in back.active.learned.classes


def test_going_back_survives_every_cut() -> None:
    before = {name: crossed().read(name) for name in list(crossed()._names)}

    assert all(
        whole(copy(after), OLD) == OF_OLD and whole(copy(after), NEW) == OF_NEW
        for after in power_cuts(before, lambda disk: begin(disk, OLD))
    )


def test_undo_over_the_border_names_the_bundle() -> None:
    disk = crossed()
    opened = store(disk, NEW)
    opened.load()

    with pytest.raises(ConfigError, match="another bundle") as refused:
        undone(opened)
    assert '[recipe] bundle to "old"' in refused.value.hint
    assert whole(disk, NEW) == OF_NEW


def test_nothing_is_taken_over_while_a_change_waits() -> None:
    disk = copy(ADOPTED)
    opened = store(disk)
    learned = opened.load().active.learned
    opened.propose(learned.with_exemplars("dent", [exemplar(40, "dent")]), change("dent"))

    with pytest.raises(ConfigError, match="a change waits") as refused:
        store(disk, NEW).load()
    assert '"old"' in refused.value.hint
    with pytest.raises(BadData, match="waiting to be promoted"):
        opened.check_unchanged()
    store(disk).cancel()
    assert whole(disk, NEW) == OF_NEW


def test_a_first_proposal_of_another_bundle_is_refused_by_name() -> None:
    disk = FakeDisk()
    store(disk).propose(NOTHING.with_exemplars("dent", [exemplar(40, "dent")]), change("dent"))

    with pytest.raises(ConfigError, match="a change waits"):
        store(disk, NEW).load()


def test_golden_examples_that_were_taught_since_count_as_a_change() -> None:
    """They are no part of the knowledge, whose digest stays the same."""
    disk = copy(ADOPTED)
    opened = store(disk)
    opened.load()
    taught(disk, OLD, "pit", (23, Role.GOLDEN))

    with pytest.raises(ConfigError, match="changed since"):
        store(disk, NEW).load()
    with pytest.raises(BadData, match="changed meanwhile"):
        opened.check_unchanged()
    undone(store(disk))
    opened.check_unchanged()
    assert whole(disk, NEW) == OF_NEW


def damaged_blob(disk: Disk) -> None:
    disk.write(min(carried_blobs(disk)), b"something else")


def damaged_file(disk: Disk) -> None:
    disk.write(f"{FOLDER}/carried.json", b"{}\n")


def other_contents(disk: Disk) -> None:
    save_checked(disk, f"{FOLDER}/carried.json", b'{"recipe":1}')


@pytest.mark.parametrize("damage", [damaged_blob, damaged_file, other_contents])
def test_what_was_carried_over_and_is_damaged_is_refused_and_can_be_carried_over_again(
    damage: Callable[[Disk], None],
) -> None:
    disk = copy(ADOPTED)
    damage(disk)
    assert str(whole(disk, NEW)).startswith("what was carried over to new cannot be used")
    assert whole(disk, OLD) == OF_OLD
    adopt(disk)

    assert whole(disk, NEW) == OF_NEW


def test_what_was_carried_over_for_another_recipe_is_not_taken_over() -> None:
    disk = copy(KNOWN)
    made, origin = carried(disk)
    CarriedFolder(disk, "s", NEW).write(made, ADOPT, origin)

    assert whole(disk, NEW) == REFUSED
    assert CarriedFolder(disk, "s", NEW).find() == Sealed("s", origin, CarriedFolder(disk, "s", NEW).find().slot)


def test_a_full_disk_carries_nothing_over_and_takes_nothing_over() -> None:
    disk = copy(KNOWN)
    made, origin = carried(disk)
    disk.full = True
    with pytest.raises(Unavailable):
        CarriedFolder(disk, "r", NEW).write(made, ADOPT, origin)
    disk.full = False
    assert whole(disk, NEW) == REFUSED

    disk = copy(ADOPTED)
    disk.full = True
    with pytest.raises(Unavailable):
        begin(disk)
    disk.full = False
    assert whole(disk, OLD) == OF_OLD
    assert taken_over(copy(ADOPTED))


def test_only_knowledge_of_the_bundle_that_is_used_says_which_parts_were_judged_by_it() -> None:
    disk = crossed()
    old, new = store(copy(KNOWN), OLD), store(disk, NEW)
    known = [s.load().active.learned.knowledge.digest for s in (old, new)]

    assert old.digests == {slot.knowledge for slot in slots_of(copy(KNOWN)).all} - {""}
    assert new.digests == {known[1]}
    taught(disk, NEW, "dent", (30, Role.FIT))
    assert known[1] in (newer := store(disk, NEW)).digests or newer.load() is not None
    newer.load()
    assert len(newer.digests) == 2 and known[0] not in newer.digests


def slots_of(disk: Disk) -> RecipeSlots:
    return decode_slots(load_checked(disk, SLOTS)).recipes["r"]


def without_names(disk: Disk) -> None:
    """What an older release wrote: slots that do not say which bundle they are of."""
    mine = slots_of(disk)
    bare = [Slot(s.knowledge, s.base, s.lessons, s.names, s.change, good=s.good) for s in (*mine.history, mine.active)]
    body = encode_slots(Slots(2, {"r": RecipeSlots(bare[-1], tuple(bare[:-1]))}))
    save_checked(disk, SLOTS, body)


def test_the_bundle_of_an_older_release_s_state_is_read_from_its_knowledge() -> None:
    disk = crossed()
    without_names(disk)
    opened = store(disk, NEW)
    opened.load()

    assert opened.digests == {slots_of(disk).active.knowledge}
    assert whole(disk, OLD) == OF_OLD
    disk = copy(KNOWN)
    without_names(disk)
    with pytest.raises(ConfigError, match="another bundle than new") as refused:
        store(disk, NEW).load()
    assert "the one it was taught with" in refused.value.hint
    adopt(disk)
    assert whole(disk, NEW) == OF_NEW


def test_knowledge_that_cannot_be_read_is_of_no_bundle() -> None:
    disk = copy(KNOWN)
    without_names(disk)
    disk.write(blob_name(slots_of(disk).active.knowledge), b"something else")
    opened = store(disk)
    with contextlib.suppress(StateDamaged):
        opened.load()

    assert slots_of(disk).active.knowledge not in opened.digests


def test_where_the_active_state_is_damaged_no_state_of_another_bundle_is_gone_back_to() -> None:
    disk = crossed()
    slot = slots_of(disk).active
    for digest in (slot.knowledge, *slot.lessons):
        disk.write(blob_name(digest), b"something else")
    found = store(disk, NEW).load()

    assert isinstance(found.active.learned, Learned)
    assert identity(found.active.learned)[0] == EMPTY.empty("r", NEW.digest, NEW.blocks).to_bytes()
    assert len(found.damage) > 1
