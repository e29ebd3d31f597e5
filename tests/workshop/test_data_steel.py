"""Windows are of one bearing each, and artificial pairs carry a label that neither half has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from example_folders import write_bearings, write_pictures

from models.workshop.data import CwruData, SteelData, check_leak, hold_out, split, survey
from models.workshop.data.bearings import GUARD_WINDOWS, STRETCHES
from models.workshop.data.steel import SURFACES
from models.workshop.errors import WorkshopError


@pytest.fixture
def bearings(tmp_path: Path) -> Path:
    write_bearings(tmp_path / "bearings")
    return tmp_path / "bearings"


@pytest.fixture
def strips(tmp_path: Path) -> Path:
    for number, name in enumerate(SURFACES):
        write_pictures(tmp_path / "strips" / name, range(1000 * number, 1000 * number + 48, 6))
    return tmp_path / "strips"


def test_a_window_is_80_ms_of_one_bearing_in_si_units(bearings: Path) -> None:
    data = CwruData(bearings)
    entry = next(e for e in data.entries if e.key == "IR_014_load1 1920")
    sample = data.load(entry)
    with np.load(bearings / "IR_014_load1.npz") as stored:
        wanted = stored["DE"][1920:2880] * np.float32(9.80665)

    assert (entry.label, entry.things) == ("inner_race", ("bearing IR 014",))
    assert entry.traits == {"fault": "IR", "fault_size_mil": "14", "load_hp": "1", "rpm": "1797"}
    assert sample.picture is None and sample.samples is not None and sample.rate_hz == 12_000.0
    assert np.array_equal(sample.samples[:, 0], wanted)
    assert not sample.samples[:, 1:].any()
    assert data.classes == ("good", "ball", "inner_race", "outer_race")


def test_windows_never_overlap_and_loads_of_a_bearing_are_one_thing(bearings: Path) -> None:
    entries = CwruData(bearings).entries
    faulty = [entry for entry in entries if entry.label != "good"]

    assert len({entry.key for entry in entries}) == len(entries)
    assert Counter(entry.things for entry in faulty) == {entry.things: 64 for entry in faulty}
    assert len({entry.things for entry in faulty}) == 9


def test_stretches_of_the_healthy_bearing_have_a_gap_between_them(bearings: Path) -> None:
    starts: dict[str, list[int]] = {}
    for entry in CwruData(bearings).entries:
        if entry.label == "good":
            starts.setdefault(entry.things[0], []).append(int(entry.key.split()[-1]))
    stretches = list(starts.values())

    assert len(stretches) == STRETCHES
    for before, after in zip(stretches, stretches[1:], strict=False):
        assert after[0] - (before[-1] + 960) >= 960 * GUARD_WINDOWS


def test_a_fault_size_can_be_held_out(bearings: Path) -> None:
    entries = CwruData(bearings).entries
    sides = hold_out(entries, things={t for e in entries if e.traits["fault_size_mil"] == "7" for t in e.things})

    assert {entry.traits["fault_size_mil"] for entry in sides["held_out"]} == {"7"}
    assert {entry.label for entry in sides["kept"]} == {"good", "ball", "inner_race", "outer_race"}


def test_what_is_no_bearing_recording_is_one_line(bearings: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="no bearing recordings"):
        CwruData(tmp_path / "nowhere")
    with pytest.raises(WorkshopError, match="have no window of 1e\\+06 ms"):
        CwruData(bearings, window_ms=1e6)
    with pytest.raises(WorkshopError, match="no window of 20 ms with at least 256 samples"):
        CwruData(bearings, window_ms=20.0)
    with pytest.raises(WorkshopError, match="too few for 10 stretches"):
        CwruData(bearings, window_ms=200.0)
    np.savez(bearings / "B_007_load0.npz", DE=np.full(9_600, np.nan, np.float32), fs=12_000, rpm=1)
    with pytest.raises(WorkshopError, match="9600 of 9600 samples are NaN"):
        CwruData(bearings)
    (bearings / "B_007_load0.npz").rename(bearings / "mystery.npz")
    with pytest.raises(WorkshopError, match=r"mystery\.npz: not a name like"):
        CwruData(bearings)


def test_the_label_is_what_is_wrong_with_either_half(strips: Path, bearings: Path) -> None:
    data = SteelData(strips, bearings, seed=3)
    wanted = {
        (surface or "good") if healthy else "_and_".join(filter(None, (surface, "bearing")))
        for surface in SURFACES.values()
        for healthy in (True, False)
    }

    assert set(data.classes) == wanted == set(data.shows)
    assert data.classes[0] == "good" and len(data.classes) == 8
    for entry in data.entries:
        differs = SURFACES[entry.traits["surface"]] != "", entry.traits["bearing"] != "good"
        assert data.shows[entry.label] == differs


def test_neither_half_alone_says_what_the_other_one_adds(strips: Path, bearings: Path) -> None:
    data = SteelData(strips, bearings, seed=3)
    pictures = Counter((entry.key.split(" + ")[0], data.shows[entry.label][1]) for entry in data.entries)

    assert set(pictures.values()) == {1}
    assert len(pictures) == 2 * 7 * 8


def test_pairs_are_made_inside_sides_and_a_split_gives_them_back(strips: Path, bearings: Path) -> None:
    data = SteelData(strips, bearings, seed=3)
    found = survey(data, data.entries)
    sides = split(found.usable, seed=5, prints=found.prints)
    check_leak(sides, found.prints)

    assert all({entry.label for entry in side} == set(data.classes) for side in sides.values())
    assert [len(side) / len(data.entries) for side in sides.values()] == pytest.approx([0.7, 0.15, 0.15], abs=0.06)
    for side in sides.values():
        assert {entry.traits["bearing"] for entry in side} == {"good", "ball", "inner_race", "outer_race"}
        assert {entry.traits["load_hp"] for entry in side} == {"0"}


@pytest.mark.parametrize("seed", range(4))
def test_copies_of_a_picture_are_paired_on_one_side(strips: Path, bearings: Path, seed: int) -> None:
    first, *others = sorted((strips / "surface_scratch").iterdir())
    for other in others[:3]:
        other.write_bytes(first.read_bytes())
    data = SteelData(strips, bearings, seed=seed)
    found = survey(data, data.entries)
    sides = split(found.usable, seed=seed, prints=found.prints)
    check_leak(sides, found.prints)

    assert all({entry.label for entry in side} == set(data.classes) for side in sides.values())


def test_a_sample_is_its_picture_and_its_window(strips: Path, bearings: Path) -> None:
    data = SteelData(strips, bearings, seed=3)
    sample = data.load(data.entries[0])

    assert sample.picture is not None and sample.picture.shape == (16, 16, 3)
    assert sample.samples is not None and sample.samples.shape == (960, 3)
    assert data.entries == SteelData(strips, bearings, seed=3).entries != SteelData(strips, bearings, seed=4).entries


def test_pictures_that_cannot_be_read_are_left_out_and_known(strips: Path, bearings: Path) -> None:
    (strips / "red_iron" / next((strips / "red_iron").iterdir()).name).write_bytes(b"hello")
    data = SteelData(strips, bearings, seed=3)

    assert len(data.unusable) == 1
    assert len(data.entries) == 2 * (7 * 8 - 1)


def test_another_folder_is_not_taken_for_steel(strips: Path, bearings: Path) -> None:
    (strips / "red_iron").rename(strips / "blue_iron")
    with pytest.raises(WorkshopError, match="blue_iron, red_iron missing or too many"):
        SteelData(strips, bearings)
