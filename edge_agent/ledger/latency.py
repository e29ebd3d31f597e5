"""How long each hop of a part took, over some parts: from their times, as the rows have them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOMENTS: Final = ("trigger", "paired", "inferred", "decided", "committed", "acted")
"""What a part goes through, in this order, but for the picture, which may be taken at any time."""

HOPS: Final = (
    ("trigger", "paired"),
    ("paired", "inferred"),
    ("inferred", "decided"),
    ("decided", "committed"),
    ("committed", "acted"),
    ("paired", "committed"),
    ("trigger", "decided"),
    ("trigger", "acted"),
)
"""What latencies are told for: each hop, what the station adds, what the line waits for."""


@dataclass(frozen=True)
class Latency:
    """How long one hop took, over some parts.

    Attributes:
        hop: `paired-inferred`, ….
        parts: how many parts have both times.
        p50_ms: median [ms].
        p99_ms: what 99 of 100 stay below [ms].
        max_ms: the longest [ms].
    """

    hop: str
    parts: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def latencies_of(times_s: NDArray[np.float64]) -> list[Latency]:
    """Sum up how long each hop took; hops that no part has are left out.

    Args:
        times_s: of each part, host monotonic [s], shape (parts, moments); NaN for what did not happen.

    Returns:
        One entry a hop, in the order of a part's life.
    """
    times = dict(zip(MOMENTS, times_s.T, strict=True))
    hops = ((f"{start}-{end}", 1e3 * (times[end] - times[start])) for start, end in HOPS)
    return [_latency(hop, spans_ms[~np.isnan(spans_ms)]) for hop, spans_ms in hops if not np.isnan(spans_ms).all()]


def _latency(hop: str, spans_ms: NDArray[np.float64]) -> Latency:
    p50_ms, p99_ms = np.percentile(spans_ms, (50, 99))
    return Latency(hop, len(spans_ms), float(p50_ms), float(p99_ms), float(spans_ms.max()))
