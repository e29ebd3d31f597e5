"""The simulated line as a source of samples: castings of many designs, drawn when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np

from models.castings import CLASSES, NORMAL, CastingLine
from models.castings.line import LIMIT
from models.workshop.data.sample import IMAGE, VIBRATION, Entry, Sample, ordered_classes, refuse_single_examples
from models.workshop.errors import WorkshopError

LINES_HELD: Final = 8
"""A design takes 0.1 s to draw and 9 MB to keep; entries come design by design."""


class CastingsData:
    """Examples of every class of some designs; every casting is a thing of its own.

    Severities are distributed as on the line: P(severity < s) = s^2. Everything follows from the seed. Designs that
    nobody learns from are another `CastingsData`, or held out by their trait `design`.

    Args:
        designs: which ones; 0 is the demonstration's.
        examples: castings of each class of a design.
        seed: names the line; other seeds make other castings of the same designs.

    Raises:
        WorkshopError: no design, a design twice, or a number that is out of range.
    """

    licence = "Apache-2.0"

    def __init__(self, designs: Iterable[int], examples: int, seed: int) -> None:
        chosen = tuple(designs)
        if len(set(chosen)) < len(chosen):
            raise WorkshopError(f"designs must differ, got {chosen}")
        if wrong := [str(word) for word in (seed, *chosen) if not 0 <= word < LIMIT]:
            raise WorkshopError(f"seed and designs must be from 0 to {LIMIT - 1}, got {', '.join(wrong)}")
        self.name = f"castings of {len(chosen)} designs, seed {seed}"
        self._line = lru_cache(maxsize=LINES_HELD)(lambda design: CastingLine(seed, design=design))
        self._made: dict[str, tuple[int, int, float]] = {}
        entries = [self._entry(seed, d, slug, i) for d in chosen for slug in CLASSES for i in range(examples)]
        refuse_single_examples(entries, "castings")
        self.entries = tuple(entries)
        self.classes = ordered_classes(CLASSES)

    def load(self, entry: Entry) -> Sample:
        """Cast one."""
        design, index, severity = self._made[entry.key]
        casting = self._line(design).example(entry.label, index, severity)
        return Sample(entry, casting.image, casting.samples, casting.rate_hz)

    def _entry(self, seed: int, design: int, slug: str, index: int) -> Entry:
        share = 1.0 - np.random.default_rng((seed, design, CLASSES.index(slug), index)).random()
        severity = 0.0 if slug == NORMAL else float(share**0.5)
        key = f"design {design} {slug} {index}"
        self._made[key] = design, index, severity
        traits = {"design": str(design), "severity": f"{severity:.3f}"}
        return Entry(key, slug, (key,), (IMAGE, VIBRATION), traits)
