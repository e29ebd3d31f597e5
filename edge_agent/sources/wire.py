"""A microcontroller as a source: its edges are triggers, its samples become windows, its outputs are the reject gate.

With `wireview` the one that knows `firmware_bridge`. What comes on the bridge's thread is handed on by mailboxes; a
session that breaks makes the source unavailable until the next one is up, and the microcontroller counts meanwhile.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from edge_agent.config.wire import GateConfig, WireConfig
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.records import BeltTime, Frame, Gated, Trigger
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.sources.beltguard import BeltGuard
from edge_agent.sources.source import FeedStats, Item, Position
from edge_agent.sources.vibration import SensorBlock, WindowCutter
from edge_agent.sources.wirerecords import News, WireStatus
from edge_agent.sources.wireview import figures_of, wanted_of
from firmware_bridge.bridge import Bridge, Down, Pulse
from firmware_bridge.codes import BlockFlag
from firmware_bridge.heard import Armed, Arrival, Heard, Lapsed, Rebooted, Samples, Up
from firmware_bridge.messages import Log, Status
from firmware_bridge.port import Port, SerialPort
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import Session

ITEMS: Final = 64
"""Triggers and windows that may wait for the station: a second of a quick line."""
FRAMES: Final = 4
"""Pictures that may wait for the station, of each camera; 6 MB each at 1080p."""
REPORTS: Final = 64
"""Reports of the gate, and news, that may wait: some seconds of a quick line."""
SEVERITIES: Final = ("info", "warning", "error")
"""Of a LOG, by its level."""

OpenPort = Callable[[str, int], Port]


class WireSource:
    """A `Source` at the end of a wire, and the way to the outputs there.

    `connect` and `disconnect` are the life of the wire; `open` and `close` that of the source on it, which needs it up.

    Args:
        wire: the port and what the microcontroller is to do.
        gate: what is safe.
        outputs: outputs that recipes use.
        window_s: length of a vibration window [s].
        belt_s: so long after its trigger every part has passed the gate [s].
        cameras: how many deliver to it.
        clock: tells the time.
        poke: asks the loop to step a component.
        open_port: opens the port, by path and baud rate.
    """

    name = "wire"

    def __init__(
        self,
        wire: WireConfig,
        gate: GateConfig,
        outputs: frozenset[int],
        window_s: float,
        belt_s: float,
        cameras: int,
        clock: Clock,
        poke: Callable[[str], None],
        open_port: OpenPort = SerialPort,
    ) -> None:
        self.items = Mailbox[Item](ITEMS, Overflow.DROP_OLDEST, lambda: poke("inspection"))
        self.frames = Mailbox[Frame](FRAMES * max(1, cameras), Overflow.DROP_OLDEST, lambda: poke("inspection"))
        self.reports = Mailbox[Gated](REPORTS, Overflow.DROP_OLDEST, lambda: poke("gate"))
        self.news = Mailbox[News](REPORTS, Overflow.DROP_OLDEST, lambda: poke("gate"))
        self._wire = wire
        self._wanted = wanted_of(wire, gate, outputs)
        self._guard = BeltGuard(belt_s if gate.safe == "reject" else 0.0)
        self._cutter = WindowCutter(window_s, wire.range_g, wire.rate_hz)
        self._clock = clock
        self._poke = poke
        self._open_port = open_port
        self._bridge: Bridge | None = None
        self._lock = threading.Lock()
        self._position = Position("", 0)
        self._up = False
        self._figures = WireStatus()
        self._series, self._tick_hz = "", 1
        self._failure: EdgeAgentError | None = None
        self._said: set[str] = set()
        self._delivering = False
        self._triggers = 0

    def connect(self) -> None:
        """Start to look for the microcontroller, and go on for ever."""
        self.disconnect()
        if self._bridge is not None and not self._bridge.join(0.0):
            raise Unavailable("the thread of the wire still hangs", hint="pull the cable of the microcontroller")
        session = Session(self._wanted, lambda: secrets.randbits(63) | 1)
        self._bridge = Bridge(
            lambda: self._open_port(self._wire.port, self._wire.baud), session, self._clock.now, self._hear
        )
        self._bridge.start()

    def disconnect(self) -> None:
        """Ask the thread of the wire to end."""
        if self._bridge is not None:
            self._bridge.stop()

    def joined(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the thread of the wire to end; say whether it has."""
        return self._bridge is None or self._bridge.join(until - self._clock.now())

    @property
    def ready(self) -> bool:
        """Whether `open` has something new to say: the wire is up, or fails as it has not since it last was."""
        if self._bug is not None:
            return True
        with self._lock:
            return self._up or (self._failure is not None and self._failure.message not in self._said)

    def open(self) -> Position:
        """Start delivering; say how far the microcontroller had counted before.

        A gate whose safe level takes parts off stays at it until the last part that nobody judges has passed.

        Returns:
            The last position before this moment.

        Raises:
            Unavailable: the wire is not up.
            Exception: a bug has ended the bridge's thread.
        """
        if self._bug is not None:
            raise self._bug
        with self._lock:
            if not self._up:
                failure = self._failure or Unavailable("the microcontroller has not answered yet", hint="wait a second")
                self._said.add(failure.message)
                raise failure
            self._failure = None
            self._said.clear()
            self._guard.begin(self._clock.now())
            self._delivering = True
            return self._position

    def take(self) -> list[Item]:
        """Give what was delivered since the last time: triggers and windows, then pictures."""
        return [*self.items.take_all(), *self.frames.take_all()]

    def position(self) -> Position:
        """Give the count as the microcontroller last told it."""
        with self._lock:
            return self._position

    def answered(self, number: int) -> None:
        """A line does not wait for answers."""

    def finished(self) -> bool:
        """A line has no end."""
        return False

    def check(self) -> None:
        """Raise why the wire broke since `open`, though it may be up again: parts passed that only `open` tells of."""
        if self._bug is not None:
            raise self._bug
        with self._lock:
            if self._failure is not None:
                self._said.add(self._failure.message)
                raise self._failure

    def stats(self) -> FeedStats:
        """Say what was done since `connect`. Safe from any thread."""
        return FeedStats(self._triggers, 0, 0, 0)

    def close(self) -> None:
        """Stop delivering; the wire stays up."""
        with self._lock:
            self._delivering = False

    def join(self, until: float) -> bool:
        """The source has no thread of its own."""
        return True

    def deliver(self, frame: Frame) -> None:
        """Put a camera's picture among the items. Safe from any thread."""
        with self._lock:
            delivering = self._delivering
        if delivering:
            self.frames.offer(frame)

    def hold(self, now: float, *, bypassed: bool) -> None:
        """Say that whoever decides about parts is alive; without it the gate goes to its safe level.

        It goes there as well while nothing is delivered: nobody decides about the parts that pass meanwhile. Where that
        level takes parts off it stays there until the last of them has passed.

        Args:
            now: host monotonic time [s].
            bypassed: every part is to pass.
        """
        if self._bridge is None or not self._delivering:
            return
        from_s, news = self._guard.follows_from(now, bypassed=bypassed)
        if news:
            why = "until the parts that nobody judges have passed"
            self._tell("info", "gate_waits", f"the reject gate stays at its safe level for {from_s - now:.3g} s, {why}")
        self._bridge.follow_from(from_s)
        self._bridge.hold(now)

    def pulse(self, series: str, number: int, distance: BeltTime, pulse_s: float, output: int) -> str:
        """Ask the gate to move.

        Args:
            series: the count of the trigger; "" without a part.
            number: of the trigger that announced the part; 0 without one.
            distance: from the trigger, or from now, to the movement.
            pulse_s: how long it lasts [s].
            output: which output.

        Returns:
            "" when it is asked, and a `Gated` follows; else the word for why not, and nothing more is heard of it.
        """
        with self._lock:
            same_start = series in ("", self._position.series)
        if self._bridge is None:
            return Fate.DOWN
        if not same_start:
            return Fate.REBOOTED
        return self._bridge.pulse(Pulse(number, distance.seconds, round(pulse_s * 1e6), output)) or ""

    def status(self) -> WireStatus | None:
        """Say how the wire is; None before it was connected. Safe from any thread."""
        bridge = self._bridge
        if bridge is None:
            return None
        error = bridge.error
        return replace(
            self._figures,
            state=bridge.session.state.name.lower(),
            error="" if error is None else error.message,
            hint="" if error is None else error.hint,
            armed=bridge.session.lease.armed,
            sessions=bridge.sessions,
        )

    @property
    def _bug(self) -> Exception | None:
        """What ended the bridge's thread, which nothing can end but a bug."""
        return None if self._bridge is None else self._bridge.failure

    def _hear(self, heard: Heard | Down) -> None:
        """Take what the bridge heard; on its thread."""
        match heard:
            case Samples():
                self._sampled(heard)
            case Arrival():
                self._arrived(heard)
            case RejectReport():
                self._reported(heard)
            case Status():
                assert self._bridge is not None
                self._figures = figures_of(self._bridge.session, self._cutter, self._clock.now())
            case Up():
                self._came_up(heard)
            case Down(error=error):
                self._went_down(error.message, error.hint)
            case Rebooted():
                self._tell(
                    "warning",
                    "mcu_rebooted",
                    "the microcontroller has started anew: movements that were pending will not come",
                )
                self._went_down("the microcontroller has started anew", "wait a second; if it persists, see its power")
            case Lapsed():
                self._tell("error", "gate_safe", "the reject gate went to its safe level: the lease ran out")
            case Armed():
                self._tell("info", "gate_armed", "the reject gate follows the station")
            case Log(level=level, text=text):
                self._tell(SEVERITIES[min(level, 2)], "mcu_log", f"the microcontroller says: {text}")

    def _sampled(self, heard: Samples) -> None:
        block = heard.block
        usable = not block.flags & BlockFlag.SENSOR_FAULT
        self._cutter.add(SensorBlock(block.first_sample, block.samples, heard.start_s, heard.uncertainty_s, usable))
        for window in self._cutter.take(self._clock.now()):
            self._deliver(window)

    def _arrived(self, heard: Arrival) -> None:
        with self._lock:
            before = self._position.number
            position = self._position = Position(self._position.series, heard.edge.edge_seq)
            delivering = self._delivering
        if delivering:
            self._triggers += 1
            if position.number > before + 1:
                self._guard.unjudged(self._clock.now())
            self._deliver(Trigger(position.series, position.number, heard.time_s, uncertainty_s=heard.uncertainty_s))
            self._cutter.want(heard.time_s)

    def _deliver(self, item: Item) -> None:
        self.items.offer(item)
        self._guard.dropped(self.items.stats().dropped, self._clock.now())

    def _reported(self, report: RejectReport) -> None:
        late = None if report.actual_ticks is None else report.actual_ticks - report.fire_ticks
        off_us = None if late is None else 1e6 * late / self._tick_hz
        self.reports.offer(Gated(self._series, report.part_seq, str(report.fate), off_us))

    def _came_up(self, up: Up) -> None:
        self._cutter.clear()
        self._series, self._tick_hz = up.series, up.hello.tick_hz
        with self._lock:
            self._position, self._up = Position(up.series, up.edges), True
        message = f"{up.hello.sensor or 'the microcontroller'} answers on {self._wire.port}"
        self._tell("info", "wire_up", message, series=up.series, edges=up.edges, rate_hz=up.config.rate_hz)

    def _went_down(self, message: str, hint: str) -> None:
        with self._lock:
            self._up = self._delivering = False
            self._failure = Unavailable(message, hint=hint)
        self._poke("source")

    def _tell(self, severity: str, kind: str, message: str, **data: object) -> None:
        self.news.offer(News(severity, kind, message, data))
