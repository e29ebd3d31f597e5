"""What can be carried over to another bundle, what is lost on the way, and when that is too much."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from learned_values import EMPTY, SmallBundle, details, exemplar, identity, rows, taught

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning import carry as subject
from edge_agent.learning import goodparts
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.carry import SUMS, UNKEPT, Carried, Loss, carry
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.records import Embedding, Modality
from edge_agent.testing.disk import FakeDisk

OTHER = SmallBundle("1" * 64, "other")
KEPT = {"picture": "a" * 64, "raw_bytes": 9}


def kept(seed: int, label: str = "pit", role: Role = Role.FIT) -> Exemplar:
    return exemplar(seed, label, role, **KEPT)


def unkept(seed: int, label: str = "pit", role: Role = Role.FIT) -> Exemplar:
    return exemplar(seed, label, role)


GOOD = (kept(1, "good"), kept(2, "good", Role.RING), kept(3, "good"), kept(4, "good", Role.RING))
PITS = (kept(5), kept(6))
GOLDEN = (kept(7, "dent", Role.GOLDEN),)
ALL = taught(GOOD, PITS, GOLDEN)


def picture_of(one: Exemplar) -> Example:
    return Example(one.source, np.random.default_rng(int(one.id, 16)).integers(50, 200, (4, 4, 3), np.uint8))


def encode(example: Example) -> Embedding:
    """Somewhere that depends on every pixel, so that no two variants are alike."""
    seed = int(example.id, 16)
    return Embedding(rows(seed, 1)[0], frozenset(Modality), details=details(seed % 2**32))


def carried(
    learned: Learned,
    read: Callable[[Exemplar], Example | None] = picture_of,
    encoder: Callable[[Example], Embedding | BadData] = encode,
) -> Carried:
    return carry(learned, OTHER, read, encoder, Blobs(FakeDisk()))


def without_rows(learned: Learned) -> list[Exemplar]:
    return [replace(e, rows=np.empty(0), details="") for e in learned.exemplars]


def test_everything_but_the_embeddings_stays_as_it_is() -> None:
    learned = carried(ALL).learned

    assert [vars(e) | {"rows": 0} for e in without_rows(learned)] == [vars(e) | {"rows": 0} for e in without_rows(ALL)]
    assert dict(learned.names) == dict(ALL.names)
    assert [len(lesson.exemplars) for lesson in learned.lessons] == [4, 2, 1]
    assert {lesson.bundle_digest for lesson in learned.lessons} == {OTHER.digest} == {learned.knowledge.bundle_digest}


def test_defects_that_are_learned_are_embedded_in_all_variants_and_others_once() -> None:
    counts = {e.source: len(e.rows) for e in carried(ALL).learned.exemplars}

    assert counts == {e.source: 8 if e.label == "pit" else 1 for e in ALL.exemplars}


def test_good_parts_are_learned_in_detail_by_the_other_bundle() -> None:
    made = carried(ALL)
    good = [e for e in made.learned.exemplars if e.label == "good"]

    assert made.learned.good is not None
    assert made.learned.good.normality.bundle_digest == OTHER.digest
    assert made.learned.good.is_of(good)
    assert {e.details for e in made.learned.exemplars} - {""} == {e.details for e in good}


def test_details_are_kept_of_all_and_as_many_are_learned_as_a_station_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodparts, "MAX_DETAILED", 2)
    made = carried(taught((*GOOD, kept(8, "good"), kept(9, "good"))))

    assert all(e.details for e in made.learned.exemplars)
    assert made.learned.good is not None and made.learned.good.learned == (GOOD[0].id, GOOD[2].id)


def test_what_is_carried_over_does_not_depend_on_what_the_first_bundle_said() -> None:
    other_rows = Learned.of(
        EMPTY,
        [replace(c, exemplars=tuple(replace(e, rows=e.rows + 1) for e in c.exemplars)) for c in ALL.lessons],
        ALL.names,
    )

    assert identity(carried(other_rows).learned) == identity(carried(ALL).learned)


def test_what_is_not_kept_is_left_behind_and_counted_by_class_role_and_reason() -> None:
    base = EMPTY.learn("pit", rows(50, 8)).learn("pit", rows(51, 8))
    learned = Learned.of(base, taught((*GOOD, unkept(8, "good", Role.RING)), (*PITS, unkept(9))).lessons, {})
    made = carried(learned)

    assert made.losses == (
        Loss("good", Role.RING, 1, 3, UNKEPT),
        Loss("pit", Role.FIT, 2, 5, SUMS),
        Loss("pit", Role.FIT, 1, 5, UNKEPT),
    )
    assert [e.source for e in made.learned.exemplars] == [e.source for e in (*GOOD, *PITS)]
    assert made.learned.knowledge.samples("pit") == 2


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        (taught(GOOD, (unkept(5), unkept(6))), f"all 2 learned examples of pit ({UNKEPT})"),
        (
            taught((GOOD[0], GOOD[2], unkept(2, "good", Role.RING)), PITS),
            f"all 1 held-out examples of good ({UNKEPT})",
        ),
        (taught(GOOD, (*PITS, unkept(7, role=Role.GOLDEN))), f"all 1 golden examples of pit ({UNKEPT})"),
        (
            Learned.of(EMPTY.learn("pit", rows(50, 8)), taught(GOOD).lessons, {"pit": "Pit"}),
            f"all 1 learned examples of Pit ({SUMS})",
        ),
    ],
    ids=["a class", "held out", "golden", "from a fleet"],
)
def test_where_nothing_would_be_left_it_is_refused_before_anything_is_embedded(learned: Learned, said: str) -> None:
    with pytest.raises(BadData, match=re.escape(f"would lose {said}")):
        carried(learned, encoder=lambda example: pytest.fail("it was embedded"))


def unusable(example: Example) -> BadData:
    return BadData("neither a picture nor a window")


def bad_vibration(example: Example) -> Embedding:
    return replace(encode(example), degraded=("bad_vibration",))


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [(unusable, "neither a picture nor a window"), (bad_vibration, "its vibration window cannot be used")],
)
def test_what_the_other_bundle_cannot_use_is_left_behind(
    encoder: Callable[[Example], Embedding | BadData], reason: str
) -> None:
    of_pit_6 = {picture_of(PITS[1]).id}
    made = carried(ALL, encoder=lambda e: encoder(e) if e.id in of_pit_6 else encode(e))

    assert made.losses == (Loss("pit", Role.FIT, 1, 2, reason),)
    with pytest.raises(BadData, match=f"all 2 learned examples of pit .{reason}"):
        carried(ALL, encoder=lambda e: encoder(e) if e.source.startswith("pit") else encode(e))


def test_a_damaged_picture_costs_its_example_only() -> None:
    def read(one: Exemplar) -> Example:
        if one.id == PITS[0].id:
            raise StateDamaged("a kept picture cannot be decoded")
        return picture_of(one)

    assert carried(ALL, read).losses == (Loss("pit", Role.FIT, 1, 2, "a kept picture cannot be decoded"),)


def test_it_says_how_far_it_is_also_where_some_cannot_be_used() -> None:
    heard: list[tuple[int, int]] = []
    of_pit_6 = {picture_of(PITS[1]).id}
    carry(
        ALL,
        OTHER,
        picture_of,
        lambda e: unusable(e) if e.id in of_pit_6 else encode(e),
        Blobs(FakeDisk()),
        lambda done, total: heard.append((done, total)),
    )

    assert {total for _, total in heard} == {4 + 2 * 8 + 1}
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1] == (21, 21)


def test_whoever_embeds_only_the_examples_themselves_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong implementation: defects without their variants, so that other bundle's knowledge would differ."""
    right = identity(carried(ALL).learned)
    monkeypatch.setattr(subject._Anew, "variants", lambda self, exemplar: 1)

    assert identity(carried(ALL).learned) != right
