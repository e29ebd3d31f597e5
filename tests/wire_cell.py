"""A whole inspection cell on a pty: castings pass a simulated microcontroller, a camera and a reject gate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from edge_agent.records import Frame
from edge_agent.runtime.clock import SystemClock
from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.outputs import Change
from firmware_bridge.sim.stand import Line, Stand
from firmware_bridge.sim.wire import QUIET_USB, Faults
from models.castings import Casting, CastingLine

TRUE_RATE_HZ = 26_667
NOMINAL_RATE_HZ = 27_500
"""What the simulated sensor promises; it is 3 % slower, as a MEMS sensor may be."""
RANGE_G = 16.0
FRAME_AFTER_S = 0.010
TICK_HZ = 1_000_000
KEPT = 8
"""Parts whose samples may still be asked for."""

CELL_TOML = """
[station]
state_dir = "state"
[source]
kind = "wire"
[source.wire]
port = "{port}"
rate_hz = 27500
range_g = 16
[recipe]
bundle = "castings"
modalities = [{modalities}]
deadline_ms = {deadline_ms}
[recipe.gate]
travel_ms = {travel_ms}
pulse_ms = 20
[gate]
lease_ms = {lease_ms}
[camera]
device = "{device}"
fps = 20
"""
NO_CAMERA = "/dev/video-of-nobody"
"""What a configuration names where the cell itself delivers the pictures."""


@cache
def castings() -> tuple[Casting, ...]:
    """Some castings, made once: making one takes longer than the wire may wait."""
    line = CastingLine(3)
    return tuple(line.part(number) for number in range(1, 25))


class CastingCell(Line):
    """Castings in sequence: each fires the trigger, is struck, and is seen by a camera.

    Args:
        castings: which pass, again and again.
        period_s: between two [s].
        see: takes a picture when it has arrived.
        parts: how many pass.
    """

    def __init__(
        self, castings: Sequence[Casting], period_s: float, see: Callable[[Frame], None], parts: int = 1_000_000
    ) -> None:
        self.stand: Stand | None = None
        self.moving = False  #: whether castings pass
        self.passed: list[tuple[int, Casting]] = []  #: tick of the edge, and what passed
        self._castings = castings
        self._period = round(period_s * TICK_HZ)
        self._see = see
        self._parts = parts
        self._recent: deque[tuple[int, Casting]] = deque(maxlen=KEPT)
        self._next: int | None = None
        self._fall: int | None = None
        self._frames: deque[tuple[int, Casting]] = deque()
        self._begun = 0

    def step(self, mcu: Mcu, ticks: int) -> None:
        if not self.moving:
            return
        self._next = ticks + TICK_HZ // 10 if self._next is None else self._next
        self._begun = mcu.sampler.since
        if self._fall is not None and ticks >= self._fall:
            mcu.set_trigger(0, self._fall)
            self._fall = None
        if ticks >= self._next and len(self.passed) < self._parts:
            edge = self._next
            part = edge, self._castings[len(self.passed) % len(self._castings)]
            self._recent.append(part)
            self.passed.append(part)
            self._frames.append(part)
            mcu.set_trigger(1, edge)
            self._fall, self._next = edge + self._period // 2, edge + self._period
        if self._frames and ticks >= self._frames[0][0] + (FRAME_AFTER_S + 0.005) * TICK_HZ:
            edge, casting = self._frames.popleft()
            now = SystemClock().now()
            at_s = now - (self.stand.ticks(now) - edge) / TICK_HZ + FRAME_AFTER_S
            self._see(Frame(casting.image, at_s, 0.001))

    def feel(self, first: int, n: int) -> np.ndarray:
        """Give what the sensor feels: nothing, but for the ring of the last castings."""
        raw = np.zeros((n, 3), np.int16)
        for edge, casting in self._recent:
            begin = round((edge - self._begun) / TICK_HZ * TRUE_RATE_HZ) - first
            counts = np.clip(np.rint(casting.samples * (32_768 / (RANGE_G * 9.80665))), -32_768, 32_767)
            low, high = max(0, begin), min(n, begin + len(counts))
            if low < high:
                raw[low:high] = counts[low - begin : high - begin]
        return raw


class Cell:
    """A stand with castings on it.

    Args:
        folder: where its port appears, as `mcu`.
        period_s: between two parts [s].
        parts: how many pass.
        faults: of the wire.
    """

    def __init__(
        self, folder: Path, period_s: float = 0.25, parts: int = 1_000_000, faults: Faults = QUIET_USB
    ) -> None:
        self.port = folder / "mcu"
        self.see: Callable[[Frame], None] = lambda frame: None
        self.line = CastingCell(castings(), period_s, self._seen, parts)
        self.stand = self.line.stand = Stand(self.port, self._boot, SystemClock().now, self.line, 35.0)
        self.stand.to_host.faults = self.stand.to_mcu.faults = faults

    def __enter__(self) -> Cell:
        self.stand.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stand.close()
        if self.stand.failure is not None:
            raise self.stand.failure

    def config(
        self,
        folder: Path,
        *modalities: str,
        device: str = "",
        deadline_ms: int = 250,
        travel_ms: int = 400,
        lease_ms: int = 500,
    ) -> Path:
        """Write a configuration for a station at this cell; what a test is not about is to have plenty of time."""
        path = folder / "station.toml"
        words = ", ".join(f'"{m}"' for m in modalities)
        times = {"deadline_ms": deadline_ms, "travel_ms": travel_ms, "lease_ms": lease_ms}
        path.write_text(CELL_TOML.format(port=self.port, modalities=words, device=device, **times))
        return path

    def opened(self) -> list[Change]:
        """Give when the gate opened."""
        return [c for c in list(self.stand.mcu.outputs.changes) if c.output == 0 and c.level == 1]

    def _seen(self, frame: Frame) -> None:
        self.see(frame)

    def _boot(self, number: int, ticks: int) -> Mcu:
        error = TRUE_RATE_HZ / NOMINAL_RATE_HZ - 1.0
        return Mcu(
            0xC0FFEE00 + number, self.line.feel, TICK_HZ, rate_hz=NOMINAL_RATE_HZ, rate_error=error, start_ticks=ticks
        )
