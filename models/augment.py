"""Variants of an example that do not change its class: what a camera and a part do by themselves from one to the next.

Pure arithmetic; used when a class is taught, never when a part is judged. Variant 0 is the example itself.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

AUGMENTATIONS: Final = 8
"""Variants of an example, itself included."""


def augment_picture(image: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Give variant `k` of a picture of the same class: mirrored, turned by a half, brighter, darker, harder, softer.

    Args:
        image: BGR, shape (h, w, 3), uint8.
        k: which variant, 0 to `AUGMENTATIONS` - 1; 0 is the picture itself.

    Returns:
        Same shape and type.
    """
    flip_rows, flip_columns, gain, contrast = _PICTURE_VARIANTS[k]
    varied = image if (axes := _AXES[flip_rows, flip_columns]) is None else cv2.flip(image, axes)
    if gain != 1.0 or contrast != 1.0:
        middle = sum(cv2.sumElems(image)) / image.size
        levels = np.arange(256, dtype=np.float64)
        table = np.clip(np.rint((levels - middle) * (contrast * gain) + middle * gain), 0, 255).astype(np.uint8)
        varied = cv2.LUT(varied, table)
    return np.ascontiguousarray(varied, np.uint8)


_AXES: Final = {(False, False): None, (True, False): 0, (False, True): 1, (True, True): -1}
"""What OpenCV calls the rows, the columns, and both."""

_PICTURE_VARIANTS: Final = (
    (False, False, 1.0, 1.0),
    (False, True, 1.0, 1.0),
    (True, False, 1.0, 1.0),
    (True, True, 1.0, 1.0),
    (False, False, 1.15, 1.0),
    (False, True, 0.87, 1.0),
    (True, False, 1.0, 1.2),
    (True, True, 1.0, 0.83),
)
"""Rows flipped, columns flipped, gain, contrast about the mean."""


def augment_vibration(samples: Floats, k: int) -> Floats:
    """Give variant `k` of a window of the same class: begun a little later, played a little faster or slower, louder.

    Temperature, mass and speed move all frequencies of a part together by a fraction of a percent; so does the variant.

    Args:
        samples: acceleration [m/s^2], shape (n, 3), float32.
        k: which variant, 0 to `AUGMENTATIONS` - 1; 0 is the window itself.

    Returns:
        Shape (m, 3), float32; m is up to 2 % smaller than n.
    """
    if k == 0 or len(samples) < 2:
        return samples
    later, speed, gain = _VIBRATION_VARIANTS[k]
    n = len(samples)
    at = np.arange(later * n, n - 1, speed)
    before = at.astype(np.intp)
    share = (at - before).astype(np.float32)[:, None]
    following = np.minimum(before + 1, n - 1)
    varied: Floats = np.float32(gain) * (samples[before] * (1 - share) + samples[following] * share)
    return varied


_VIBRATION_VARIANTS: Final = (
    (0.0, 1.0, 1.0),
    (0.002, 0.998, 0.9),
    (0.004, 1.002, 1.1),
    (0.006, 0.996, 1.2),
    (0.008, 1.004, 0.8),
    (0.001, 0.994, 1.3),
    (0.003, 1.006, 0.7),
    (0.010, 1.0, 1.0),
)
"""Share of the window skipped, speed, gain."""
