"""The maps over a part's picture: what spoke for its class, and where it is unlike good parts. It writes no file."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.inspection.heatmap import ANOMALY, SHARES, heat_map_png
from edge_agent.partview.why import Why


@dataclass(frozen=True)
class Heat:
    """Maps as PNG; None where there is none.

    Attributes:
        shares: what spoke for the class in question, and against it.
        anomaly: where the picture is unlike good parts.
        answer: the one that says most about the verdict.
    """

    shares: bytes | None
    anomaly: bytes | None
    answer: bytes | None


def heat_of(why: Why) -> Heat:
    """Draw the maps of a part whose picture is kept."""
    if why.image is None:
        return Heat(None, None, None)
    grid = None if why.explanation is None else why.explanation.grid
    shares = None if grid is None else heat_map_png(why.image, grid, SHARES)
    anomaly = None if why.unlike is None else heat_map_png(why.image, why.unlike, ANOMALY)
    of_a_class = why.explanation is not None and why.explanation.label is not None
    return Heat(shares, anomaly, (shares or anomaly) if of_a_class else (anomaly or shares))
