"""The public sets, where they are at hand: every sample can be read, and splits by thing do not leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.workshop.data import CwruData, FolderData, SteelData, check_leak, split, survey
from models.workshop.errors import WorkshopError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
STEEL, BEARINGS = DATA / "x-sdd", DATA / "cwru"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not (STEEL.is_dir() and BEARINGS.is_dir()),
        reason="the public sets are not beside the checkout; they are not part of it",
    ),
]


def test_steel_surfaces_hold_copies_that_only_fingerprints_keep_together() -> None:
    data = FolderData(STEEL)
    found = survey(data, data.entries)

    assert (len(found.usable), len(found.unusable), len(data.classes)) == (952, 0, 7)
    check_leak(split(found.usable, seed=1, prints=found.prints), found.prints, near_bits=4)
    with pytest.raises(WorkshopError, match=r"the same picture .*red_iron/2078\.jpg"):
        check_leak(split(found.usable, seed=1), found.prints)


def test_bearings_are_windows_of_ten_bearings_each_on_one_side() -> None:
    data = CwruData(BEARINGS)
    found = survey(data, data.entries)
    sides = split(found.usable, seed=1, prints=found.prints)
    check_leak(sides, found.prints)

    assert not found.unusable
    assert {t for e in found.usable for t in e.things if "normal" not in t} == {
        f"bearing {kind} {size}" for kind in ("B", "IR", "OR@6") for size in ("007", "014", "021")
    }
    assert all({entry.label for entry in side} == set(data.classes) for side in sides.values())


def test_artificial_pairs_do_not_leak_and_have_eight_classes_on_every_side() -> None:
    data = SteelData(STEEL, BEARINGS, seed=1)
    found = survey(data, data.entries)
    sides = split(found.usable, seed=1, prints=found.prints)
    check_leak(sides, found.prints, near_bits=4)

    assert len(found.usable) == 2 * 952
    assert all({entry.label for entry in side} == set(data.classes) for side in sides.values())
