"""The simulated line as the parts of a feed: castings in sequence, each with its truth.

The castings themselves are `models.castings`; here they only get the times at which a real line would deliver them.
"""

from __future__ import annotations

from typing import Final

from edge_agent.sources.schedule import Material
from models.castings import CastingLine

FRAME_OFFSET_S: Final = 0.010
"""Mid-exposure after the trigger [s]: the same edge fires the camera, which waits until the strike has died away."""


class SimLine:
    """The supply of simulated castings. Its count goes on where it stopped, and the line with it.

    Args:
        line: makes the castings.
        parts_per_s: pace of the line [1/s]; None: as fast as the station answers.
        parts: parts in one run; 0 for no end.
    """

    name = "simline"
    counts_anew = False
    unusable = 0

    def __init__(self, line: CastingLine, parts_per_s: float | None, parts: int = 0) -> None:
        self._line = line
        self._parts_per_s = parts_per_s
        self._parts = parts
        self._first = 1
        self._taken = 0

    def open(self, first: int) -> None:
        """Go to the casting with number `first`."""
        self._first = first
        self._taken = 0

    def take(self) -> Material | None:
        """Give the next casting; None after the last."""
        if self._parts and self._taken == self._parts:
            return None
        casting = self._line.part(self._first + self._taken)
        due_s = None if self._parts_per_s is None else self._taken / self._parts_per_s
        self._taken += 1
        return Material(due_s, casting.image, FRAME_OFFSET_S, casting.samples, casting.rate_hz, casting.truth)
