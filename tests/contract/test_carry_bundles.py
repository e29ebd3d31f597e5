"""Knowledge carried over between shipped bundles is what teaching the same examples with the other one gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from learned_values import identity

from edge_agent.config import Config, ImageHealthConfig, RecipeConfig
from edge_agent.errors import BadData
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.carried import CarriedFolder
from edge_agent.learning.carry import carry
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.slots import Change
from edge_agent.product.recipe import Recipe
from edge_agent.records import Embedding
from edge_agent.runtime.steps import finished
from edge_agent.testing.disk import FakeDisk
from models import Bundle
from models.castings import CastingLine
from models.guide import MEMBERS, GuidedBundle

LINE = CastingLine(31)
UTC = 1_764_000_000.0
DEFECTS = [("Kratzer", "scratch", 0, 2, False), ("Kratzer", "scratch", 2, 1, True)]


def config(bundle: str) -> RecipeConfig:
    return RecipeConfig(bundle=bundle)


def example(truth: str, index: int) -> Example:
    casting = LINE.example(truth, index)
    return Example(f"{truth} {index}", casting.image, casting.samples, casting.rate_hz)


class Desk:
    """The encoders of the bundles, each loaded once; the same bytes are encoded once."""

    def __init__(self) -> None:
        self._encoders: dict[str, Encoder] = {}
        self._encoded: dict[tuple[str, str], Embedding | BadData] = {}

    def encoded(self, bundle: Bundle, one: Example) -> Embedding | BadData:
        digest = hashlib.sha256()
        for array in (one.image, one.samples):
            digest.update(b"-" if array is None else f"{array.shape} {array.dtype} ".encode() + array.tobytes())
        key = bundle.digest, f"{digest.hexdigest()} {one.rate_hz}"
        if key not in self._encoded:
            if bundle.digest not in self._encoders:
                self._encoders[bundle.digest] = Encoder.load(bundle, Config().engine)
            try:
                self._encoded[key] = self._encoders[bundle.digest].encode(one.image, one.samples, one.rate_hz)
            except BadData as error:
                self._encoded[key] = error
        return self._encoded[key]

    def close(self) -> None:
        for encoder in self._encoders.values():
            encoder.close()


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def taught(desk: Desk, disk: FakeDisk, bundle: str, good: int = 6) -> Recipe:
    recipe = Recipe(config(bundle), disk)
    for name, truth, start, count, golden in [("good", "good", 0, good, False), *DEFECTS]:
        examples = [example(truth, start + i) for i in range(count)]
        space = recipe.space if isinstance(recipe.space, GuidedBundle) else None
        lesson = Lesson(name, examples, recipe.learned, "good", ImageHealthConfig(), golden=golden, space=space)
        while (variant := lesson.next_variant()) is not None:
            lesson.take(desk.encoded(recipe.bundle, variant))
        finished(recipe.learn(lesson, "ann", UTC))
    return recipe


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [("generic", "castings", 6), ("castings", "generic", 2 * MEMBERS), ("generic", "castings", 2 * MEMBERS)],
    ids=["as a whole", "to where good parts say to look", "from where good parts say to look"],
)
def test_what_is_taken_over_is_what_teaching_anew_would_have_given_to_the_byte(
    desk: Desk, old: str, new: str, good: int
) -> None:
    disk, anew = FakeDisk(), taught(desk, FakeDisk(), new, good)
    before = taught(desk, disk, old, good)
    bundle = anew.bundle
    folder = CarriedFolder(disk, "default", bundle, guided=True)
    made = carry(
        before.learned, bundle, before.example_of, lambda one: desk.encoded(bundle, one), folder.blobs, guided=True
    )
    folder.write(made, Change("adopt", "", (), "bob", UTC), before.origin)
    after = Recipe(config(new), disk)
    assert after.crossing is not None
    turn = after.cross(after.crossing, UTC)
    after.remove_carried()

    assert made.losses == ()
    assert (before.learned.guiding is not None) == (old == "generic" and good > 6)
    assert (made.learned.guiding is not None) == (new == "generic" and good > 6)
    assert (turn.before, turn.after) == (before.judge.digest, anew.judge.digest)
    for recipe in (after, Recipe(config(new), disk)):
        assert recipe.damage == []
        assert identity(recipe.learned) == identity(anew.learned)
        assert recipe.learned.good is not None and anew.learned.good is not None
        assert recipe.learned.good.to_bytes() == anew.learned.good.to_bytes()
        assert recipe.learned.count("kratzer", Role.GOLDEN) == 1
        assert recipe.judge.normality == anew.judge.normality
        assert all(
            recipe.example_of(e).id == e.id  # type: ignore[union-attr]  # each of them is kept
            for e in recipe.learned.exemplars
        )
    assert [e.plain is None for e in after.learned.exemplars] == [e.plain is None for e in anew.learned.exemplars]
    assert after.learned.knowledge.bundle_digest != before.learned.knowledge.bundle_digest
    assert identity(Recipe(config(old), disk).learned) == identity(before.learned)


def test_whoever_takes_the_old_embeddings_along_is_noticed(desk: Desk) -> None:
    """The wrong implementation: rows that the first bundle made pass for those of the second."""
    before, anew = taught(desk, FakeDisk(), "generic"), taught(desk, FakeDisk(), "castings")
    by_id = {e.id: e for e in before.learned.exemplars}

    assert all(e.rows.shape == by_id[e.id].rows.shape for e in anew.learned.exemplars)
    assert not any((e.rows == by_id[e.id].rows).all() for e in anew.learned.exemplars)
