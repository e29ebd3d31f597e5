"""What can be wrong with a surface of an imaginary line: shapes drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from models.workshop.surfaces import Plane, grid, noise, turned


@dataclass(frozen=True)
class Flaw:
    """How one class of defect looks on one line.

    Attributes:
        kind: name of the shape, a key of `FLAWS`.
        tone: what it adds to the grey; negative is darker.
        length: its length as a share of the picture's side.
        width: its width as a share of its length.
        degrees: its direction, or None where any direction occurs.
        ragged: how torn its border is, 0 to 1.
    """

    kind: str
    tone: float
    length: float
    width: float
    degrees: float | None
    ragged: float


@dataclass(frozen=True)
class Place:
    """Where one defect lies in one picture: centre and length [pixels], direction [degrees]."""

    x: float
    y: float
    length: float
    degrees: float


def _ellipse(size: int, place: Place, width: float) -> Plane:
    """Give the distance to the centre of an ellipse in units of its half axes."""
    x, y = grid(size)
    turn = np.deg2rad(place.degrees)
    u = (x - place.x) * np.cos(turn) + (y - place.y) * np.sin(turn)
    v = -(x - place.x) * np.sin(turn) + (y - place.y) * np.cos(turn)
    return np.asarray(np.hypot(u / (place.length / 2 + 0.5), v / (place.length * width / 2 + 0.5)), np.float32)


def _patch(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    border = 1.0 + flaw.ragged * 0.6 * noise(rng, size, 2.0, 2.0)
    return np.asarray(np.clip((border - _ellipse(size, place, flaw.width)) * 4.0, 0, 1), np.float32)


def _scratch(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    turn, bend = np.deg2rad(place.degrees), rng.normal(0, 0.12)
    t = np.linspace(-0.5, 0.5, 24)
    along, across = t * place.length, bend * place.length * (t**2 - 0.08)
    points = np.stack(
        [
            place.x + along * np.cos(turn) - across * np.sin(turn),
            place.y + along * np.sin(turn) + across * np.cos(turn),
        ],
        axis=1,
    )
    mask = np.zeros((size, size), np.float32)
    thick = max(1, round(size * 0.02 * flaw.width))
    cv2.polylines(mask, [np.rint(points * 8).astype(np.int32)], False, 1.0, thick, cv2.LINE_8, 3)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6), np.float32)
    return np.asarray(mask * (1.0 - flaw.ragged * (noise(rng, size, 4, 4) > 0.3)), np.float32)


def _crack(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    mask = np.zeros((size, size), np.float32)
    for branch in range(1 + rng.poisson(1.0)):
        steps = max(6, int(place.length / 5))
        headings = np.deg2rad(place.degrees) + np.cumsum(rng.normal(0, 0.35, steps)) + 0.6 * branch
        stride = place.length / steps
        path = np.stack([place.x + np.cumsum(np.cos(headings)) * stride,
                         place.y + np.cumsum(np.sin(headings)) * stride], axis=1)  # fmt: skip
        cv2.polylines(mask, [np.rint(path * 8).astype(np.int32)], False, 1.0, 1 + (branch == 0), cv2.LINE_8, 3)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.5), np.float32)


def _pit(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    distance = _ellipse(size, place, max(flaw.width, 0.6))
    hole = np.clip((1.0 - distance) * 3.0, 0, 1)
    rim = np.exp(-(((distance - 1.25) / 0.2) ** 2))
    return np.asarray(hole - 0.5 * rim, np.float32)


def _stain(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    blot = np.exp(-(_ellipse(size, place, max(flaw.width, 0.4)) ** 2))
    return np.asarray(blot * (1.0 + 0.5 * flaw.ragged * noise(rng, size, 5, 5)), np.float32)


def _cluster(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    mask = np.zeros((size, size), np.float32)
    turn, count = np.deg2rad(place.degrees), 8 + rng.poisson(14)
    for u, v in rng.normal(0, 1, (count, 2)) * (place.length, place.length * flaw.width):
        centre = (int(place.x + u * np.cos(turn) - v * np.sin(turn)),
                  int(place.y + u * np.sin(turn) + v * np.cos(turn)))  # fmt: skip
        small = max(1.0, size * 0.012 * rng.lognormal(0, 0.4))
        cv2.ellipse(mask, centre, (int(small * (1 + 2 * flaw.ragged)), int(small)), place.degrees, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.6), np.float32)


def _scattered(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    wide = Place(size / 2, size / 2, size * 0.3, place.degrees)
    return _cluster(rng, size, wide, Flaw(flaw.kind, flaw.tone, 1.0, 1.0, flaw.degrees, flaw.ragged))


def _inclusion(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    inside = _patch(rng, size, place, Flaw(flaw.kind, flaw.tone, flaw.length, flaw.width * 0.5, flaw.degrees, 0.8))
    return np.asarray(inside * (0.6 + 0.7 * noise(rng, size, 1.2, 1.2)), np.float32)


def _dent(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    bowl = np.exp(-(_ellipse(size, place, max(flaw.width, 0.5)) ** 2) * 2)
    shade = cv2.Sobel(np.asarray(bowl, np.float32), cv2.CV_32F, 1, 0) * place.length / 8
    return np.asarray(shade, np.float32)


def _mark(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    """A straight line across the whole picture, as a roll or a guide leaves it."""
    return _scratch(rng, size, Place(place.x, place.y, size * 3.0, place.degrees), flaw)


def _streaks(rng: Generator, size: int, place: Place, flaw: Flaw) -> Plane:
    field = turned(noise(rng, size, place.length / 3, 1.0 + 2.0 * flaw.width), place.degrees)
    return np.asarray(np.maximum(field - 1.2, 0) * (0.4 + 0.6 * (flaw.ragged > 0.5)), np.float32)


FLAWS: Final[dict[str, Callable[[Generator, int, Place, Flaw], Plane]]] = {
    "patch": _patch,
    "scratch": _scratch,
    "crack": _crack,
    "pit": _pit,
    "stain": _stain,
    "cluster": _cluster,
    "scattered": _scattered,
    "inclusion": _inclusion,
    "dent": _dent,
    "mark": _mark,
    "streaks": _streaks,
}
