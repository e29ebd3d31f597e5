"""A long run over a pty in real time, where everything is accounted for and held against the truth.

A bridge and a simulated microcontroller run in one process. The truth is known: the ticks of the parts, the samples by
their numbers, the clock that the counter follows.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from firmware_bridge.account import EdgeAccount, SampleAccount
from firmware_bridge.bridge import Bridge, Down, Pulse
from firmware_bridge.heard import Arrival, Heard, Lapsed, Samples, Up
from firmware_bridge.messages import Config
from firmware_bridge.port import SerialPort
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import Session
from firmware_bridge.sim.belt import Belt, humming
from firmware_bridge.sim.clocktrial import quantile
from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.soakfigures import SoakFigures
from firmware_bridge.sim.stand import Stand
from firmware_bridge.sim.wire import Faults

CONFIG: Final = Config(26_667, 16_000, 256, 500, 500, 0, 1, 0b01, 0b01)
BAUD: Final = 2_000_000
DRIFT_PPM: Final = 35.0
RATE_ERROR: Final = 0.03
PULSE_AFTER_S: Final = 0.3
PULSE_US: Final = 5000
TURN_S: Final = 0.02
"""Between two signs of life of whoever decides about parts [s]."""
COMING_UP_S: Final = 10.0
SETTLING_S: Final = 1.5
"""At the end no more parts pass, so that every pulse gets its report and a STATUS tells of the last edge [s]."""


class Witness:
    """Hears what the bridge hears, on its thread, and holds it against the truth.

    Args:
        stand: knows the truth.
        now: tells the host monotonic time [s].
        cpu_s: tells the processor time of the thread that asks [s].
    """

    def __init__(self, stand: Stand, now: Callable[[], float], cpu_s: Callable[[], float]) -> None:
        self._stand = stand
        self._now = now
        self._cpu_s = cpu_s
        self._begun: tuple[float, float] | None = None
        self.session: Session | None = None  #: of the bridge; given before it starts
        self.accounts: list[SampleAccount] = []  #: of each session
        self.edges: list[tuple[int, EdgeAccount]] = []  #: of each session, and the number at its beginning
        self.due: deque[int] = deque(maxlen=64)  #: parts for which a pulse is to be asked for
        self.ticks: dict[int, int] = {}  #: of each part, by its number
        self.reports: list[RejectReport] = []  #: what became of the pulses
        self.errors_s: list[float] = []  #: of the times of edges
        self.late_s: list[float] = []  #: of the times of arrival
        self.stated_s: list[float] = []  #: what the errors were said to be at most
        self.rule_broken = self.blocks_wrong = self.lapses = 0
        self.cpu_share = 0.0  #: of the bridge's thread, of one core

    def hear(self, heard: Heard | Down) -> None:
        """Take what the bridge hears."""
        match heard:
            case Up():
                assert self.session is not None
                self.accounts.append(self.session.samples)
                self.edges.append((heard.edges, self.session.edges))
            case Samples():
                self._check(heard)
            case Arrival():
                true_s = self._stand.host_s(heard.edge.ticks)
                self.errors_s.append(abs(heard.time_s - true_s))
                self.late_s.append(self._now() - true_s)
                self.stated_s.append(heard.uncertainty_s)
                self.ticks[heard.edge.edge_seq] = heard.edge.ticks
                self.due.append(heard.edge.edge_seq)
            case RejectReport():
                self.reports.append(heard)
            case Lapsed():
                self.lapses += 1

    def _check(self, heard: Samples) -> None:
        account, block = self.accounts[-1], heard.block
        self.rule_broken += account.received + account.dropped + account.lost != account.spanned
        self.blocks_wrong += not np.array_equal(block.samples, humming(block.first_sample, len(block.samples)))
        if self._begun is None:
            self._begun = self._now(), self._cpu_s()
        elapsed_s = self._now() - self._begun[0]
        self.cpu_share = (self._cpu_s() - self._begun[1]) / elapsed_s if elapsed_s > 0.0 else 0.0


def soak(
    wire: str,
    faults: Faults,
    seconds: float,
    parts_per_s: float,
    folder: Path,
    now: Callable[[], float],
    cpu_s: Callable[[], float],
) -> SoakFigures:
    """Run once.

    Args:
        wire: its name.
        faults: how bad it is.
        seconds: how long [s].
        parts_per_s: parts that pass in a second; for each one a pulse is asked for.
        folder: for the link to the pty.
        now: tells the host monotonic time [s].
        cpu_s: tells the processor time of the thread that asks [s].

    Returns:
        The figures.
    """
    belt = Belt(parts_per_s)
    path = folder / "sensor"
    stand = Stand(path, _boot, now, belt, DRIFT_PPM)
    stand.to_host.faults = stand.to_mcu.faults = faults
    witness = Witness(stand, now, cpu_s)
    witness.session = Session(CONFIG, lambda: secrets.randbits(64))
    bridge = Bridge(lambda: SerialPort(str(path), BAUD), witness.session, now, witness.hear)
    stand.start()
    bridge.start()
    try:
        taken, refused, parts = _decide(bridge, witness, belt, seconds, now)
    finally:
        bridge.stop()
        bridge.join(COMING_UP_S)
        stand.close()
    for failure in (bridge.failure, stand.failure):
        if failure is not None:
            raise failure
    return _figures(wire, seconds, stand, bridge, witness, (taken, refused), parts)


def _boot(number: int, ticks: int) -> Mcu:
    return Mcu(number, sensor=humming, rate_error=RATE_ERROR, start_ticks=ticks)


def _decide(
    bridge: Bridge, witness: Witness, belt: Belt, seconds: float, now: Callable[[], float]
) -> tuple[int, int, set[int]]:
    """Hold the lease and ask for a pulse for every part; give pulses taken and refused, and the ticks of all parts."""
    pause = threading.Event()
    end_s = now() + seconds
    taken = refused = 0
    parts: set[int] = set()
    while now() < end_s + SETTLING_S:
        bridge.hold(now())
        parts.update(belt.parts.copy())
        while witness.due:
            refusal = bridge.pulse(Pulse(witness.due.popleft(), PULSE_AFTER_S, PULSE_US, 0))
            taken += refusal is None
            refused += refusal is not None
        if now() >= end_s:
            belt.stop()
        pause.wait(TURN_S)
    return taken, refused, parts


def _figures(
    wire: str,
    seconds: float,
    stand: Stand,
    bridge: Bridge,
    witness: Witness,
    pulses: tuple[int, int],
    parts: set[int],
) -> SoakFigures:
    starts = [first for first, _ in witness.edges]
    between = sum(start - edges.last for start, (_, edges) in zip(starts[1:], witness.edges, strict=False))
    off_us = [
        abs(report.actual_ticks - witness.ticks[report.part_seq] - PULSE_AFTER_S * (1e6 + DRIFT_PPM))
        for report in witness.reports
        if report.fate is Fate.DONE and report.actual_ticks is not None
    ]
    return SoakFigures(
        wire=wire,
        seconds=seconds,
        harmed=stand.to_host.harmed + stand.to_mcu.harmed,
        sessions=bridge.sessions,
        lapses=witness.lapses,
        samples_received=sum(account.received for account in witness.accounts),
        samples_dropped=sum(account.dropped for account in witness.accounts),
        samples_lost=sum(account.lost for account in witness.accounts),
        samples_spanned=sum(account.spanned for account in witness.accounts),
        rule_broken=witness.rule_broken,
        blocks_wrong=witness.blocks_wrong,
        blocks_stale=sum(account.stale for account in witness.accounts),
        edges=stand.mcu.trigger.edges - (starts[0] if starts else 0),
        edges_received=sum(edges.received for _, edges in witness.edges),
        edges_lost=sum(edges.lost for _, edges in witness.edges),
        edges_between=between,
        edges_false=len(set(witness.ticks.values()) - parts),
        pulses=pulses[0],
        pulses_refused=pulses[1],
        fates=dict(Counter(report.fate.value for report in witness.reports)),
        pulse_error_p50_us=_us(quantile(off_us, 0.5)),
        pulse_error_p99_us=_us(quantile(off_us, 0.99)),
        pulse_error_max_us=_us(max(off_us, default=float("nan"))),
        clock_error_p50_us=_us(1e6 * quantile(witness.errors_s, 0.5)),
        clock_error_p99_us=_us(1e6 * quantile(witness.errors_s, 0.99)),
        clock_error_max_us=_us(1e6 * max(witness.errors_s, default=float("nan"))),
        arrival_error_p99_us=_us(1e6 * quantile(witness.late_s, 0.99)),
        uncertainty_p99_us=_us(1e6 * quantile(witness.stated_s, 0.99)),
        clock_beyond=sum(off > said for off, said in zip(witness.errors_s, witness.stated_s, strict=True)),
        bridge_cpu_share=round(witness.cpu_share, 4),
    )


def _us(value: float) -> float:
    return round(value, 1)
