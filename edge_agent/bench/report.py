"""What a bench found out, as numbers for programs and as text for people; and what the machine says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.terminal.printing import say

WARM_UP: Final = 20
"""Parts that are not counted: caches fill, the allocator settles."""


@dataclass(frozen=True)
class Span:
    """How long something took over all parts [ms]."""

    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        parts: how many.
        hops: each hop of a part's life, and what the line waits for.
        bare: pre-processing and inference alone, once before the agent and once after it.
        agent: pair complete to verdict on the disk.
        overhead: `agent` minus the mean of both `bare`, part by part.
        unrest: the second `bare` minus the first, part by part: what the machine itself adds to such a difference.
        floor: a bare commit of one row and three threads woken, which no agent can do without.
        ratio: median of `agent` over `bare`, part by part.
        memory_start_mb: proportional set size (PSS) after the first parts [MB]; None where the system has none.
        memory_end_mb: the same after the last part [MB].
        threads: that compute.
        versions: of the program and its runtimes.
        machine: processor and system.
    """

    parts: int
    hops: dict[str, Span]
    bare: Span
    agent: Span
    overhead: Span
    unrest: Span
    floor: Span
    ratio: float
    memory_start_mb: float | None
    memory_end_mb: float | None
    threads: int
    versions: dict[str, str]
    machine: str


def span(values_ms: Sequence[float] | NDArray[np.float64]) -> Span:
    """Give how long something took, from each time it did [ms]."""
    p50, p99 = np.percentile(values_ms, (50, 99))
    return Span(float(p50), float(p99), float(np.max(values_ms)))


def print_measurement(measurement: Measurement) -> None:
    """Print the measurement for people."""
    say(f"{measurement.parts} parts, {measurement.threads} thread(s), {measurement.machine}")
    say(", ".join(f"{name} {number}" for name, number in measurement.versions.items()))
    say(f"{'hop':<36}{'p50':>9}{'p99':>9}{'worst':>9}   ms")
    rows = {
        **measurement.hops,
        "bare pre-processing and inference": measurement.bare,
        "agent: pair complete to committed": measurement.agent,
        "overhead, part by part": measurement.overhead,
        "a bare commit and three wakes": measurement.floor,
        "bare against itself": measurement.unrest,
    }
    for name, span in rows.items():
        say(f"{name:<36}{span.p50_ms:9.3f}{span.p99_ms:9.3f}{span.max_ms:9.3f}")
    say(f"agent / bare, median part by part: {measurement.ratio:.2f}")
    if measurement.memory_start_mb is not None and measurement.memory_end_mb is not None:
        say(
            f"memory (PSS, with the simulated line): {measurement.memory_start_mb:.0f} MB after {WARM_UP} parts, "
            f"{measurement.memory_end_mb:.0f} MB after all"
        )
