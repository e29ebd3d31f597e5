"""Steel surfaces and bearing vibration, *artificially paired*: a real picture and a real recording that never met.

No public set pairs pictures and vibration in useful numbers. This one is only to show that a model uses both; every
figure from it must be called artificially paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from models.castings import NORMAL
from models.workshop.data.bearings import CwruData
from models.workshop.data.folder import FolderData
from models.workshop.data.sample import IMAGE, VIBRATION, Entry, Sample, ordered_classes
from models.workshop.data.split import SHARES, split
from models.workshop.data.survey import survey
from models.workshop.errors import WorkshopError

RESIDUE: Final = ""
SURFACES: Final[Mapping[str, str]] = {
    "iron_sheet_ash": RESIDUE,
    "oxide_scale_of_plate_system": RESIDUE,
    "oxide_scale_of_temperature_system": RESIDUE,
    "red_iron": RESIDUE,
    "slag_inclusion": "slag",
    "surface_scratch": "scratch",
    "finishing_roll_printing": "roll_print",
}
"""What the picture adds to the label. Scale, ash and red scale lie on the strip and are pickled off; the rest stays."""

BEARING: Final = "bearing"
"""What a damaged bearing adds to the label, wherever and however badly it is damaged."""

LOAD_HP: Final = "0"
"""Load of the only healthy recording; with others in it, the speed of the shaft would tell a damaged bearing."""


class SteelData:
    """Pictures of X-SDD with windows of CWRU; eight classes that need both.

    The label is what is wrong: `slag`, `scratch` or `roll_print` on the surface, the `bearing` of the stand, both
    (`slag_and_bearing`, …), or nothing (`good`: residue that is pickled off, and a healthy bearing). Every picture is
    there twice, once with a healthy and once with a damaged bearing, and windows are drawn without looking at the
    surface. So the picture alone says nothing about the bearing (recall over all classes at most 1/2), and the
    vibration alone nothing about the surface (at most 1/4).

    Runs of pictures and bearings are shared out first and paired inside each side; so a split with the same shares
    gives these sides back, and one with others cannot be finer. Every side hears each kind of damage, of bearings of
    its own: with three sides that is one bearing of a kind. Of the one healthy bearing there is, a small side has only
    a dozen or two windows, and uses each several times with other pictures. All recordings are of the same load.

    Args:
        pictures: the folder of X-SDD, with its seven classes.
        recordings: the folder of CWRU.
        shares: of the samples of each class that a side gets.
        seed: of the sides and the pairs.

    Attributes:
        unusable: pictures that could not be read, and why.

    Raises:
        WorkshopError: a folder is missing, holds other classes, or has too few things for the sides.
    """

    name = "X-SDD and CWRU, artificially paired"
    licence = "X-SDD: Apache-2.0; CWRU: not stated"

    def __init__(
        self, pictures: Path, recordings: Path, *, shares: Mapping[str, float] = SHARES, seed: int = 0
    ) -> None:
        self._pictures, self._recordings = FolderData(pictures), CwruData(recordings)
        if wrong := sorted({*self._pictures.classes} ^ {*SURFACES}):
            raise WorkshopError(
                f"{pictures}: not the seven classes of X-SDD, {', '.join(wrong)} missing or too many",
                hint="name the folder of X-SDD",
            )
        found = survey(self._pictures, self._pictures.entries)
        self.unusable = found.unusable
        seen = [replace(entry, label=_label(SURFACES[entry.label], NORMAL)) for entry in found.usable]
        seen_sides = split(seen, shares, seed=seed, prints=found.prints)
        heard = [entry for entry in self._recordings.entries if entry.traits["load_hp"] == LOAD_HP]
        heard_sides = split(heard, shares, seed=seed)
        self._originals = {entry.key: entry for entry in (*self._pictures.entries, *heard)}
        self._pairs: dict[str, tuple[Entry, Entry]] = {}
        rng = np.random.default_rng((seed, 1))
        for side in shares:
            for picture, window in _pairs(seen_sides[side], heard_sides[side], rng):
                originals = self._originals[picture.key], self._originals[window.key]
                self._pairs[f"{picture.key} + {window.key}"] = originals
        self.entries = tuple(_entry(key, *pair) for key, pair in sorted(self._pairs.items()))
        self.classes = ordered_classes(entry.label for entry in self.entries)

    @property
    def shows(self) -> Mapping[str, tuple[bool, bool]]:
        """Say of each class whether it differs from `good` in the picture and in the vibration."""
        return {
            _label(surface, state): (surface != RESIDUE, state != NORMAL)
            for surface, state in product(SURFACES.values(), (NORMAL, BEARING))
        }

    def load(self, entry: Entry) -> Sample:
        """Read one sample; raises `BadSample` where its picture cannot be used."""
        picture, window = self._pairs[entry.key]
        heard = self._recordings.load(window)
        return Sample(entry, self._pictures.load(picture).picture, heard.samples, heard.rate_hz)


def _label(surface: str, state: str) -> str:
    """Give the label of a surface's part of it and the state of a bearing."""
    return "_and_".join(part for part in (surface, BEARING if state != NORMAL else "") if part) or NORMAL


def _pairs(
    pictures: Sequence[Entry], windows: Sequence[Entry], rng: np.random.Generator
) -> Iterator[tuple[Entry, Entry]]:
    """Pair every picture with a window of each state of the bearing, using all windows of a state equally often."""
    for healthy in (True, False):
        of_state = [window for window in windows if (window.label == NORMAL) == healthy]
        order = rng.permutation(len(of_state))
        for i, number in enumerate(rng.permutation(len(pictures))):
            yield pictures[number], of_state[order[i % len(order)]]


def _entry(key: str, picture: Entry, window: Entry) -> Entry:
    traits = {"surface": picture.label, "bearing": window.label, **window.traits}
    things = picture.things + window.things
    return Entry(key, _label(SURFACES[picture.label], window.label), things, (IMAGE, VIBRATION), traits)
