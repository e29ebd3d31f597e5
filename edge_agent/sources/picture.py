"""Decodes the bytes of a picture file into what the station sees: BGR, 8 bits, upright, of a bearable size.

Pure. The decoder runs only on a file whose structure is whole and whose size is allowed; it opens no file.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.sources.header import COPY_AGAIN, read_header

MAX_SIDE_PX: Final = 8192
"""Longest allowed side; industrial area cameras end well below it."""
MAX_PIXELS: Final = 40_000_000
"""Largest allowed picture: 120 MB decoded, which a station of 2 GB still bears."""
MIN_SIDE_PX: Final = 16
"""Below this there is nothing to see: a receptive field of the smallest encoder stage covers it."""


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """Give the picture in a PNG, JPEG or BMP file.

    Grey becomes BGR, 16 bits become 8 (full scale stays full scale), an alpha channel is dropped, and an EXIF
    orientation is applied, so that the station sees what a viewer shows.

    Args:
        data: the whole file.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        BadData: the file is not a whole picture, or too large or too small.
    """
    header = read_header(data)
    width_px, height_px = header.width_px, header.height_px
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise BadData(
            f"the picture is {width_px}x{height_px} px, less than {MIN_SIDE_PX} px a side",
            hint="record it again; there is nothing to see in it",
        )
    if max(width_px, height_px) > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise BadData(
            f"the picture is {width_px}x{height_px} px; at most {MAX_SIDE_PX} px a side and "
            f"{MAX_PIXELS // 1_000_000} million pixels are read",
            hint="scale it down or crop it to the part",
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise BadData(f"damaged {header.kind}: its pixels cannot be decoded", hint=COPY_AGAIN)
    return np.asarray(image, np.uint8)
