"""A recording is three axes of finite numbers at a known rate, or one line that says why not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.workshop.data.recording import read_recording
from models.workshop.errors import BadSample

WAVE = np.random.default_rng(1).standard_normal((300, 3))


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def spoiled(value: float) -> np.ndarray[Any, Any]:
    wave = WAVE.copy()
    wave[17, 1] = value
    return wave


def test_three_axes_come_back_as_they_were_written(tmp_path: Path) -> None:
    for layout in (WAVE, np.asfortranarray(WAVE), WAVE.astype(np.float32)):
        samples, rate_hz = read_recording(written(tmp_path / "a.npz", samples=layout, rate_hz=12_000))

        assert (samples.dtype, rate_hz) == (np.float32, 12_000.0)
        assert np.array_equal(samples, WAVE.astype(np.float32))


def test_one_axis_is_x_and_the_others_are_zeros(tmp_path: Path) -> None:
    samples, _ = read_recording(written(tmp_path / "a.npz", samples=WAVE[:, 0], rate_hz=12_000))

    assert np.array_equal(samples[:, 0], WAVE[:, 0].astype(np.float32))
    assert not samples[:, 1:].any()


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"samples": spoiled(np.nan), "rate_hz": 12_000}, "1 of 300 samples are NaN, .* the first is number 17"),
        ({"samples": spoiled(-np.inf), "rate_hz": 12_000}, "1 of 300 samples are NaN, infinite"),
        ({"samples": spoiled(2e6), "rate_hz": 12_000}, "beyond 1e\\+06 m/s"),
        ({"samples": WAVE[:10], "rate_hz": 12_000}, "10 samples; 256 to 1000000 are read"),
        ({"samples": WAVE.T, "rate_hz": 12_000}, r"must be \(n, 3\) or \(n,\) numbers, got \(3, 300\)"),
        ({"samples": WAVE[:, :2], "rate_hz": 12_000}, r"got \(300, 2\)"),
        ({"samples": WAVE.astype(str), "rate_hz": 12_000}, "numbers, got"),
        ({"samples": WAVE.astype(object), "rate_hz": 12_000}, "Python objects"),
        ({"samples": WAVE}, "no array 'rate_hz'"),
        ({"rate_hz": 12_000}, "no array 'samples'"),
        ({"samples": WAVE, "rate_hz": [1, 2]}, "rate_hz must be one number"),
        ({"samples": WAVE, "rate_hz": np.nan}, "a sample rate of nan Hz"),
        ({"samples": WAVE, "rate_hz": 0}, "a sample rate of 0"),
    ],
)
def test_what_is_no_recording_costs_one_line_that_names_it(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    path = written(tmp_path / "a.npz", **arrays)

    with pytest.raises(BadSample, match=reason) as caught:
        read_recording(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_rate_from_elsewhere_fills_a_gap_and_never_contradicts(tmp_path: Path) -> None:
    without = written(tmp_path / "a.npz", samples=WAVE)
    with_rate = written(tmp_path / "b.npz", samples=WAVE, rate_hz=12_000)

    assert read_recording(without, 26_667.0)[1] == 26_667.0
    assert read_recording(with_rate, 12_000.0)[1] == 12_000.0
    with pytest.raises(BadSample, match="12000 in the file and 26667 elsewhere"):
        read_recording(with_rate, 26_667.0)


def test_damage_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", samples=WAVE, rate_hz=12_000)
    whole = path.read_bytes()
    flipped = whole[:700] + bytes([whole[700] ^ 255]) + whole[701:]
    for data in (b"", b"hello", whole[: len(whole) // 2], flipped):
        path.write_bytes(data)
        with pytest.raises(BadSample, match="damaged, or not an npz file"):
            read_recording(path)


def with_member(path: Path, header: bytes, body: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.npy", header + body)
        rate = io.BytesIO()
        np.save(rate, np.float64(12_000))
        archive.writestr("rate_hz.npy", rate.getvalue())
    return path


def npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_sizes_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    liar = with_member(tmp_path / "liar.npz", npy_header((10**12, 3)), bytes(800))
    bomb = with_member(tmp_path / "bomb.npz", npy_header((4_000_000, 1)), bytes(32_000_000))

    with pytest.raises(BadSample, match="more than the file holds"):
        read_recording(liar)
    with pytest.raises(BadSample, match="has 32000128 bytes"):
        read_recording(bomb)
