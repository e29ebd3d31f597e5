"""Joins the placements of several bundles into lanes: each bundle where it is answered soonest, and what stands in.

Pure. A lane runs all bundles of the station, and fails with any of its devices.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.engines import DeviceName
from edge_agent.scheduler.placement import Candidate, Placement

Joint = tuple[Candidate | None, ...]
"""Of each bundle, how it runs on one lane; None where it cannot."""


def joined(placements: Sequence[Placement]) -> tuple[Joint, ...]:
    """Give the lanes: the one that is used, then one that does without each device of it.

    A bundle that does not need the device stays where it is. One of the others that cannot do without it is missing on
    that lane; where the first cannot, there is no such lane.

    Args:
        placements: of each bundle, the one of the recipe in use first.

    Returns:
        How each bundle runs, lane by lane.
    """
    best: Joint = tuple(placement.chain[0] for placement in placements)
    lanes = [best]
    for device in sorted({device for placement in placements for device in placement.chain[0].devices}):
        lane: Joint = tuple(_without(device, placement) for placement in placements)
        if lane[0] is not None and lane not in lanes:
            lanes.append(lane)
    return tuple(lanes)


def _without(device: DeviceName, placement: Placement) -> Candidate | None:
    """Give what a bundle runs as where a device is done without: as before, or else the quickest that stands in."""
    if device not in placement.chain[0].devices:
        return placement.chain[0]
    others = [candidate for candidate in placement.fallbacks if device not in candidate.devices]
    return min(others, key=lambda candidate: candidate.best_p99_ms, default=None)
