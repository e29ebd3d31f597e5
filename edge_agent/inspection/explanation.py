"""Why a verdict: what every region, axis, moment and modality had to do with it; as a record, as text, as JSON.

It holds numbers and says them; they are made in `explain` and drawn in `heatmap`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.inspection.featureshares import FeatureShares

Floats = NDArray[np.float64]

MAP_ROWS: Final = 16
MAP_COLUMNS: Final = 20
"""The largest map in text; two characters a region, so that it leaves half of 80 columns to the rest."""

MARKS: Final = ((1.0, "█"), (0.5, "▓"), (0.25, "▒"), (0.1, "░"), (-0.1, "·"), (-0.5, "-"), (-np.inf, "="))
"""What a region that has this share of the scale or more looks like in text."""

WIDTH: Final = 80
STRONGEST: Final = 3
"""Features of the vibration that the text names."""


@dataclass(frozen=True)
class Neighbour:
    """A kept example that looks alike.

    Attributes:
        name: its, for people.
        distance: squared Mahalanobis distance to the part.
    """

    name: str
    distance: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """What made a part look like one class rather than another. Shares are positive for `label` [logit].

    Attributes:
        label: slug of the class in question; None for anything but `against`.
        against: slug of the class that it is held against.
        margin: logit of `label` minus logit of `against`; without a label half the squared distance to `against`.
        judged: the same of the embedding that the station judged, which is rounded.
        constant: what good parts have of the margin; the shares are what this part has more.
        residual: margin minus constant minus all shares: rounding.
        modalities: share of each modality.
        grid: share of each region of the picture, (rows, columns); None where there are no regions.
        vibration: share of each axis, or of each moment by its time [ms]; empty where there are none.
        features: shares of the vibration's features; None where they would not be exact.
        nearest: the nearest kept examples, nearest first.
        notes: what is not there, or not exact, and why.
    """

    label: str | None
    against: str
    margin: float
    judged: float
    constant: float
    residual: float
    modalities: Mapping[str, float]
    grid: Floats | None = None
    vibration: Mapping[str, float] = field(default_factory=dict)
    features: FeatureShares | None = None
    nearest: tuple[Neighbour, ...] = ()
    notes: tuple[str, ...] = ()

    def text(self, limit: float) -> str:
        """Tell it on one screen of 80 columns; a region whose share is `limit` [logit] or more has the full mark."""
        chart = [] if self.grid is None else list(chart_of(self.grid, limit))
        beside = list(self._lines())
        room = 2 + max(map(len, chart), default=-2)
        rows = max(len(chart), len(beside))
        chart += [""] * (rows - len(chart))
        beside += [""] * (rows - len(beside))
        lines = [self.title, ""]
        lines += [f"{left:<{room}}{right[: WIDTH - room]}".rstrip() for left, right in zip(chart, beside, strict=True)]
        if self.grid is not None:
            lines += [f"█ {limit:g} logit or more, ▓ {limit / 2:g}, ▒ {limit / 4:g}, ░ {limit / 10:g}; - = against"]
        lines += [
            f"judged {self.judged:+.1f}; all shares and what good parts have miss the sum by {abs(self.residual):.0e}"
        ]
        return "\n".join([*lines, *self.notes])

    @property
    def title(self) -> str:
        """One line: what, against what, by how much."""
        if self.label is None:
            return f"anything but {self.against}: half the squared distance is {self.margin:.1f}"
        return f"{self.label} rather than {self.against}: {self.margin:+.1f} logit"

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        features = self.features
        return {
            "label": self.label,
            "against": self.against,
            "margin": self.margin,
            "judged": self.judged,
            "constant": self.constant,
            "residual": self.residual,
            "modalities": dict(self.modalities),
            "grid": None if self.grid is None else self.grid.tolist(),
            "vibration": dict(self.vibration),
            "features": None if features is None else features.as_dict(),
            "nearest": [{"name": neighbour.name, "distance": neighbour.distance} for neighbour in self.nearest],
            "notes": list(self.notes),
        }

    def _lines(self) -> Iterator[str]:
        """Give the lines beside the map."""
        for name, share in self.modalities.items():
            yield f"{share:+9.1f}  {name}"
        yield f"{self.constant:+9.1f}  what good parts have"
        yield f"{self.margin:+9.1f}  together"
        if self.vibration:
            yield ""
            yield "vibration"
            strongest = sorted(self.vibration.items(), key=lambda item: -abs(item[1]))[:STRONGEST]
            yield from (f"{share:+9.1f}  {name}" for name, share in strongest)
        if self.features is not None:
            features = sorted(self.features.named(), key=lambda item: -abs(item[1]))[:STRONGEST]
            yield from (f"{share:+9.1f}    {name}" for name, share in features)
        if self.nearest:
            yield ""
            yield "nearest examples (squared distance)"
            yield from (f"{neighbour.distance:9.1f}  {neighbour.name}" for neighbour in self.nearest)


def chart_of(grid: Floats, limit: float, *, together: Callable[[Floats], float] = np.sum) -> Iterator[str]:
    """Draw a map in characters; where it is too large, so many regions become one by what `together` makes of them."""
    step = max(-(-grid.shape[0] // MAP_ROWS), -(-grid.shape[1] // MAP_COLUMNS))
    for top in range(0, grid.shape[0], step):
        row = grid[top : top + step]
        values = [together(row[:, left : left + step]) for left in range(0, grid.shape[1], step)]
        yield "".join(2 * next(mark for least, mark in MARKS if value / limit >= least) for value in values)
