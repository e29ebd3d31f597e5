"""Pictures and vibration on a real disk: what is read, what is listed, and one clear line for everything else."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.errors import BadData
from edge_agent.sources import files
from edge_agent.sources.files import list_class_folders, read_picture, read_vibration

IMAGE = np.random.default_rng(6).integers(0, 255, (40, 60, 3), np.uint8)
SAMPLES = np.random.default_rng(7).normal(0, 5, (300, 3)).astype(np.float32)


def png() -> bytes:
    data: bytes = cv2.imencode(".png", IMAGE)[1].tobytes()
    return data


def jpeg() -> bytes:
    data: bytes = cv2.imencode(".jpg", IMAGE)[1].tobytes()
    return data


def bmp() -> bytes:
    data: bytes = cv2.imencode(".bmp", IMAGE)[1].tobytes()
    return data


def test_a_picture_is_read_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "part.JPG"
    path.write_bytes(png())

    np.testing.assert_array_equal(read_picture(path), IMAGE)


def test_a_vibration_file_is_read_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "part.NPZ"
    with path.open("wb") as file:
        np.savez(file, samples=SAMPLES, rate_hz=26_667.0)

    samples, rate_hz = read_vibration(path)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert rate_hz == 26_667.0


def folder(path: Path) -> None:
    path.mkdir()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def missing(path: Path) -> None:
    assert not path.exists()


def holding(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


BAD_PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (holding(b""), "empty"),
    "text": (holding(b"not a picture at all"), "not a PNG, JPEG or BMP"),
    "truncated_jpeg": (holding(jpeg()[:-200]), "truncated JPEG"),
    "truncated_png": (holding(png()[:-200]), "truncated PNG|damaged PNG|truncated"),
    "truncated_bmp": (holding(bmp()[:-200]), "truncated BMP"),
    "flipped_png": (holding(png()[:500] + b"?" + png()[501:]), "damaged PNG"),
    "huge_bmp": (holding(bmp()[:18] + struct.pack("<ii", 20_000, 20_000) + bmp()[26:]), "truncated BMP"),
    "folder": (folder, "not a file"),
    "fifo": (fifo, "not a file"),
    "missing": (missing, "No such file"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_gives_one_line_with_its_path_and_nothing_else(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, message = BAD_PICTURES[name]
    path = tmp_path / f"{name}.png"
    make(path)

    with pytest.raises(BadData, match=message) as caught:
        read_picture(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")  # the decoder has nothing of its own to say


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.npz", holding(b"junk"), "damaged or not an npz"),
        ("a.wav", holding(b"junk"), "not a wav file"),
        ("a.csv", holding(b"junk"), "first line"),
        ("a.csv", holding(b""), "first line"),
        ("a.npz", folder, "not a file"),
        ("a.npz", missing, "No such file"),
        ("a.mp3", holding(b""), "not a vibration file"),
        ("a", holding(b""), "not a vibration file"),
    ],
)
def test_a_bad_vibration_file_gives_one_line_with_its_path(
    name: str, make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    make(tmp_path / name)

    with pytest.raises(BadData, match=message) as caught:
        read_vibration(tmp_path / name)
    assert caught.value.message.startswith(f"{tmp_path / name}: ")
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    path.chmod(0)

    with pytest.raises(BadData, match="Permission denied"):
        read_picture(path)


def test_a_file_beyond_the_limit_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    monkeypatch.setattr(files, "MAX_PICTURE_BYTES", 1 << 10)

    with pytest.raises(BadData, match="larger than 0 MiB"):
        read_picture(path)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_class_folders_and_their_pictures_are_listed_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "pit/b.JPG", "pit/a.png", "pit/c.jpeg", "pit/notes.txt", "good/1.bmp", "readme.md", ".cache/x.png")
    touch(tmp_path, "pit/nested/d.png", "pit/.e.txt")

    found = list_class_folders(tmp_path)

    assert list(found) == ["good", "pit"]
    assert [path.name for path in found["pit"]] == ["a.png", "b.JPG", "c.jpeg"]


@pytest.mark.parametrize("names", [[], ["a.png"], [".git/a.png"]])
def test_a_folder_without_class_folders_is_refused(names: list[str], tmp_path: Path) -> None:
    touch(tmp_path, *names)

    with pytest.raises(BadData, match="no class folders in it"):
        list_class_folders(tmp_path)


def test_an_empty_class_folder_has_no_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "good/a.png", "pit/notes.txt")

    assert list_class_folders(tmp_path) == {"good": [tmp_path / "good" / "a.png"], "pit": []}


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="gone: no such folder"):
        list_class_folders(tmp_path / "gone")
