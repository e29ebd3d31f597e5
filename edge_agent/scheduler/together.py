"""Which batches pay on a way to place a bundle: pure arithmetic on a latency table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.engines.spot import Spot
from edge_agent.scheduler.batch import paying
from edge_agent.scheduler.latency import LatencyTable, Timing

Spots = Mapping[str, Spot]
"""Where each role runs."""


@dataclass(frozen=True)
class Batch:
    """Several pieces on one way.

    Attributes:
        spots: where each role runs that computes them together; those that do not are not among them.
        p50_ms: predicted median of all parts for all pieces [ms].
        p99_ms: the same, 99th percentile [ms].
    """

    spots: Spots
    p50_ms: float
    p99_ms: float


def batches_of(timings: Mapping[str, Timing], table: LatencyTable) -> dict[int, Batch]:
    """Give the batches that pay: each part computes all pieces at once where it is quicker so, or else each.

    By the medians: of runs that something disturbs, a long one is disturbed as much as a short one.

    Args:
        timings: of each role, where it runs and what that takes for one piece.
        table: what it takes for several.

    Returns:
        Batches by how many pieces.
    """
    rows = {role: table.batched(role, timing.spot) for role, timing in timings.items()}
    found: dict[int, Batch] = {}
    for size in sorted({size for each in rows.values() for size in each}):
        wide = {r: row[size] for r, row in rows.items() if size in row and row[size].p50_ms < size * timings[r].p50_ms}
        alone = [timing for role, timing in timings.items() if role not in wide]
        p50_ms = sum(t.p50_ms for t in wide.values()) + size * sum(t.p50_ms for t in alone)
        p99_ms = sum(t.p99_ms for t in wide.values()) + size * sum(t.p99_ms for t in alone)
        found[size] = Batch({role: timing.spot for role, timing in wide.items()}, p50_ms, p99_ms)
    alone_ms = sum(timing.p50_ms for timing in timings.values())
    pay = paying({1: alone_ms} | {size: batch.p50_ms for size, batch in found.items()})
    return {size: batch for size, batch in found.items() if size in pay}
