"""A host's session and a simulated microcontroller over two wires, in virtual time: seconds of it take milliseconds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.heard import Arrival, Heard, Samples, Up
from firmware_bridge.messages import Config
from firmware_bridge.reject import RejectReport
from firmware_bridge.session import Session
from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.wire import CLEAN, Faults, Wire

CONFIG = Config(
    rate_hz=26_667,
    range_mg=16_000,
    block_samples=256,
    lease_ms=500,
    debounce_us=500,
    trigger_input=0,
    trigger_rising=1,
    active_levels=0b01,
    safe_levels=0b01,
)
TURN_S = 0.001
"""Both ends look at the wire so often [s]."""


@dataclass
class WirePair:
    """Both ends and what was heard.

    Attributes:
        faults: of both directions.
        drift_ppm: by how much the microcontroller's counter is fast [ppm].
        period_s: between two parts [s].
        pulse_after_s: a pulse is asked for so long after each edge [s]; None asks for none.
        alive: whether the host says that it is.
    """

    faults: Faults = CLEAN
    drift_ppm: float = 35.0
    rate_error: float = 0.03
    period_s: float = 0.1
    pulse_after_s: float | None = 0.1
    alive: bool = True
    seed: int = 1
    start_ticks: int = 2**32 - 500_000
    config: Config = CONFIG
    now: float = 100.0
    heard: list[Heard] = field(default_factory=list)
    edges_true: list[int] = field(default_factory=list)
    on_turn: Callable[[WirePair], None] = lambda pair: None

    def __post_init__(self) -> None:
        ids = itertools.count(1)
        self.session = Session(self.config, lambda: next(ids))
        self.mcu = self.boot(7)
        self.to_host, self.to_mcu = Wire(self.faults, self.seed), Wire(self.faults, self.seed + 1)
        self._next_part_s = self.now + 0.5
        self._level = 0
        self.session.open(self.now)

    def boot(self, boot_id: int) -> Mcu:
        """Start a microcontroller now."""
        return Mcu(boot_id, rate_error=self.rate_error, start_ticks=self.ticks(self.now))

    def ticks(self, host_s: float) -> int:
        """Give the true tick at a host time [s]."""
        return self.start_ticks + round((host_s - 100.0) * 1e6 * (1.0 + self.drift_ppm * 1e-6))

    def run(self, seconds: float) -> None:
        """Let so much time pass [s]."""
        until = self.now + seconds
        while self.now < until:
            self._turn()
            self.now += TURN_S

    def of(self, kind: type) -> list:
        """Give what was heard of one kind."""
        return [heard for heard in self.heard if isinstance(heard, kind)]

    @property
    def ups(self) -> list[Up]:
        return self.of(Up)

    @property
    def arrivals(self) -> list[Arrival]:
        return self.of(Arrival)

    @property
    def samples(self) -> list[Samples]:
        return self.of(Samples)

    @property
    def reports(self) -> list[RejectReport]:
        return self.of(RejectReport)

    def _turn(self) -> None:
        self.on_turn(self)
        ticks = self.ticks(self.now)
        if self.now >= self._next_part_s:
            self._level ^= 1
            self.mcu.set_trigger(self._level, ticks)
            if self._level:
                self.edges_true.append(ticks)
            self._next_part_s += self.period_s / 2.0
        self.mcu.step(ticks)
        arrived = self.to_mcu.receive(self.now)
        if arrived:
            self.mcu.receive(arrived, ticks)
        self.to_host.send(self.mcu.take_output(), self.now)
        self._hear(self.session.receive(self.to_host.receive(self.now), self.now))
        if self.alive:
            self.session.lease.hold(self.now)
        self._hear(self.session.step(self.now))
        self.to_mcu.send(self.session.take_output(), self.now)

    def _hear(self, heard: list[Heard]) -> None:
        for one in heard:
            self.heard.append(one)
            if isinstance(one, Arrival) and self.pulse_after_s is not None:
                report = self.session.reject(one.edge.edge_seq, self.pulse_after_s, 5000, 0, self.now)
                if report is not None:
                    self.heard.append(report)
