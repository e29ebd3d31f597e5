"""Lots by when they were taught: only those without which enough is left, and never more than are solved for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from learned_values import EMPTY, UTC, exemplar

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.lot import MAX_LOTS, PART, PAUSE_S, Batches, Lots, lots_of, signature_of
from models import Knowledge


def good(*sizes: int) -> list[Exemplar]:
    """Good parts of lots of some sizes, an hour apart."""
    times = [UTC + 3600.0 * lot for lot, size in enumerate(sizes) for _ in range(size)]
    return [replace(exemplar(i, "good"), utc=utc) for i, utc in enumerate(times)]


@pytest.mark.parametrize(
    ("sizes", "asked"),
    [
        ((), ()),
        ((50,), ()),
        ((50, 50), (0, 1)),
        ((50, 30), (0, 1)),
        ((50, 5), (1,)),
        ((5, 50), (0,)),
        ((40, 20, 20), (0, 1, 2)),
        ((2, 2), ()),
        ((3, 3), (0, 1)),
    ],
)
def test_a_lot_is_asked_of_the_others_where_enough_of_these_is_left(
    sizes: tuple[int, ...], asked: tuple[int, ...]
) -> None:
    assert lots_of(good(*sizes)) == {UTC + 3600.0 * lot: lot for lot in asked}


def test_many_lots_are_taken_together_with_their_neighbours() -> None:
    lots = lots_of(good(*[5] * 40))
    numbers = [lots[utc] for utc in sorted(lots)]

    assert len(lots) == 40 and set(numbers) == set(range(MAX_LOTS)) and numbers == sorted(numbers)


def test_the_order_of_the_parts_makes_no_difference_and_forgetting_one_renumbers_nobody_to_another_lot() -> None:
    parts = good(10, 10, 10)
    fewer = [part for part in parts if part.utc != UTC]

    assert lots_of(parts[::-1]) == lots_of(parts)
    assert signature_of(parts[::-1], lots_of(parts)) == signature_of(parts, lots_of(parts))
    assert len(set(lots_of(fewer).values())) == 2
    assert signature_of(fewer, lots_of(fewer)) != signature_of(parts, lots_of(parts))
    assert signature_of(good(30), lots_of(good(30))) == ""


def counts_as_taught(batches: Batches, at: float, *, label: str = "good", who: str = "ann", goes_on: bool) -> float:
    with batches.batch(label, who, goes_on=goes_on, utc=UTC + at, now=at) as utc:
        return utc - UTC


def test_batches_of_one_command_count_as_taught_when_the_first_came() -> None:
    batches = Batches()
    times = [counts_as_taught(batches, 0.8 * PAUSE_S * i, goes_on=i < 3) for i in range(5)]

    assert times == [0.0, 0.0, 0.0, 0.0, 0.8 * PAUSE_S * 4]


@pytest.mark.parametrize(
    "other", [{"at": PAUSE_S + 1.0}, {"at": 1.0, "label": "pit"}, {"at": 1.0, "who": "bob"}], ids=str
)
def test_after_a_pause_and_of_another_class_or_person_it_is_another_lot(other: dict) -> None:
    batches = Batches()
    counts_as_taught(batches, 0.0, goes_on=True)

    assert counts_as_taught(batches, **other, goes_on=True) == other["at"]
    assert counts_as_taught(batches, other["at"] + 1.0, goes_on=False) != 0.0


def test_what_failed_or_was_ended_goes_on_with_nothing() -> None:
    batches = Batches()
    counts_as_taught(batches, 0.0, goes_on=True)
    with pytest.raises(ValueError, match="full"), batches.batch("good", "ann", goes_on=True, utc=UTC, now=1.0):
        raise ValueError("full")
    assert counts_as_taught(batches, 2.0, goes_on=True) == 2.0
    batches.end()
    assert counts_as_taught(batches, 3.0, goes_on=False) == 3.0


def test_what_is_known_without_a_lot_is_added_up_once_and_never_much_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned = [0]
    learn = Knowledge.learn

    def counted(self: Knowledge, slug: str, rows: np.ndarray) -> Knowledge:
        learned[0] += 1
        return learn(self, slug, rows)

    fitted = good(2 * PART, 2 * PART + 5)
    held_out = [replace(e, id=f"{i:016x}", role=Role.RING) for i, e in enumerate(fitted[::4])]
    knowledge = EMPTY
    for e in [*fitted, exemplar(900, "pit")]:
        knowledge = knowledge.learn(e.label, e.rows)
    monkeypatch.setattr(Knowledge, "learn", counted)
    lots = Lots(knowledge, [*fitted, *held_out, exemplar(900, "pit")])
    at_a_time = [learned[0]]
    for _ in lots.adding():
        at_a_time.append(learned[0])
    once = learned[0]

    assert max(np.diff([*at_a_time, once])) <= PART
    assert once == len(fitted)
    assert [lots.others(number).samples("good") for number in (0, 1)] == [2 * PART + 5, 2 * PART]
    assert lots.others(0).samples("pit") == 1
    assert list(lots.of_held_out) == [int(e.utc > UTC) for e in held_out]
    assert next(lots.adding(), "nothing to do") == "nothing to do" and learned[0] == once
