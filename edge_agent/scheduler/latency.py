"""How long things take: a window of the newest durations, and the table of what each part took on each device.

Values that are told durations; they measure nothing. Quantiles are exact over the window, so that what has become
slower, or quick again, shows within one window's length.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from edge_agent.engines.spot import Spot

WINDOW: Final = 512
"""Durations that are remembered: five of them lie above the 99th percentile."""


@dataclass
class Recent:
    """The newest durations of one thing [s].

    Attributes:
        capacity: how many are remembered.
        p99_s: what one in a hundred exceeds [s]; 0 where nothing is known.
    """

    capacity: int = WINDOW
    p99_s: float = field(default=0.0, init=False)
    _by_age: deque[float] = field(default_factory=deque)
    _by_size: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, duration_s: float) -> None:
        """Remember a duration, and forget the oldest where there is no room."""
        by_age, by_size = self._by_age, self._by_size
        if len(by_age) == self.capacity:
            del by_size[bisect_left(by_size, by_age.popleft())]
        by_age.append(duration_s)
        insort(by_size, duration_s)
        self.p99_s = by_size[(99 * len(by_size) - 1) // 100]

    def forget_oldest(self) -> None:
        """Forget the oldest duration; nothing where there is none."""
        if self._by_age:
            del self._by_size[bisect_left(self._by_size, self._by_age.popleft())]
            self.p99_s = self.quantile_s(0.99)

    def forget_all(self) -> None:
        """Know nothing any more."""
        self._by_age.clear()
        self._by_size.clear()
        self.p99_s = 0.0

    def quantile_s(self, share: float) -> float:
        """Give the smallest duration that at least `share` of them do not exceed; 0 where nothing is known."""
        if not self._by_size:
            return 0.0
        return self._by_size[max(0, math.ceil(share * len(self._by_size)) - 1)]

    @property
    def p50_s(self) -> float:
        """The median [s]."""
        return self.quantile_s(0.50)


@dataclass(frozen=True)
class Timing:
    """What one part of a bundle took on one spot, or why it cannot run there.

    Attributes:
        role: the part.
        spot: where.
        p50_ms: median [ms].
        p99_ms: 99th percentile [ms].
        runs: how often it was run.
        error: why it cannot run there; "" where it can.
    """

    role: str
    spot: Spot
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    runs: int = 0
    error: str = ""


@dataclass(frozen=True)
class Whole:
    """What all parts of a bundle took together, each at its spot, or why they do not run so.

    Attributes:
        spots: where each role ran.
        p50_ms: median [ms].
        p99_ms: 99th percentile [ms].
        beside: the parts that can begin at once were surely quicker side by side, and ran so.
        error: why they do not run together, though each may by itself; "" where they do.
    """

    spots: Mapping[str, Spot]
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    beside: bool = False
    error: str = ""


class LatencyTable:
    """Timings by role and spot, of one bundle on one machine.

    Args:
        timings: what was measured.
    """

    def __init__(self, timings: Iterable[Timing] = ()) -> None:
        self._timings = {(timing.role, timing.spot): timing for timing in timings}

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Everything, in the order in which it came."""
        return tuple(self._timings.values())

    def get(self, role: str, spot: Spot) -> Timing | None:
        """Give what is known of a role on a spot."""
        return self._timings.get((role, spot))

    def runnable(self, role: str) -> tuple[Timing, ...]:
        """Give the spots where a role runs for one piece."""
        rows = (timing for timing in self._timings.values() if timing.role == role and not timing.error)
        return tuple(timing for timing in rows if timing.spot.pieces == 1)

    def batched(self, role: str, spot: Spot) -> dict[int, Timing]:
        """Give what a role takes on a spot for several pieces together, by how many."""
        rows = (t for t in self._timings.values() if t.role == role and not t.error and t.spot.pieces > 1)
        return {timing.spot.pieces: timing for timing in rows if timing.spot._replace(pieces=1) == spot}

    def failed(self) -> tuple[Timing, ...]:
        """Give what cannot run, with the reason."""
        return tuple(timing for timing in self._timings.values() if timing.error)
