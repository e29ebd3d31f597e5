"""Decodes the bytes of a picture file into what a model is shown: BGR, 8 bits, upright, of a bearable size.

Pure, for station and workshop alike; it opens no file. The structure of a file is walked before its pixels are touched,
so that a hostile or torn one is refused before memory is spent on it and before a decoder fills what is missing with
grey.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import FileRefused, beginning

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
"""What counts as a picture when a folder is listed; the content of the file decides how it is read."""
MAX_PICTURE_BYTES: Final = 128 << 20
"""Holds the largest allowed picture uncompressed (40 million pixels in a 24 bit BMP)."""
MAX_SIDE_PX: Final = 8192
"""Longest allowed side; industrial area cameras end well below it."""
MAX_PIXELS: Final = 40_000_000
"""Largest allowed picture: 120 MB decoded, which a station of 2 GB still bears."""
MIN_SIDE_PX: Final = 16
"""Below this there is nothing to see: a receptive field of the smallest encoder stage covers it."""

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
JPEG_START: Final = b"\xff\xd8"
BMP_START: Final = b"BM"

JPEG_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""The next marker that ends entropy-coded data; stuffed zeros and restart markers (D0 to D7) belong to it."""
JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The start-of-frame markers, which hold the size (C4, C8 and CC are tables)."""
JPEG_END: Final = 0xD9


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """Give the picture in a PNG, JPEG or BMP file.

    Grey becomes BGR, 16 bits become 8 (full scale stays full scale), an alpha channel is dropped, and an EXIF
    orientation is applied, so that a model sees what a viewer shows.

    Args:
        data: the whole file.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        FileRefused: the file is not a whole picture, or too large or too small.
    """
    header = read_header(data)
    width_px, height_px = header.width_px, header.height_px
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise FileRefused(
            f"the picture is {width_px}x{height_px} px, less than {MIN_SIDE_PX} px a side",
            hint="record it again; there is nothing to see in it",
        )
    if max(width_px, height_px) > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise FileRefused(
            f"the picture is {width_px}x{height_px} px; at most {MAX_SIDE_PX} px a side and "
            f"{MAX_PIXELS // 1_000_000} million pixels are read",
            hint="scale it down or crop it to the part",
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise FileRefused(f"damaged {header.kind}: its pixels cannot be decoded")
    return np.asarray(image, np.uint8)


@dataclass(frozen=True)
class PictureHeader:
    """What a picture file declares about itself.

    Attributes:
        kind: `PNG`, `JPEG` or `BMP`.
        width_px: declared width [px].
        height_px: declared height [px].
    """

    kind: str
    width_px: int
    height_px: int


def read_header(data: bytes) -> PictureHeader:
    """Give the declared size of a picture whose structure is whole.

    Args:
        data: the whole file.

    Returns:
        The header.

    Raises:
        FileRefused: not a PNG, JPEG or BMP, or its end is missing, or (PNG) a checksum is wrong.
    """
    if not data:
        raise FileRefused("the file is empty")
    try:
        if data.startswith(PNG_START):
            return _walk_png(data)
        if data.startswith(JPEG_START):
            return _walk_jpeg(data)
        if data.startswith(BMP_START):
            return _walk_bmp(data)
    except (struct.error, IndexError):
        raise _truncated("picture") from None
    raise FileRefused(
        f"not a PNG, JPEG or BMP picture (it begins with {beginning(data[:8])})", hint="convert it to PNG"
    )


def _walk_png(data: bytes) -> PictureHeader:
    at = len(PNG_START)
    size: tuple[int, int] | None = None
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        body = memoryview(data)[at + 4 : at + 8 + length]
        if zlib.crc32(body) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise FileRefused(f"damaged PNG: the checksum of the block at byte {at} is wrong")
        if size is None:
            if kind != b"IHDR":
                raise FileRefused("damaged PNG: it does not begin with its size")
            size = struct.unpack_from(">II", data, at + 8)
        if kind == b"IEND":
            return PictureHeader("PNG", *size)
        at += 12 + length


def _walk_jpeg(data: bytes) -> PictureHeader:
    at = len(JPEG_START)
    size: tuple[int, int] | None = None
    while True:
        found = JPEG_MARKER.search(data, at)
        if found is None:
            raise _truncated("JPEG")
        marker, at = data[found.end() - 1], found.end()
        if marker == JPEG_END:
            if size is None:
                raise FileRefused("damaged JPEG: it has no frame header")
            return PictureHeader("JPEG", *size)
        (length,) = struct.unpack_from(">H", data, at)
        if marker in JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", data, at + 3)
            size = (width_px, height_px)
        at += length


def _walk_bmp(data: bytes) -> PictureHeader:
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes < 40:
        raise FileRefused("a BMP of the OS/2 kind, which is not read", hint="convert it to PNG")
    width_px, height_px = struct.unpack_from("<ii", data, 18)
    height_px = abs(height_px)  # negative: rows from top to bottom
    _, bits, compression = struct.unpack_from("<HHI", data, 26)
    row_bytes = (max(width_px, 0) * bits + 31) // 32 * 4
    if compression in (0, 3) and len(data) < pixels_at + row_bytes * height_px:
        raise _truncated("BMP")
    return PictureHeader("BMP", width_px, height_px)


def _truncated(kind: str) -> FileRefused:
    return FileRefused(f"truncated {kind}: the file ends too early")
