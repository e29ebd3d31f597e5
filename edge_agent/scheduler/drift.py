"""How what runs compares with what was measured at first: values and arithmetic, nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.engines import Spot
from edge_agent.scheduler.latency import WINDOW, Timing
from edge_agent.scheduler.tablefile import Record

MATERIAL: Final = 1.25
"""What has changed by this factor since it was stored is stored again."""

LEFT: Final = 2.0
"""A placement whose 99th percentile is beyond this factor, either way, has left what it was chosen by."""

Place = tuple[str, Spot]
"""A part, by its role, and where it runs."""


@dataclass(frozen=True)
class PartTimes:
    """What one part of a bundle takes on one spot, measured at first and lived since, side by side.

    Attributes:
        bundle: its name.
        role: the part.
        spot: where.
        first_p50_ms: median when it was measured [ms]; None where it never was.
        first_p99_ms: 99th percentile when it was measured [ms]; None where it never was.
        p50_ms: median of the newest runs [ms]; of those before this start, where there are too few since.
        p99_ms: 99th percentile of the same [ms].
        runs: how many there were since the start; 0 for what is read of a station from outside.
    """

    bundle: str
    role: str
    spot: str
    first_p50_ms: float | None
    first_p99_ms: float | None
    p50_ms: float
    p99_ms: float
    runs: int


def by_place(rows: Iterable[Timing]) -> dict[Place, Timing]:
    """Give the rows of what runs, by part and spot."""
    return {(row.role, row.spot): row for row in rows if not row.error}


def merged(before: Sequence[Timing], now: Sequence[Timing]) -> tuple[Timing, ...]:
    """Give what is known, the newer row where there are two of one part on one spot."""
    return tuple((by_place(before) | by_place(now)).values())


def differs(stored: Sequence[Timing], now: Sequence[Timing]) -> bool:
    """Say whether something is known that was not, or has changed materially."""
    there = by_place(stored)
    return any(
        (was := there.get(place)) is None
        or apart(was.p50_ms, row.p50_ms) > MATERIAL
        or apart(was.p99_ms, row.p99_ms) > MATERIAL
        for place, row in by_place(now).items()
    )


def left(record: Record, now: Sequence[Timing], spots: Mapping[str, Spot]) -> tuple[float, float] | None:
    """Say whether a placement takes something else than what it was chosen by.

    The parts are added up: one of a tenth of a millisecond says nothing. What it took when it left the last time counts
    as what it was chosen by as well, so that a station that is slower than a quiet one measures anew once.

    Args:
        record: what was measured at first.
        now: what runs; parts with less than a whole window of runs do not count.
        spots: where the parts run.

    Returns:
        The 99th percentiles, at first and now [ms]; None where it does not, or nothing was measured.
    """
    first, lived = by_place(record.first), by_place(now)
    places = [place for place in spots.items() if place in first and place in lived and lived[place].runs >= WINDOW]
    first_ms = sum(first[place].p99_ms for place in places)
    lived_ms = sum(lived[place].p99_ms for place in places)
    if not places or apart(first_ms, lived_ms) <= LEFT or (record.left_ms and apart(record.left_ms, lived_ms) <= LEFT):
        return None
    return first_ms, lived_ms


def apart(one: float, other: float) -> float:
    """Give the factor between two durations, 1 or more; infinite where only one is 0."""
    low, high = sorted((one, other))
    return high / low if low > 0.0 else 1.0 if high == low else float("inf")


def side_by_side(bundle: str, first: Iterable[Timing], lived: Iterable[Timing]) -> tuple[PartTimes, ...]:
    """Give what ran beside what was measured of the same.

    Args:
        bundle: its name.
        first: what was measured.
        lived: what ran.

    Returns:
        A row for each part and spot where it ran.
    """
    there = by_place(first)
    found: list[PartTimes] = []
    for place, row in by_place(lived).items():
        was = there.get(place)
        p50_ms, p99_ms = (None, None) if was is None else (was.p50_ms, was.p99_ms)
        found.append(PartTimes(bundle, row.role, str(row.spot), p50_ms, p99_ms, row.p50_ms, row.p99_ms, row.runs))
    return tuple(found)
