"""Where a station looks follows from what it was taught, through power cuts, forgetting, damage and second thoughts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from guided_world import BUNDLE, CHANGE, embedding, everything, forget, known, store, taught, teach
from learned_values import details, undone

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning import guiding
from edge_agent.learning.blobs import blob_name
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Chunk
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.raw import keeping
from edge_agent.learning.slots import SLOTS
from edge_agent.records import Details
from edge_agent.runtime.disk import Disk
from edge_agent.runtime.steps import finished
from edge_agent.testing.disk import FakeDisk, Files, power_cuts
from models.bundle import Bundle
from models.guide import GuidedBundle

GOOD, MORE, PITS = range(6), range(20, 24), range(50, 52)


@pytest.fixture(autouse=True)
def few_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two good parts are enough for a guide here, so that every write can be cut."""
    monkeypatch.setattr(guiding, "MEMBERS", 2)


def test_it_begins_with_good_parts_and_what_is_taught_then_is_looked_at_the_same() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    first = known(disk)
    teach(disk, "pit", PITS)
    teach(disk, "good", MORE)
    now = known(disk)

    assert first.guiding is not None and now.guiding is not None
    assert first.guiding.to_bytes() == now.guiding.to_bytes()
    assert len(now.guiding.members) == len(GOOD) < len(now.exemplars)
    assert now.knowledge.d == 4 + 6 and {e.plain.shape[1] for e in now.exemplars} == {4}
    assert now.knowledge.bundle_digest != BUNDLE.digest
    space = GuidedBundle.of(BUNDLE, now.guiding.guide)
    last, pit = now.exemplars[-1], next(e for e in now.exemplars if e.label == "pit")
    assert (last.rows[0] == space.extended(last.plain[0], details(1000 * MORE[-1]).tokens)).all()
    assert (pit.rows[3] == space.extended(pit.plain[3], details(1000 * PITS[0] + 3).tokens)).all()


def test_what_the_guide_is_made_of_is_looked_at_as_the_others_see_it() -> None:
    """By itself each would be less unusual than any other good part is."""
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    now = known(disk)
    space = GuidedBundle.of(BUNDLE, now.guiding.guide)
    first = now.exemplars[0]

    assert (first.rows[0] != space.extended(first.plain[0], details(0).tokens)).any()


def test_what_was_forgotten_never_said_where_to_look() -> None:
    disk, other = FakeDisk(), FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    before = known(disk)
    forget(disk, range(1, 3))
    teach(other, "good", GOOD, without=range(1, 3))
    teach(other, "pit", PITS)

    assert everything(known(disk)) == everything(known(other))
    assert before.guiding.to_bytes() != known(disk).guiding.to_bytes()


def test_to_keep_where_it_looks_when_one_of_those_is_forgotten_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong implementation: the guide stays as it was."""

    first: list[tuple[str, ...]] = []

    def as_it_was(lessons: tuple[Chunk, ...], bundle: Bundle, *, wanted: bool) -> tuple[str, ...]:
        found = guiding.members_of(lessons, bundle, wanted=wanted)
        first.extend([found] * (bool(found) and not first))
        return first[0] if first else found

    monkeypatch.setattr("edge_agent.learning.stateblobs.members_of", as_it_was)
    disk, other = FakeDisk(), FakeDisk()
    teach(disk, "good", GOOD)
    forget(disk, range(1, 3))
    teach(other, "good", GOOD, without=range(1, 3))

    assert everything(known(disk)) != everything(known(other))


def test_with_too_few_of_those_left_pictures_are_looked_at_as_a_whole_again() -> None:
    disk, plain = FakeDisk(), FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    forget(disk, range(5))
    teach(plain, "good", GOOD, without=range(5), guided=False)
    teach(plain, "pit", PITS, guided=False)
    now = known(disk)

    assert now.guiding is None
    assert now.knowledge.to_bytes() == known(plain, guided=False).knowledge.to_bytes()
    assert all(exemplar.plain is None for exemplar in now.exemplars)


def test_the_recipe_may_change_its_mind_and_back() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    guided, plain = known(disk), known(disk, guided=False)

    assert plain.guiding is None and plain.knowledge.d == 4
    assert everything(known(disk)) == everything(guided)


def test_what_a_start_derives_is_settled_once_and_nobody_can_undo_it() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    for guided in (False, True):
        opened = store(disk, guided=guided)
        found = opened.load()
        assert found.active.learned.knowledge.digest not in opened.digests
        assert opened.looks_otherwise(found.active.learned, None)
        assert opened.settle(found.active.learned, None)
        assert not opened.looks_otherwise(found.active.learned, None)
        assert found.active.learned.knowledge.digest == opened.knowledge
        again = store(disk, guided=guided)
        assert not again.settle(again.load().active.learned, None)
        assert len(again._mine.history) == 2

    assert found.active.change == CHANGE


def test_a_candidate_is_settled_too() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    store(disk).propose(taught(disk, "pit", PITS), CHANGE)
    opened = store(disk, guided=False)
    found = opened.load()
    assert opened.looks_otherwise(found.active.learned, found.candidate.learned)
    opened.settle(found.active.learned, found.candidate.learned)
    opened.promote()

    assert known(disk, guided=False).knowledge.digest == found.candidate.learned.knowledge.digest == opened.knowledge


def test_what_is_gone_back_to_is_on_the_disk_as_it_is_judged_by() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    opened = store(disk, guided=False)
    opened.load()
    state = undone(opened)

    assert state.learned.knowledge.digest == opened.knowledge and state.learned.guiding is None


def test_a_station_that_knows_a_defect_before_good_parts_is_not_guided() -> None:
    disk = FakeDisk()
    teach(disk, "pit", PITS)
    teach(disk, "good", GOOD)

    assert known(disk).guiding is None


def test_where_the_guide_is_damaged_it_is_made_again() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    before = everything(known(disk))
    disk.write(blob_name(slot_guide(disk)), b"something else")
    found = store(disk).load()

    assert [type(error) for error in found.damage] == [StateDamaged]
    assert everything(found.active.learned) == before


def test_where_the_guide_and_what_it_was_made_of_are_damaged_embeddings_are_taken_without_it() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    plain = known(disk, guided=False).knowledge.digest
    pit = next(e for e in known(disk).exemplars if e.label == "pit")
    for digest in (slot_guide(disk), pit.details):
        disk.write(blob_name(digest), b"something else")
    found = store(disk).load()

    assert found.active.learned.guiding is None
    assert found.active.learned.knowledge.digest == plain


def slot_guide(disk: Disk) -> str:
    opened = store(disk)
    opened.load()
    return opened._mine.active.guide


def test_an_example_that_cannot_be_looked_at_anew_keeps_its_guide_from_being_changed() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    pit = next(e for e in known(disk).exemplars if e.label == "pit")
    disk.write(blob_name(pit.details), b"lost")

    with pytest.raises(BadData, match="pit 50 was taught by where to look"):
        forget(disk, range(1))
    assert len(known(disk).guiding.members) == len(GOOD)


def lesson_of(disk: Disk, at: int) -> str:
    opened = store(disk)
    opened.load()
    return opened._mine.active.lessons[at]


def test_what_was_forgotten_never_said_where_to_look_whichever_lesson_it_was_in() -> None:
    """The first lesson has too few left, so the second says where to look, as it would have from the beginning."""
    disk, other = FakeDisk(), FakeDisk()
    teach(disk, "good", range(2))
    teach(disk, "good", range(20, 23))
    teach(disk, "pit", PITS)
    forget(disk, range(1))
    teach(other, "good", range(2), without=range(1))
    teach(other, "good", range(20, 23))
    teach(other, "pit", PITS)

    assert everything(known(disk)) == everything(known(other))
    assert len(known(disk).guiding.members) == 4


def test_what_is_derived_is_derived_once() -> None:
    disk = FakeDisk()
    teach(disk, "good", range(2))
    teach(disk, "good", range(20, 23))
    opened = store(disk)
    learned = opened.load().active.learned
    less = finished(opened.completing(learned.without([learned.exemplars[0].id])))

    assert finished(opened.completing(less)) is less
    assert finished(opened.completing(learned)) is learned


@pytest.mark.parametrize("lost", [0, 1])
def test_a_damaged_lesson_costs_its_samples_and_never_where_to_look(lost: int) -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    teach(disk, "pit", PITS)
    before = known(disk)
    disk.write(blob_name(lesson_of(disk, lost)), b"lost")
    found = store(disk).load()
    after = found.active.learned

    assert [type(error) for error in found.damage] == [StateDamaged]
    assert after.knowledge.digest == before.knowledge.digest
    assert after.guiding.guide.digest == before.guiding.guide.digest
    teach(disk, "dent", range(60, 61))
    assert known(disk).knowledge.samples("dent") == 1


def test_where_the_details_that_a_guide_would_be_begun_with_are_lost_there_is_none() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD, guided=False)
    disk.write(blob_name(known(disk, guided=False).exemplars[3].details), b"lost")

    assert known(disk).guiding is None
    teach(disk, "pit", PITS)
    assert known(disk).knowledge.samples("pit") == len(PITS)


def test_a_file_that_somebody_else_puts_aside_does_not_make_the_station_forget() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    running = store(disk)
    learned = running.load().active.learned
    disk.write(SLOTS, b"damaged")
    store(disk).load()  # it finds that and puts it aside
    running.save(finished(running.completing(learned.without([learned.exemplars[0].id]))), CHANGE)
    undone(running)

    assert known(disk).knowledge.digest == learned.knowledge.digest


def test_nothing_is_removed_while_a_damaged_file_lies_aside_that_names_it() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    names = {name for shard in range(256) for name in disk.names(f"blobs/sha256/{shard:02x}")}
    disk.write(SLOTS, b"damaged")
    store(disk).load()
    teach(disk, "pit", PITS, guided=False)

    assert all(disk.exists(name) for name in names)


def test_drawn_parts_of_another_guide_are_not_counted() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    before = known(disk).knowledge.digest
    forget(disk, range(1))
    opened = store(disk)
    opened.load()

    assert before not in opened.digests and known(disk).knowledge.digest in opened.digests


def test_a_lesson_that_was_looked_at_otherwise_is_taught_once_more() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    learned = known(disk)
    space = guiding.space_of(BUNDLE, learned.guiding)
    example = Example("pit", samples=np.full((9, 3), 99.0, np.float32), rate_hz=1e3)
    for of in (space, None):
        lesson = Lesson("pit", [example], learned, "good", SimpleNamespace(), golden=True, space=of)
        lesson.take(embedding(7))
        if of is not None:
            forget(disk, range(1))
        with pytest.raises(BadData, match="where pictures are looked at has changed"):
            lesson.exemplars(known(disk), "ann", 1e9)


def seen(files: Files) -> object | None:
    found = store(FakeDisk(files)).load()
    return None if found.damage else everything(found.active.learned)


@pytest.mark.parametrize("act", ["begin", "forget a member"])
def test_a_power_cut_leaves_the_old_state_or_the_new(act: str) -> None:
    disk = FakeDisk()
    if act != "begin":
        teach(disk, "good", range(4))
        teach(disk, "pit", range(50, 51))
    before = list(disk.outcomes())[-1]

    def change(on: Disk) -> None:
        teach(on, "good", range(3)) if act == "begin" else forget(on, range(1))

    done = FakeDisk(before)
    change(done)
    old, new = seen(before), seen(list(done.outcomes())[-1])
    assert old is not None and new is not None and old != new
    assert all(after in (old, new) for after in map(seen, power_cuts(before, change)))


def test_golden_examples_and_parts_without_a_picture_are_looked_at_as_far_as_they_go() -> None:
    disk = FakeDisk()
    teach(disk, "good", GOOD)
    learned = known(disk)
    space = guiding.space_of(BUNDLE, learned.guiding)
    assert isinstance(space, GuidedBundle)
    lesson = Lesson(
        "pit",
        [Example("golden", samples=np.full((9, 3), 99.0, np.float32), rate_hz=1e3)],
        learned,
        "good",
        SimpleNamespace(),
        golden=True,
        space=space,
    )
    heard = embedding(7)
    q = heard.q.copy()
    q[:2] = 0
    lesson.take(replace(heard, q=q, details=Details(None, details(7).features)))
    (sample,) = lesson.exemplars(learned, "ann", 1e9)

    assert sample.details is not None and sample.details.tokens is None and not sample.exemplar.rows[0, :8].any()
    assert (sample.exemplar.plain[0] == q).all()
    lessons = learned.with_exemplars("pit", finished(keeping(store(disk).blobs, [sample], learned))).lessons[-1:]
    again = finished(guiding.guided(lessons, space, lambda d: Details(), {}))
    assert (again[0].exemplars[0].rows == sample.exemplar.rows).all()
