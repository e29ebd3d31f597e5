"""What can be wrong with the surface of a turned casting, drawn into its lit scene.

Every defect draws its place and shape from its generator in the same order whatever its severity, so that the same
defect can be seen faint or plain. Severity runs from above 0 to 1; size and contrast grow with it together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.castings.picture import SIDE_PX, Plane32, Scene

FINER: Final = 4
"""Lines are drawn this many times larger and averaged down, for widths below a pixel."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of the scene around a place.

    Attributes:
        light: view into the scene, shape (rows, columns); writing to it writes the scene.
        dx: distance from the place to the right [px], shape (1, columns).
        dy: distance downwards [px], shape (rows, 1).
        cover: share of each pixel that the casting covers, shape (rows, columns).
        rows: where it is in the picture.
        columns: where it is in the picture.
    """

    light: Plane32
    dx: Plane32
    dy: Plane32
    cover: Plane32
    rows: slice
    columns: slice

    @classmethod
    def around(cls, scene: Scene, x: float, y: float, reach: float) -> Patch:
        """Cut out the pixels within `reach` [px] of (x, y), as far as the picture goes."""
        rows = slice(max(int(y - reach), 0), min(int(y + reach) + 2, SIDE_PX))
        columns = slice(max(int(x - reach), 0), min(int(x + reach) + 2, SIDE_PX))
        across = np.arange(columns.start, columns.stop, dtype=np.float32)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        pose, look = scene.pose, scene.look
        radius = np.hypot(across - np.float32(pose.x_px), down - np.float32(pose.y_px))
        cover = _soft(look.outer_px * pose.scale - radius) * _soft(radius - look.inner_px * pose.scale)
        light = scene.light[rows, columns]
        return cls(light, across - np.float32(x), down - np.float32(y), cover, rows, columns)


def scratch(scene: Scene, severity: float, rng: np.random.Generator) -> None:
    """Draw a scratch across the turning marks: mostly a bright score with a dark burr beside it, sometimes dark."""
    look = scene.look
    place = scene.place(rng.uniform(look.inner_px + 12, look.outer_px - 12), angle := rng.uniform(0, 2 * np.pi))
    heading = angle + np.pi / 2 + rng.uniform(0.45, np.pi - 0.45)
    bend, full_px, weight = rng.uniform(-0.5, 0.5), rng.uniform(50.0, 150.0), rng.uniform(0.8, 1.2)
    sign = 1.0 if rng.random() < 0.7 else -1.0
    along = np.linspace(-0.5, 0.5, 16)
    course = heading + bend * along + 0.05 * rng.standard_normal(16)
    length_px = full_px * (0.4 + 0.6 * severity)
    steps = np.stack([np.cos(course), np.sin(course)], axis=1) * (length_px / 16)
    points = np.cumsum(steps, axis=0)
    points += np.array(place) - points[8]
    widths = (0.5 + 1.3 * severity) * weight * (1 - 1.6 * along**2)
    patch, score = _stroke(scene, points, widths)
    burr = np.roll(score, (1, 1) if rng.random() < 0.5 else (-1, 1), axis=(0, 1))
    contrast = sign * (0.05 + 0.6 * severity)
    patch.light[:] *= 1 + np.float32(contrast) * (score - np.float32(0.45) * burr) * patch.cover


def pit(scene: Scene, severity: float, rng: np.random.Generator) -> None:
    """Draw one to three open blowholes: dark, the wall under the lamp darker, the far rim catching the light."""
    look = scene.look
    radius_px, angle = rng.uniform(look.inner_px + 14, look.outer_px - 14), rng.uniform(0, 2 * np.pi)
    lamp_x, lamp_y = np.float32(np.cos(look.lamp_rad)), np.float32(np.sin(look.lamp_rad))
    count = int(rng.integers(1, 4))
    for k in range(count):
        size_px = (1.0 + 6.5 * severity) * rng.uniform(0.75, 1.0) * 0.65**k
        apart = (0.0, 0.0) if k == 0 else (rng.uniform(-16.0, 16.0), rng.uniform(-0.12, 0.12))
        x, y = scene.place(radius_px + apart[0], angle + apart[1])
        patch = Patch.around(scene, x, y, 2 * size_px + 5)
        out = _outline(patch, size_px, rng)
        inside = _soft(-out)
        toward = np.clip((patch.dx * lamp_x + patch.dy * lamp_y) / np.float32(size_px), -1, 1)
        dark = (0.3 + 0.45 * severity) * inside * (1 + np.float32(0.25) * toward)
        rim = np.exp(-((out - np.float32(0.5)) ** 2)) * np.maximum(-toward, 0) * np.float32(0.15 + 0.45 * severity)
        patch.light[:] *= 1 + (rim - dark) * patch.cover


def stain(scene: Scene, severity: float, rng: np.random.Generator) -> None:
    """Lay a film of rust or dried coolant: brown, uneven, darker along its outline where it dried last."""
    look = scene.look
    x, y = scene.place(rng.uniform(look.inner_px, look.outer_px), rng.uniform(0, 2 * np.pi))
    size_px = rng.uniform(28.0, 62.0) * (0.5 + 0.5 * severity)
    patch = Patch.around(scene, x, y, 1.5 * size_px)
    cloud = _cloud(rng, patch, 7)
    thick = 1 - (patch.dx**2 + patch.dy**2) / np.float32(size_px**2) + np.float32(0.45) * cloud
    film = np.clip(2 * thick, 0, 1) * (np.float32(0.65) + np.float32(0.12) * cloud) + np.float32(0.4) * np.exp(
        -((thick / np.float32(0.14)) ** 2)
    )
    film = np.clip(film, 0, 1) * patch.cover * np.float32(0.08 + 0.92 * severity)
    scene.film = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
    scene.film[patch.rows, patch.columns] = film[:, :, None] * np.array([0.72, 0.52, 0.36], np.float32)


def edge_chip(scene: Scene, severity: float, rng: np.random.Generator) -> None:
    """Break a piece out of the outer edge or the bore: a dull grainy fracture, and belt where nothing is left."""
    look = scene.look
    at_bore, angle = rng.random() < 0.35, rng.uniform(0, 2 * np.pi)
    edge_px, inward = (look.inner_px, 1.0) if at_bore else (look.outer_px, -1.0)
    size_px = (2.5 + 15.0 * severity) * rng.uniform(0.8, 1.1)
    x, y = scene.place(edge_px + inward * 0.25 * size_px, angle)
    patch = Patch.around(scene, x, y, 2.4 * size_px + 5)
    out = _outline(patch, size_px, rng)
    facets = _cloud(rng, patch, max(4, int(1.6 * size_px)))
    depth = inward * (patch.dx * np.float32(np.cos(angle)) + patch.dy * np.float32(np.sin(angle)))
    gone = _soft(np.float32(-0.1 * size_px) - depth + np.float32(0.08 * size_px) * facets)
    broken = np.float32(look.face) * (np.float32(0.5) + np.float32(0.12) * facets)
    ridge = np.exp(-((out / np.float32(1.3)) ** 2)) * np.float32(0.35 * look.face)
    left = np.maximum(broken * (1 - gone) + np.float32(0.6 * look.belt) * gone, 0)
    inside = _soft(-out) * patch.cover
    patch.light[:] *= 1 - inside
    patch.light[:] += left * inside + ridge * patch.cover * (1 - gone) * np.float32(severity)


def open_crack(scene: Scene, severity: float, rng: np.random.Generator) -> None:
    """Draw a crack that has reached the surface: a thin dark jagged line from an edge into the face."""
    look = scene.look
    from_bore, angle = rng.random() < 0.6, rng.uniform(0, 2 * np.pi)
    edge_px, heading = (look.inner_px, angle) if from_bore else (look.outer_px, angle + np.pi)
    length_px = (look.outer_px - look.inner_px) * rng.uniform(0.75, 0.95) * (0.3 + 0.7 * severity)
    course = heading + rng.uniform(-0.35, 0.35) + 0.45 * rng.standard_normal(24)
    steps = np.stack([np.cos(course), np.sin(course)], axis=1) * (length_px / 24)
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]) + np.array(scene.place(edge_px, angle))
    widths = (0.55 + 1.0 * severity) * np.linspace(1.0, 0.35, 25) * rng.uniform(0.85, 1.15, 25)
    patch, line = _stroke(scene, points, widths)
    patch.light[:] *= 1 - np.float32(0.2 + 0.6 * severity) * line * patch.cover


def _soft(inside_px: NDArray[np.float32]) -> Plane32:
    """Give the share of a pixel inside an edge that lies `inside_px` from its centre."""
    share: Plane32 = np.clip(inside_px + np.float32(0.5), 0, 1).astype(np.float32, copy=False)
    return share


def _outline(patch: Patch, size_px: float, rng: np.random.Generator) -> Plane32:
    """Give the distance outside an irregular closed outline of mean radius `size_px` [px]; negative inside."""
    angle = np.arctan2(patch.dy, patch.dx)
    bumps = np.ones_like(angle)
    for waves in (2, 3, 5):
        bumps += np.float32(rng.uniform(0.06, 0.3) / waves) * np.cos(waves * angle + np.float32(rng.uniform(0, 6.3)))
    out: Plane32 = np.hypot(patch.dx, patch.dy) - np.float32(size_px) * bumps
    return out


def _cloud(rng: np.random.Generator, patch: Patch, cells: int) -> Plane32:
    """Give smooth noise over the patch, standard deviation about 1, `cells` cells to a side."""
    grid = rng.standard_normal((cells, cells), dtype=np.float32)
    rows, columns = patch.light.shape
    cloud: Plane32 = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_CUBIC).astype(np.float32, copy=False)
    return cloud


def _stroke(scene: Scene, points: NDArray[np.float64], widths: NDArray[np.float64]) -> tuple[Patch, Plane32]:
    """Draw a line through points (n, 2) with a width at each [px]; give its patch and its share of each pixel."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2, float((high - low).max()) / 2 + 4
    patch = Patch.around(scene, float(middle[0]), float(middle[1]), reach)
    rows, columns = patch.light.shape
    canvas = np.zeros((rows * FINER, columns * FINER), np.uint8)
    corner = np.array([patch.columns.start, patch.rows.start])
    fine = np.rint((points - corner + 0.5) * FINER).astype(int).tolist()
    for start, end, width in zip(fine[:-1], fine[1:], widths[1:], strict=True):
        cv2.line(canvas, start, end, (255,), max(1, round(width * FINER)))
    share = cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    return patch, share * np.float32(1 / 255)
