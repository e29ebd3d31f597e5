"""Power goes at any moment while what was learned changes: the next start finds the old state or the new one."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from learned_values import EMPTY, NOTHING, UTC, SmallBundle, details, exemplar, identity, rows, taught, undone

from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.learning import goodparts
from edge_agent.learning.blobs import blob_name
from edge_agent.learning.example import Example, encode_npy
from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from edge_agent.learning.goodparts import encode_details
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Sample
from edge_agent.learning.raw import example_of, keeping
from edge_agent.learning.slots import SLOTS, Change, RecipeSlots, Slot, Slots, decode_slots, encode_slots
from edge_agent.learning.state import Stored
from edge_agent.learning.stateblobs import StateBlobs
from edge_agent.learning.store import KnowledgeStore
from edge_agent.runtime.disk import Disk, save_checked
from edge_agent.runtime.steps import finished
from edge_agent.testing.disk import FakeDisk, Files, power_cuts

PICTURE = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
WINDOW = np.ones((9, 3), np.float32)

GOOD = (exemplar(1, "good"), exemplar(2, "good", Role.RING))
PIT = exemplar(3)
DENT = exemplar(4, "dent", Role.GOLDEN)


def change(what: str) -> Change:
    return Change("teach", what, (f"{what} 1.png",), "ann", 1e9)


def store(disk: Disk, bundle: SmallBundle | None = None) -> KnowledgeStore:
    return KnowledgeStore(disk, "r", bundle or SmallBundle())


def with_raw(disk: Disk, one: Exemplar, learned: Learned, shade: int) -> Learned:
    """What is known with one more example, whose picture and window are kept."""
    example = Example(one.source, PICTURE + np.uint8(shade), WINDOW * shade, 1000.0)
    return learned.with_exemplars(one.label, finished(keeping(store(disk).blobs, [Sample(one, example)], learned)))


OLD = taught(GOOD)


def new(disk: Disk) -> Learned:
    return with_raw(disk, PIT, OLD, 1)


def newest(disk: Disk) -> Learned:
    return with_raw(disk, DENT, new(disk), 2)


def detailed(disk: Disk, *seeds: int) -> Learned:
    """What is known with good parts whose details are kept, every second of them held out."""
    roles = (Role.FIT, Role.RING)
    samples = [
        Sample(exemplar(i, "good", roles[i % 2]), Example(str(i), PICTURE + np.uint8(i), WINDOW * i, 1e3), details(i))
        for i in seeds
    ]
    learned = OLD.with_exemplars("good", finished(keeping(store(disk).blobs, samples, OLD)))
    return finished(store(disk).completing(learned))


SEEDS = tuple(range(10, 15))
NEW, NEWEST = new(FakeDisk()), newest(FakeDisk())


def last(disk: FakeDisk) -> Files:
    return list(disk.outcomes())[-1]


def files(*actions: Callable[[Disk], object]) -> Files:
    disk = FakeDisk()
    for act in actions:
        act(disk)
    return last(disk)


def learn_old(disk: Disk) -> None:
    store(disk).save(OLD, change("good"))


def learn_new(disk: Disk) -> None:
    store(disk).save(new(disk), change("pit"))


def learn_detailed(disk: Disk) -> None:
    store(disk).save(detailed(disk, *SEEDS), change("good"))


def learn_few_detailed(disk: Disk) -> None:
    store(disk).save(detailed(disk, *SEEDS[:2]), change("good"))


def forget_detailed(disk: Disk) -> None:
    learned = finished(store(disk).completing(detailed(disk, *SEEDS).without([exemplar(10, "good").id])))
    store(disk).save(learned, change("good"))


def propose_new(disk: Disk) -> None:
    store(disk).propose(new(disk), change("pit"))


def propose_newest(disk: Disk) -> None:
    store(disk).propose(newest(disk), change("dent"))


def promote(disk: Disk) -> None:
    store(disk).promote()


def cancel(disk: Disk) -> None:
    store(disk).cancel()


def undo(disk: Disk) -> None:
    undone(store(disk))


Seen = tuple[list[object], object]
"""Every state from the active one back to knowing nothing, and the candidate."""


def whole(learned: Learned, disk: Disk) -> object:
    """Everything that is kept of a state, down to the pictures."""
    blobs = store(disk).blobs
    examples = [(e.id, example_of(blobs, e)) for e in learned.exemplars]
    raw = [(id_, *(None if a is None else a.tobytes() for a in (e.image, e.samples))) for id_, e in examples if e]
    detail = [blobs.read(e.details) for e in learned.exemplars if e.details]
    return identity(learned), raw, detail, None if learned.good is None else learned.good.to_bytes()


def seen(files: Files) -> Seen | None:
    """All that the next start finds; None where anything of it is damaged or gone."""
    disk = FakeDisk(files)
    try:
        found: Stored = store(disk).load()
        if found.damage:
            return None
        candidate = None if found.candidate is None else whole(found.candidate.learned, disk)
        states = [whole(found.active.learned, disk)]
        opened = store(disk)
        if found.candidate is not None:
            opened.cancel()
        with contextlib.suppress(BadData):
            while True:
                states.append(whole(undone(opened).learned, disk))
    except StateDamaged:
        return None
    return states, candidate


def survives(before: Files, act: Callable[[Disk], object]) -> bool:
    """After every cut all of the old is found undamaged or all of the new, and the same can be done again."""
    disk = FakeDisk(before)
    act(disk)
    old, done = seen(before), seen(last(disk))
    assert old is not None
    assert done is not None
    assert old != done
    for after in power_cuts(before, act):
        found = seen(after)
        if found not in (old, done):
            return False
        if found == old:
            again = FakeDisk(after)
            act(again)
            if seen(last(again)) != done:
                return False
    return True


CASES = {
    "the first lesson": (files(), learn_old),
    "a lesson": (files(learn_old), learn_new),
    "the first proposal": (files(), propose_new),
    "a proposal": (files(learn_old), propose_new),
    "a promotion": (files(learn_old, propose_new), promote),
    "a promotion to nothing": (files(propose_new), promote),
    "a cancellation": (files(learn_old, learn_new, propose_newest), cancel),
    "an undo": (files(learn_old, learn_new), undo),
    "an undo to nothing": (files(learn_old), undo),
    "forgetting": (files(learn_old, learn_new), lambda disk: store(disk).save(OLD, change("pit"))),
    "good parts in detail": (files(learn_old), learn_detailed),
    "forgetting one of them": (files(learn_old, learn_detailed), forget_detailed),
    "undoing a few": (files(learn_old, learn_few_detailed), undo),
    "forgetting all": (files(learn_old, learn_new), lambda disk: store(disk).save(NOTHING, change("pit"))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_power_cut_leaves_the_old_state_or_the_new(case: str) -> None:
    assert survives(*CASES[case])


def careless_proposal(disk: Disk) -> None:
    """The wrong implementation: says which blobs are the candidate before they are there."""
    made = FakeDisk()
    propose_new(made)
    written = last(made)
    slot = decode_slots(written[SLOTS].splitlines()[0]).recipes["r"].candidate
    slots = Slots(recipes={"r": store_slots(disk).proposed(slot)})
    save_checked(disk, SLOTS, encode_slots(slots))
    for name, data in written.items():
        if name != SLOTS:
            disk.write(name, data)


def store_slots(disk: Disk) -> RecipeSlots:
    return decode_slots(disk.read(SLOTS).splitlines()[0]).recipes["r"]


class RemovesCandidates(KnowledgeStore):
    """The wrong implementation: only what is active counts as needed."""

    def _remove_unneeded(self) -> None:
        whole_slots = self._slots
        self._slots = Slots(recipes={n: RecipeSlots(r.active) for n, r in whole_slots.recipes.items()})
        super()._remove_unneeded()
        self._slots = whole_slots


class NamesNoPictures(StateBlobs):
    """The wrong implementation: does not know that exemplars name pictures."""

    def named(self, lesson: str) -> frozenset[str]:
        return frozenset()


class NamesNoDetails(StateBlobs):
    """The wrong implementation: does not know that exemplars name details."""

    def named(self, lesson: str) -> frozenset[str]:
        exemplars = Chunk.from_bytes(self._blobs.read(lesson)).exemplars
        return super().named(lesson) - {e.details for e in exemplars}


class ForgetsPictures(KnowledgeStore):
    names: type[StateBlobs] = NamesNoPictures

    def __init__(self, disk: Disk, recipe: str, bundle: SmallBundle) -> None:
        super().__init__(disk, recipe, bundle)
        self._states = self.names(self.blobs, recipe, bundle, guided=False)


class ForgetsDetails(ForgetsPictures):
    names = NamesNoDetails


class RemovesFirst(KnowledgeStore):
    """The wrong implementation: tidies up before the change is made."""

    def _turn(self, mine: RecipeSlots) -> None:
        self._slots = Slots(recipes={**self._slots.recipes, self._recipe: mine})
        self._remove_unneeded()
        save_checked(self._disk, SLOTS, encode_slots(self._slots))


def careless(kind: type[KnowledgeStore], act: Callable[[KnowledgeStore], object]) -> Callable[[Disk], object]:
    return lambda disk: act(kind(disk, "r", SmallBundle()))


@pytest.mark.parametrize(
    ("before", "act"),
    [
        (files(learn_old), careless_proposal),
        (files(learn_old, propose_new), careless(RemovesFirst, KnowledgeStore.cancel)),
        (files(learn_old, learn_new), careless(RemovesFirst, undone)),
    ],
    ids=["names first", "removes first, cancel", "removes first, undo"],
)
def test_the_sweep_has_teeth(before: Files, act: Callable[[Disk], object]) -> None:
    assert not survives(before, act)


@pytest.mark.parametrize("kind", [KnowledgeStore, RemovesCandidates, ForgetsPictures])
def test_it_is_seen_when_what_is_needed_was_removed(kind: type[KnowledgeStore]) -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    kind(disk, "r", SmallBundle()).propose(newest(disk), change("dent"))

    assert (seen(last(disk)) is not None) == (kind is KnowledgeStore)


@pytest.mark.parametrize("kind", [KnowledgeStore, ForgetsDetails])
def test_it_is_seen_when_details_were_removed(kind: type[KnowledgeStore]) -> None:
    disk = FakeDisk(files(learn_old, learn_detailed))
    kind(disk, "r", SmallBundle()).propose(
        store(disk).load().active.learned.with_exemplars("pit", [PIT]), change("pit")
    )

    assert (seen(last(disk)) is not None) == (kind is KnowledgeStore)


def test_what_is_forgotten_in_detail_was_never_learned() -> None:
    disk, other = FakeDisk(files(learn_old, learn_detailed)), FakeDisk(files(learn_old))
    forget_detailed(disk)
    store(other).save(detailed(other, *SEEDS[1:]), change("good"))
    known, never = (store(d).load().active.learned for d in (disk, other))

    assert known.good is not None and never.good is not None
    assert known.good.to_bytes() == never.good.to_bytes()
    assert known.good.to_bytes() != detailed(FakeDisk(), *SEEDS).good.to_bytes()


def damaged(disk: Disk, digest: str) -> str:
    disk.write(blob_name(digest), b"something else")
    return f"{blob_name(digest)} is damaged: its contents have another SHA-256"


def test_good_parts_are_learned_again_from_their_details_where_that_was_damaged() -> None:
    disk = FakeDisk(files(learn_old, learn_detailed))
    known = store(disk).load().active.learned.good.to_bytes()
    said = damaged(disk, hashlib.sha256(known).hexdigest())
    found = store(disk).load()

    assert [error.message for error in found.damage] == [said]
    assert found.active.learned.good.to_bytes() == known


def test_lost_details_cost_no_more_than_themselves() -> None:
    disk = FakeDisk(files(learn_old, learn_detailed))
    learned = store(disk).load().active.learned
    said = [
        damaged(disk, d) for d in (hashlib.sha256(learned.good.to_bytes()).hexdigest(), learned.exemplars[2].details)
    ]
    found = store(disk).load()

    assert [error.message for error in found.damage] == said
    assert found.active.learned.good.learned == tuple(sorted(e.id for e in learned.exemplars[2::2]))
    assert found.active.learned.good.normality.seen.scale.count == len(learned.exemplars[4::2])
    assert found.active.learned.knowledge.digest == learned.knowledge.digest


def blobs_of(disk: Disk) -> set[str]:
    return {name for shard in range(256) for name in disk.names(f"blobs/sha256/{shard:02x}")}


def test_nothing_is_left_of_what_no_state_needs() -> None:
    disk = FakeDisk()
    learn_old(disk)
    before = blobs_of(disk)
    propose_new(disk)
    assert blobs_of(disk) > before
    cancel(disk)

    assert blobs_of(disk) == before


def test_more_than_twenty_changes_can_be_undone_and_the_oldest_leave_nothing() -> None:
    disk, learned, states = FakeDisk(), NOTHING, [NOTHING]
    for i in range(40):
        learned = learned.with_exemplars("pit", [exemplar(i)])
        store(disk).save(learned, change("pit"))
        states.append(learned)
    disk = FakeDisk(last_safe(disk))
    named = store_slots(disk)
    assert blobs_of(disk) == {blob_name(digest) for slot in named.all for digest in slot.blobs}
    for state in states[-2 : -2 - 32 : -1]:
        assert identity(undone(store(disk)).learned) == identity(state)
    with pytest.raises(BadData, match="nothing to undo"):
        undone(store(disk))


def last_safe(disk: FakeDisk) -> Files:
    return {name: disk.read(name) for name in [SLOTS, *blobs_of(disk)]}


def named(disk: Disk, what: str) -> str:
    slot = store_slots(disk).active
    return {"knowledge": slot.knowledge, "lesson": slot.lessons[-1] if slot.lessons else "", "base": slot.base}[what]


def damage(disk: Disk, digest: str) -> str:
    name = blob_name(digest)
    disk.write(name, disk.read(name)[:-1] + b"\xff")
    return name


def test_a_damaged_sum_is_added_up_again() -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    name = damage(disk, named(disk, "knowledge"))
    found = store(disk).load()

    assert identity(found.active.learned) == identity(NEW)
    assert [type(error) for error in found.damage] == [StateDamaged]
    assert disk.exists(f"{name}.damaged")


def test_a_damaged_lesson_costs_its_samples_and_not_what_was_learned_from_them() -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    damage(disk, named(disk, "lesson"))
    learned = store(disk).load().active.learned

    assert learned.knowledge == NEW.knowledge
    assert learned.base == EMPTY.learn("pit", PIT.rows)
    assert [e.id for e in learned.exemplars] == [e.id for e in GOOD]
    assert learned.without_class("pit").knowledge == OLD.knowledge


def test_the_damage_that_was_survived_is_survived_again_after_the_next_lesson() -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    damage(disk, named(disk, "lesson"))
    opened = store(disk)
    learned = opened.load().active.learned.with_exemplars("pit", [exemplar(9)])
    opened.save(learned, change("pit"))
    found = store(disk).load()

    assert found.damage == ()
    assert identity(found.active.learned) == identity(learned)
    assert undone(store(disk)).learned.knowledge == NEW.knowledge


def test_where_too_much_is_damaged_the_last_good_state_is_used() -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    damage(disk, named(disk, "knowledge"))
    damage(disk, named(disk, "lesson"))
    opened = store(disk)
    found = opened.load()
    assert identity(found.active.learned) == identity(OLD)
    assert len(found.damage) == 3
    opened.save(found.active.learned.with_exemplars("pit", [exemplar(9)]), change("pit"))

    assert store(disk).load().damage == ()
    assert identity(undone(store(disk)).learned) == identity(OLD)


def test_a_damaged_candidate_is_dropped_and_the_active_state_stays() -> None:
    disk = FakeDisk(files(learn_old, propose_new))
    slot = store_slots(disk).candidate
    for digest in (slot.knowledge, slot.lessons[-1]):
        damage(disk, digest)
    opened = store(disk)
    found = opened.load()

    assert found.candidate is None
    assert identity(found.active.learned) == identity(OLD)
    opened.propose(new(disk), change("pit"))
    assert identity(store(disk).load().candidate.learned) == identity(NEW)


def test_damaged_slots_are_kept_aside_and_nothing_is_known() -> None:
    disk = FakeDisk(files(learn_old))
    disk.write(SLOTS, b'{"version":2}\nnot its digest\n')
    found = store(disk).load()

    assert identity(found.active.learned) == identity(NOTHING)
    assert len(found.damage) == 1
    assert disk.exists(f"{SLOTS}.damaged")


def test_slots_that_are_damaged_while_the_station_runs_cost_nothing() -> None:
    disk = FakeDisk(files(learn_old))
    opened = store(disk)
    opened.load()
    disk.write(SLOTS, b"\0\0\0")
    opened.save(new(disk), change("pit"))

    assert identity(store(disk).load().active.learned) == identity(NEW)
    assert identity(undone(store(disk)).learned) == identity(OLD)


def test_where_it_is_not_known_what_a_state_needs_nothing_is_removed() -> None:
    disk = FakeDisk(files(learn_old, learn_new, propose_newest))
    disk.remove(blob_name(store_slots(disk).active.lessons[0]))
    before = blobs_of(disk)
    cancel(disk)

    assert blobs_of(disk) == before


def test_a_full_disk_changes_nothing() -> None:
    disk = FakeDisk(files(learn_old))
    opened = store(disk)
    learned = opened.load().active.learned.with_exemplars("pit", [exemplar(9)])
    disk.full = True
    for act in (opened.save, opened.propose):
        with pytest.raises(Unavailable):
            act(learned, change("pit"))
    with pytest.raises(Unavailable):
        undone(opened)
    disk.full = False

    found = store(disk).load()
    assert identity(found.active.learned) == identity(OLD)
    assert found.candidate is None


def test_knowledge_of_another_bundle_is_refused_by_name() -> None:
    disk = FakeDisk(files(learn_old))

    with pytest.raises(ConfigError, match="another bundle than small"):
        store(disk, SmallBundle(digest="1" * 64)).load()


def test_a_first_start_knows_nothing_and_that_is_no_damage() -> None:
    found = store(FakeDisk()).load()

    assert found.active.learned.classes == ()
    assert found.active.change is None
    assert found.damage == ()


def test_who_changed_what_is_known_after_a_restart() -> None:
    found = store(FakeDisk(files(learn_old, propose_new))).load()

    assert found.active.change == change("good")
    assert found.candidate.change == change("pit")


def test_two_recipes_share_a_disk() -> None:
    disk = FakeDisk(files(learn_old, learn_new))
    other = KnowledgeStore(disk, "s", SmallBundle())
    plain = EMPTY.empty("s", "0" * 64, SmallBundle().blocks)
    learned = Learned(plain, (), {}, plain).with_exemplars("pit", [exemplar(1)])
    other.save(learned, change("pit"))
    undone(other)

    assert seen(last_safe(disk)) == seen(files(learn_old, learn_new))


def version_1(calibration: np.ndarray, samples: int = 3) -> Files:
    """What the release before left on the disk."""
    disk, digests = FakeDisk(), []
    knowledge = EMPTY
    for i in range(samples):
        knowledge = knowledge.learn("good", rows(i, 1))
    for data in (knowledge.to_bytes(), encode_npy(calibration)):
        digests.append(hashlib.sha256(data).hexdigest())
        disk.write(blob_name(digests[-1]), data)
    slot = {"knowledge": digests[0], "calibration": digests[1]}
    save_checked(disk, SLOTS, msgspec.json.encode({"version": 1, "recipes": {"r": {"active": slot, "previous": None}}}))
    return last_safe(disk)


def test_what_an_older_release_learned_is_kept_and_goes_on() -> None:
    held_out = np.concatenate([rows(50, 2), rows(50, 2)])
    disk = FakeDisk(version_1(held_out))
    learned = store(disk).load().active.learned

    assert learned.base == learned.knowledge
    assert learned.knowledge.samples("good") == 3
    assert np.array_equal(learned.calibration, held_out)
    assert {e.role for e in learned.exemplars} == {Role.RING}
    assert len({e.id for e in learned.exemplars}) == 4

    more = learned.with_exemplars("pit", [exemplar(9)])
    store(disk).save(more, change("pit"))
    assert identity(store(disk).load().active.learned) == identity(more)
    assert identity(undone(store(disk)).learned) == identity(learned)


def test_an_older_release_may_have_held_out_nothing() -> None:
    learned = store(FakeDisk(version_1(np.empty((0, 4), np.int16)))).load().active.learned

    assert learned.exemplars == ()
    assert learned.knowledge.samples("good") == 3


@pytest.mark.parametrize("calibration", [np.zeros((2, 3), np.int16), np.zeros((2, 4), np.int32), np.zeros(4, np.int16)])
def test_held_out_rows_that_are_none_cost_only_themselves(calibration: np.ndarray) -> None:
    found = store(FakeDisk(version_1(calibration))).load()

    assert found.active.learned.knowledge.samples("good") == 3
    assert found.active.learned.exemplars == ()
    assert "calibration is damaged" in found.damage[0].message


def test_a_lesson_after_an_older_release_survives_every_cut() -> None:
    before = version_1(rows(50, 2))
    learned = store(FakeDisk(before)).load().active.learned.with_exemplars("pit", [exemplar(9)])

    assert survives(before, lambda disk: store(disk).save(learned, change("pit")))


def test_pictures_are_kept_until_their_class_has_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FakeDisk()
    examples = [Example(f"{i}", PICTURE + np.uint8(i)) for i in range(4)]
    one = finished(keeping(store(disk).blobs, [Sample(exemplar(0), examples[0])], NOTHING))[0].raw_bytes
    monkeypatch.setattr("edge_agent.learning.raw.MAX_RAW_BYTES", int(2.5 * one))
    roles = [Role.FIT, Role.RING, Role.GOLDEN]
    for role in roles:
        kept = finished(
            keeping(store(disk).blobs, [Sample(exemplar(i, role=role), e) for i, e in enumerate(examples)], NOTHING)
        )
        assert [bool(e.picture) for e in kept] == [True, True, False, False]
    learned = taught((replace(exemplar(7), raw_bytes=2 * one),))
    (kept,) = finished(keeping(store(disk).blobs, [Sample(exemplar(0), examples[0])], learned))

    assert (kept.picture, kept.window, kept.raw_bytes) == ("", "", 0)
    assert example_of(store(disk).blobs, kept) is None


@pytest.mark.parametrize("what", ["picture", "window"])
def test_a_damaged_picture_or_window_is_said(what: str) -> None:
    disk = FakeDisk()
    learned = new(disk)
    damage(disk, getattr(learned.exemplars[-1], what))

    with pytest.raises(StateDamaged, match="another SHA-256"):
        example_of(store(disk).blobs, learned.exemplars[-1])


def test_a_slot_without_blobs_is_knowing_nothing() -> None:
    disk = FakeDisk(files(learn_old))
    store(disk).save(OLD.without_class("good"), change("good"))

    assert store_slots(disk).active == Slot(change=change("good"))
    assert identity(store(disk).load().active.learned) == identity(NOTHING)


def test_what_an_older_release_knew_without_lots_is_written_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FakeDisk()
    opened = store(disk)
    opened.load()
    good = tuple(exemplar(i, "good", (Role.FIT, Role.RING)[i % 2], utc=UTC + i // 6) for i in range(12))
    good = tuple(replace(e, details=opened.blobs.write(encode_details(details(i)))) for i, e in enumerate(good))
    with monkeypatch.context() as older:
        older.setattr(goodparts, "lots_of", lambda learned: {})
        opened.save(finished(opened.completing(taught(good))), Change("teach", "good", (), "ann", UTC))
    before = store_slots(disk).active
    started = store(disk)
    active = started.load().active.learned

    assert active.good is not None and active.good.lots
    disk.full = True
    with pytest.raises(Unavailable):
        started.settle(active, None)
    disk.full = False
    assert store_slots(disk).active == before and not started.looks_otherwise(active, None), "it can wait"
    assert not started.settle(active, None), "nothing that anybody was taught has changed"
    after = store_slots(disk).active
    assert (after.knowledge, after.change) == (before.knowledge, before.change) and after.good != before.good
    again = store(disk)
    assert again.load().active.learned.good is not None and store_slots(disk).active == after
    assert not again.settle(active, None) and store_slots(disk).active == after
