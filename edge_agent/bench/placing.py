"""Shows where the parts of a bundle would run on this machine: `edge-agent bench --placement`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from edge_agent.config import SHIPPED_BUNDLES, EngineConfig
from edge_agent.inspection.encode import load_bundle
from edge_agent.runtime.disk import RealDisk
from edge_agent.scheduler import Placement, ResourceAllocator
from edge_agent.scheduler.drift import PartTimes, side_by_side
from edge_agent.scheduler.placement import Candidate
from edge_agent.scheduler.shares import Shares
from edge_agent.scheduler.tablefile import Record, fingerprint, load_records
from edge_agent.terminal.printing import print_part_times, say, say_json
from edge_agent.terminal.progressbar import progress_bar


def run_placing(
    bundle: str | Path, state: Path | None, engine: EngineConfig, *, as_json: bool, batches: bool = False
) -> int:
    """Measure and print; give the exit code.

    Args:
        bundle: a shipped one, or its folder.
        state: state directory of a station whose times are shown beside it; None for none.
        engine: says what inference may take, and the line's rate.
        as_json: print JSON.
        batches: measure several pieces together on a CPU too.

    Returns:
        0; what cannot be measured raises.
    """
    times, why = ((), "") if state is None else _lived_in(state, bundle)
    shares = Shares(engine.cpu_ratio, engine.gpu_ratio, engine.npu_fallback)
    with progress_bar("measuring") as progress:
        allocator = ResourceAllocator(shares, bundle=bundle, parts_per_s=engine.parts_per_s, batches=batches)
        placement = allocator.optimize(progress)
    if as_json:
        say_json(_as_values(placement, times))
        return 0
    say(placement.explain())
    for row in placement.timings:
        if not row.error:
            say(f"{row.role} on {row.spot}: p50 {row.p50_ms:.2f} ms, p99 {row.p99_ms:.2f} ms")
        elif row.spot.pieces > 1:
            say(f"{row.role} on {row.spot}: cannot run: {row.error}")
    if state is not None:
        say(f"the station in {state}: {why or 'this bundle did not run there'}" if not times else f"in {state}:")
    for each in times:
        print_part_times(msgspec.to_builtins(each))
    return 0


def _lived_in(state: Path, bundle: str | Path) -> tuple[tuple[PartTimes, ...], str]:
    """Give what the parts of a bundle took on a station, beside what it measured at first; or why that is not known."""
    loaded = load_bundle(SHIPPED_BUNDLES / bundle)
    records, why = load_records(RealDisk(state), fingerprint())
    record = records.get(loaded.digest, Record())
    lived = [replace(row, runs=0) for row in record.lived]  # none of them since a start
    return side_by_side(loaded.name, record.first, lived), why


def _as_values(placement: Placement, times: tuple[PartTimes, ...]) -> dict[str, object]:
    return {
        "part_times": times,
        "bundle": placement.bundle,
        "parts_per_s": placement.parts_per_s,
        "cores": placement.cores,
        "chain": [_values(candidate) for candidate in placement.chain],
        "candidates": [_values(candidate) for candidate in placement.candidates],
        "timings": [
            {
                "role": timing.role,
                "device": str(timing.spot.device),
                "threads": timing.spot.threads,
                "pieces": timing.spot.pieces,
                "p50_ms": timing.p50_ms,
                "p99_ms": timing.p99_ms,
                "runs": timing.runs,
                "error": timing.error,
            }
            for timing in placement.timings
        ],
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
        "side_by_side": candidate.beside,
        "together": {str(size): {"p99_ms": batch.p99_ms} for size, batch in candidate.batches.items()},
        "load": dict(candidate.load),
        "not_allowed": candidate.over,
        "does_not_run": candidate.failed,
    }
