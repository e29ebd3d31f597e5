"""Says in one word each what makes a picture unfit to judge a part by: frozen, dark, saturated, blurred.

Pure arithmetic on pixels; remembers only a digest of the last picture. It does not decide what follows from a fault.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ImageHealthConfig

SIDE_PX: Final = 120
"""Pictures are judged at the area of a square of this side [px]: sensor noise averages out, a harmful defocus shows."""
SATURATED_LEVEL: Final = 250
"""A channel at or above this grey level has lost its detail."""
FLAT_CONTRAST: Final = 1.5
"""Standard deviation [grey levels] below which a picture shows nothing but noise; steel sheet has 3 and more."""


class ImageHealth:
    """Checks the pictures of one camera, in the order they were taken.

    Args:
        limits: where each fault begins.
    """

    def __init__(self, limits: ImageHealthConfig) -> None:
        self._limits = limits
        self._digest: int | None = None
        self._repeats = 0

    def check(self, image: NDArray[np.uint8]) -> tuple[str, ...]:
        """Give the faults of the next picture.

        Frozen is a picture whose pixels equal those of the pictures before: a living sensor has noise and never
        gives the same picture twice.

        Args:
            image: BGR, shape (height, width, 3), uint8.

        Returns:
            `frozen`, `dark`, `saturated`, `blurred`: those that hold, in this order.
        """
        small = _scaled(image)
        digest = hash((image.shape, small.tobytes()))
        self._repeats = self._repeats + 1 if digest == self._digest else 1
        self._digest = digest
        frozen = ("frozen",) if self._repeats >= self._limits.frozen_repeats else ()
        return frozen + _faults(small, self._limits)


def picture_faults(image: NDArray[np.uint8], limits: ImageHealthConfig) -> tuple[str, ...]:
    """Give the faults of a single picture that has no predecessor: all but `frozen`.

    Args:
        image: BGR, shape (height, width, 3), uint8.
        limits: where each fault begins.

    Returns:
        `dark`, `saturated`, `blurred`: the one that holds, if any; what hides detail is not also called blurred.
    """
    return _faults(_scaled(image), limits)


def brightness_and_sharpness(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Give what a picture is judged by: its mean [grey levels] and its sharpness [%].

    Args:
        image: BGR, shape (height, width, 3), uint8.

    Returns:
        Brightness and sharpness.
    """
    grey = np.asarray(cv2.cvtColor(_scaled(image), cv2.COLOR_BGR2GRAY), np.uint8)
    return float(cv2.mean(grey)[0]), sharpness(grey)


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Give the share of a picture's contrast that lies in its finest detail [%]; 0 where there is no contrast.

    The variance of the Laplacian grows with contrast as the variance of the picture does; their ratio does not.

    Args:
        grey: shape (height, width), uint8, scaled to the area it is judged at.

    Returns:
        100 times the variance of the Laplacian over the variance of the picture.
    """
    contrast = float(cv2.meanStdDev(grey)[1][0, 0])
    if contrast < FLAT_CONTRAST:
        return 0.0
    detail = float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1][0, 0])
    return 100.0 * (detail / contrast) ** 2


def _faults(small: NDArray[np.uint8], limits: ImageHealthConfig) -> tuple[str, ...]:
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    mean = float(cv2.mean(grey)[0])
    if mean < limits.dark_mean_below:
        return ("dark",)
    blue, green, red = cv2.split(small)
    brightest = np.asarray(cv2.max(cv2.max(blue, green), red))
    share = np.count_nonzero(brightest >= SATURATED_LEVEL) / brightest.size
    if mean > limits.bright_mean_above or share > limits.saturated_share_above:
        return ("saturated",)
    return ("blurred",) if sharpness(grey) < limits.blurred_sharpness_below else ()


def _scaled(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the picture at the area it is judged at, or as it is where it is smaller; each pixel is a mean of four."""
    shrink = math.sqrt(image.shape[0] * image.shape[1]) / SIDE_PX
    if shrink <= 1.0:
        return image
    small = cv2.resize(image, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)
