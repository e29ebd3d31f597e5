"""The microcontroller's counter on the host's clock: a straight line through the recent pings.

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
ALLOWANCE_S: Final = 0.0001
"""A round trip that is shorter than none by so little is one of no length [s]: ticks are rounded."""
QUICK: Final = 2.0
"""Pings of at most so many times the shortest round trip say how far pings scatter."""
HALF_LIFE_S: Final = 60.0
"""A sample so old counts half [s]: crystals follow the temperature of a cabinet over minutes."""
PRIOR_PPM: Final = 100.0
"""How far off its nominal frequency a crystal may be expected to be [ppm]."""
WANDER_PPM: Final = 2.0
"""How far the drift may move within two minutes, and until the next ping [ppm]."""
STAKES: Final = 8
"""Pings, spread over the time of all, whose intervals bound the slope; every two of them do."""
BEND_S: Final = 0.00001
"""How far off a straight line a crystal's way through its temperatures may be within the half life [s]."""
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


@dataclass(frozen=True)
class _Line:
    """The fit, replaced as a whole, so that another thread that converts a time never sees half of one."""

    ready: bool = False
    """Enough pings are in it."""
    mean_s: float = 0.0
    """Where the samples have their middle, from the first sample [s]."""
    lead_s: float = 0.0
    """By how much the microcontroller's clock is ahead there [s]."""
    slope: float = 0.0
    """By how much it gains in a second."""
    newest_s: float = 0.0
    """The newest sample, from the first [s]."""
    shortest_s: float = math.inf
    """Half of the shortest recent round trip [s]."""
    residual_s: float = 0.0
    """How far the quick ones lie from the line, 99 % of them at most [s]."""
    quick_s: float = math.inf
    """Half of the longest round trip that counts as quick [s]."""
    off_s: float = math.inf
    """How far the true clock may be off the line at the newest sample [s]."""
    turn: float = PRIOR_PPM * 1e-6
    """How much farther in a second away from there."""


class ClockSync:
    """Turns ticks into host monotonic seconds and back. Times may be converted on any thread.

    Args:
        tick_hz: nominal frequency of the counter [1/s].
    """

    def __init__(self, tick_hz: int) -> None:
        self._tick_hz = tick_hz
        self._kept: deque[_Sample] = deque(maxlen=KEPT)
        self._origin_s = 0.0
        self._origin_ticks = 0
        self._line = _Line()
        self._strange = 0
        self.impossible = 0  #: pings whose times cannot be true
        self.steps = 0  #: times that a clock was found to have stepped

    @property
    def ready(self) -> bool:
        """Whether enough is known to convert times."""
        return self._line.ready

    @property
    def drift_ppm(self) -> float:
        """By how much the counter is faster than its nominal frequency [ppm]."""
        return self._line.slope * 1e6

    @property
    def residual_p99_s(self) -> float:
        """How far the quick ones of the recent pings lie from the line, 99 % of them at most [s]."""
        return self._line.residual_s

    @property
    def round_trip_s(self) -> float:
        """Shortest recent round trip [s]; infinite before the first."""
        return 2.0 * self._line.shortest_s

    def add(self, sent_s: float, rx_ticks: int, tx_ticks: int, received_s: float) -> bool:
        """Take one ping; say whether it was of use.

        Args:
            sent_s: host monotonic time of sending [s].
            rx_ticks: when the microcontroller received it [ticks].
            tx_ticks: when the microcontroller answered [ticks].
            received_s: host monotonic time of receiving the answer [s].

        Returns:
            False when it took so long that it says little, or cannot be true.
        """
        held_s = (tx_ticks - rx_ticks) / self._tick_hz
        half_s = (received_s - sent_s - held_s) / 2.0
        if held_s < 0.0 or half_s < -ALLOWANCE_S:
            self.impossible += 1  # kept, it would be the shortest of all
            return False
        half_s = max(0.0, half_s)
        if not self._kept:
            self._origin_s, self._origin_ticks = (sent_s + received_s) / 2.0, (rx_ticks + tx_ticks) // 2
        host_s = (sent_s + received_s) / 2.0 - self._origin_s
        ticks = (rx_ticks - self._origin_ticks + tx_ticks - self._origin_ticks) / 2.0
        sample = _Sample(host_s, ticks / self._tick_hz - host_s, half_s)
        if self.ready and self._is_step(sample):
            return False
        self._kept.append(sample)
        self._fit()
        return half_s <= self._line.quick_s

    def host_s(self, ticks: int) -> float:
        """Give the host monotonic time of a tick [s]."""
        line = self._line
        mcu_s = (ticks - self._origin_ticks) / self._tick_hz
        # lead = lead_0 + slope * (host - mean), and mcu = host + lead
        return self._origin_s + (mcu_s - line.lead_s + line.slope * line.mean_s) / (1.0 + line.slope)

    def ticks(self, host_s: float) -> int:
        """Give the tick at a host monotonic time [s]."""
        since_s = host_s - self._origin_s
        return self._origin_ticks + round((since_s + _lead_s(self._line, since_s)) * self._tick_hz)

    def uncertainty_s(self, host_s: float) -> float:
        """Give the half width of the interval in which a converted time lies [s].

        It holds for any delays, however unlike they are both ways: every ping leaves an interval open in which the
        microcontroller's clock was then, and with what the drift may have done since, an interval in which it is now.
        It is in all of them at once.
        """
        line = self._line
        if not line.ready:
            return math.inf
        return BEND_S + line.off_s + line.turn * abs(host_s - self._origin_s - line.newest_s)

    def _is_step(self, sample: _Sample) -> bool:
        """Say whether a sample is left out as impossible; begin anew when such samples persist."""
        expected_s = _lead_s(self._line, sample.host_s)
        beyond_s = sample.host_s - self._kept[-1].host_s
        possible_s = sample.half_s + self._line.shortest_s + STEP_S + beyond_s * PRIOR_PPM * 1e-6
        if abs(sample.lead_s - expected_s) <= possible_s:
            self._strange = 0
            return False
        self._strange += 1
        if self._strange < STEPS:
            return True
        self.steps += 1
        self._strange = 0
        self._kept.clear()
        return False

    def _fit(self) -> None:
        """Draw the line: a sample weighs by its age and by the interval it leaves open, the slope has a prior."""
        newest_s = self._kept[-1].host_s
        shortest_s = min(sample.half_s for sample in self._kept)
        weighted = [(0.5 ** ((newest_s - s.host_s) / HALF_LIFE_S) / (s.half_s + FLOOR_S) ** 2, s) for s in self._kept]
        total = sum(w for w, _ in weighted)
        mean_s = sum(w * s.host_s for w, s in weighted) / total
        lead_s = sum(w * s.lead_s for w, s in weighted) / total
        spread = sum(w * (s.host_s - mean_s) ** 2 for w, s in weighted) + (PRIOR_PPM * 1e-6) ** -2
        slope = sum(w * (s.host_s - mean_s) * (s.lead_s - lead_s) for w, s in weighted) / spread
        quick_s = QUICK * (shortest_s + FLOOR_S)
        quick = [s for s in self._kept if s.half_s <= quick_s]
        off = sorted(abs(s.lead_s - lead_s - slope * (s.host_s - mean_s)) for s in quick)
        low, high = _slopes(list(self._kept))
        turn = max(high - slope, slope - low) + WANDER_PPM * 1e-6
        intervals = [
            (s.lead_s - lead_s - slope * (s.host_s - mean_s), s.half_s + FLOOR_S + turn * (newest_s - s.host_s))
            for s in self._kept
        ]
        ahead_s = min(off_s + open_s for off_s, open_s in intervals)
        behind_s = max(off_s - open_s for off_s, open_s in intervals)
        if behind_s > ahead_s:  # they contradict: a clock does not run as it should
            ahead_s = shortest_s + off[-1] + turn * (newest_s - mean_s)
            behind_s = -ahead_s
        self._line = _Line(
            ready=len(self._kept) >= ENOUGH,
            mean_s=mean_s,
            lead_s=lead_s,
            slope=slope,
            newest_s=newest_s,
            shortest_s=shortest_s,
            quick_s=quick_s,
            residual_s=off[math.ceil(0.99 * len(off)) - 1],
            off_s=max(ahead_s, -behind_s),
            turn=turn,
        )


def _lead_s(line: _Line, since_s: float) -> float:
    """Give by how much the microcontroller's clock is ahead, so long after the first sample [s]."""
    return line.lead_s + line.slope * (since_s - line.mean_s)


def _slopes(kept: list[_Sample]) -> tuple[float, float]:
    """Give the least and the largest slope that lines through the intervals of the pings can have."""
    low, high = -PRIOR_PPM * 1e-6, PRIOR_PPM * 1e-6
    each = math.ceil(len(kept) / STAKES)
    stakes = [min(kept[i : i + each], key=lambda s: s.half_s) for i in range(0, len(kept), each)]
    for i, old in enumerate(stakes):
        for new in stakes[i + 1 :]:
            open_s, apart_s = old.half_s + new.half_s + 2.0 * FLOOR_S, new.host_s - old.host_s
            if apart_s > 0.0:
                low = max(low, (new.lead_s - old.lead_s - open_s) / apart_s)
                high = min(high, (new.lead_s - old.lead_s + open_s) / apart_s)
    return low, high
