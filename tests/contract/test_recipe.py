"""The recipe with a shipped bundle: what is judged by is what is on the disk, through every way it can change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_agent.config import ImageHealthConfig, RecipeConfig
from edge_agent.errors import BadData, Unavailable
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.lesson import Lesson
from edge_agent.product.known import Turn
from edge_agent.product.recipe import Recipe
from edge_agent.records import Embedding, Modality, Outcome
from edge_agent.runtime.steps import Steps, finished
from edge_agent.testing.disk import FakeDisk
from models.embedding import assemble, quantise

UTC = 1_764_000_000.0
LIMITS = ImageHealthConfig()
CENTRES = {"good": 1, "pit": 2, "dent": 3}


def recipe(disk: FakeDisk) -> Recipe:
    return Recipe(RecipeConfig(), disk)


def embedding(of: Recipe, label: str, seed: int) -> Embedding:
    """Somewhere near the middle of its class."""
    middle, noise = np.random.default_rng(CENTRES[label]), np.random.default_rng(seed)
    raw = {
        block.modality: middle.normal(size=block.stop - block.start) + 0.1 * noise.normal(size=block.stop - block.start)
        for block in of.bundle.blocks
    }
    return Embedding(quantise(assemble(of.bundle.blocks, raw)), frozenset(Modality))


def lesson(of: Recipe, label: str, seeds: range, *, golden: bool = False) -> Lesson:
    """A lesson with everything encoded; its pictures are noise."""
    pictures = [np.random.default_rng(seed).integers(60, 190, (64, 64, 3), dtype=np.uint8) for seed in seeds]
    examples = [Example(f"{seed}.png", picture) for seed, picture in zip(seeds, pictures, strict=True)]
    made = Lesson(label, examples, of.learned, "good", LIMITS, golden=golden)
    while made.next_variant() is not None:
        made.take(embedding(of, label, 1000 * seeds.start + made.done))
    return made


def outcome(of: Recipe, label: str) -> tuple[Outcome, str | None]:
    verdict = of.judge.judge(embedding(of, label, 7))
    return verdict.outcome, verdict.label


@pytest.fixture
def disk() -> FakeDisk:
    disk = FakeDisk()
    begun = recipe(disk)
    finished(begun.learn(lesson(begun, "good", range(100, 140)), "ann", UTC))
    return disk


def state(of: Recipe) -> tuple[object, ...]:
    learned = of.learned
    return of.judge.digest, [c.digest for c in learned.lessons], learned.base.digest, dict(learned.names)


def test_a_candidate_changes_nothing_for_the_line_until_it_is_promoted(disk: FakeDisk) -> None:
    running = recipe(disk)
    before = state(running)
    proposed = finished(running.propose(lesson(running, "pit", range(5)), "bob", UTC))

    assert state(running) == before
    assert outcome(running, "pit")[1] != "pit"
    assert proposed.judge.judge(embedding(running, "pit", 7)).label == "pit"
    assert state(recipe(disk)) == before

    turn = running.promote()
    assert running.candidate is None
    assert outcome(running, "pit") == (Outcome.NG, "pit")
    assert (turn.before, turn.after) == (before[0], running.judge.digest)
    assert (turn.change.action, turn.change.slug, turn.change.who) == ("teach", "pit", "bob")
    assert turn.change.sources == tuple(f"{i}.png" for i in range(5))
    assert state(recipe(disk)) == state(running)


def test_a_candidate_waits_through_a_restart(disk: FakeDisk) -> None:
    running = recipe(disk)
    finished(running.propose(lesson(running, "pit", range(5)), "bob", UTC))
    again = recipe(disk)

    assert again.candidate is not None
    assert again.candidate.change.who == "bob"
    again.promote()
    assert outcome(again, "pit") == (Outcome.NG, "pit")


def test_a_cancelled_candidate_leaves_nothing(disk: FakeDisk) -> None:
    running, names = recipe(disk), kept(disk)
    finished(running.propose(lesson(running, "pit", range(5)), "bob", UTC))
    running.cancel()

    assert running.candidate is None
    assert kept(disk) == names
    with pytest.raises(BadData, match="no change is waiting"):
        running.promote()
    with pytest.raises(BadData, match="no change is waiting"):
        running.cancel()


def kept(disk: FakeDisk) -> list[str]:
    return [name for shard in range(256) for name in disk.names(f"blobs/sha256/{shard:02x}")]


def test_undo_goes_back_byte_for_byte_and_says_what_was_undone(disk: FakeDisk) -> None:
    running = recipe(disk)
    before = state(running)
    finished(running.learn(lesson(running, "pit", range(5)), "bob", UTC))
    turn = finished(running.undo("cid", UTC + 1))

    assert state(running) == state(recipe(disk)) == before
    assert (turn.change.action, turn.change.slug, turn.change.who) == ("undo", "pit", "cid")
    assert turn.after == before[0]
    finished(running.undo("cid", UTC + 2))
    assert running.judge.digest == ""
    with pytest.raises(BadData, match="nothing to undo"):
        finished(running.undo("cid", UTC + 3))


def test_a_forgotten_sample_was_never_learned(disk: FakeDisk) -> None:
    running, other = recipe(disk), recipe(FakeDisk({name: disk.read(name) for name in [*kept(disk), "slots.json"]}))
    finished(running.learn(lesson(running, "pit", range(5)), "bob", UTC))
    turn = finished(running.forget([e.id for e in running.learned.find("0.png")], "cid", UTC + 1))
    finished(running.forget([e.id for e in running.learned.find("4.png")], "cid", UTC + 2))
    made = lesson(other, "pit", range(5))
    for dropped in ("0.png", "4.png"):
        sample = next(s for s in made._samples if s.example.source == dropped)
        sample.refused = "not shown"
    finished(other.learn(made, "bob", UTC))

    assert state(running) == state(other) == state(recipe(disk))
    assert (turn.change.action, turn.change.slug, turn.change.sources) == ("forget", "pit", ("0.png",))
    finished(running.undo("cid", UTC + 3))
    assert len(running.learned.find("4.png")) == 1


def test_a_forgotten_class_is_no_longer_seen(disk: FakeDisk) -> None:
    running = recipe(disk)
    before = state(running)
    finished(running.learn(lesson(running, "pit", range(5)), "bob", UTC))
    finished(running.forget_class("pit", "cid", UTC + 1))

    assert state(running) == before


CHANGES = {
    "forget": lambda r: r.forget([r.learned.exemplars[0].id], "cid", UTC + 9),
    "undo": lambda r: r.undo("cid", UTC + 9),
    "learn": lambda r: r.learn(lesson(r, "dent", range(5, 8)), "cid", UTC + 9),
}


@pytest.mark.parametrize(
    "change",
    [*CHANGES.values(), lambda r: r.propose(lesson(r, "dent", range(5, 8)), "cid", UTC + 9)],
    ids=[*CHANGES, "propose"],
)
def test_what_was_learned_between_two_parts_of_a_change_is_not_lost(
    disk: FakeDisk, change: Callable[[Recipe], Steps[object]]
) -> None:
    finished(recipe(disk).learn(lesson(recipe(disk), "good", range(200, 210)), "ann", UTC))
    parts = sum(1 for _ in change(recipe(FakeDisk(disk.outcomes()[-1]))))
    assert parts > 1
    for learned in (0, parts // 2, parts - 1):
        running = recipe(FakeDisk(disk.outcomes()[-1]))
        steps = change(running)
        for _ in range(learned + 1):
            next(steps)
        finished(running.learn(lesson(running, "pit", range(5)), "bob", UTC + 2))
        before = state(running)

        with pytest.raises(BadData, match="changed meanwhile"):
            finished(steps)
        assert state(running) == before and running.candidate is None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_people_say_of_drawn_parts_while_another_judge_is_made_counts_at_once(
    disk: FakeDisk, change: Callable[[Recipe], Steps[Turn]]
) -> None:
    running = recipe(disk)
    finished(running.learn(lesson(running, "good", range(200, 210)), "ann", UTC))
    parts = sum(1 for _ in change(recipe(FakeDisk(disk.outcomes()[-1]))))
    for said in range(parts):
        running = recipe(FakeDisk(disk.outcomes()[-1]))
        drawn = [embedding(running, "good", seed) for seed in range(5000, 5003)]
        for number, _ in enumerate(change(running)):
            if number == said:
                running.hold_out(drawn)
        assert running.judge.promise().held_out == len(running.held_out.rows)
        assert running.held_out.rows[-1].tobytes() == drawn[-1].q.tobytes()


@pytest.mark.parametrize(
    "act",
    [
        lambda r, other: finished(r.propose(other, "bob", UTC)),
        lambda r, other: finished(r.learn(other, "bob", UTC)),
        lambda r, other: finished(r.forget([r.learned.exemplars[0].id], "bob", UTC)),
        lambda r, other: finished(r.forget_class("good", "bob", UTC)),
        lambda r, other: finished(r.undo("bob", UTC)),
    ],
    ids=["propose", "learn", "forget", "forget a class", "undo"],
)
def test_while_a_candidate_waits_nothing_else_changes(disk: FakeDisk, act: Callable[[Recipe, Lesson], object]) -> None:
    running = recipe(disk)
    finished(running.propose(lesson(running, "pit", range(5)), "bob", UTC))
    before, names = state(running), kept(disk)
    with pytest.raises(BadData, match=r"waiting to be promoted \(teach pit, by bob\)"):
        act(running, lesson(running, "dent", range(10, 15)))

    assert (state(running), kept(disk)) == (before, names)
    running.promote()
    assert outcome(running, "pit")[1] == "pit"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda r: finished(r.forget(["f" * 16], "bob", UTC)), "was ever learned"),
        (lambda r: finished(r.forget_class("pit", "bob", UTC)), "the class pit was never learned"),
        (
            lambda r: finished(r.learn(lesson(r, "good", range(100, 102)), "bob", UTC)),
            "already an example of good, taught by ann",
        ),
        (
            lambda r: finished(r.learn(lesson(r, "pit", range(100, 102)), "bob", UTC)),
            "already an example of good, taught by ann",
        ),
        (lambda r: lesson(r, "Good", range(2)), "there is a class good already"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    disk: FakeDisk, act: Callable[[Recipe], object], reason: str
) -> None:
    running = recipe(disk)
    before, names = state(running), kept(disk)
    with pytest.raises(BadData, match=reason):
        act(running)

    assert (state(running), kept(disk)) == (before, names)


def test_a_full_disk_changes_nothing(disk: FakeDisk) -> None:
    running = recipe(disk)
    before = state(running)
    disk.full = True
    with pytest.raises(Unavailable):
        finished(running.learn(lesson(running, "pit", range(5)), "bob", UTC))
    disk.full = False

    assert state(running) == state(recipe(disk)) == before


def test_what_examples_were_made_from_is_kept_whatever_they_are_for(disk: FakeDisk) -> None:
    running = recipe(disk)
    finished(running.learn(lesson(running, "pit", range(2)), "bob", UTC))
    finished(running.learn(lesson(running, "pit", range(2, 4), golden=True), "bob", UTC))
    again = recipe(disk)

    assert {e.role for e in again.learned.exemplars} == set(Role)
    assert all(again.example_of(e).id == e.id for e in again.learned.exemplars)


def test_good_parts_taught_at_two_times_are_held_against_each_other(disk: FakeDisk) -> None:
    running = recipe(disk)
    assert running.held_out.lots == () and running.judge.promise().unshown is None
    finished(running.learn(lesson(running, "good", range(200, 240)), "ann", UTC + 3600.0))

    first, second = running.held_out.lots
    assert (first.which.sum(), second.which.sum()) == (20, 20) and not (first.which & second.which).any()
    assert first.others.samples("good") == second.others.samples("good") == 20
    running.hold_out([embedding(running, "good", 5000)])
    assert running.held_out.lots[0].others is first.others, "what a word does not change is not added up again"
    running.hold_out([])
    assert first.others.merge(second.others).digest == running.learned.knowledge.digest
    assert running.judge.promise().lots == 2
    ids = [e.id for e in running.learned.lessons[1].exemplars]
    finished(running.forget(ids, "ann", UTC))
    assert running.held_out.lots == () and running.judge.promise().held_out == 20
