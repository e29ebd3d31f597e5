"""No thing is on two sides, every class is on every side as far as things allow, and a split that leaks is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from example_folders import picture
from hypothesis import given
from hypothesis import strategies as st

from models.workshop.data import Entry, Fingerprint, Sample, check_leak, describe, hold_out, split
from models.workshop.data.split import SHARES, Sides
from models.workshop.data.survey import fingerprint
from models.workshop.errors import WorkshopError


def entries_of(**things: Sequence[int]) -> list[Entry]:
    """Give entries of classes; each class's things by how many samples show them."""
    return [
        Entry(f"{label}/{thing}/{i}", label, (f"{label} {thing}",), ("image",))
        for label, sizes in things.items()
        for thing, size in enumerate(sizes)
        for i in range(size)
    ]


def prints_of(entries: Sequence[Entry]) -> dict[str, Fingerprint]:
    return {entry.key: Fingerprint(picture=entry.key) for entry in entries}


def split_by_sample(entries: Sequence[Entry], seed: int) -> Sides:
    """Split as one must not: every sample for itself."""
    order = np.random.default_rng(seed).permutation(len(entries))
    edges = (np.cumsum([*SHARES.values()]) * len(entries)).round().astype(int)
    return {s: tuple(entries[i] for i in part) for s, part in zip(SHARES, np.split(order, edges[:-1]), strict=True)}


materials = st.dictionaries(
    st.sampled_from(["good", "pit", "stain"]), st.lists(st.integers(1, 9), min_size=3, max_size=9), min_size=1
)


@given(materials, st.integers(0, 99))
def test_every_sample_is_on_one_side_with_all_of_its_thing_and_every_class_is_everywhere(
    things: dict[str, list[int]], seed: int
) -> None:
    entries = entries_of(**things)
    sides = split(entries, seed=seed)
    check_leak(sides, prints_of(entries))
    shown = [{thing for entry in side for thing in entry.things} for side in sides.values()]

    assert list(sides) == list(SHARES)
    assert sorted(e.key for side in sides.values() for e in side) == sorted(e.key for e in entries)
    assert not (shown[0] & shown[1] or shown[0] & shown[2] or shown[1] & shown[2])
    assert all({entry.label for entry in side} == set(things) for side in sides.values())
    assert split(entries, seed=seed) == sides


@given(st.lists(st.integers(1, 5), min_size=40, max_size=60), st.integers(0, 9))
def test_shares_are_kept_where_things_are_small(sizes: list[int], seed: int) -> None:
    entries = entries_of(good=sizes, pit=sizes[:40])
    for label in ("good", "pit"):
        total = sum(entry.label == label for entry in entries)
        for side, members in split(entries, seed=seed).items():
            assert sum(e.label == label for e in members) / total == pytest.approx(SHARES[side], abs=0.05)


def test_seeds_differ() -> None:
    entries = entries_of(good=[3] * 30)

    assert len({tuple(e.key for e in split(entries, seed=seed)["test"]) for seed in range(5)}) == 5


def test_a_split_by_sample_is_refused_and_what_leaks_is_named() -> None:
    entries = entries_of(good=[9] * 6, pit=[9] * 6)
    with pytest.raises(WorkshopError, match=r"the split leaks: thing '(good|pit) \d' is in train \(.*\) and "):
        check_leak(split_by_sample(entries, seed=1), prints_of(entries))


def test_a_split_that_looks_at_the_first_thing_only_is_refused() -> None:
    entries = [
        replace(entry, things=(*entry.things, f"bearing {i % 2}"))
        for i, entry in enumerate(entries_of(good=[3] * 6, pit=[3] * 6))
    ]
    with_one_thing = split([replace(entry, things=entry.things[:1]) for entry in entries], seed=1)
    whole = {entry.key: entry for entry in entries}
    wrong = {side: tuple(whole[entry.key] for entry in members) for side, members in with_one_thing.items()}

    with pytest.raises(WorkshopError, match="thing 'bearing 0' is in"):
        check_leak(wrong, prints_of(entries))


def test_things_that_are_tied_through_others_stay_together() -> None:
    chain = [Entry(f"{i}", "good", (f"a {i}", f"a {i + 1}"), ("image",)) for i in range(9)]
    entries = [*chain, *entries_of(good=[1, 1])]
    sides = split(entries, seed=1)

    assert [sum(entry in chain for entry in side) for side in sides.values()] in ([9, 0, 0], [0, 9, 0], [0, 0, 9])


@pytest.mark.parametrize("field", ["picture", "samples"])
def test_copies_are_found_whatever_they_are_called(field: str) -> None:
    entries = entries_of(good=[1] * 8)
    prints = prints_of(entries)
    for key in ("good/2/0", "good/5/0"):
        prints[key] = Fingerprint(**{field: "same"})
    apart = {"train": tuple(entries[:5]), "test": tuple(entries[5:])}

    with pytest.raises(WorkshopError, match=r"in train \(good/2/0\) and test \(good/5/0\)"):
        check_leak(apart, prints)
    for seed in range(10):
        check_leak(split(entries, seed=seed, prints=prints), prints)


def test_almost_the_same_picture_is_found_when_asked_for_and_only_within_a_class() -> None:
    base = picture(1, side=64) // 2
    noisy = base.copy()
    noisy[5, 5] += 3
    shown = {"good/0/0": base, "good/1/0": noisy, "good/2/0": picture(2, side=64), "pit/0/0": noisy}
    entries = [entry for entry in entries_of(good=[1] * 3, pit=[1] * 3) if entry.key in shown]
    prints = {entry.key: fingerprint(Sample(entry, shown[entry.key])) for entry in entries}
    apart = {"train": (entries[0], entries[3]), "test": (entries[1], entries[2])}

    with pytest.raises(WorkshopError, match="same picture"):
        check_leak(apart, prints)
    prints["pit/0/0"] = replace(prints["pit/0/0"], picture="other")
    check_leak(apart, prints)
    with pytest.raises(WorkshopError, match=r"differ in \d of 128 bits is in train \(good/0/0\) and test \(good/1/0\)"):
        check_leak(apart, prints, near_bits=4)
    check_leak({"train": (entries[3],), "test": (entries[1], entries[2])}, prints, near_bits=4)
    joined = split(entries[:3], {"train": 0.7, "test": 0.3}, seed=1, prints=prints, near_bits=4)
    check_leak(joined, prints, near_bits=4)


def test_content_is_the_pixels_and_the_rate_and_not_only_the_bytes() -> None:
    entry = Entry("a", "good", ("a",), ("image",))
    flat, wave = np.zeros((16, 32, 3), np.uint8), np.zeros((300, 3), np.float32)
    different = [
        Sample(entry, flat),
        Sample(entry, flat.reshape(32, 16, 3)),
        Sample(entry, None, wave, 12_000.0),
        Sample(entry, None, wave, 26_667.0),
        Sample(entry, flat, wave, 12_000.0),
    ]

    assert len({fingerprint(sample) for sample in different}) == 5
    assert fingerprint(Sample(entry, flat.copy())) == fingerprint(Sample(entry, flat))


def test_the_same_sample_on_two_sides_is_a_leak() -> None:
    entries = entries_of(good=[1] * 4)

    with pytest.raises(WorkshopError, match="sample 'good/1/0' is in train"):
        check_leak({"train": tuple(entries[:2]), "test": tuple(entries[1:])}, prints_of(entries))


def test_nothing_is_proved_without_fingerprints() -> None:
    entries = entries_of(good=[1] * 6)
    sides = split(entries, seed=1)

    with pytest.raises(WorkshopError, match="without fingerprints"):
        check_leak(sides, {})
    with pytest.raises(WorkshopError, match="no fingerprint of sample 'good/5/0'"):
        check_leak(sides, prints_of(entries[:5]))


def test_many_leaks_are_counted() -> None:
    entries = entries_of(good=[2] * 20)

    with pytest.raises(WorkshopError, match="; and 15 more"):
        check_leak({"train": tuple(entries[::2]), "test": tuple(entries[1::2])}, prints_of(entries))


def test_a_class_with_one_example_or_one_thing_is_named() -> None:
    with pytest.raises(WorkshopError, match="one example of pit"):
        split(entries_of(good=[1] * 9, pit=[1]), seed=1)
    with pytest.raises(WorkshopError, match=r"class pit cannot be split: all 7 examples belong together \(pit 0\)"):
        split(entries_of(good=[1] * 9, pit=[7]), seed=1)
    with pytest.raises(WorkshopError, match="no samples"):
        split([], seed=1)


@pytest.mark.parametrize(
    ("sizes", "shared"), [([30, 2], [30, 0, 2]), ([2, 2], [2, 0, 2]), ([8, 8, 1], [8, 1, 8]), ([1] * 20, [14, 3, 3])]
)
def test_few_things_are_learned_from_first_then_tested_and_then_validated(sizes: list[int], shared: list[int]) -> None:
    sides = split(entries_of(good=[1] * 9, pit=sizes), seed=1)

    assert [sum(entry.label == "pit" for entry in side) for side in sides.values()] == shared


@pytest.mark.parametrize("shares", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}, {"a": float("nan"), "b": 1.0}])
def test_shares_add_up(shares: dict[str, float]) -> None:
    with pytest.raises(WorkshopError, match="add up to 1"):
        split(entries_of(good=[1] * 9), shares, seed=1)


def test_held_out_classes_and_things_are_apart() -> None:
    entries = entries_of(good=[2, 2], pit=[2, 2], stain=[1, 1])
    sides = hold_out(entries, classes={"stain"}, things={"pit 1"})

    assert sorted({entry.things[0] for entry in sides["held_out"]}) == ["pit 1", "stain 0", "stain 1"]
    assert len(sides["kept"]) + len(sides["held_out"]) == len(entries)
    check_leak(sides, prints_of(entries))


def test_a_held_out_class_that_shares_a_thing_with_a_kept_one_is_a_leak() -> None:
    entries = [replace(entry, things=(*entry.things, "bearing")) for entry in entries_of(good=[2], pit=[2])]

    with pytest.raises(WorkshopError, match="thing 'bearing' is in kept"):
        check_leak(hold_out(entries, classes={"pit"}), prints_of(entries))


def test_holding_out_what_is_not_there_or_everything_is_refused() -> None:
    entries = entries_of(good=[2], pit=[2])

    with pytest.raises(WorkshopError, match="no sample of 'crack', 'pit 7'"):
        hold_out(entries, classes={"crack"}, things={"pit 7"})
    with pytest.raises(WorkshopError, match="4 of 4 samples would be held out"):
        hold_out(entries, classes={"good", "pit"})
    with pytest.raises(WorkshopError, match="0 of 4 samples"):
        hold_out(entries)


def test_a_split_is_described_on_one_screen() -> None:
    sides = split(entries_of(good=[2] * 10, pit=[30, 2]), seed=1)

    assert describe(sides).splitlines() == [
        "samples (things)   train    val   test",
        "good              14 (7)  2 (1)  4 (2)",
        "pit               30 (1)      0  2 (1)",
        "all               44 (8)  2 (1)  6 (3)",
    ]
    many = describe(split(entries_of(**{f"class_{i}": [1, 1, 1] for i in range(50)}), seed=1))
    assert len(many.splitlines()) == 33
    assert "… and 20 more classes" in many
