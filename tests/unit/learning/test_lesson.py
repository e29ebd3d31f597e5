"""A lesson's bookkeeping: variants out, embeddings in, exemplars at the end; good parts are held out fairly."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from learned_values import NOTHING, UTC

from edge_agent.config import ImageHealthConfig
from edge_agent.errors import BadData
from edge_agent.learning import lesson as subject
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Lesson
from edge_agent.records import Details, Embedding, Modality
from models.augment import AUGMENTATIONS


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 190, (64, 64, 3), dtype=np.uint8)


def example(seed: int = 0) -> Example:
    return Example(f"part {seed}", picture(seed))


def lesson(label: str, *examples: Example, learned: Learned = NOTHING, golden: bool = False) -> Lesson:
    return Lesson(label, examples, learned, "good", ImageHealthConfig(), golden=golden)


def embedding(seed: int) -> Embedding:
    rng = np.random.default_rng(seed)
    return Embedding(np.array([rng.integers(1, 99), rng.integers(1, 99), 0, 0], np.int16), frozenset({Modality.IMAGE}))


def finish(running: Lesson) -> int:
    encoded = 0
    while running.next_variant() is not None:
        running.take(embedding(encoded))
        encoded += 1
    return encoded


def applied(running: Lesson, learned: Learned = NOTHING) -> Learned:
    exemplars = [sample.exemplar for sample in running.exemplars(learned, "ann", UTC)]
    return learned.with_exemplars(running.name, exemplars)


def test_a_defect_is_learned_from_every_variant_and_counts_as_one_sample() -> None:
    running = lesson("pit", example(0), example(1))

    assert finish(running) == 2 * AUGMENTATIONS == running.total == running.done
    learned = applied(running)
    assert learned.knowledge.samples("pit") == 2
    assert len(learned.calibration) == 0
    assert [len(e.rows) for e in learned.exemplars] == [AUGMENTATIONS] * 2


def test_an_exemplar_says_what_it_is_of_and_whose_word_it_is() -> None:
    running = lesson("Pit!", example(3))
    finish(running)
    ((exemplar, made_from, details),) = running.exemplars(NOTHING, "ann", UTC)

    assert (exemplar.id, exemplar.label, exemplar.role) == (example(3).id, "pit", Role.FIT)
    assert (exemplar.source, exemplar.who, exemplar.utc) == ("part 3", "ann", UTC)
    assert made_from.source == "part 3" and details is None
    assert applied(running).names == {"pit": "Pit!"}


def test_a_name_that_no_file_can_hold_is_told_as_well_as_it_can_be() -> None:
    running = lesson("pit", Example("p\udcff" + "x" * 300, picture()))
    finish(running)

    assert running.exemplars(NOTHING, "ann", UTC)[0][0].source == "p?" + "x" * 198
    assert applied(running).knowledge.samples("pit") == 1


def test_every_second_good_part_is_held_out_and_takes_no_part_in_fitting() -> None:
    running = lesson("good", *map(example, range(10)))
    finish(running)

    learned = applied(running)

    assert learned.knowledge.samples("good") == 5
    assert len(learned.calibration) == 5
    assert [e.role for e in learned.exemplars] == [Role.FIT, Role.RING] * 5


def test_good_parts_taught_one_at_a_time_are_held_out_too() -> None:
    learned = NOTHING
    for i in range(6):
        running = lesson("good", example(i), learned=learned)
        finish(running)
        learned = applied(running, learned)

    assert (learned.knowledge.samples("good"), len(learned.calibration)) == (3, 3)


def test_to_forget_a_good_part_leaves_the_others_what_they_are_for() -> None:
    """Never teaching it would have left them otherwise, as every second one is held out in the order taught."""
    running, never = lesson("good", *map(example, range(4))), lesson("good", *map(example, range(1, 4)))
    finish(running)
    finish(never)
    learned = applied(running)

    left = learned.without([example(0).id])
    assert (
        [e.role for e in left.exemplars] == [Role.RING, Role.FIT, Role.RING] == [e.role for e in learned.exemplars][1:]
    )
    assert [e.role for e in applied(never).exemplars] == [Role.FIT, Role.RING, Role.FIT]


def test_nothing_is_learned_from_golden_examples() -> None:
    running = lesson("pit", example(0), example(1), golden=True)

    assert finish(running) == 2
    learned = applied(running)
    assert learned.knowledge.samples("pit") == 0
    assert learned.count("pit", Role.GOLDEN) == 2


@pytest.mark.parametrize(("label", "limit"), [("pit", "MAX_VARIED"), ("good", "MAX_GOOD")])
def test_more_examples_than_details_may_be_kept_of_are_refused_before_they_are_encoded(
    label: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, limit, 3)

    def taught(*examples: Example, learned: Learned = NOTHING, following: int = 0) -> Lesson:
        return Lesson(label, examples, learned, "good", ImageHealthConfig(), tokens=True, following=following)

    first = taught(*map(example, range(3)))
    finish(first)
    full = applied(first)

    assert taught(example(2), learned=full).refused, "the same once more takes no room"
    with pytest.raises(BadData, match=f"1 more example of {label} would be too many: 3 are known, 3 are the most"):
        taught(example(3), learned=full)
    for count, following in ((4, 0), (1, 3), (0, 4)):
        with pytest.raises(BadData, match="4 more examples .* 0 are known"):
            taught(*map(example, range(count)), following=following)
    assert not taught(example(0), following=2).refused
    assert taught(example(2), learned=full, following=3).refused, "those that follow may be known as well"


def test_tokens_are_kept_of_all_variants_where_a_guide_may_be_made() -> None:
    seen = replace(embedding(1), details=Details(np.ones((4, 6), np.float32), np.ones(5, np.float32)))
    kept = []
    for tokens in (True, False):
        running = Lesson("pit", [example()], NOTHING, "good", ImageHealthConfig(), tokens=tokens)
        while running.next_variant() is not None:
            running.take(seen)
        kept.append(running.exemplars(NOTHING, "ann", UTC)[0].details)

    assert kept[0] is not None and kept[0].tokens is not None and kept[0].features is None
    assert kept[0].tokens.shape == (AUGMENTATIONS, 4, 6) and kept[0].tokens.dtype == np.int8
    assert kept[1] is None


def test_a_picture_that_is_no_good_is_not_learned_from() -> None:
    black = Example("black", np.zeros((64, 64, 3), np.uint8))
    running = lesson("pit", black, example(1), black)
    finish(running)

    assert running.taught == ["part 1"]
    assert running.refused == ["black: its picture is dark"] * 2
    assert applied(running).knowledge.samples("pit") == 1


@pytest.mark.parametrize("golden", [False, True])
def test_what_comes_after_a_variant_is_where_the_lesson_goes(golden: bool) -> None:
    black = Example("black", np.zeros((64, 64, 3), np.uint8))
    running = lesson("pit", black, example(1), black, example(2), black, golden=golden)
    places = []
    while (place := running.at) is not None:
        places.append(place)
        after = running.after(place)
        running.take(embedding(len(places)))
        assert running.at == after

    assert places == [(i, k) for i in (1, 3) for k in range(1 if golden else AUGMENTATIONS)]


def heard(seed: int, window: int) -> Example:
    return Example(f"heard {seed} {window}", picture(seed), np.full((9, 3), window, np.float32), 1e3)


@pytest.mark.parametrize("known", [example(0), heard(0, 1)], ids=["alone", "beside a window"])
@pytest.mark.parametrize("again", [example(0), heard(0, 1), heard(0, 2)], ids=["alone", "as before", "another window"])
def test_one_picture_under_two_names_is_refused_before_anything_is_encoded(known: Example, again: Example) -> None:
    """Whatever lies beside it, and whichever device embeds it, as these differ in the last bits."""
    first = lesson("pit", known)
    finish(first)

    second = lesson("dent", again, example(1), learned=applied(first))

    (refused,) = second.refused
    assert refused.startswith(again.source) and "example of pit" in refused and "forget that first" in refused
    assert second.done == AUGMENTATIONS and second.next_variant() is not None


def test_one_picture_beside_two_windows_is_two_examples_of_one_class() -> None:
    first = lesson("pit", heard(0, 1))
    finish(first)
    assert lesson("pit", heard(0, 2), example(0), learned=applied(first)).refused == []


def test_windows_without_a_picture_have_none_in_common() -> None:
    first = lesson("pit", Example("window 1", samples=np.full((9, 3), 1, np.float32), rate_hz=1e3))
    finish(first)
    other = Example("window 2", samples=np.full((9, 3), 2, np.float32), rate_hz=1e3)
    assert lesson("dent", other, learned=applied(first)).refused == []


def test_an_embedding_is_taken_without_looking_through_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken on the loop thread, and indexes of 20,000 exemplars would stop the line."""
    first = lesson("pit", heard(0, 1))
    finish(first)
    second = lesson("dent", example(1), learned=replace(applied(first)))
    monkeypatch.setattr(Learned, "exemplars", property(lambda learned: pytest.fail("it looked")))

    assert finish(second) == AUGMENTATIONS


def test_tokens_are_rounded_on_the_device_thread_and_not_where_the_loop_takes_them() -> None:
    tokens = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    seen = replace(embedding(0), details=Details(tokens))

    looked = lesson("good", example(0)).look(seen)

    assert looked.details is not None and looked.details.tokens is not None
    assert looked.details.tokens.dtype == np.int8
    assert lesson("pit", example(0)).look(seen) is seen, "nothing keeps them"


def test_an_example_that_cannot_be_encoded_is_given_up_whole() -> None:
    running = lesson("pit", example(0), example(1))
    running.take(embedding(0))
    running.take(BadData("broken"))
    finish(running)

    assert running.refused == ["part 0: broken"]
    assert applied(running).knowledge.samples("pit") == 1


def test_an_example_that_is_known_or_here_twice_is_not_encoded_again() -> None:
    first = lesson("pit", example(0), example(1))
    finish(first)
    learned = applied(first)
    again = lesson("pit", example(0), example(2), Example("copy", picture(2)), learned=learned)

    assert finish(again) == AUGMENTATIONS
    assert again.refused == [
        "part 0: already an example of pit, taught by ann at 2025-11-24 16:00 UTC as part 0",
        "copy: the same as part 2",
    ]
    assert applied(again, learned).knowledge.samples("pit") == 3


def test_an_example_of_one_class_cannot_be_taught_as_another() -> None:
    first = lesson("pit", example(0))
    finish(first)
    again = lesson("dent", example(0), learned=applied(first))

    assert again.next_variant() is None
    with pytest.raises(BadData, match="no example of dent could be learned: part 0: already an example of pit, taught"):
        again.exemplars(applied(first), "bob", UTC)


class Blind(Learned):
    """Wrong: does not see that a picture is kept for the other use."""

    def objection(self, id_: str, slug: str, pixels: str = "", *, golden: bool | None = None) -> str:
        return super().objection(id_, slug, pixels)


def beside(seed: int) -> Example:
    return Example(f"pair {seed}", picture(seed), np.ones((4000, 3), np.float32), 8000.0)


def is_taken_for_both_uses(first: Example, then: Example, golden: bool, kind: type[Learned] = Learned) -> bool:
    learning = lesson("pit", first, example(9), golden=golden)
    finish(learning)
    known = applied(learning)
    learned = kind(**{field.name: getattr(known, field.name) for field in fields(known)})
    again = lesson("pit", then, example(8), learned=learned, golden=not golden)
    finish(again)
    again.exemplars(learned, "bob", UTC)
    return then.source in again.taught


@pytest.mark.parametrize("golden", [True, False])
@pytest.mark.parametrize("then", [example(0), beside(0)], ids=["alone", "with a window"])
def test_a_picture_that_was_learned_is_no_golden_example_nor_the_reverse(golden: bool, then: Example) -> None:
    first = beside(0) if then.samples is None else example(0)

    assert not is_taken_for_both_uses(first, then, golden)
    assert is_taken_for_both_uses(first, then, golden, Blind)


def test_a_lesson_that_comes_to_nothing_says_how_many_more_were_refused() -> None:
    first = lesson("pit", *map(example, range(5)))
    finish(first)
    with pytest.raises(BadData, match="part 2: already .*; and 2 more$"):
        lesson("pit", *map(example, range(5)), learned=applied(first)).exemplars(applied(first), "bob", UTC)


def test_what_was_taught_while_the_lesson_was_encoded_is_seen_too() -> None:
    slow, quick = lesson("dent", example(0), example(1)), lesson("pit", example(0))
    finish(slow)
    finish(quick)
    learned = applied(quick)

    assert applied(slow, learned).knowledge.samples("dent") == 1
    assert slow.taught == ["part 1"]


def test_a_name_that_is_nearly_another_classs_is_refused_before_anything_is_encoded() -> None:
    first = lesson("Pit", example(0))
    finish(first)
    with pytest.raises(BadData, match="there is a class Pit already"):
        lesson("pít", example(1), learned=applied(first))


def test_a_lesson_without_a_usable_example_changes_nothing_and_says_so() -> None:
    running = lesson("pit", Example("black", np.zeros((64, 64, 3), np.uint8)))

    assert running.next_variant() is None
    with pytest.raises(BadData, match="no example of pit could be learned: black: its picture is dark"):
        applied(running)


def test_what_was_known_stays_as_it_was() -> None:
    before = NOTHING.knowledge.digest
    running = lesson("pit", example())
    finish(running)
    applied(running)

    assert NOTHING.knowledge.digest == before


def test_the_same_pixels_and_samples_have_the_same_id_and_no_others() -> None:
    image, samples = picture(), np.ones((50, 3), np.float32)
    one = Example("a", image, samples, 1000.0)
    others = [
        Example("a", image),
        Example("a", None, samples, 1000.0),
        Example("a", image, samples, 1001.0),
        Example("a", image, samples[1:], 1000.0),
        Example("a", image.reshape(32, 128, 3), samples, 1000.0),
        Example("a", picture(1), samples, 1000.0),
    ]

    assert one.id == Example("b", np.asfortranarray(image), samples.copy(), 1000.0).id
    assert len({one.id, *(other.id for other in others)}) == 7


def test_details_are_kept_of_good_parts_alone() -> None:
    of = Details(np.ones((4, 6), np.float32))
    kept = {}
    for label in ("good", "pit"):
        running = lesson(label, example(0), example(1))
        while running.next_variant() is not None:
            running.take(replace(embedding(running.done), details=of))
        kept[label] = [sample.details for sample in running.exemplars(NOTHING, "ann", UTC)]

    assert kept["pit"] == [None, None]
    assert [(d.tokens.dtype, d.tokens.shape) for d in kept["good"]] == [(np.int8, (4, 6))] * 2
