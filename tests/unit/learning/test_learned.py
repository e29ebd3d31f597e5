"""What was learned as a value: adding, forgetting, names, and what is refused with nothing changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from learned_values import EMPTY, NOTHING, exemplar, identity, rows, taught

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning import learned as module
from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from edge_agent.learning.learned import Learned

PITS = (exemplar(1), exemplar(2), exemplar(3))
GOOD = (exemplar(11, "good"), exemplar(12, "good", Role.RING), exemplar(13, "good", Role.GOLDEN))


def test_each_role_goes_where_it_belongs() -> None:
    learned = taught(PITS, GOOD)

    assert learned.knowledge.samples("pit") == 3
    assert learned.knowledge.samples("good") == 1
    assert np.array_equal(learned.calibration, rows(12)[:1])
    assert [e.id for e in learned.exemplars] == [e.id for e in (*PITS, *GOOD)]
    assert [learned.count("good", role) for role in Role] == [1, 1, 1]
    assert learned.classes == ("good", "pit")


def test_the_sum_that_was_handed_on_is_the_sum_of_all() -> None:
    learned = taught(PITS, GOOD).without([PITS[0].id]).without_class("good")

    assert learned.knowledge == Learned.of(learned.base, learned.lessons, learned.names).knowledge
    assert learned.knowledge == EMPTY.learn("pit", PITS[1].rows).learn("pit", PITS[2].rows)


def test_only_the_newest_held_out_parts_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALIBRATION", 2)
    learned = taught(tuple(exemplar(i, "good", Role.RING) for i in range(4)))

    assert np.array_equal(learned.calibration, np.stack([rows(2)[0], rows(3)[0]]))


def test_without_held_out_parts_there_are_no_rows_of_the_right_width() -> None:
    assert NOTHING.calibration.shape == (0, 4)
    assert NOTHING.calibration.dtype == np.int16


def test_forgetting_leaves_no_byte() -> None:
    assert identity(taught(PITS, GOOD).without([e.id for e in PITS])) == identity(taught(GOOD))
    assert identity(taught(PITS, GOOD).without([PITS[1].id])) == identity(taught((PITS[0], PITS[2]), GOOD))
    assert identity(taught(GOOD, PITS).without_class("pit")) == identity(taught(GOOD))
    assert identity(taught(PITS).without_class("pit")) == identity(NOTHING)


def test_a_class_is_forgotten_from_what_came_without_samples_too() -> None:
    base = EMPTY.learn("pit", rows(70)).learn("good", rows(71))
    learned = taught(PITS, start=Learned(base, (), {}, base)).without_class("pit")

    assert learned.base == learned.knowledge == EMPTY.learn("good", rows(71))
    assert learned.exemplars == ()


def test_samples_are_found_by_id_and_by_where_they_came_from() -> None:
    learned = taught(PITS, GOOD)

    assert learned.find(PITS[1].id) == (learned.exemplars[1],)
    assert [e.id for e in learned.find("pit 3.png")] == [PITS[2].id]
    assert learned.find("nothing.png") == ()


def test_what_was_known_stays_as_it_was() -> None:
    learned = taught(PITS)
    before = identity(learned)
    learned.with_exemplars("good", GOOD)
    learned.without([PITS[0].id])
    learned.without_class("pit")

    assert identity(learned) == before


@pytest.mark.parametrize(
    ("name", "lesson", "reason"),
    [
        ("pit", (PITS[1],), "pit 2.png: already an example of pit, taught by ann at 2025-11-24 16:00 UTC as pit 2.png"),
        ("dent", (exemplar(2, "dent"),), "already an example of pit, .* as pit 2.png; forget that first"),
        ("pit", (exemplar(7), exemplar(7)), "pit 7.png: twice in one lesson"),
        ("Pit", (exemplar(7),), "there is a class pit already, and Pit would be the same"),
        ("pít", (exemplar(7),), "there is a class pit already"),
        ("dent", (exemplar(7),), "pit 7.png is an example of pit, not of dent"),
        ("pit", (), "a lesson has examples"),
        ("pit", (exemplar(7, rows=np.zeros((2, 4), np.int16)),), "cannot learn pit: the sample has no modality"),
        ("pit", (exemplar(7, rows=np.full((2, 4), 16000, np.int16)),), r"cannot learn pit: \|q\|"),
        ("pit", (exemplar(7, rows=rows(7)[:, :3]),), "cannot learn pit: want rows"),
        ("good", (exemplar(7, "good", Role.RING, rows=rows(7)[:, :3]),), "cannot learn good: exemplars of .* 3"),
        ("pit", (exemplar(7, source="x" * 201),), "cannot learn pit: .*header"),
        ("pit", (exemplar(7, utc=float("nan")),), "cannot learn pit"),
    ],
)
def test_what_cannot_be_added_is_refused_and_changes_nothing(
    name: str, lesson: tuple[Exemplar, ...], reason: str
) -> None:
    learned = taught(PITS)
    before = identity(learned)
    with pytest.raises(BadData, match=reason):
        learned.with_exemplars(name, lesson)

    assert identity(learned) == before


def test_a_class_keeps_the_name_a_person_gave_it_until_it_is_forgotten() -> None:
    learned = NOTHING.with_exemplars("Kratzer, tief", (exemplar(1, "kratzer_tief"),))

    assert learned.names == {"kratzer_tief": "Kratzer, tief"}
    assert learned.slug_for("Kratzer, tief") == "kratzer_tief"
    with pytest.raises(BadData, match="there is a class Kratzer, tief already"):
        learned.slug_for("kratzer_tief")
    assert learned.without_class("kratzer_tief").slug_for("kratzer_tief") == "kratzer_tief"


def test_a_class_that_is_known_by_a_name_that_no_new_one_may_have_is_taught_on_by_that_name() -> None:
    older = replace(taught(PITS), names={"pit": "pit\nmark"})
    assert older.slug_for("pit\nmark") == "pit"
    with pytest.raises(BadData, match="line breaks"):
        older.slug_for("pit\nmarks")


def test_a_class_that_came_without_samples_has_a_name_too() -> None:
    base = EMPTY.learn("pit", rows(70))
    with pytest.raises(BadData, match="there is a class pit already"):
        Learned(base, (), {}, base).slug_for("PIT")


@pytest.mark.parametrize("ids", [["f" * 16], [PITS[0].id, "f" * 16]])
def test_what_was_never_learned_cannot_be_forgotten(ids: list[str]) -> None:
    with pytest.raises(BadData, match="no example ffffffffffffffff was ever learned"):
        taught(PITS).without(ids)


def test_a_class_that_was_never_learned_cannot_be_forgotten() -> None:
    with pytest.raises(BadData, match="the class dent was never learned") as refusal:
        taught(PITS, GOOD).without_class("dent")
    assert refusal.value.hint == "what was learned: good, pit"


def test_lessons_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LESSONS", 2)
    with pytest.raises(BadData, match="2 lessons are the most"):
        taught((exemplar(1),), (exemplar(2),), (exemplar(3),))


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk("another", "0" * 64, PITS),
        Chunk("r", "1" * 64, PITS),
        Chunk("r", "0" * 64, (exemplar(1, rows=np.zeros((1, 4), np.int16)),)),
    ],
    ids=["recipe", "bundle", "no modality"],
)
def test_exemplars_that_do_not_fit_cannot_be_added_up(chunk: Chunk) -> None:
    with pytest.raises(StateDamaged):
        Learned.of(EMPTY, (chunk,), {})


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("PIT", "write pit if that is meant"),
        ("pitt", "`edge-agent learned` lists"),
        ("划痕", "`edge-agent learned` lists"),
    ],
)
def test_what_was_never_learned_is_said_with_what_may_be_meant(what: str, hint: str) -> None:
    error = taught((exemplar(1),)).unknown(what)

    assert f"called {what}" in error.message and error.hint is not None and hint in error.hint
