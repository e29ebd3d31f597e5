"""A folder of class folders becomes samples with the things that they show, or one line that says what to change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_folders import picture, write_pictures, write_recording

from models.workshop.data import IMAGE, VIBRATION, FolderData, survey
from models.workshop.errors import WorkshopError


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """Write a folder with two classes and something that is none."""
    write_pictures(tmp_path / "scratch", [1, 2, 5, 9])
    write_pictures(tmp_path / "good", [3, 4], suffix=".bmp")
    write_recording(tmp_path / "good" / "0003.npz", 3)
    write_recording(tmp_path / "good" / "0007.npz", 7)
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "good" / ".0009.png").write_bytes(b"left by a file browser")
    (tmp_path / "good" / "notes.txt").write_text("not a picture")
    return tmp_path


def test_classes_are_folders_and_a_recording_belongs_to_the_picture_of_its_name(line: Path) -> None:
    data = FolderData(line)

    assert data.classes == ("good", "scratch")
    assert {entry.key: entry.modalities for entry in data.entries if entry.label == "good"} == {
        "good/0003.bmp": (IMAGE, VIBRATION),
        "good/0004.bmp": (IMAGE,),
        "good/0007.npz": (VIBRATION,),
    }


def test_samples_are_read_when_they_are_asked_for(line: Path) -> None:
    data = FolderData(line)
    both, only_seen, only_heard = (data.load(entry) for entry in data.entries if entry.label == "good")

    assert both.picture is not None and np.array_equal(both.picture, picture(3))
    assert both.samples is not None and both.samples.shape == (256, 3) and both.rate_hz == 12_000.0
    assert only_seen.samples is None and only_seen.rate_hz == 0.0
    assert only_heard.picture is None and only_heard.samples is not None


@pytest.mark.parametrize(
    ("neighbours", "things"),
    [
        (0, ["a 1", "a 2", "a 5", "a 9"]),
        (1, ["a 1-2", "a 5", "a 9"]),
        (3, ["a 1-5", "a 9"]),
        (4, ["a 1-9"]),
    ],
)
def test_neighbouring_numbers_are_one_thing(tmp_path: Path, neighbours: int, things: list[str]) -> None:
    write_pictures(tmp_path / "a", [1, 2, 5, 9])
    (tmp_path / "a" / "second view 2.png").write_bytes((tmp_path / "a" / "0002.png").read_bytes())
    entries = FolderData(tmp_path, neighbours=neighbours).entries

    assert sorted({thing for entry in entries for thing in entry.things}) == things
    assert len({entry.things for entry in entries if "2" in entry.key}) == 1


def test_a_picture_without_a_number_is_a_thing_and_classes_never_share_one(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", [1, 2])
    write_pictures(tmp_path / "b", [1, 2])
    for name in "xy":
        (tmp_path / "a" / f"{name}.png").write_bytes(b"")
    things = {entry.key: entry.things for entry in FolderData(tmp_path).entries}

    assert things["a/x.png"] == ("a/x.png",)
    assert things["a/y.png"] == ("a/y.png",)
    assert things["a/0001.png"] == ("a 1-2",)
    assert things["b/0001.png"] == ("b 1-2",)


def test_unusable_samples_are_counted_and_the_others_are_used(line: Path) -> None:
    (line / "scratch" / "0005.png").write_bytes(b"hello")
    np.savez(line / "good" / "0003.npz", samples=np.full((300, 3), np.nan), rate_hz=12_000)
    data = FolderData(line)
    found = survey(data, data.entries)

    assert sorted(found.unusable) == ["good/0003.bmp", "scratch/0005.png"]
    assert "NaN" in str(found.unusable["good/0003.bmp"])
    assert [entry.key for entry in found.usable] == [e.key for e in data.entries if e.key not in found.unusable]
    assert found.prints.keys() == {entry.key for entry in found.usable}


def test_a_class_with_one_example_is_named(line: Path) -> None:
    write_pictures(line / "pit", [1])
    write_pictures(line / "stain", [1])

    with pytest.raises(WorkshopError, match="one example of pit, stain"):
        FolderData(line)


def test_what_is_no_folder_of_classes_is_one_line(line: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="No such file"):
        FolderData(line / "nowhere")
    with pytest.raises(WorkshopError, match="no class folders"):
        FolderData(line / "scratch")
    (line / "empty").mkdir()
    with pytest.raises(WorkshopError, match="no examples of empty"):
        FolderData(line)
    (line / "empty").rename(line / "Edge Chip")
    with pytest.raises(WorkshopError, match="'Edge Chip' is no class name .*'edge_chip' would be one"):
        FolderData(line)
    with pytest.raises(WorkshopError, match="0 or more"):
        FolderData(line, neighbours=-1)
