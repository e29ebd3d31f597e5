"""Lots by when they were taught: only those without which enough is left, and never more than are solved for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from learned_values import UTC, exemplar

from edge_agent.learning.exemplar import Exemplar
from edge_agent.learning.lot import MAX_LOTS, lots_of, signature_of


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
