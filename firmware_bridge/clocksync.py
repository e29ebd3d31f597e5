"""The microcontroller's counter on the host's clock: a straight line through the best of the recent pings.

Pure. The midpoint of a ping is wrong by at most half its round trip, whichever way the delay fell (Cristian,
"Probabilistic clock synchronization", Distributed Computing 3, 1989). The line is a regression in which a ping weighs
by the inverse square of that, and less the older it is, and in which the slope is drawn to 0 ppm as long as little is
known of it. No ping is thrown away: on a host that is busy when the wire comes up, all of them are long at first.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT: Final = 120
"""Pings that the line rests on: two minutes of them."""
ENOUGH: Final = 5
"""Pings before the clock is believed."""
FLOOR_S: Final = 0.00005
"""Jitter that no round trip shows [s]: of time stamps, of interrupts."""
GOOD: Final = 2.0
"""Pings of at most so many times the shortest round trip say how far pings scatter."""
HALF_LIFE_S: Final = 60.0
"""A sample so old counts half [s]: crystals follow the temperature of a cabinet over minutes."""
PRIOR_PPM: Final = 100.0
"""How far off its nominal frequency a crystal may be expected to be [ppm]."""
WANDER_PPM: Final = 2.0
"""How far the drift may move away from the fitted one between two pings [ppm]."""
STEP_S: Final = 0.001
"""A ping this much farther off the line than half its round trip explains is a step of one of the clocks [s]."""
STEPS: Final = 3
"""Such pings in a row before the line is begun anew."""


@dataclass(frozen=True)
class _Sample:
    host_s: float
    """Host monotonic time of the midpoint, from the first sample [s]."""
    lead_s: float
    """By how much the microcontroller's clock is ahead there, from the first sample [s]."""
    half_s: float
    """Half the round trip [s]."""


class ClockSync:
    """Turns ticks into host monotonic seconds and back.

    Args:
        tick_hz: nominal frequency of the counter [1/s].
    """

    def __init__(self, tick_hz: int) -> None:
        self._tick_hz = tick_hz
        self._kept: deque[_Sample] = deque(maxlen=KEPT)
        self._origin_s = 0.0
        self._origin_ticks = 0
        self._mean_s = self._lead_s = self._slope = 0.0
        self._residual_s = 0.0
        self._strange = 0
        self.steps = 0  #: times that a clock was found to have stepped

    @property
    def ready(self) -> bool:
        """Whether enough is known to convert times."""
        return len(self._kept) >= ENOUGH

    @property
    def drift_ppm(self) -> float:
        """By how much the counter is faster than its nominal frequency [ppm]."""
        return self._slope * 1e6

    @property
    def residual_p99_s(self) -> float:
        """How far the quick ones of the recent pings lie from the line, 99 % of them at most [s]."""
        return self._residual_s

    @property
    def round_trip_s(self) -> float:
        """Shortest recent round trip [s]; infinite before the first."""
        return 2.0 * self._shortest_s()

    def add(self, sent_s: float, rx_ticks: int, tx_ticks: int, received_s: float) -> None:
        """Take one ping.

        Args:
            sent_s: host monotonic time of sending [s].
            rx_ticks: when the microcontroller received it [ticks].
            tx_ticks: when the microcontroller answered [ticks].
            received_s: host monotonic time of receiving the answer [s].
        """
        half_s = max(0.0, (received_s - sent_s - (tx_ticks - rx_ticks) / self._tick_hz) / 2.0)
        if not self._kept:
            self._origin_s, self._origin_ticks = (sent_s + received_s) / 2.0, (rx_ticks + tx_ticks) // 2
        host_s = (sent_s + received_s) / 2.0 - self._origin_s
        ticks = (rx_ticks - self._origin_ticks + tx_ticks - self._origin_ticks) / 2.0
        sample = _Sample(host_s, ticks / self._tick_hz - host_s, half_s)
        if self.ready and self._is_step(sample):
            return
        self._kept.append(sample)
        self._fit()

    def host_s(self, ticks: int) -> float:
        """Give the host monotonic time of a tick [s]."""
        mcu_s = (ticks - self._origin_ticks) / self._tick_hz
        # lead = lead_0 + slope * (host - mean), and mcu = host + lead
        return self._origin_s + (mcu_s - self._lead_s + self._slope * self._mean_s) / (1.0 + self._slope)

    def ticks(self, host_s: float) -> int:
        """Give the tick at a host monotonic time [s]."""
        since_s = host_s - self._origin_s
        lead_s = self._lead_s + self._slope * (since_s - self._mean_s)
        return self._origin_ticks + round((since_s + lead_s) * self._tick_hz)

    def uncertainty_s(self, host_s: float) -> float:
        """Give the half width of the interval in which a converted time lies [s].

        Half of the shortest round trip bounds what no statistics can see, a delay that is longer one way; the rest is
        how far the pings scatter, and what the drift may do until `host_s`.
        """
        if not self.ready:
            return math.inf
        beyond_s = max(0.0, host_s - self._origin_s - self._kept[-1].host_s)
        return self._shortest_s() + self._residual_s + beyond_s * WANDER_PPM * 1e-6

    def _is_step(self, sample: _Sample) -> bool:
        """Say whether a sample is left out as impossible; begin anew when such samples persist."""
        expected_s = self._lead_s + self._slope * (sample.host_s - self._mean_s)
        beyond_s = sample.host_s - self._kept[-1].host_s
        possible_s = sample.half_s + self._shortest_s() + STEP_S + beyond_s * PRIOR_PPM * 1e-6
        if abs(sample.lead_s - expected_s) <= possible_s:
            self._strange = 0
            return False
        self._strange += 1
        if self._strange < STEPS:
            return True
        self.steps += 1
        self._strange = 0
        self._kept.clear()
        self._slope = 0.0
        return False

    def _fit(self) -> None:
        """Draw the line: a sample weighs by its age and by the interval it leaves open, the slope has a prior."""
        newest_s = self._kept[-1].host_s
        weights = [0.5 ** ((newest_s - s.host_s) / HALF_LIFE_S) / (s.half_s + FLOOR_S) ** 2 for s in self._kept]
        total = sum(weights)
        self._mean_s = sum(w * s.host_s for w, s in zip(weights, self._kept, strict=True)) / total
        self._lead_s = sum(w * s.lead_s for w, s in zip(weights, self._kept, strict=True)) / total
        spread = sum(w * (s.host_s - self._mean_s) ** 2 for w, s in zip(weights, self._kept, strict=True))
        along = sum(
            w * (s.host_s - self._mean_s) * (s.lead_s - self._lead_s) for w, s in zip(weights, self._kept, strict=True)
        )
        self._slope = along / (spread + (PRIOR_PPM * 1e-6) ** -2)
        limit_s = GOOD * (self._shortest_s() + FLOOR_S)
        off = sorted(
            abs(s.lead_s - self._lead_s - self._slope * (s.host_s - self._mean_s))
            for s in self._kept
            if s.half_s <= limit_s
        )
        self._residual_s = off[math.ceil(0.99 * len(off)) - 1]

    def _shortest_s(self) -> float:
        """Give half of the shortest round trip among the recent pings [s]."""
        return min((sample.half_s for sample in self._kept), default=math.inf)
