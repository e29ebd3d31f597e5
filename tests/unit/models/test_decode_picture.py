"""Pictures of every kind become BGR of 8 bits; those that would cost too much memory are never decoded."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from models import picturefile
from models.errors import FileRefused
from models.picturefile import MAX_SIDE_PX, decode_picture

COLOUR = np.random.default_rng(4).integers(0, 255, (40, 60, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    data: bytes = cv2.imencode(".png", image)[1].tobytes()
    return data


def empty_png(width_px: int, height_px: int) -> bytes:
    """Give a PNG of any declared size whose pixels are missing but whose structure is whole."""

    def block(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    size = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", size) + block(b"IDAT", zlib.compress(b"")) + block(b"IEND", b"")


def jpeg_of_size(width_px: int, height_px: int) -> bytes:
    data: bytes = cv2.imencode(".jpg", COLOUR)[1].tobytes()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height_px, width_px) + data[at + 4 :]


def bmp_of_size(width_px: int, height_px: int) -> bytes:
    """Give a BMP that says it is compressed; of another one the missing end would be noticed first."""
    data: bytes = cv2.imencode(".bmp", COLOUR)[1].tobytes()
    return data[:18] + struct.pack("<ii", width_px, height_px) + data[26:30] + struct.pack("<I", 1) + data[34:]


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_lossless_picture_comes_back_as_it_was(suffix: str) -> None:
    np.testing.assert_array_equal(decode_picture(cv2.imencode(suffix, COLOUR)[1].tobytes()), COLOUR)


def test_a_jpeg_comes_back_nearly_as_it_was() -> None:
    smooth = cv2.GaussianBlur(COLOUR, (0, 0), 5)

    found = decode_picture(cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())

    assert np.abs(found.astype(int) - smooth).max() < 16


def test_grey_becomes_three_equal_channels() -> None:
    grey = COLOUR[:, :, 0]

    np.testing.assert_array_equal(decode_picture(png(grey)), np.stack([grey] * 3, axis=2))


def test_sixteen_bits_become_eight_at_full_scale() -> None:
    deep = COLOUR.astype(np.uint16) * 257

    np.testing.assert_array_equal(decode_picture(png(deep)), COLOUR)


def test_alpha_is_dropped_and_not_blended() -> None:
    clear = np.dstack([COLOUR, np.zeros(COLOUR.shape[:2], np.uint8)])

    np.testing.assert_array_equal(decode_picture(png(clear)), COLOUR)


def test_the_exif_orientation_is_applied() -> None:
    """Orientation 6: the camera was held upright; the picture is to be turned right by a quarter."""
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    plain = cv2.imencode(".jpg", COLOUR)[1].tobytes()
    marked = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]

    np.testing.assert_array_equal(decode_picture(marked), np.rot90(decode_picture(plain), -1))


@pytest.mark.parametrize("size", [(0, 0), (0, 40), (8, 400), (20_000, 20_000), (MAX_SIDE_PX + 1, 40), (8000, 8000)])
def test_a_size_out_of_bounds_is_refused_without_decoding(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picturefile.cv2, "imdecode", lambda *_: pytest.fail("decoded"))

    with pytest.raises(FileRefused, match=f"{size[0]}x{size[1]} px"):
        decode_picture(empty_png(*size))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (jpeg_of_size(20_000, 20_000), "20000x20000 px"),
        (bmp_of_size(20_000, 20_000), "20000x20000 px"),
        (bmp_of_size(-60, 40), "-60x40 px"),
    ],
)
def test_so_it_is_in_every_format(data: bytes, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturefile.cv2, "imdecode", lambda *_: pytest.fail("decoded"))

    with pytest.raises(FileRefused, match=size):
        decode_picture(data)


def test_the_guard_looks_at_the_size_and_not_at_the_file() -> None:
    """A limit on the bytes of the file alone would let the picture through: it has under 100 bytes."""
    assert len(empty_png(20_000, 20_000)) < 100


def test_pixels_that_do_not_decode_are_refused() -> None:
    with pytest.raises(FileRefused, match="damaged PNG"):
        decode_picture(empty_png(100, 100))
