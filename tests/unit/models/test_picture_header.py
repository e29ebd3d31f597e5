"""The structure of picture files: whole ones give their size, torn ones are refused whatever they contain."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from models.errors import FileRefused
from models.picturefile import PictureHeader, read_header

IMAGE = np.random.default_rng(3).integers(0, 255, (40, 60, 3), np.uint8)
KINDS = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp"}


def encoded(suffix: str, *options: int) -> bytes:
    data: bytes = cv2.imencode(suffix, IMAGE, list(options))[1].tobytes()
    return data


def png_block(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_thumbnail(jpeg: bytes) -> bytes:
    """Put a comment that holds a complete small JPEG, with its own size and end, before everything else."""
    small: bytes = cv2.imencode(".jpg", IMAGE[:16, :16])[1].tobytes()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(small) + 2) + small + jpeg[2:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_gives_its_size(kind: str) -> None:
    assert read_header(encoded(KINDS[kind])) == PictureHeader(kind, 60, 40)


@pytest.mark.parametrize("options", [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)])
def test_progressive_and_restarting_jpegs_are_whole(options: tuple[int, int]) -> None:
    assert read_header(encoded(".jpg", *options)) == PictureHeader("JPEG", 60, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_every_shorter_file_is_refused(kind: str) -> None:
    data = encoded(KINDS[kind])

    for length in range(len(data)):
        with pytest.raises(FileRefused):
            read_header(data[:length])


def test_a_thumbnail_does_not_pass_for_the_picture() -> None:
    data = with_thumbnail(encoded(".jpg"))

    assert read_header(data) == PictureHeader("JPEG", 60, 40)
    with pytest.raises(FileRefused, match="truncated JPEG"):
        read_header(data[:-100])


def test_looking_for_the_end_mark_alone_would_be_fooled() -> None:
    """The wrong way to find a truncated JPEG accepts the file that the test above refuses."""
    assert b"\xff\xd9" in with_thumbnail(encoded(".jpg"))[:-100]


def test_bytes_after_the_end_are_no_damage() -> None:
    assert read_header(encoded(".jpg") + b"\0" * 100) == PictureHeader("JPEG", 60, 40)


def test_each_flipped_byte_of_a_png_is_noticed() -> None:
    data = encoded(".png")

    for at in range(len(data) - 12):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        with pytest.raises(FileRefused):
            read_header(bytes(damaged))


def test_a_png_that_declares_its_size_twice_is_judged_by_what_the_decoder_reads() -> None:
    start = b"\x89PNG\r\n\x1a\n"
    size = struct.Struct(">IIBBBBB")
    large = png_block(b"IHDR", size.pack(20_000, 20_000, 8, 2, 0, 0, 0))
    small = png_block(b"IHDR", size.pack(100, 100, 8, 2, 0, 0, 0))

    assert read_header(start + large + small + png_block(b"IEND", b"")).width_px == 20_000
    with pytest.raises(FileRefused, match="does not begin with its size"):
        read_header(start + png_block(b"tEXt", b"a") + large + png_block(b"IEND", b""))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"a drawing of a cat", "not a PNG, JPEG or BMP picture.*a drawin"),
        (b"GIF89a" + b"\0" * 40, r'not a PNG, JPEG or BMP picture \(it begins with "GIF89a\.\."\)'),
        (b"garbage\n", r'begins with "garbage\."\)$'),
        (b"\xff\xd8\xff\xd9", "no frame header"),
        (b"BM" + b"\0" * 12 + struct.pack("<I", 12) + b"\0" * 40, "OS/2"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, message: str) -> None:
    with pytest.raises(FileRefused, match=message) as caught:
        read_header(data)

    assert caught.value.hint
