"""The labelled pictures and windows that the generic bundle is fitted on: all of them drawn from seeds.

Imaginary lines (`textures`) and designs of the simulated casting other than the one that the demonstration shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.augment import AUGMENTATIONS, augment_picture, augment_vibration
from models.castings import CLASSES, CastingLine
from models.features import vibration_features
from models.source import VibrationSpec
from models.workshop.textures import draw_line

TEXTURE_LINES: Final = 60
TEXTURE_PICTURES: Final = 5
"""Pictures of each of a texture line's seven classes."""

DESIGNS: Final = tuple(range(1, 41))
"""Designs of the casting; 0 is the demonstration's and takes no part."""

EXAMPLES: Final = 6
"""Castings of each class of a design."""

LINE_SEED: Final = 100


@dataclass(frozen=True, eq=False)
class Thing:
    """One labelled thing.

    Attributes:
        line: which line it is from.
        class_index: which class of that line; 0 is good.
        picture: BGR, shape (h, w, 3), uint8.
        samples: acceleration [m/s^2], shape (n, 3); None where nobody listened.
        rate_hz: sample rate [Hz].
    """

    line: int
    class_index: int
    picture: NDArray[np.uint8]
    samples: NDArray[np.float32] | None = None
    rate_hz: float = 0.0


@dataclass(frozen=True, eq=False)
class Sources:
    """Source tensors of labelled things.

    Attributes:
        pictures: (1, 3, side, side) float32, one a thing, kept as the uint8 they were made of.
        windows: (n, F), NaN where there was no vibration.
        lines: shape (n,).
        classes: shape (n,).
    """

    pictures: list[NDArray[np.uint8]]
    windows: NDArray[np.float64]
    lines: NDArray[np.int64]
    classes: NDArray[np.int64]


def gather(things: Iterable[Thing], spec: VibrationSpec) -> Sources:
    """Make the source tensors of things; `spec` says how a window is looked at."""
    pictures, windows, lines, classes = [], [], [], []
    for thing in things:
        pictures.append(thing.picture)
        lines.append(thing.line)
        classes.append(thing.class_index)
        if thing.samples is not None:
            windows.append(vibration_features(thing.samples, thing.rate_hz, spec)[0])
    return Sources(pictures, np.array(windows, dtype=np.float64), np.array(lines), np.array(classes))


def textures(seed: int) -> Iterator[Thing]:
    """Draw the pictures of imaginary lines, each as one of its label-preserving variants."""
    for number in range(TEXTURE_LINES):
        line = draw_line(seed * TEXTURE_LINES + number)
        for class_index in range(len(line.classes)):
            for i in range(TEXTURE_PICTURES):
                picture = augment_picture(line.picture(class_index, i), i % AUGMENTATIONS)
                yield Thing(number, class_index, picture)


def castings(seed: int, *, only_good: bool) -> Iterator[Thing]:
    """Make castings of designs that nobody is shown, each as one of its label-preserving variants."""
    classes = CLASSES[:1] if only_good else CLASSES
    for design in DESIGNS:
        line = CastingLine(LINE_SEED + seed, design=design)
        for class_index, slug in enumerate(classes):
            for i in range(EXAMPLES):
                casting = line.example(slug, i)
                picture = augment_picture(casting.image, i % AUGMENTATIONS)
                samples = augment_vibration(casting.samples, i % AUGMENTATIONS)
                yield Thing(design, class_index, picture, samples, casting.rate_hz)
