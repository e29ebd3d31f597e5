"""A picture in the bytes that are kept: PNG, because it gives back every pixel; a JPEG does not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData


def encoded(image: NDArray[np.uint8]) -> bytes:
    """Give a picture as PNG; some 10 ms for 480 x 480, without the GIL.

    Args:
        image: BGR, shape (height, width, 3), uint8.

    Returns:
        The file's bytes; decoding them gives `image` back exactly.

    Raises:
        BadData: the encoder refuses it.
    """
    try:
        good, data = cv2.imencode(".png", image)
    except cv2.error as error:
        raise BadData(f"a picture of shape {image.shape} cannot be encoded: {error}") from error
    if not good:
        raise BadData(f"a picture of shape {image.shape} cannot be encoded")
    return data.tobytes()
