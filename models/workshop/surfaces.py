"""What good surfaces of imaginary lines look like: patterns drawn from a seed, nothing that imitates a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""A picture plane, shape (size, size), grey 0 to 1 unless said otherwise."""


def noise(rng: Generator, size: int, blur_x: float, blur_y: float) -> Plane:
    """Give Gaussian noise blurred by two widths [pixels], of zero mean and unit deviation."""
    field = rng.standard_normal((size, size), dtype=np.float32)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), max(blur_x, 0.3), sigmaY=max(blur_y, 0.3)), np.float32)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), np.float32)


def turned(plane: Plane, degrees: float) -> Plane:
    """Turn a plane about its middle; what comes in at the border is mirrored."""
    size = plane.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(plane, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.float32)


def grid(size: int) -> tuple[Plane, Plane]:
    """Give the column and the row number of every pixel."""
    axis = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


@dataclass(frozen=True)
class Surface:
    """What one line's good surface looks like.

    Attributes:
        kind: name of the pattern, a key of `PATTERNS`.
        grain_px: its finest scale [pixels].
        stretch: how much longer than wide the grain is.
        degrees: direction of the grain.
        contrast: deviation of the pattern [grey].
        mottle: deviation of the slow unevenness under it [grey].
    """

    kind: str
    grain_px: float
    stretch: float
    degrees: float
    contrast: float
    mottle: float


def _rolled(rng: Generator, size: int, s: Surface) -> Plane:
    return turned(noise(rng, size, s.grain_px * s.stretch, s.grain_px), s.degrees)


def _cast(rng: Generator, size: int, s: Surface) -> Plane:
    octaves = [noise(rng, size, s.grain_px * 2**i, s.grain_px * 2**i) / 1.6**i for i in range(3)]
    return np.asarray(sum(octaves) / 1.25, np.float32)


def _grooved(rng: Generator, size: int, s: Surface) -> Plane:
    x, _ = grid(size)
    drift = noise(rng, size, size / 8, size / 4) * 0.8
    wave = np.sin(2 * np.pi * x / (3.0 * s.grain_px + 3.0) + drift + rng.uniform(0, 6.28))
    return turned(np.asarray(wave + 0.4 * noise(rng, size, 0.6, 4.0), np.float32), s.degrees)


def _turned_face(rng: Generator, size: int, s: Surface) -> Plane:
    x, y = grid(size)
    cx, cy = size * (0.5 + 0.3 * np.cos(s.degrees)), size * (0.5 + 0.3 * np.sin(s.degrees))
    radius = np.hypot(x - cx + rng.normal(0, 2), y - cy + rng.normal(0, 2))
    return np.asarray(np.sin(2 * np.pi * radius / (3.0 * s.grain_px + 3.0)) + 0.5 * noise(rng, size, 1, 1), np.float32)


def _cells(rng: Generator, size: int, s: Surface) -> Plane:
    step = max(int(4 * s.grain_px + 5), 6)
    count = (size // step + 2) ** 2
    points = rng.uniform(0, size, (count, 2)).astype(int)
    seeds = np.full((size, size), 255, np.uint8)
    seeds[points[:, 1], points[:, 0]] = 0
    distance = cv2.distanceTransform(seeds, cv2.DIST_L2, 3)
    return np.asarray((distance - distance.mean()) / (distance.std() + 1e-6), np.float32)


def _woven(rng: Generator, size: int, s: Surface) -> Plane:
    x, y = grid(size)
    period = 4.0 * s.grain_px + 4.0
    wobble = noise(rng, size, size / 10, size / 10) * 0.5
    phase_x, phase_y = 2 * np.pi * x / period + wobble, 2 * np.pi * y / (period * s.stretch**0.3) + wobble
    weave = np.where(np.sin(phase_x / 2) * np.sin(phase_y / 2) > 0, np.sin(phase_x), np.sin(phase_y))
    return turned(np.asarray(weave + 0.3 * noise(rng, size, 0.7, 0.7), np.float32), s.degrees)


def _speckled(rng: Generator, size: int, s: Surface) -> Plane:
    field = noise(rng, size, s.grain_px, s.grain_px)
    return np.asarray(np.maximum(np.abs(field) - 1.3, 0) * np.sign(field) * 2.0, np.float32)


def _tiled(rng: Generator, size: int, s: Surface) -> Plane:
    x, y = grid(size)
    pitch = size / (2.0 + 8.0 / s.grain_px)
    gap = np.minimum(np.abs((x + rng.uniform(0, 9)) % pitch), np.abs((y + rng.uniform(0, 9)) % pitch))
    return np.asarray(-2.5 * (gap < 1.0 + 0.3 * s.grain_px) + 0.5 * noise(rng, size, 1, 1), np.float32)


def _plain(rng: Generator, size: int, s: Surface) -> Plane:
    return 0.3 * noise(rng, size, s.grain_px, s.grain_px)


PATTERNS: Final[dict[str, Callable[[Generator, int, Surface], Plane]]] = {
    "rolled": _rolled,
    "cast": _cast,
    "grooved": _grooved,
    "turned_face": _turned_face,
    "cells": _cells,
    "woven": _woven,
    "speckled": _speckled,
    "tiled": _tiled,
    "plain": _plain,
}
