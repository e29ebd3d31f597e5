"""A session with a microcontroller, from the first greeting to the last pulse: the handshake is a transition table.

Pure: bytes and time in, what was heard and bytes out. Whoever owns the port reads, steps and writes; an error that is
raised here ends the session, and the next one begins with `open`.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

from firmware_bridge.account import EdgeAccount, SampleAccount
from firmware_bridge.clocksync import ClockSync
from firmware_bridge.errors import BridgeError, McuFault, PortRefused
from firmware_bridge.flood import FloodGate
from firmware_bridge.handshake import NEXT, State, Turn
from firmware_bridge.heard import Armed, Arrival, Heard, Lapsed, Rebooted, Samples, Up
from firmware_bridge.lease import Lease
from firmware_bridge.link import Link
from firmware_bridge.messages import (
    PROTOCOL,
    Block,
    Config,
    ConfigAck,
    ConfigResult,
    Edge,
    Hello,
    Log,
    Message,
    Ping,
    Pong,
    RejectAck,
    RejectDone,
    Status,
    StatusFlag,
)
from firmware_bridge.packet import VERSION
from firmware_bridge.reject import Fate, RejectBook, RejectReport

HELLO_S: Final = 0.250
"""Between two greetings that are not answered [s]."""
GREETING_S: Final = 3.0
"""A microcontroller that has not answered by then is not there [s]; most boot within two seconds of a reset."""
SETTLING_S: Final = 3.0
"""Configuration and the first pings take no longer [s]."""
SILENCE_S: Final = 2.5
"""A microcontroller that says nothing for so long is gone [s]; its STATUS comes once a second."""
FIRST_PINGS: Final = 10
FIRST_PING_S: Final = 0.020
"""Between an answer and the next ping at the start [s]; pings that do not wait for it would measure a queue."""
PING_S: Final = 1.0
"""Between the pings afterwards [s]."""
PING_AGAIN_S: Final = 0.1
"""Until the next one when one was of no use, or at the start not answered [s]."""
DITHER: Final = 0.618
"""Pauses are longer by a share that changes, up to the whole: pings in step with the blocks would all wait for one."""
EDGES_KEPT: Final = 256
"""Edges whose tick is kept, so that a pulse can be asked for relative to them: more than fit on any belt."""
PINGS_OPEN: Final = 64
"""Pings whose answer is still taken, if it comes."""
REPEAT_S: Final = 0.050
"""The second copy of an edge has come by then [s]."""


class Session:
    """One session after the other with the microcontroller at the other end.

    Args:
        wanted: how it is to sample, and what is safe.
        new_id: gives a number that no session before had.
    """

    def __init__(self, wanted: Config, new_id: Callable[[], int]) -> None:
        self._wanted = wanted
        self._new_id = new_id
        self.link = Link()
        self.state = State.CLOSED
        self.rejects = RejectBook(self.link.send)
        self.lease = Lease(wanted.lease_ms, self.link.send)
        self._flood = FloodGate(wanted.rate_hz)
        self.samples = SampleAccount()
        self.edges = EdgeAccount()
        self.clock = ClockSync(1)
        self.hello: Hello | None = None
        self.config: ConfigAck | None = None
        self.status: Status | None = None
        self._id = 0
        self._edge_ticks: OrderedDict[int, int] = OrderedDict()
        self._begun_s = self._heard_s = self._next_hello_s = self._next_ping_s = 0.0
        self._pings: deque[int] = deque(maxlen=PINGS_OPEN)
        self._pongs = 0
        self._bytes = self._bytes_before = self._packets_before = 0
        self._error: BridgeError | None = None
        self._greeting: Hello | None = None
        self._hello_sent = False
        self._told: tuple[float, int] | None = None

    def open(self, now: float) -> None:
        """Begin a session: whatever was open before is not."""
        self.link.open()
        self.link.decoder.foreign = 0
        self._error = None
        self._id = self._new_id()
        self._turn(Turn.OPENED, now)

    def close(self) -> list[RejectReport]:
        """End the session; give the pulses whose fate will never be known. Safe when there is none."""
        if self.state is not State.CLOSED:
            self._turn(Turn.ENDED, self._heard_s)
        self.lease.begin(self._heard_s)
        return list(self.rejects.void())

    def reject(self, number: int, after_s: float, pulse_us: int, output: int, now: float) -> RejectReport | None:
        """Ask for a pulse some time after an edge, in the microcontroller's own time.

        Args:
            number: of the edge that announced the part; 0 for none, and the time counts from now.
            after_s: from the edge to the pulse [s].
            pulse_us: how long it lasts [us].
            output: which output.
            now: host monotonic time [s].

        Returns:
            None, and a `RejectReport` is heard later; or that report.
        """
        ticks = self._edge_ticks.get(number) if number else self.clock.ticks(now)
        if self.state is not State.UP or self.hello is None or ticks is None:
            return RejectReport(number, output, Fate.VOID, 0)
        fire_ticks = ticks + round(after_s * (1.0 + self.clock.drift_ppm * 1e-6) * self.hello.tick_hz)
        return self.rejects.ask(number, fire_ticks, pulse_us, output, now, self.clock.host_s(fire_ticks))

    def receive(self, data: bytes, now: float) -> list[Heard]:
        """Take the next bytes.

        Args:
            data: what came, in any pieces.
            now: host monotonic time at which it came [s].

        Returns:
            What was heard, oldest first. What ends the session is raised by the next `step`, so that nothing that was
            heard before it is lost.
        """
        heard: list[Heard] = []
        self._bytes += len(data)
        try:
            for message in self.link.receive(data, now):
                self._heard_s = now
                heard += self._heard(message, now)
            self._refuse_another_version()
            self._flood.add(len(data), now)
        except BridgeError as error:
            self._error = error
        return heard

    def step(self, now: float) -> list[Heard]:
        """Say what is due, and find out what has not come.

        Args:
            now: host monotonic time [s].

        Returns:
            What was found out.

        Raises:
            PortRefused: the other end speaks another version, or cannot do what is wanted.
            McuFault: the microcontroller does not answer any more, or floods.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        self.link.step(now)
        if self.link.down:
            raise McuFault("the microcontroller does not acknowledge what it is told", hint="see docs/wire.md")
        heard: list[Heard] = []
        match self.state:
            case State.CLOSED:
                return []
            case State.GREETING:
                self._greet(now)
            case State.CONFIGURING | State.SYNCING:
                if now >= self._begun_s + SETTLING_S:
                    raise McuFault("the microcontroller answers the greeting and then not enough to go on")
                if self.state is State.SYNCING:
                    self._ping(now)
            case State.UP:
                if now >= self._heard_s + SILENCE_S:
                    raise McuFault(f"the microcontroller has said nothing for {SILENCE_S:g} s", hint="see its cable")
                self._ping(now)
                self.lease.step(now)
                heard += self.rejects.step(now)
        if self._told is not None and now >= self._told[0]:
            self.edges.told(self._told[1])
            self._told = None
        return heard

    def next_wake_s(self) -> float:
        """Give the host monotonic time when `step` has something to do [s]; infinite when it has not."""
        if self.state is State.CLOSED:
            return math.inf
        due = [self.link.next_wake_s()]
        match self.state:
            case State.GREETING:
                due += [self._next_hello_s, self._begun_s + GREETING_S]
            case State.CONFIGURING:
                due += [self._begun_s + SETTLING_S]
            case State.SYNCING:
                due += [self._next_ping_s, self._begun_s + SETTLING_S]
            case State.UP:
                due += [self._next_ping_s, self._heard_s + SILENCE_S]
                due += [self.rejects.next_wake_s(), self.lease.next_wake_s()]
        return min(due)

    def take_output(self) -> bytes:
        """Give the bytes that are to be written, once."""
        return self.link.take_output()

    def _turn(self, turn: Turn, now: float) -> None:
        self.state = NEXT[self.state, turn]
        self._begun_s = self._heard_s = now
        if self.state is State.GREETING:
            self._next_hello_s = now
            self._greeting, self._hello_sent = None, False
            self._bytes_before, self._packets_before = self._bytes, self.link.counts.received
            self.lease.begin(now)

    def _heard(self, message: Message, now: float) -> Iterator[Heard]:
        """Move on by one message; one of the other direction, or whose time is over, says nothing."""
        match message:
            case Hello():
                yield from self._greeted(message, now)
            case Status():
                yield from self._stated(message, now)
            case ConfigAck() if self.state is State.CONFIGURING:
                self._configured(message, now)
            case Pong() if self.state in (State.SYNCING, State.UP):
                yield from self._ponged(message, now)
            case Edge() if self.state in (State.SYNCING, State.UP):
                yield from self._edge(message)
            case Block() if self.state is State.UP:
                yield from self._block(message)
            case RejectAck():
                yield from self.rejects.answered(message, now)
            case RejectDone():
                yield from self.rejects.done(message)
            case Log():
                yield message

    def _greet(self, now: float) -> None:
        if now >= self._begun_s + GREETING_S:
            raise self._nobody()
        if now >= self._next_hello_s:
            self.link.send(Hello(PROTOCOL, 0, self._id), now)
            self._hello_sent = True
            self._next_hello_s = now + HELLO_S

    def _nobody(self) -> McuFault:
        if self._bytes > self._bytes_before and self.link.counts.received == self._packets_before:
            return McuFault(
                "what comes from the port is not this protocol",
                hint="check that source.wire.port is the right device and source.wire.baud its speed",
            )
        return McuFault(
            f"nobody answers on the port within {GREETING_S:g} s",
            hint="check that source.wire.port is the right device, that it has power and the firmware runs",
        )

    def _refuse_another_version(self) -> None:
        if self.link.decoder.foreign and self.state is State.GREETING:
            raise PortRefused(
                f"the microcontroller speaks version {self.link.decoder.foreign_version} of the protocol, "
                f"this program version {VERSION}",
                hint="install the firmware that belongs to this version of edge-agent (firmware_bridge/firmware)",
            )

    def _greeted(self, hello: Hello, now: float) -> Iterator[Heard]:
        if hello.proto != PROTOCOL:
            raise PortRefused(
                f"the microcontroller speaks protocol {hello.proto}, this program {PROTOCOL}",
                hint="install the firmware that belongs to this version of edge-agent (firmware_bridge/firmware)",
            )
        if not hello.tick_hz:
            raise PortRefused("what answers has no clock: another host?", hint="source.wire.port must be a firmware's")
        if self.state is State.GREETING:
            self._greeting = hello if self._hello_sent else None
        elif self.hello is not None and hello.boot_id != self.hello.boot_id:
            yield from self.rejects.void()
            yield Rebooted()
            self.link.reset()
            self._id = self._new_id()
            self._turn(Turn.REBOOTED, now)

    def _begin(self, hello: Hello, status: Status, now: float) -> None:
        if self.hello is None or hello.boot_id != self.hello.boot_id:
            self._edge_ticks.clear()  # else its counter has gone on, and a part on the belt can still be taken off
        self.hello = hello
        self._told = None
        self.clock = ClockSync(hello.tick_hz)
        self.samples = SampleAccount()
        self.edges = EdgeAccount(status.edges)
        self._pings.clear()
        self._pongs = 0
        self._turn(Turn.GREETED, now)
        self.link.send(self._wanted, now)

    def _stated(self, status: Status, now: float) -> Iterator[Heard]:
        if self.state is State.GREETING and self._greeting is not None:
            self._begin(self._greeting, status, now)  # only the answer to a greeting is followed by a STATUS
        self.status = status
        if self.state in (State.CONFIGURING, State.SYNCING):
            self.edges.last = max(self.edges.last, status.edges)
        elif self.state is State.UP and self._told is None:
            self._told = now + REPEAT_S, status.edges
        if self.state is State.UP and self.lease.told(bool(status.flags & StatusFlag.ARMED), now):
            yield Armed() if self.lease.armed else Lapsed()
        yield status

    def _configured(self, answer: ConfigAck, now: float) -> None:
        if answer.result != ConfigResult.OK:
            words = {int(r): r.name.removeprefix("BAD_").lower() for r in ConfigResult}
            raise PortRefused(
                f"the microcontroller cannot do the {words.get(answer.result, 'configuration')} that is asked for; "
                f"{self._offer()}",
                hint="ask for what it can do: source.wire.rate_hz, source.wire.range_g, source.wire.block_samples",
            )
        self.config = answer
        self._next_ping_s = now
        self._turn(Turn.CONFIGURED, now)

    def _offer(self) -> str:
        hello = self.hello
        if hello is None:
            return "it has not said what it can do"
        return (
            f"it has up to {hello.rate_hz} Hz and {hello.full_scale_mg} mg, {hello.inputs} inputs, "
            f"{hello.outputs} outputs"
        )

    def _ping(self, now: float) -> None:
        if now >= self._next_ping_s:
            ping = Ping(round(now * 1e9))
            self._pings.append(ping.host_ns)
            self.link.send(ping, now)
            self._next_ping_s = now + (PING_S if self.state is State.UP else PING_AGAIN_S)

    def _ponged(self, pong: Pong, now: float) -> Iterator[Heard]:
        if pong.host_ns not in self._pings:
            return  # it was answered before, or nobody asked
        self._pings.remove(pong.host_ns)
        of_use = self.clock.add(pong.host_ns / 1e9, pong.rx_ticks, pong.tx_ticks, now)
        pause_s = FIRST_PING_S if self.state is State.SYNCING else PING_S if of_use else PING_AGAIN_S
        self._next_ping_s = min(self._next_ping_s, now + pause_s * (1.0 + DITHER * self._pongs % 1.0))
        self._pongs += 1
        if self.state is State.SYNCING and self._pongs >= FIRST_PINGS and self.clock.ready:
            self._turn(Turn.SYNCED, now)
            self._next_ping_s = now + PING_S
            self.lease.begin(now)
            assert self.hello is not None and self.config is not None
            self.edges = EdgeAccount(self.edges.last)
            yield Up(self.hello, self.config, self.edges.last)

    def _edge(self, edge: Edge) -> Iterator[Arrival]:
        if not self.edges.add(edge) or self.state is not State.UP:
            return
        self._edge_ticks[edge.edge_seq] = edge.ticks
        if len(self._edge_ticks) > EDGES_KEPT:
            self._edge_ticks.popitem(last=False)
        time_s = self.clock.host_s(edge.ticks)
        yield Arrival(edge, time_s, self.clock.uncertainty_s(time_s))

    def _block(self, block: Block) -> Iterator[Samples]:
        missing = self.samples.add(block)
        if missing is not None:
            start_s = self.clock.host_s(block.first_ticks)
            yield Samples(block, missing, start_s, self.clock.uncertainty_s(start_s))
