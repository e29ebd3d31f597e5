"""Procedural pictures of imaginary production lines: surfaces, workpieces and defects, drawn from a seed.

They teach the generic bundle which directions of the feature space tell classes apart and which only vary, so that
no real picture takes part in fitting it. A line is one surface with a handful of classes; its pictures vary as a
camera's do. Nothing here imitates a particular data set, and nothing of it runs on a station.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.workshop.flaws import FLAWS, Flaw, Place
from models.workshop.surfaces import PATTERNS, Plane, Surface, grid, noise

SIZES_PX: Final = (128, 160, 224, 320)
"""Sides of the square pictures of different lines: cameras see at different scales."""

GOOD: Final = "good"


@dataclass(frozen=True)
class TextureLine:
    """One imaginary line: a surface, the outline of the workpiece, and its classes.

    Attributes:
        seed: what it was drawn from; the same seed gives the same pictures.
        size_px: side of its pictures [pixels].
        surface: the good surface.
        grey: mean brightness, 0 to 1.
        tint: what multiplies blue, green and red.
        outline: `none` (the surface fills the picture), `disc`, `ring` or `plate`.
        flaws: name and look of each defect class; `good` is a class too and is not listed.
    """

    seed: int
    size_px: int
    surface: Surface
    grey: float
    tint: tuple[float, float, float]
    outline: str
    flaws: tuple[tuple[str, Flaw], ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, good first."""
        return (GOOD, *(name for name, _ in self.flaws))

    def picture(self, class_index: int, number: int) -> NDArray[np.uint8]:
        """Draw one part.

        Args:
            class_index: position in `classes`.
            number: which part of that class; another number is another part.

        Returns:
            BGR picture, shape (size_px, size_px, 3), uint8.
        """
        rng = np.random.default_rng((self.seed, class_index, number))
        size = self.size_px
        plane = self.surface.contrast * PATTERNS[self.surface.kind](rng, size, self.surface)
        plane = plane + self.surface.mottle * noise(rng, size, size / 6, size / 6)
        mask, place_at = _outline(rng, size, self.outline)
        if class_index > 0:
            flaw = self.flaws[class_index - 1][1]
            x, y = place_at
            degrees = rng.uniform(0, 180) if flaw.degrees is None else flaw.degrees + rng.normal(0, 8)
            place = Place(x, y, size * flaw.length * rng.lognormal(0, 0.3), degrees)
            strength = flaw.tone * rng.uniform(0.6, 1.2)
            plane = plane + strength * FLAWS[flaw.kind](rng, size, place, flaw)
        ramp_x, ramp_y = grid(size)
        light = 1.0 + rng.normal(0, 0.08) * (ramp_x / size - 0.5) + rng.normal(0, 0.08) * (ramp_y / size - 0.5)
        plane = (self.grey + plane) * light * rng.normal(1.0, 0.04)
        plane = plane * mask + 0.12 * (1.0 - mask)
        picture = plane[:, :, None] * np.asarray(self.tint, np.float32)
        picture = picture + rng.normal(0, 0.012, (size, size, 1))
        return np.clip(picture * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _outline(rng: Generator, size: int, outline: str) -> tuple[Plane, tuple[float, float]]:
    """Give the workpiece's mask in this pose and a random place on it."""
    cx, cy = size / 2 + rng.normal(0, size * 0.015, 2)
    x, y = grid(size)
    turn, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
    if outline == "none":
        return np.ones((size, size), np.float32), (rng.uniform(0.1, 0.9) * size, rng.uniform(0.1, 0.9) * size)
    if outline == "plate":
        inside = np.maximum(np.abs(x - cx), np.abs(y - cy)) < 0.42 * size
        at = (cx + rng.uniform(-0.35, 0.35) * size, cy + rng.uniform(-0.35, 0.35) * size)
    else:
        inner = 0.2 if outline == "ring" else 0.0
        radius = np.hypot(x - cx, y - cy)
        inside = (radius < 0.44 * size) & (radius >= inner * size)
        r = (inner + (0.42 - inner) * reach) * size
        at = (cx + r * np.cos(turn), cy + r * np.sin(turn))
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.8)
    return np.asarray(soft, np.float32), (float(at[0]), float(at[1]))


def draw_line(seed: int, flaw_classes: int = 6) -> TextureLine:
    """Draw one line from a seed.

    Args:
        seed: any non-negative number.
        flaw_classes: how many defect classes it has beside `good`; kinds repeat only when all were used.

    Returns:
        The line.
    """
    rng = np.random.default_rng((seed, 7919))
    surface = Surface(
        kind=str(rng.choice(list(PATTERNS))),
        grain_px=float(rng.lognormal(0.3, 0.5)),
        stretch=float(rng.uniform(2, 30)),
        degrees=float(rng.choice([0.0, 90.0, rng.uniform(0, 180)])),
        contrast=float(rng.lognormal(-3.4, 0.6)),
        mottle=float(rng.lognormal(-4.2, 0.6)),
    )
    flaws = []
    kinds = rng.permutation(list(FLAWS))
    for i in range(flaw_classes):
        kind = str(kinds[i % len(kinds)])
        flaw = Flaw(
            kind=kind,
            tone=float(rng.choice([-1, -1, 1]) * rng.uniform(0.12, 0.4)),
            length=float(rng.lognormal(-1.7, 0.5)),
            width=float(rng.uniform(0.2, 1.0)),
            degrees=None if rng.random() < 0.4 else float(rng.choice([0.0, 90.0, rng.uniform(0, 180)])),
            ragged=float(rng.uniform(0, 1)),
        )
        flaws.append((f"{kind}_{i}", flaw))
    tint = 1.0 + rng.normal(0, 0.08, 3) * (rng.random() < 0.4)
    return TextureLine(
        seed=seed,
        size_px=int(rng.choice(SIZES_PX)),
        surface=surface,
        grey=float(rng.uniform(0.3, 0.7)),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        outline=str(rng.choice(["none", "none", "none", "disc", "ring", "plate"])),
        flaws=tuple(flaws),
    )
