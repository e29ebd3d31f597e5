"""What a person wants to see of a wire while it runs: counters, rates, the clock, the last edges, what went wrong.

It listens to a bridge and asks nothing of the outputs: whoever monitors never arms them.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from firmware_bridge.bridge import Bridge, Down
from firmware_bridge.codes import BlockFlag
from firmware_bridge.heard import Arrival, Heard, Rebooted, Samples, Up
from firmware_bridge.messages import Log

EDGES_SHOWN: Final = 5
LINES_SHOWN: Final = 5


@dataclass(frozen=True)
class Figures:
    """The wire at one moment.

    Attributes:
        up: whether edges and samples are coming.
        sensor: what the microcontroller says it has; "" before it has said so.
        series: its start.
        sessions: sessions that were begun.
        reboots: starts of the microcontroller that were noticed.
        samples_hz: samples since it was asked last, as a rate [1/s].
        samples: received, in all sessions.
        dropped: samples that the microcontroller dropped.
        lost: samples that were lost on the wire.
        saturated: blocks with a sample at the end of the range.
        faults: blocks of a sensor that did not answer.
        edges: number of the last edge.
        edges_per_min: since it was asked last, as a pace [1/min].
        edges_lost: edges that never arrived, in all sessions.
        glitches: pulses that were too short to count.
        drift_ppm: by how much the microcontroller's counter is fast [ppm].
        residual_us: how far the pings lie from the line, 99 % of them at most [us].
        uncertainty_us: half width of the interval of a time of now [us]; None while it is not known.
        round_trip_us: shortest recent round trip [us]; None before the first.
        temperature_celsius: of the sensor; None before the first block.
        packets: received.
        packets_lost: numbers that never came.
        corrupt: packets that were damaged.
        retried: reliable packets that were sent again.
        last_edges: number and host monotonic time of the latest edges [s].
        log: what the microcontroller said for people.
        error: why the session is down; "" while it is not.
        hint: what a person can do about it.
    """

    up: bool
    sensor: str
    series: str
    sessions: int
    reboots: int
    samples_hz: float
    samples: int
    dropped: int
    lost: int
    saturated: int
    faults: int
    edges: int
    edges_per_min: float
    edges_lost: int
    glitches: int
    drift_ppm: float
    residual_us: float
    uncertainty_us: float | None
    round_trip_us: float | None
    temperature_celsius: float | None
    packets: int
    packets_lost: int
    corrupt: int
    retried: int
    last_edges: tuple[tuple[int, float], ...]
    log: tuple[str, ...]
    error: str
    hint: str


class Monitor:
    """Listens on the bridge's thread, answers on any.

    Args:
        now: host monotonic time [s].
    """

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._last_edges: deque[tuple[int, float]] = deque(maxlen=EDGES_SHOWN)
        self._log: deque[str] = deque(maxlen=LINES_SHOWN)
        self._up: Up | None = None
        self._reboots = self._saturated = self._faults = 0
        self._samples = self._arrivals = 0
        self._temperature_celsius: float | None = None
        self._before = now, 0, 0
        self.was_up = False  #: whether a session ever came up
        self.last_down: Down | None = None  #: the last end of one

    def hear(self, heard: Heard | Down) -> None:
        """Take what the bridge hears."""
        with self._lock:
            match heard:
                case Up():
                    self._up = heard
                    self.was_up = True
                case Rebooted():
                    self._reboots += 1
                case Samples():
                    self._samples += len(heard.block.samples)
                    self._saturated += bool(heard.block.flags & BlockFlag.SATURATED)
                    self._faults += bool(heard.block.flags & BlockFlag.SENSOR_FAULT)
                    self._temperature_celsius = heard.block.temperature_cdeg / 100.0
                case Arrival():
                    self._arrivals += 1
                    self._last_edges.append((heard.edge.edge_seq, heard.time_s))
                case Log():
                    self._log.append(printable(heard.text))
                case Down():
                    self.last_down = heard

    def figures(self, bridge: Bridge, now: float) -> Figures:
        """Give the wire as it is; rates are those since it was asked last.

        Args:
            bridge: what it listens to.
            now: host monotonic time [s].

        Returns:
            The figures.
        """
        session = bridge.session
        clock, totals, counts = session.clock, session.totals, session.link.counts
        error = bridge.error
        with self._lock:
            before_s, samples_before, arrivals_before = self._before
            elapsed_s = now - before_s
            self._before = now, self._samples, self._arrivals
            return Figures(
                up=bridge.up,
                sensor=printable(self._up.hello.sensor) if self._up is not None else "",
                series=self._up.series if self._up is not None else "",
                sessions=bridge.sessions,
                reboots=self._reboots,
                samples_hz=round((self._samples - samples_before) / elapsed_s, 1) if elapsed_s > 0.0 else 0.0,
                samples=totals.samples,
                dropped=totals.samples_dropped,
                lost=totals.samples_lost,
                saturated=self._saturated,
                faults=self._faults,
                edges=session.edges.last,
                edges_per_min=round(60.0 * (self._arrivals - arrivals_before) / elapsed_s, 1)
                if elapsed_s > 0.0
                else 0.0,
                edges_lost=totals.edges_lost,
                glitches=totals.glitches,
                drift_ppm=round(clock.drift_ppm, 3),
                residual_us=round(1e6 * clock.residual_p99_s, 1),
                uncertainty_us=round(1e6 * clock.uncertainty_s(now), 1) if clock.ready else None,
                round_trip_us=round(1e6 * clock.round_trip_s, 1) if clock.ready else None,
                temperature_celsius=self._temperature_celsius,
                packets=counts.received,
                packets_lost=counts.lost,
                corrupt=session.link.decoder.corrupt + session.link.decoder.oversize,
                retried=counts.retried,
                last_edges=tuple(self._last_edges),
                log=tuple(self._log),
                error=error.message if error is not None else "",
                hint=error.hint if error is not None else "",
            )


def printable(text: str) -> str:
    """Give a text of a device without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)


def line(figures: Figures) -> str:
    """Give the figures in one line."""
    if not figures.up:
        return f"down: {figures.error or 'greeting'}"
    return (
        f"up  {figures.samples_hz:.0f} samples/s ({figures.dropped} dropped, {figures.lost} lost)  "
        f"edge {figures.edges} ({figures.edges_per_min:.0f}/min, {figures.edges_lost} lost)  "
        f"clock {figures.drift_ppm:+.1f} ppm +-{_us(figures.uncertainty_us)}  "
        f"packets {figures.packets} ({figures.packets_lost} lost, {figures.corrupt} damaged)"
    )


def table(figures: Figures, path: str) -> Table:
    """Give the figures for a terminal.

    Args:
        figures: what to show.
        path: the device.

    Returns:
        The table.
    """
    grid = Table(title=Text(f"{path}  {figures.sensor}"), show_header=False, title_justify="left")
    grid.add_column(style="bold")
    grid.add_column()
    for name, value in _rows(figures):
        grid.add_row(name, Text(value))
    return grid


def as_json(figures: Figures) -> dict[str, Any]:
    """Give the figures for a program."""
    return asdict(figures)


def _rows(figures: Figures) -> list[tuple[str, str]]:
    state = "up" if figures.up else f"down: {figures.error or 'greeting'}"
    degrees = "" if figures.temperature_celsius is None else f", {figures.temperature_celsius:.1f} degrees Celsius"
    rows = [
        ("session", f"{state} ({figures.sessions} begun, {figures.reboots} restarts noticed)"),
        ("samples", f"{figures.samples_hz:.0f}/s, {figures.samples} received{degrees}"),
        ("missing samples", f"{figures.dropped} dropped by the microcontroller, {figures.lost} lost on the wire"),
        ("bad blocks", f"{figures.saturated} saturated, {figures.faults} of a sensor that did not answer"),
        ("edges", f"number {figures.edges}, {figures.edges_per_min:.0f}/min"),
        ("missing edges", f"{figures.edges_lost} lost, {figures.glitches} glitches"),
        ("clock", f"{figures.drift_ppm:+.2f} ppm, within {_us(figures.uncertainty_us)}"),
        ("pings", f"{_us(figures.residual_us)} off the line, shortest {_us(figures.round_trip_us)}"),
        ("packets", f"{figures.packets}, {figures.packets_lost} lost, {figures.corrupt} damaged"),
        ("sent again", str(figures.retried)),
        ("last edges", "  ".join(f"{number} at {time_s:.4f}" for number, time_s in figures.last_edges)),
    ]
    rows += [("it says", text) for text in figures.log]
    rows += [("hint", figures.hint)] if figures.hint else []
    return rows


def _us(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} us"
