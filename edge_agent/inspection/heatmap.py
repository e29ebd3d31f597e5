"""Draws which regions of a picture spoke for a verdict or were unlike good parts, on a scale that never changes.

Pure picture arithmetic. The scale is not fitted to the picture: that would make every good part look hot somewhere. The
picture is drawn grey and without its darkest and lightest tones, which are kept for the heat: towards light yellow what
speaks for the class or is unlike good parts, towards dark blue what speaks against it. These are the ends of the
cividis map (Nuñez, Anderton and Renslow, PLoS ONE 13(7), 2018), which people who cannot tell red from green see as
everyone does. One is lighter and the other darker than all of the picture, so a black and white print loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

FOR: Final = np.array([56.0, 232.0, 254.0], np.float32)
AGAINST: Final = np.array([78.0, 34.0, 0.0], np.float32)
"""Blue, green, red of a share of the whole scale and more, either way; lightness L* 92 and 14."""

DARKEST: Final = 55.0
LIGHTEST: Final = 165.0
"""Grey levels that black and white of the picture become; lightness L* 23 and 68."""

KEPT: Final = 0.3
"""Contrast of the picture that is left under full heat, so that the flaw can be seen through it."""


@dataclass(frozen=True)
class Scale:
    """What a number looks like; the same for all pictures that are to be compared.

    Attributes:
        limit: the number that has the full colour, above 0.
        high: what is written beside it.
        low: what is written beside its opposite; "" where numbers below 0 mean no more than 0.
    """

    limit: float
    high: str
    low: str = ""


LIMIT_LOGIT: Final = 60.0
"""A scale that suits `castings`: the hottest region has 73 in the median of 100 scratches, 149 of pits, 81 of stains,
and in 99 of 100 good parts less than 23, held against 60 good parts and 5 examples of each fault."""

SHARES: Final = Scale(LIMIT_LOGIT, f"for +{LIMIT_LOGIT:g} logit", f"-{LIMIT_LOGIT:g} against")

LIMIT_SPREADS: Final = 20.0
"""A scale that suits `castings` and `generic`: the hottest region of 50 castings has 18 to 28 in the median of each
kind of defect that can be seen, and in 99 of 100 good ones less than 8, held against 60 good parts."""

ANOMALY: Final = Scale(LIMIT_SPREADS, f"{LIMIT_SPREADS:g} spreads unlike good parts")

SHORT_PX: Final = 384
"""A picture whose shorter side is smaller is enlarged, so that the legend can be read [px]."""

LONG_PX: Final = 1600
"""A picture whose longer side is larger is reduced: the regions are coarser than that anyway [px]."""

STRIP_PX: Final = 34
"""Height of the legend below the picture [px]."""


def heat_map_png(picture: Picture, grid: Floats, scale: Scale) -> bytes:
    """Draw numbers over the picture that they are of, with a legend below.

    Args:
        picture: BGR, shape (height, width, 3), uint8.
        grid: the number of each region of the picture, (rows, columns).
        scale: what a number looks like.

    Returns:
        A PNG of the picture's proportions, its shorter side 384 px or more where its proportions allow.

    Raises:
        BadData: it is no picture, no grid, or no scale.
    """
    limit = scale.limit
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise BadData(f"a picture must be (h, w, 3) uint8 and not empty, got {picture.shape} {picture.dtype}")
    if grid.ndim != 2 or 0 in grid.shape or not np.isfinite(grid).all() or not 0.0 < limit < np.inf:
        raise BadData(f"want numbers (rows, columns) and a limit above 0, got {grid.shape} and {limit}")
    scaled = _fitted(picture)
    height, width = scaled.shape[:2]
    grey = cv2.cvtColor(scaled, cv2.COLOR_BGR2GRAY).astype(np.float32)
    levels = np.clip(grid / limit, -1.0 if scale.low else 0.0, 1.0).astype(np.float32)
    heat = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
    drawn = np.concatenate([_blended(grey, heat), _legend(width, scale)])
    return cv2.imencode(".png", drawn)[1].tobytes()


def _fitted(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = min(max(1.0, SHORT_PX / min(height, width)), LONG_PX / max(height, width))
    if scale == 1.0:
        return picture
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=how).astype(np.uint8, copy=False)


def _blended(grey: NDArray[np.float32], heat: NDArray[np.float32]) -> Picture:
    """Mix grey levels with the colour of heat from -1 to 1, shape (h, w, 3)."""
    base = (DARKEST + grey * ((LIGHTEST - DARKEST) / 255.0))[..., None]
    colour = np.where(heat[..., None] > 0.0, FOR, AGAINST)
    middle = np.float32((DARKEST + LIGHTEST) / 2.0)
    mixed = base + np.abs(heat)[..., None] * (colour + np.float32(KEPT) * (base - middle) - base)
    drawn: Picture = np.rint(np.clip(mixed, 0.0, 255.0)).astype(np.uint8)
    return drawn


def _legend(width: int, scale: Scale) -> Picture:
    """Draw the scale: what its numbers look like on middle grey."""
    strip = np.full((STRIP_PX, width, 3), 255, np.uint8)
    left, right, top, bottom = 8, width - 8, 4, 14
    ramp = np.linspace(-1.0 if scale.low else 0.0, 1.0, right - left, dtype=np.float32)
    heat = np.broadcast_to(ramp, (bottom - top, right - left))
    strip[top:bottom, left:right] = _blended(np.full(heat.shape, 127.0, np.float32), heat)
    _write(strip, scale.low or "0", left, 0.0)
    if scale.low:
        _write(strip, "0", (left + right) // 2, 0.5)
    _write(strip, scale.high, right, 1.0)
    return strip


def _write(strip: Picture, text: str, x_px: int, anchor: float) -> None:
    """Write with the left end (anchor 0), middle (0.5) or right end (1) of the text at `x_px`."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    (wide, _), _ = cv2.getTextSize(text, font, size, 1)
    cv2.putText(strip, text, (round(x_px - anchor * wide), STRIP_PX - 6), font, size, (0, 0, 0), 1, cv2.LINE_AA)
