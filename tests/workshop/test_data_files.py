"""What a station refuses, or sees otherwise, is no material for a model of it: the desk reads as the station does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_folders import encoded, picture

from edge_agent.errors import BadData
from edge_agent.sources.files import read_picture as station_picture
from edge_agent.sources.files import read_vibration as station_vibration
from models.workshop.data import files
from models.workshop.data.files import read_picture, read_recording
from models.workshop.errors import BadSample

PNG = encoded(".png", picture(1, side=20))
WAVE = np.random.default_rng(1).standard_normal((300, 3))


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("data", [PNG, encoded(".jpg", picture(2, side=20)), encoded(".bmp", picture(3, side=20))])
def test_the_desk_sees_what_the_station_sees(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "picture").write_bytes(data)

    np.testing.assert_array_equal(
        read_picture(tmp_path / "picture"), station_picture(tmp_path / "picture"), strict=True
    )


@pytest.mark.parametrize("layout", [WAVE, np.asfortranarray(WAVE), WAVE.astype(np.float32)])
def test_the_desk_hears_what_the_station_hears(tmp_path: Path, layout: np.ndarray[Any, Any]) -> None:
    path = written(tmp_path / "a.npz", samples=layout, rate_hz=12_000)
    (desk, desk_hz), (station, station_hz) = read_recording(path), station_vibration(path)

    np.testing.assert_array_equal(desk, station, strict=True)
    assert desk_hz == station_hz == 12_000.0


@pytest.mark.parametrize(
    ("read", "read_on_station", "name", "data", "reason"),
    [
        (read_picture, station_picture, "a.png", b"", "the file is empty"),
        (read_picture, station_picture, "a.png", PNG[:-20], "truncated"),
        (read_picture, station_picture, "a.png", encoded(".png", picture(1, side=15)), "15x15 px"),
        (read_recording, station_vibration, "a.npz", b"hello", "damaged or not an npz archive"),
    ],
)
def test_the_desk_refuses_what_the_station_refuses_in_the_same_words(
    tmp_path: Path,
    read: Callable[[Path], object],
    read_on_station: Callable[[Path], object],
    name: str,
    data: bytes,
    reason: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(BadSample, match=reason) as caught:
        read(path)
    with pytest.raises(BadData) as on_station:
        read_on_station(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert (caught.value.message, caught.value.hint) == (on_station.value.message, on_station.value.hint)


def test_an_axis_that_is_missing_is_not_filled_in(tmp_path: Path) -> None:
    for samples in (WAVE[:, 0], WAVE[:, :1]):
        with pytest.raises(BadSample, match=r"must be \(n, 3\)|1 axes"):
            read_recording(written(tmp_path / "a.npz", samples=samples, rate_hz=12_000))


def test_a_rate_from_elsewhere_fills_a_gap_and_never_contradicts(tmp_path: Path) -> None:
    without = written(tmp_path / "a.npz", samples=WAVE)
    with_rate = written(tmp_path / "b.npz", samples=WAVE, rate_hz=12_000)

    assert read_recording(without, 26_667.0)[1] == 26_667.0
    assert read_recording(with_rate, 12_000.0)[1] == 12_000.0
    with pytest.raises(BadSample, match="no array 'rate_hz'"):
        read_recording(without)
    with pytest.raises(BadSample, match="12000 in the file and 26667 elsewhere"):
        read_recording(with_rate, 26_667.0)


@pytest.mark.parametrize("read", [read_picture, read_recording])
def test_a_file_that_is_not_there_or_a_folder_is_one_line_too(tmp_path: Path, read: Callable[[Path], object]) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BadSample, match="cannot be read"):
            read(path)


def test_a_file_beyond_the_limit_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    monkeypatch.setattr(files, "MAX_PICTURE_BYTES", len(PNG) - 1)

    with pytest.raises(BadSample, match="larger than 0 MiB"):
        read_picture(tmp_path / "a.png")
