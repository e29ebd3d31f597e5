"""A session with a microcontroller, from the first greeting to the last pulse: the handshake is a transition table.

Pure: bytes and time in, what was heard and bytes out. Whoever owns the port reads, steps and writes; an error that is
raised here ends the session, and the next one begins with `open`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from firmware_bridge import complaint
from firmware_bridge.account import EdgeAccount, SampleAccount, TheirCount, Totals
from firmware_bridge.clocksync import ClockSync
from firmware_bridge.codes import ConfigResult, StatusFlag
from firmware_bridge.edgebook import EdgeBook, Moment
from firmware_bridge.errors import BridgeError, McuFault
from firmware_bridge.flood import FloodGate
from firmware_bridge.greeter import Greeter
from firmware_bridge.handshake import NEXT, State, Turn
from firmware_bridge.heard import Armed, Arrival, Heard, Lapsed, Rebooted, Samples, Up
from firmware_bridge.lease import Lease
from firmware_bridge.link import Link
from firmware_bridge.messages import (
    Block,
    Config,
    ConfigAck,
    Edge,
    Hello,
    Log,
    Message,
    Pong,
    RejectAck,
    RejectDone,
    Status,
)
from firmware_bridge.pinger import Pinger
from firmware_bridge.reject import Fate, RejectBook, RejectReport

SETTLING_S: Final = 3.0
"""Configuration and the first pings take no longer [s]."""
SILENCE_S: Final = 2.5
"""A microcontroller that says nothing for so long is gone [s]; its STATUS comes once a second."""


class Session:
    """One session after the other with the microcontroller at the other end.

    Args:
        wanted: how it is to sample, and what is safe.
        new_id: gives a number that no session before had.
    """

    def __init__(self, wanted: Config, new_id: Callable[[], int]) -> None:
        self._wanted = wanted
        self.link = Link()
        self.state = State.CLOSED
        self.rejects = RejectBook(self.link.send)
        self.lease = Lease(wanted.lease_ms, self.link.send)
        self._greeter = Greeter(self.link.send, new_id)
        self._pinger = Pinger(self.link.send)
        self._flood = FloodGate(wanted.rate_hz)
        self.samples = SampleAccount()
        self.edge_book = EdgeBook()
        self.damaged_there = TheirCount()  #: packets that came to harm on their way to the microcontroller
        self.hello: Hello | None = None
        self.config: ConfigAck | None = None
        self.status: Status | None = None
        self._ended = Totals()
        self._begun_s = self._heard_s = 0.0
        self._bytes = 0
        self._error: BridgeError | None = None

    @property
    def clock(self) -> ClockSync:
        """The microcontroller's counter on the host's clock."""
        return self._pinger.clock

    @property
    def edges(self) -> EdgeAccount:
        """The edges of the present session."""
        return self.edge_book.account

    @property
    def totals(self) -> Totals:
        """Samples and edges of all sessions together, however short the one or the other was."""
        return self._ended.plus(self.samples, self.edges)

    def open(self, now: float) -> None:
        """Begin a session: whatever was open before is not."""
        self.link.open()
        self._error = None
        self._turn(Turn.OPENED, now)

    def close(self, now: float) -> list[RejectReport]:
        """End the session; safe when there is none.

        Args:
            now: host monotonic time [s].

        Returns:
            The pulses whose tick is past and whose fate will never be known. Those whose tick is to come are asked for
            again when the next session arms the outputs before it.
        """
        if self.state is not State.CLOSED:
            self._turn(Turn.ENDED, now)
        self.link.reset()
        self.lease.begin(now)
        return self.rejects.broken(now)

    def abandon(self, now: float) -> list[RejectReport]:
        """End the session for good; give every pulse that is open [s, host monotonic]."""
        return self.close(now) + list(self.rejects.abandoned())

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
        is_up = self.state is State.UP
        if number == 0:
            moment = Moment(self.clock.ticks(now), now) if is_up else None
        else:
            moment = self.edge_book.moment(number)
        if moment is None or self.hello is None:
            return RejectReport(number, output, Fate.FORGOTTEN if is_up else Fate.DOWN, 0)
        fire_ticks = moment.ticks + round(after_s * (1.0 + self.clock.drift_ppm * 1e-6) * self.hello.tick_hz)
        take = self.rejects.ask if is_up else self.rejects.strand
        return take(number, fire_ticks, pulse_us, output, now, moment.time_s + after_s)

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
            if self.link.decoder.foreign and self.state is State.GREETING:
                raise complaint.another_version(self.link.decoder.foreign_version)
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
                pass
            case State.GREETING:
                self._greeter.step(now, self._came)
            case State.CONFIGURING | State.SYNCING:
                if now >= self._begun_s + SETTLING_S:
                    raise McuFault("the microcontroller answers the greeting and then not enough to go on")
                if self.state is State.SYNCING:
                    self._pinger.step(now)
            case State.UP:
                if now >= self._heard_s + SILENCE_S:
                    raise McuFault(f"the microcontroller has said nothing for {SILENCE_S:g} s", hint="see its cable")
                self._pinger.step(now)
                if self.lease.step(now):
                    heard += self.rejects.armed(now)
        self.edge_book.step(now)
        return heard + self.rejects.step(now)

    def next_wake_s(self) -> float:
        """Give the host monotonic time when `step` has something to do [s]; infinite when it has not."""
        if self.state is State.CLOSED:
            return self.rejects.next_wake_s()
        due = [self.link.next_wake_s(), self.rejects.next_wake_s()]
        match self.state:
            case State.GREETING:
                due += [self._greeter.next_wake_s()]
            case State.CONFIGURING:
                due += [self._begun_s + SETTLING_S]
            case State.SYNCING:
                due += [self._pinger.next_wake_s(), self._begun_s + SETTLING_S]
            case State.UP:
                due += [self._pinger.next_wake_s(), self._heard_s + SILENCE_S, self.lease.next_wake_s()]
        return min(due)

    def take_output(self) -> bytes:
        """Give the bytes that are to be written, once."""
        return self.link.take_output()

    def _turn(self, turn: Turn, now: float) -> None:
        self.state = NEXT[self.state, turn]
        self._begun_s = self._heard_s = now
        if self.state is State.GREETING:
            self.link.decoder.foreign = 0
            self._greeter.begin(now, self._came)
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

    @property
    def _came(self) -> tuple[int, int]:
        """Bytes and whole packets."""
        return self._bytes, self.link.counts.received

    def _greeted(self, hello: Hello, now: float) -> Iterator[Heard]:
        error = complaint.unfit(hello)
        if error is not None:
            raise error
        if self.state is State.GREETING:
            self._greeter.heard(hello)
        elif self.hello is not None and hello.boot_id != self.hello.boot_id:
            yield from self.rejects.rebooted()
            yield Rebooted()
            self.link.reset()
            self._turn(Turn.REBOOTED, now)

    def _begin(self, hello: Hello, status: Status, now: float) -> Iterator[RejectReport]:
        if self.hello is None or hello.boot_id != self.hello.boot_id:
            self.edge_book.forget()  # else its counter has gone on, and a part on the belt can still be taken off
            yield from self.rejects.rebooted()
        self._ended = self.totals
        self.hello = hello
        self.samples = SampleAccount()
        self.edge_book.begin(status.edges)
        self._turn(Turn.GREETED, now)
        self.link.send(self._wanted, now)

    def _stated(self, status: Status, now: float) -> Iterator[Heard]:
        if self.state is State.GREETING and self._greeter.answer is not None:
            # only the answer to a greeting is followed by a STATUS
            yield from self._begin(self._greeter.answer, status, now)
        self.status = status
        if self.hello is not None and self.state is not State.GREETING:
            self.damaged_there.told(self.hello.boot_id, status.corrupt)
        if self.state in (State.CONFIGURING, State.SYNCING):
            self.edge_book.passed(status.edges)
        elif self.state is State.UP:
            self.edge_book.told(status.edges, now)
        if self.state is State.UP and self.lease.told(bool(status.flags & StatusFlag.ARMED), now):
            yield Armed() if self.lease.armed else Lapsed()
        yield status

    def _configured(self, answer: ConfigAck, now: float) -> None:
        assert self.hello is not None
        if answer.result != ConfigResult.OK:
            raise complaint.refused(answer, self.hello)
        self.config = answer
        self._pinger.begin(self.hello.tick_hz, now)
        self._turn(Turn.CONFIGURED, now)

    def _ponged(self, pong: Pong, now: float) -> Iterator[Heard]:
        if self._pinger.answered(pong, now):
            self._turn(Turn.SYNCED, now)
            self._greeter.came_up()
            self.lease.begin(now)
            assert self.hello is not None and self.config is not None
            yield Up(self.hello, self.config, self.edge_book.start())

    def _edge(self, edge: Edge) -> Iterator[Arrival]:
        if self.state is not State.UP:
            self.edge_book.passed(edge.edge_seq)
        elif self.edges.add(edge):
            time_s = self.clock.host_s(edge.ticks)
            self.edge_book.keep(edge, time_s)
            yield Arrival(edge, time_s, self.clock.uncertainty_s(time_s))

    def _block(self, block: Block) -> Iterator[Samples]:
        missing = self.samples.add(block)
        if missing is not None:
            start_s = self.clock.host_s(block.first_ticks)
            yield Samples(block, missing, start_s, self.clock.uncertainty_s(start_s))
