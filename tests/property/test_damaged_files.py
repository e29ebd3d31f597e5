"""Whatever bytes a file holds, it is read or refused with `FileRefused`: nothing else is raised and nothing hangs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ConfigError
from edge_agent.sources.recording import parse_index
from models.errors import FileRefused
from models.picturefile import read_header
from models.waveform import decode_csv, decode_npz, decode_wav

RNG = np.random.default_rng(9)
SAMPLES = RNG.normal(0, 5, (300, 3)).astype(np.float32)


def npz() -> bytes:
    data = io.BytesIO()
    np.savez(data, samples=SAMPLES, rate_hz=1e4)
    return data.getvalue()


def wav() -> bytes:
    head = struct.pack("<HHIIHH", 3, 3, 10_000, 120_000, 12, 32)
    body = SAMPLES.tobytes()
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + head + b"data" + struct.pack("<I", len(body)) + body


def csv_text() -> bytes:
    rows = "".join(f"{i / 1e4},{x},{y},{z}\n" for i, (x, y, z) in enumerate(SAMPLES))
    return f"time_s,x_ms2,y_ms2,z_ms2\n{rows}".encode()


def picture(suffix: str) -> bytes:
    data: bytes = cv2.imencode(suffix, RNG.integers(0, 255, (20, 30, 3), np.uint8))[1].tobytes()
    return data


WHOLE: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "npz": (npz(), decode_npz),
    "wav": (wav(), decode_wav),
    "csv": (csv_text(), decode_csv),
    "png": (picture(".png"), read_header),
    "jpg": (picture(".jpg"), read_header),
    "bmp": (picture(".bmp"), read_header),
}


def read_or_refused(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except FileRefused as error:
        assert error.message


@pytest.mark.parametrize("kind", WHOLE)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    whole, decode = WHOLE[kind]
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        at = data.draw(st.one_of(st.integers(0, len(damaged) - 1), st.integers(0, min(200, len(damaged) - 1))))
        damaged[at] = data.draw(st.integers(0, 255))

    read_or_refused(decode, bytes(damaged))


@pytest.mark.parametrize("kind", WHOLE)
@given(st.binary(max_size=200))
def test_noise_behind_a_true_beginning_is_read_or_refused(kind: str, noise: bytes) -> None:
    whole, decode = WHOLE[kind]
    read_or_refused(decode, whole[:12] + noise)


@given(st.text(alphabet='0123456789.,-"\n\\/abz\0 ', max_size=200))
def test_an_index_is_read_or_refused(text: str) -> None:
    try:
        rows = parse_index("time_s,picture,vibration,truth,frame_offset_ms\n" + text)
    except ConfigError as error:
        assert all(line.startswith("line ") for line in error.message.splitlines())
        return
    assert [row.time_s for row in rows] == sorted(row.time_s for row in rows)
    assert not any(".." in row.picture.split("/") for row in rows)
