"""Holds the clock against the truth, in virtual time: how far off are times by regression, and times by arrival?

The counter is 35 ppm fast and wanders by 1 ppm either way in ten minutes; delays are those of a simulated wire.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Final

from firmware_bridge.clocksync import ClockSync
from firmware_bridge.pinger import FIRST_PING_S, FIRST_PINGS, PING_AGAIN_S, PING_S
from firmware_bridge.sim.wire import CLEAN, NOISY_USB, QUIET_USB, Faults

TICK_HZ: Final = 1_000_000
DRIFT_PPM: Final = 35.0
WANDER_PPM: Final = 1.0
WANDER_PERIOD_S: Final = 600.0
START_S: Final = 1000.0
START_TICKS: Final = 2**40
EDGE_S: Final = 0.1
EDGES_FROM_S: Final = 0.5
"""The first edge comes so long after the first ping: a session is up after a quarter of a second [s]."""
WIRES: Final[dict[str, Faults]] = {"clean": CLEAN, "quiet USB": QUIET_USB, "noisy USB": NOISY_USB}


@dataclass(frozen=True)
class ClockFigures:
    """What one trial gave.

    Attributes:
        wire: its name.
        edges: times that were converted.
        regression_p50_s: error of the regression, half of them at most [s].
        regression_p99_s: error of the regression, 99 % of them at most [s].
        regression_max_s: its largest error [s].
        arrival_p99_s: error of the time of arrival, 99 % of them at most [s].
        uncertainty_p99_s: what the clock said its error is at most, 99 % of them [s].
        beyond: times whose error was larger than that.
    """

    wire: str
    edges: int
    regression_p50_s: float
    regression_p99_s: float
    regression_max_s: float
    arrival_p99_s: float
    uncertainty_p99_s: float
    beyond: int


def true_ticks(host_s: float) -> float:
    """Give the true tick at a host time [s]."""
    since_s = host_s - START_S
    turn = 2.0 * math.pi / WANDER_PERIOD_S
    ahead_s = 1e-6 * (DRIFT_PPM * since_s + WANDER_PPM * (1.0 - math.cos(turn * since_s)) / turn)
    return START_TICKS + (since_s + ahead_s) * TICK_HZ


@dataclass
class _Errors:
    regression_s: list[float] = field(default_factory=list)
    arrival_s: list[float] = field(default_factory=list)
    stated_s: list[float] = field(default_factory=list)


def trial(wire: str, faults: Faults, seconds: float, seeds: range) -> ClockFigures:
    """Run one trial for each seed, from the first ping on.

    Args:
        wire: its name.
        faults: how it delays.
        seconds: how long each [s].
        seeds: of the delays.

    Returns:
        The figures of all together.
    """
    errors = _Errors()
    for seed in seeds:
        _run(faults, seconds, random.Random(seed), errors)
    pairs = zip(errors.regression_s, errors.stated_s, strict=True)
    return ClockFigures(
        wire,
        len(errors.regression_s),
        quantile(errors.regression_s, 0.5),
        quantile(errors.regression_s, 0.99),
        max(errors.regression_s),
        quantile(errors.arrival_s, 0.99),
        quantile(errors.stated_s, 0.99),
        sum(error > stated for error, stated in pairs),
    )


def _run(faults: Faults, seconds: float, chance: random.Random, errors: _Errors) -> None:
    clock = ClockSync(TICK_HZ)
    now = next_ping_s = START_S
    next_edge_s = START_S + EDGES_FROM_S
    pings = 0
    while now < START_S + seconds:
        now = min(next_ping_s, next_edge_s)
        if now == next_ping_s:
            there_s = now + _delay_s(faults, chance)
            ticks = round(true_ticks(there_s))
            of_use = clock.add(now, ticks, ticks, there_s + _delay_s(faults, chance))
            pings += 1
            next_ping_s += FIRST_PING_S if pings < FIRST_PINGS else PING_S if of_use else PING_AGAIN_S
        else:
            time_s = clock.host_s(round(true_ticks(now)))
            errors.regression_s.append(abs(time_s - now))
            errors.stated_s.append(clock.uncertainty_s(time_s))
            errors.arrival_s.append(_delay_s(faults, chance))
            next_edge_s += EDGE_S


def quantile(values: list[float], share: float) -> float:
    """Give the smallest value that `share` of all do not exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def trials(seconds: float, seeds: range = range(10)) -> list[ClockFigures]:
    """Run the trials of each wire, each so long [s]."""
    return [trial(wire, faults, seconds, seeds) for wire, faults in WIRES.items()]


def table(figures: list[ClockFigures]) -> str:
    """Give the figures for people, in microseconds."""
    head = ("wire", "edges", "p50 us", "p99 us", "max us", "arrival p99 us", "stated p99 us", "beyond")
    rows = [
        (
            f.wire,
            str(f.edges),
            *(
                f"{1e6 * value:.0f}"
                for value in (
                    f.regression_p50_s,
                    f.regression_p99_s,
                    f.regression_max_s,
                    f.arrival_p99_s,
                    f.uncertainty_p99_s,
                )
            ),
            str(f.beyond),
        )
        for f in figures
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in (head, *rows))


def _delay_s(faults: Faults, chance: random.Random) -> float:
    spike_s = faults.spike_s if chance.random() < faults.spike_share else 0.0
    return faults.delay_s + faults.jitter_s * chance.random() + spike_s
