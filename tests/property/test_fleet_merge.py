"""A fleet's knowledge does not depend on the order in which stations arrive, nor on who adds whom up first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Knowledge
from models.manifest import Block
from models.sums import Key, Sums

STATIONS, CLASSES, D = 60, ("good", "crack", "pit"), 6
BLOCKS = (Block("image", 0, 4, 0.75, "a"), Block("vibration", 4, D, 0.25, "b"))
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)

Lesson = tuple[str, NDArray[np.int16]]
RNG = np.random.default_rng(12)
LESSONS: list[list[Lesson]] = [
    [(slug, RNG.integers(1, 6000, (8, D)).astype(np.int16)) for slug in CLASSES for _ in range(2)]
    for _ in range(STATIONS)
]


def taught(lessons: Sequence[Lesson]) -> Knowledge:
    knowledge = NOTHING
    for slug, rows in lessons:
        knowledge = knowledge.learn(slug, rows)
    return knowledge


FLEET = [taught(lessons) for lessons in LESSONS]
CENTRAL = taught([lesson for lessons in LESSONS for lesson in lessons])

Merge = Callable[[Sequence[Knowledge]], Knowledge]


def exact(some: Sequence[Knowledge]) -> Knowledge:
    return some[0].merge(*some[1:])


def merged_in_any_split(seed: int, merge: Merge) -> Knowledge:
    """Regions add up their stations, countries their regions, and so on, each of random size."""
    rng = np.random.default_rng(seed)
    level = [FLEET[i] for i in rng.permutation(STATIONS)]
    while len(level) > 1:
        parts = int(rng.integers(1, max(2, len(level) // 2)))
        cuts = sorted(rng.choice(np.arange(1, len(level)), parts - 1, replace=False).tolist())
        level = [merge(level[a:b]) for a, b in zip([0, *cuts], [*cuts, len(level)], strict=True)]
    return level[0]


@pytest.mark.parametrize("seed", range(10))
def test_any_order_of_stations_gives_what_one_place_would_have_learned(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(STATIONS)

    assert NOTHING.merge(*(FLEET[i] for i in order)).to_bytes() == CENTRAL.to_bytes()


@pytest.mark.parametrize("seed", range(10))
def test_any_split_of_the_fleet_gives_what_one_place_would_have_learned(seed: int) -> None:
    assert merged_in_any_split(seed, exact).to_bytes() == CENTRAL.to_bytes()


def in_floats(some: Sequence[Knowledge]) -> Knowledge:
    """Adds in float32, as a framework would."""
    groups = {}
    for key in some[0].groups:
        all_sums = [knowledge.groups[key] for knowledge in some]
        products = np.zeros(D * (D + 1) // 2, dtype=np.float32)
        for sums in all_sums:
            products += sums.products.astype(np.float32)
        total = Sums.added(all_sums)
        groups[key] = Sums(total.vectors, total.samples, total.total, products.astype(np.int64))
    return Knowledge("ring", "0" * 64, NOTHING.spans, groups)


def first_delivered_twice(some: Sequence[Knowledge]) -> Knowledge:
    return exact([some[0], *some])


def weighted_alike(some: Sequence[Knowledge]) -> Knowledge:
    """Averages the stations instead of adding them up."""
    groups: dict[Key, Sums] = {}
    for key, sums in exact(some).groups.items():
        groups[key] = Sums(
            sums.vectors // len(some), max(1, sums.samples // len(some)), sums.total // len(some), sums.products
        )
    return Knowledge("ring", "0" * 64, NOTHING.spans, groups)


@pytest.mark.parametrize("wrong", [in_floats, first_delivered_twice, weighted_alike])
def test_the_comparison_has_teeth(wrong: Merge) -> None:
    assert any(merged_in_any_split(seed, wrong).to_bytes() != CENTRAL.to_bytes() for seed in range(10))
