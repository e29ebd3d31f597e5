"""Pictures of a run: how many parts took how long, on a logarithmic count, with limits marked; memory over parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 960
HEIGHT: Final = 420
LEFT: Final = 70
BOTTOM: Final = 50
TOP: Final = 50
BINS: Final = 120

GRID: Final = (225, 225, 225)
INK: Final = (60, 60, 60)
BAR: Final = (160, 120, 40)
MARK: Final = (40, 40, 200)


def draw_histogram(values_ms: Sequence[float], title: str, marks: Mapping[str, float]) -> NDArray[np.uint8]:
    """Draw how many took how long.

    Args:
        values_ms: durations [ms]; at least one.
        title: written above, ASCII.
        marks: durations to be marked, by what is written beside them.

    Returns:
        BGR, shape (420, 960, 3).
    """
    end_ms = 1.05 * max([*values_ms, *marks.values(), 1e-3])
    counts, _ = np.histogram(values_ms, bins=BINS, range=(0.0, end_ms))
    heights = np.log10(1 + counts)
    decades = max(1, int(np.ceil(heights.max())))
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)

    def x_of(value_ms: float) -> int:
        return LEFT + round((WIDTH - LEFT - 20) * value_ms / end_ms)

    def y_of(height: float) -> int:
        return HEIGHT - BOTTOM - round((HEIGHT - BOTTOM - TOP) * height / decades)

    for i, height in enumerate(heights):
        if counts[i]:
            left, right = x_of(i * end_ms / BINS), x_of((i + 1) * end_ms / BINS) - 1
            cv2.rectangle(picture, (left, y_of(float(height))), (right, y_of(0.0)), BAR, cv2.FILLED)
    for decade in range(decades + 1):
        y = y_of(np.log10(1 + 10**decade) if decade else 0.0)
        _write(picture, f"{10**decade if decade else 0}", (8, y + 5), INK)
        cv2.line(picture, (LEFT - 6, y), (LEFT, y), INK)
    for value_ms in np.arange(0.0, end_ms, _round_step(end_ms)):
        cv2.line(picture, (x_of(value_ms), y_of(0.0)), (x_of(value_ms), y_of(0.0) + 6), INK)
        _write(picture, f"{value_ms:g}", (x_of(value_ms) - 10, HEIGHT - 22), INK)
    cv2.line(picture, (LEFT, y_of(0.0)), (WIDTH - 20, y_of(0.0)), INK)
    for row, (word, value_ms) in enumerate(marks.items()):
        cv2.line(picture, (x_of(value_ms), TOP - 8), (x_of(value_ms), y_of(0.0)), MARK)
        _write(picture, word, (min(x_of(value_ms) + 4, WIDTH - 160), TOP + 6 + 18 * row), MARK)
    _write(picture, title, (LEFT, 22), INK)
    _write(picture, "ms", (WIDTH - 40, HEIGHT - 4), INK)
    return picture


def draw_memory(looks: Sequence[tuple[int, float]], title: str) -> NDArray[np.uint8]:
    """Draw memory over the parts of a run, from nothing up.

    Args:
        looks: parts so far and memory [MB]; at least one.
        title: written above, ASCII.

    Returns:
        BGR, shape (420, 960, 3).
    """
    end_parts = max([parts for parts, _ in looks] + [1])
    end_mb = 1.1 * max(mb for _, mb in looks)
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)

    def at(parts: float, mb: float) -> tuple[int, int]:
        x = LEFT + round((WIDTH - LEFT - 20) * parts / end_parts)
        return x, HEIGHT - BOTTOM - round((HEIGHT - BOTTOM - TOP) * mb / end_mb)

    for mb in np.arange(0.0, end_mb, _round_step(end_mb)):
        cv2.line(picture, at(0, mb), at(end_parts, mb), GRID)
        _write(picture, f"{mb:g}", (8, at(0, mb)[1] + 5), INK)
    for parts in np.arange(0.0, end_parts, _round_step(end_parts)):
        _write(picture, f"{parts:g}", (at(parts, 0)[0] - 10, HEIGHT - 22), INK)
    line = np.array([at(parts, mb) for parts, mb in looks], np.int32)
    cv2.polylines(picture, [line], False, BAR, 2, cv2.LINE_AA)
    _write(picture, f"{title}: MB over parts", (LEFT, 22), INK)
    return picture


def _round_step(end: float) -> float:
    """Give a step of 1, 2 or 5 times a power of ten of which five to twelve fit."""
    power = 10.0 ** np.floor(np.log10(end / 5))
    return float(power * max(step for step in (1, 2, 5) if step * power <= end / 5))


def _write(picture: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
