"""Reads a picture file for the workshop: the same formats, limits and result as on the station.

What is declared is checked before anything is decoded, so that a hostile file costs no memory and a torn one is not
filled with grey. It reads one file and remembers nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.workshop.errors import BadSample

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})

MAX_BYTES: Final = 128 << 20
"""Holds the largest allowed picture uncompressed."""
SIDES_PX: Final = (16, 8192)
MAX_PIXELS: Final = 40_000_000

COPY_AGAIN: Final = "copy it again from where it came"

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
PNG_END: Final = b"IEND\xaeB`\x82"
"""The last block and its checksum, which is always the same."""
JPEG_START: Final = b"\xff\xd8"
JPEG_END: Final = b"\xff\xd9"
JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The segments that hold the size (C4, C8 and CC are tables)."""
BMP_START: Final = b"BM"
BMP_HEADER_BYTES: Final = 40
"""Shorter ones are of the OS/2 kind, which has its size elsewhere."""
BMP_UNCOMPRESSED: Final = (0, 3)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a PNG, JPEG or BMP file.

    Grey becomes BGR, 16 bits become 8 (full scale stays full scale), an alpha channel is dropped, and an EXIF
    orientation is applied.

    Args:
        path: of the file; its content says what it is.

    Returns:
        BGR, shape (h, w, 3), uint8.

    Raises:
        BadSample: it cannot be read or is no usable picture; the message begins with the path.
    """
    data = read_bytes(path, MAX_BYTES)
    try:
        width_px, height_px = declared_size(data)
    except (struct.error, IndexError):
        raise BadSample(f"{path}: truncated: the file ends too early", hint=COPY_AGAIN) from None
    except ValueError as error:
        raise BadSample(f"{path}: {error}", hint=COPY_AGAIN) from None
    low_px, high_px = SIDES_PX
    if min(width_px, height_px) < low_px or max(width_px, height_px) > high_px or width_px * height_px > MAX_PIXELS:
        raise BadSample(
            f"{path}: the picture is {width_px}x{height_px} px; {low_px} to {high_px} px a side and at most "
            f"{MAX_PIXELS // 1_000_000} million pixels are read",
            hint="scale it to the size of the part, or take it out",
        )
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise BadSample(f"{path}: damaged: its pixels cannot be decoded", hint=COPY_AGAIN)
    return np.asarray(picture, np.uint8)


def declared_size(data: bytes) -> tuple[int, int]:
    """Give width and height [px] that a picture file declares, where its end is there.

    Args:
        data: the whole file.

    Returns:
        Width and height.

    Raises:
        ValueError: it is no PNG, JPEG or BMP, or ends too early; `struct.error` and `IndexError` say the latter too.
    """
    if data.startswith(PNG_START):
        if PNG_END not in data:
            raise ValueError("truncated PNG: the file ends too early")
        width_px, height_px = struct.unpack_from(">II", data, 16)
        return width_px, height_px
    if data.startswith(JPEG_START):
        return _jpeg_size(data)
    if data.startswith(BMP_START):
        return _bmp_size(data)
    raise ValueError(f"not a PNG, JPEG or BMP picture (it begins with {data[:8]!r})" if data else "the file is empty")


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes; raises `BadSample`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BadSample(f"{path}: cannot be read ({error.strerror or error})", hint="check that it is there") from None
    if len(data) > limit:
        raise BadSample(f"{path}: larger than {limit >> 20} MiB", hint="it is not one part's recording")
    return data


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = len(JPEG_START)
    while True:
        if data[at] != 0xFF:
            raise ValueError(f"damaged JPEG: no segment begins at byte {at}")
        while data[at] == 0xFF:
            at += 1
        if data[at] in JPEG_SIZES:
            break
        at += 1 + int(struct.unpack_from(">H", data, at + 1)[0])
    height_px, width_px = struct.unpack_from(">HH", data, at + 4)
    if data.rfind(JPEG_END) < at:
        raise ValueError("truncated JPEG: the file ends too early")
    return width_px, height_px


def _bmp_size(data: bytes) -> tuple[int, int]:
    pixels_at, header_bytes, width_px, height_px, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if header_bytes < BMP_HEADER_BYTES:
        raise ValueError("a BMP of the OS/2 kind, which is not read")
    height_px = abs(height_px)  # negative: rows from top to bottom
    row_bytes = (max(width_px, 0) * bits + 31) // 32 * 4
    if compression in BMP_UNCOMPRESSED and len(data) < pixels_at + row_bytes * height_px:
        raise ValueError("truncated BMP: the file ends too early")
    return width_px, height_px
