"""What the bytes of a picture say about it before it is decoded: format, size, whether anything is missing.

Pure; walks the structure of PNG, JPEG and BMP and never touches the pixels, so that a hostile or torn file is
refused before memory is spent on it and before a decoder fills what is missing with grey.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import BadData

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
JPEG_START: Final = b"\xff\xd8"
BMP_START: Final = b"BM"

JPEG_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""The next marker that ends entropy-coded data; stuffed zeros and restart markers (D0 to D7) belong to it."""
JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The start-of-frame markers, which hold the size (C4, C8 and CC are tables)."""
JPEG_END: Final = 0xD9

COPY_AGAIN: Final = "copy it again from where it came"


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
        BadData: not a PNG, JPEG or BMP, or its end is missing, or (PNG) a checksum is wrong.
    """
    if not data:
        raise BadData("the file is empty", hint=COPY_AGAIN)
    try:
        if data.startswith(PNG_START):
            return _walk_png(data)
        if data.startswith(JPEG_START):
            return _walk_jpeg(data)
        if data.startswith(BMP_START):
            return _walk_bmp(data)
    except (struct.error, IndexError):
        raise _truncated("picture") from None
    raise BadData(f"not a PNG, JPEG or BMP picture (it begins with {data[:8]!r})", hint="convert it to PNG")


def _walk_png(data: bytes) -> PictureHeader:
    at = len(PNG_START)
    size: tuple[int, int] | None = None
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        body = memoryview(data)[at + 4 : at + 8 + length]
        if zlib.crc32(body) != struct.unpack_from(">I", data, at + 8 + length)[0]:
            raise BadData(
                f"damaged PNG: the checksum of the block at byte {at} is wrong",
                hint=COPY_AGAIN,
            )
        if size is None:
            if kind != b"IHDR":
                raise BadData("damaged PNG: it does not begin with its size", hint=COPY_AGAIN)
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
                raise BadData("damaged JPEG: it has no frame header", hint=COPY_AGAIN)
            return PictureHeader("JPEG", *size)
        (length,) = struct.unpack_from(">H", data, at)
        if marker in JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", data, at + 3)
            size = (width_px, height_px)
        at += length


def _walk_bmp(data: bytes) -> PictureHeader:
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes < 40:
        raise BadData("a BMP of the OS/2 kind, which is not read", hint="convert it to PNG")
    width_px, height_px = struct.unpack_from("<ii", data, 18)
    height_px = abs(height_px)  # negative: rows from top to bottom
    _, bits, compression = struct.unpack_from("<HHI", data, 26)
    row_bytes = (max(width_px, 0) * bits + 31) // 32 * 4
    if compression in (0, 3) and len(data) < pixels_at + row_bytes * height_px:
        raise _truncated("BMP")
    return PictureHeader("BMP", width_px, height_px)


def _truncated(kind: str) -> BadData:
    return BadData(f"truncated {kind}: the file ends too early", hint=COPY_AGAIN)
