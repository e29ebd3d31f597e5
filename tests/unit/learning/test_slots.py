"""The ways from one state to the next, and all versions of the file that says which is which."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from edge_agent.errors import BadData, ConfigError, StateDamaged
from edge_agent.learning.slots import (
    MAX_HISTORY,
    BundleName,
    Change,
    RecipeSlots,
    Slot,
    Slots,
    decode_slots,
    encode_slots,
)


def slot(n: int) -> Slot:
    return Slot(knowledge=f"{n:064x}", change=Change("teach", f"class_{n}", (), "ann", float(n)))


ONE = RecipeSlots().changed(slot(1))
WAITING = ONE.proposed(slot(2))


def test_a_candidate_becomes_active_and_the_active_one_history() -> None:
    assert WAITING.active == slot(1)
    assert WAITING.promoted() == RecipeSlots(slot(2), (Slot(), slot(1)))
    assert WAITING.cancelled() == ONE


def test_undo_goes_back_one_state_at_a_time_to_knowing_nothing() -> None:
    two = WAITING.promoted()

    assert two.undone() == ONE
    assert two.undone().undone() == RecipeSlots()
    with pytest.raises(BadData, match="nothing to undo"):
        RecipeSlots().undone()


@pytest.mark.parametrize(
    "step",
    [RecipeSlots.undone, lambda s: s.proposed(slot(3)), lambda s: s.changed(slot(3))],
    ids=["undo", "2nd", "save"],
)
def test_while_a_candidate_waits_nothing_else_changes(step: Callable[[RecipeSlots], object]) -> None:
    with pytest.raises(BadData, match=r"waiting to be promoted \(teach class_2, by ann\)"):
        step(WAITING)


@pytest.mark.parametrize("step", [RecipeSlots.promoted, RecipeSlots.cancelled])
def test_without_a_candidate_there_is_nothing_to_promote_or_cancel(step: Callable[[RecipeSlots], object]) -> None:
    with pytest.raises(BadData, match="no change is waiting"):
        step(ONE)


def test_the_oldest_states_go_and_twenty_can_be_returned_to() -> None:
    slots = RecipeSlots()
    for n in range(100):
        slots = slots.changed(slot(n))

    assert len(slots.history) == MAX_HISTORY >= 20
    for n in reversed(range(99 - MAX_HISTORY, 99)):
        slots = slots.undone()
        assert slots.active == slot(n)


def test_every_state_that_can_be_reached_counts_as_needed() -> None:
    assert {s.knowledge for s in WAITING.all} == {"", slot(1).knowledge, slot(2).knowledge}
    full = Slot("a" * 64, "b" * 64, ("c" * 64, "d" * 64), calibration="e" * 64)
    assert full.blobs == {letter * 64 for letter in "abcde"}
    assert Slot().blobs == set()


def test_the_file_gives_back_what_was_written() -> None:
    slots = Slots(recipes={"r": WAITING, "other": RecipeSlots()})

    assert decode_slots(encode_slots(slots)) == slots
    assert decode_slots(encode_slots(Slots(recipes={"other": RecipeSlots(), "r": WAITING}))) == slots


def test_what_version_1_knew_came_without_its_samples() -> None:
    k, c = "a" * 64, "b" * 64
    body = (
        f'{{"version":1,"recipes":{{"r":{{"active":{{"knowledge":"{k}","calibration":"{c}"}},'
        f'"previous":{{"knowledge":"{c}","calibration":"{k}"}}}},'
        f'"s":{{"active":{{"knowledge":"{k}","calibration":"{c}"}},"previous":null}}}}}}'
    )

    assert decode_slots(body.encode()).recipes == {
        "r": RecipeSlots(Slot(k, k, calibration=c), (Slot(c, c, calibration=k),)),
        "s": RecipeSlots(Slot(k, k, calibration=c)),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version":0}',
        b'{"version":2,"recipes":{"r":{"active":{"knowledge":"../../etc"}}}}',
        b'{"version":2,"recipes":{"r":{"active":{"knowledge":""},"surprise":1}}}',
        b'{"version":1,"recipes":{"r":{"active":{"knowledge":"x","calibration":"y"}}}}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_such_file_is_damaged(body: bytes) -> None:
    with pytest.raises(StateDamaged, match=r"slots.json is damaged"):
        decode_slots(body)


def test_a_newer_file_is_left_alone() -> None:
    with pytest.raises(ConfigError, match="has version 4"):
        decode_slots(b'{"version":4,"something":"else"}')


FULL = Slot("a" * 64, "b" * 64, ("c" * 64,), {"pit": "Pit"}, Change("teach", "pit", (), "ann", 1.0), good="d" * 64)
NAMED = BundleName("e" * 64, "castings", "1.0.0")


def test_contents_are_what_is_known_and_not_how_it_came_about() -> None:
    assert replace(FULL, change=None, good="", bundle=NAMED).contents == FULL.contents


@pytest.mark.parametrize(
    "other",
    [
        replace(FULL, knowledge="f" * 64),
        replace(FULL, base=""),
        replace(FULL, lessons=("c" * 64, "f" * 64)),
        replace(FULL, names={"pit": "Loch"}),
        replace(FULL, calibration="f" * 64),
    ],
    ids=["knowledge", "base", "golden examples", "names", "held out"],
)
def test_whatever_else_is_known_makes_other_contents(other: Slot) -> None:
    assert other.contents != FULL.contents


def test_a_state_says_which_bundle_it_is_of_and_an_older_one_does_not() -> None:
    slots = Slots(recipes={"r": RecipeSlots(replace(FULL, bundle=NAMED))})
    older = encode_slots(Slots(2, {"r": RecipeSlots(FULL)}))

    assert decode_slots(encode_slots(slots)) == slots
    assert str(decode_slots(encode_slots(slots)).recipes["r"].active.bundle) == "castings 1.0.0"
    assert decode_slots(older).recipes["r"].active.bundle is None


def test_classes_are_called_as_in_what_is_known_and_in_what_waits() -> None:
    known, waits = replace(slot(1), names={"pit": "Pit"}), replace(slot(2), names={"pit": "Pit", "dent": "Dent"})
    slots = Slots(recipes={"r": RecipeSlots(known, (), waits), "nameless": RecipeSlots(replace(known, base="1" * 64))})

    assert slots.class_names("r") == {"pit": "Pit", "dent": "Dent"}
    assert slots.class_names("nameless") == slots.class_names("another") == {}
