"""A picture that a station would refuse or see otherwise is no material for a model of it."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from example_folders import encoded, picture

from edge_agent.errors import BadData
from edge_agent.sources.picture import decode_picture
from models.workshop.data.picture import declared_size, read_picture
from models.workshop.errors import BadSample

IMAGE = picture(1, side=20)
PNG, JPEG, BMP = (encoded(suffix, IMAGE) for suffix in (".png", ".jpg", ".bmp"))


def png_of_size(width_px: int, height_px: int) -> bytes:
    return PNG[:16] + struct.pack(">II", width_px, height_px) + PNG[24:]


def jpeg_of_size(width_px: int, height_px: int) -> bytes:
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height_px, width_px) + JPEG[at + 4 :]


def bmp_of_size(width_px: int, height_px: int) -> bytes:
    return BMP[:18] + struct.pack("<ii", width_px, height_px) + BMP[26:30] + struct.pack("<I", 1) + BMP[34:]


BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"not a picture at all", "not a PNG, JPEG or BMP picture"),
    "truncated jpeg": (JPEG[: len(JPEG) * 2 // 3], "truncated JPEG"),
    "jpeg of two bytes": (JPEG[:2], "truncated"),
    "jpeg without a segment": (JPEG[:2] + b"hello" + JPEG[2:], "no segment begins at byte 2"),
    "truncated png": (PNG[: len(PNG) // 2], "truncated PNG"),
    "damaged png": (PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], "damaged"),
    "truncated bmp": (BMP[:-1], "truncated BMP"),
    "bmp of OS/2": (BMP[:14] + struct.pack("<I", 12) + BMP[18:], "OS/2"),
    "no pixels": (png_of_size(0, 0), "0x0 px"),
    "negative width": (bmp_of_size(-20, 20), "-20x20 px"),
    "too small": (encoded(".png", picture(1, side=15)), "15x15 px"),
    "huge png": (png_of_size(20_000, 20_000), "20000x20000 px"),
    "huge jpeg": (jpeg_of_size(20_000, 20_000), "20000x20000 px"),
    "huge bmp": (bmp_of_size(20_000, 20_000), "20000x20000 px"),
    "too many pixels": (png_of_size(8_000, 8_000), "at most 40 million"),
}

GOOD = {
    "png": PNG,
    "jpeg": JPEG,
    "bmp": BMP,
    "grey": encoded(".png", IMAGE[:, :, 0]),
    "alpha": encoded(".png", np.dstack([IMAGE, IMAGE[:, :, 0]])),
    "16 bits": encoded(".png", IMAGE.astype(np.uint16) * 257),
    "16 bits of grey": encoded(".png", IMAGE[:, :, 0].astype(np.uint16) * 257),
    "progressive": bytes(cv2.imencode(".jpg", IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]),
    "bytes after the end": JPEG + b"\0\0",
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_no_picture_costs_one_line_that_names_it(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "0001.png"
    path.write_bytes(data)
    with pytest.raises(BadSample) as caught:
        read_picture(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in BAD if name != "damaged png"])
def test_it_is_refused_before_anything_is_decoded(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("the decoder ran"))
    path = tmp_path / "0001.png"
    path.write_bytes(BAD[name][0])

    with pytest.raises(BadSample):
        read_picture(path)


def test_a_file_that_is_not_there_or_a_folder_is_one_line_too(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(BadSample, match="cannot be read"):
            read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_width_comes_before_height(suffix: str) -> None:
    assert declared_size(encoded(suffix, np.zeros((20, 30, 3), np.uint8))) == (30, 20)


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD.keys())
def test_the_desk_sees_what_the_station_sees(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "picture").write_bytes(data)
    seen = read_picture(tmp_path / "picture")

    assert (seen.shape, seen.dtype) == ((20, 20, 3), np.uint8)
    assert np.array_equal(seen, decode_picture(data))


@pytest.mark.parametrize("data", [data for data, _ in BAD.values()], ids=BAD.keys())
def test_the_desk_refuses_what_the_station_refuses(data: bytes) -> None:
    with pytest.raises(BadData):
        decode_picture(data)


@pytest.mark.parametrize("whole", [PNG, JPEG, BMP], ids=["png", "jpeg", "bmp"])
def test_a_file_that_ends_too_early_is_never_a_picture(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("the decoder ran"))
    path = tmp_path / "cut"
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(BadSample):
            read_picture(path)
