"""Shows where the parts of a bundle would run on this machine: `edge-agent bench --placement`."""

from __future__ import annotations

from edge_agent.printing import say, say_json
from edge_agent.progressbar import progress_bar
from edge_agent.scheduler import Placement, ResourceAllocator
from edge_agent.scheduler.placement import Candidate


def run_placing(bundle: str, *, as_json: bool) -> int:
    """Measure and print; give the exit code.

    Args:
        bundle: a shipped one, or its folder.
        as_json: print JSON.

    Returns:
        0; what cannot be measured raises.
    """
    with progress_bar("measuring") as progress:
        placement = ResourceAllocator({}, bundle=bundle).optimize(progress)
    if as_json:
        say_json(as_values(placement))
    else:
        say(placement.explain())
    return 0


def as_values(placement: Placement) -> dict[str, object]:
    """Give a placement as a program reads it."""
    return {
        "bundle": placement.bundle,
        "parts_per_s": placement.parts_per_s,
        "cores": placement.cores,
        "chain": [_values(candidate) for candidate in placement.chain],
        "candidates": [_values(candidate) for candidate in placement.candidates],
        "failed": [
            {"role": timing.role, "spot": str(timing.spot), "error": timing.error} for timing in placement.failed
        ],
    }


def _values(candidate: Candidate) -> dict[str, object]:
    return {
        "spots": {
            role: {"device": str(spot.device), "threads": spot.threads} for role, spot in candidate.spots.items()
        },
        "p50_ms": candidate.p50_ms,
        "p99_ms": candidate.p99_ms,
        "measured_p50_ms": candidate.measured_p50_ms,
        "measured_p99_ms": candidate.measured_p99_ms,
        "load": dict(candidate.load),
        "not_allowed": candidate.over,
    }
