"""A manifest pairs pictures and recordings; whatever is wrong with it is said at once, by line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_folders import picture, write_pictures, write_recording

from models.workshop.data import IMAGE, VIBRATION, PairedData
from models.workshop.errors import BadSample, WorkshopError

HEADER = "label,thing,picture,vibration"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures", [1, 2, 3])
    for number in (1, 2):
        write_recording(tmp_path / f"{number}.npz", number)
    return tmp_path


def manifest(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join([header, *lines]), encoding=encoding)
    return path


def test_a_line_is_a_sample_and_may_lack_a_modality(folder: Path) -> None:
    path = manifest(
        folder,
        "good,part 1,pictures/0001.png,1.npz",
        "",
        '"good", part 1 ,pictures/0002.png,',
        "pit,part 2,pictures/0003.png,1.npz",
        "pit,part 3,,2.npz",
        encoding="utf-8-sig",
    )
    data = PairedData(path)
    samples = [data.load(entry) for entry in data.entries]

    assert (data.name, data.classes) == ("pairs", ("good", "pit"))
    assert [entry.things for entry in data.entries] == [("part 1",), ("part 1",), ("part 2",), ("part 3",)]
    assert [e.modalities for e in data.entries] == [(IMAGE, VIBRATION), (IMAGE,), (IMAGE, VIBRATION), (VIBRATION,)]
    assert samples[0].picture is not None and np.array_equal(samples[0].picture, picture(1))
    assert samples[1].samples is None
    assert samples[3].picture is None and samples[3].rate_hz == 12_000.0


def test_everything_that_is_wrong_is_said_at_once(folder: Path) -> None:
    path = manifest(
        folder,
        "good,part 1,pictures/0001.png,1.npz,12000",
        "Good!,,pictures/0009.png,pictures/0001.png,fast",
        "good,part 2,,,",
        "good,part 2",
        "pit,part 3,pictures/0001.png,1.npz,",
        f"pit,part 4,{folder}/pictures/0001.png,none.npz,nan",
        header=f"{HEADER},rate_hz",
    )
    with pytest.raises(WorkshopError) as caught:
        PairedData(path)

    assert [line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        "line 3, column label",
        "line 3, column thing",
        "line 3, column picture",
        "line 3, column vibration",
        "line 3, column rate_hz",
        "line 4, column picture",
        "line 5",
        "line 6, column picture",
        "line 7, column picture",
        "line 7, column vibration",
        "line 7, column rate_hz",
    ]
    for reason in (
        "'good' would be one",
        "no such file: 'pictures/0009.png'",
        "does not end in .npz",
        "'fast' is no sample rate",
        "neither a picture nor a vibration",
        "2 cells, the first line has 5",
        "the same files as in line 2",
        "is absolute",
    ):
        assert reason in str(caught.value)


def test_more_problems_than_fit_a_screen_are_counted(folder: Path) -> None:
    path = manifest(folder, *(f"good,part,{i}.png," for i in range(80)))

    with pytest.raises(WorkshopError, match="80 wrong") as caught:
        PairedData(path)
    assert str(caught.value).endswith("and 30 more")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("label,picture,vibration", "no column thing"),
        ("label;thing;picture;vibration", "no column label"),
        (f"{HEADER},rate", "unknown column 'rate'"),
        (f"{HEADER},label", "column label twice"),
        ("", "no column label"),
    ],
)
def test_the_first_line_names_the_columns(folder: Path, header: str, reason: str) -> None:
    with pytest.raises(WorkshopError, match=reason) as caught:
        PairedData(manifest(folder, header=header))
    assert f"begin with the line {HEADER}" in str(caught.value)


def test_what_is_no_manifest_is_one_line(folder: Path) -> None:
    with pytest.raises(WorkshopError, match="cannot be read") as caught:
        PairedData(folder / "nowhere.csv")
    assert not isinstance(caught.value, BadSample)
    with pytest.raises(WorkshopError, match="not UTF-8"):
        PairedData(manifest(folder, "good,Größe,pictures/0001.png,", encoding="latin-1"))
    with pytest.raises(WorkshopError, match=r"line 2: not CSV"):
        PairedData(manifest(folder, 'good,"part 1,pictures/0001.png,'))
    with pytest.raises(WorkshopError, match="no samples"):
        PairedData(manifest(folder))
    with pytest.raises(WorkshopError, match="one example of pit"):
        PairedData(
            manifest(folder, "good,1,pictures/0001.png,", "good,2,pictures/0002.png,", "pit,3,pictures/0003.png,")
        )


def test_a_rate_may_come_from_the_manifest(folder: Path) -> None:
    for number in (1, 2):
        np.savez(folder / f"{number}.npz", samples=np.ones((300, 3)))
    data = PairedData(manifest(folder, "good,1,,1.npz,26667", "good,2,,2.npz,", header=f"{HEADER},rate_hz"))

    assert data.load(data.entries[0]).rate_hz == 26_667.0
    with pytest.raises(BadSample, match="no array 'rate_hz'"):
        data.load(data.entries[1])
