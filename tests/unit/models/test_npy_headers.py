"""A hostile header of an array is refused like any other damage, whatever Python's parser makes of it."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from edge_agent.errors import BadData
from edge_agent.learning.example import INDEX, unpack
from models.errors import FileRefused
from models.npy import decode_npy
from models.waveform import decode_npz

HOSTILE = ["{", "-" * 9000 + "1", "(" * 9000, "[" * 200, "\\", "'", '"""', "\x00", "{'shape': (1,)", "lambda: 0"]


def npy(header: str) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("header", HOSTILE)
def test_it_is_refused_by_the_array_the_recording_and_the_lesson(header: str) -> None:
    with pytest.raises(ValueError):
        decode_npy(npy(header))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("samples.npy", npy(header))
        members.writestr("rate_hz.npy", npy(header))
    with pytest.raises(FileRefused):
        decode_npz(archive.getvalue())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("0.image.npy", npy(header))
        members.writestr(INDEX, b'[{"source": "x", "rate_hz": 0.0}]')
    with pytest.raises(BadData):
        unpack(archive.getvalue())


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_versions_are_read(version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(6).reshape(2, 3), version=version)
    assert decode_npy(stream.getvalue()).tolist() == [[0, 1, 2], [3, 4, 5]]
