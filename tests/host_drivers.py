"""Host ends of docs/wire.md in virtual time, behind one protocol: the session in Python, and the library in C.

`tests/contract/test_host.py` runs on every entry of `HOSTS`. An entry starts a host that wants `CONFIG`.
"""

from __future__ import annotations

import functools
import itertools
import math
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, Protocol

from mcu_drivers import FIRMWARE, SANITIZED, compile_c

from firmware_bridge.errors import BridgeError, PortRefused
from firmware_bridge.handshake import State
from firmware_bridge.heard import Armed, Arrival, Heard, Lapsed, Rebooted, Samples, Up
from firmware_bridge.messages import Config, Log
from firmware_bridge.reject import RejectReport
from firmware_bridge.session import Session

LIBRARY: Final = ("codec.c", "host_link.c", "host_clock.c", "host_account.c", "host_rejects.c", "host_session.c")
CONFIG: Final = Config(1000, 16_000, 64, 500, 500, 0, 1, 0b11, 0b01)
"""Output 0 is safe when it rejects; output 1 when it passes, so that only pulses raise it."""
START_US: Final = 100_000_000

Event = tuple[Any, ...]
"""("up", boot_id, edges), ("ended", "refused" | "fault"), ("rebooted",), ("armed",), ("lapsed",), ("edge", seq, ticks),
("block", first_sample, missing, n, sum of all values), ("log", level, text),
("report", part_seq, fate, fire_ticks, actual_ticks or 0)"""

COUNTS: Final = (
    "samples",
    "dropped",
    "lost",
    "edges",
    "edges_lost",
    "packets_lost",
    "corrupt",
    "retried",
    "stale",
    "asked_again",
    "asked_anew",
)


class Host(Protocol):
    """A host in virtual time. What a call causes at once has happened when it returns."""

    now: int  #: [us]

    def open(self) -> None:
        """Begin a session; nothing is said before the next call."""

    def close(self) -> None:
        """Let the port be gone."""

    def feed(self, data: bytes) -> None:
        """Let bytes come over the wire now."""

    def advance(self, us: int) -> None:
        """Let time pass."""

    def alive(self, alive: bool) -> None:
        """Let whoever decides about parts be alive from now on, or not."""

    def follow_from(self, us: int) -> None:
        """Let the outputs be safe until this time."""

    def reject(self, edge: int, after_us: int, pulse_us: int = 5000, output: int = 0) -> None:
        """Ask for a pulse after an edge; what is known at once is heard as a report."""

    def number_from(self, seq: int) -> None:
        """Let the next reliable packet have this number, as if there had been so many."""

    def take(self) -> bytes:
        """Give what the host has put on the wire since the last call."""

    def heard(self) -> list[Event]:
        """Give what was heard since the last call, oldest first."""

    def counts(self) -> dict[str, int]:
        """Give what was counted, by the names of `COUNTS`."""

    def end(self) -> None:
        """End the program."""


class PythonHost:
    """The session of the station (`firmware_bridge/session.py`)."""

    def __init__(self, kind: type[Session] = Session) -> None:
        ids = itertools.count(1)
        self._session = kind(CONFIG, lambda: next(ids))
        self._sent = bytearray()
        self._heard: list[Event] = []
        self._alive = False
        self.now = START_US

    def open(self) -> None:
        self._session.open(self.now / 1e6)

    def close(self) -> None:
        self._hear(self._session.close(self.now / 1e6))
        self._session.take_output()  # there is no wire any more
        self._step()

    def feed(self, data: bytes) -> None:
        if self._session.state is not State.CLOSED:  # nobody reads a port that is closed
            self._hear(self._session.receive(data, self.now / 1e6))
        self._step()

    def advance(self, us: int) -> None:
        until = self.now + us
        while True:
            due = self._session.next_wake_s()
            due_us = until + 1 if math.isinf(due) else math.ceil(due * 1e6)
            if due_us > until and self.now >= until:
                return
            self.now = min(until, max(due_us, self.now + 1)) if self.now < until else until
            self._step()
            if self.now >= until:
                return

    def alive(self, alive: bool) -> None:
        self._alive = alive
        self._step()

    def follow_from(self, us: int) -> None:
        self._session.lease.follow_from(us / 1e6)
        self._step()

    def reject(self, edge: int, after_us: int, pulse_us: int = 5000, output: int = 0) -> None:
        report = self._session.reject(edge, after_us / 1e6, pulse_us, output, self.now / 1e6)
        self._hear([] if report is None else [report])
        self._step()

    def number_from(self, seq: int) -> None:
        self._session.link._reliable_seq = seq

    def take(self) -> bytes:
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def heard(self) -> list[Event]:
        heard, self._heard = self._heard, []
        return heard

    def counts(self) -> dict[str, int]:
        session, totals = self._session, self._session.totals
        link, rejects = session.link, session.rejects
        values = (
            totals.samples,
            totals.samples_dropped,
            totals.samples_lost,
            totals.edges,
            totals.edges_lost,
            link.counts.lost,
            link.decoder.corrupt + link.decoder.oversize,
            link.counts.retried,
            session.samples.stale,
            rejects.asked_again,
            rejects.asked_anew,
        )
        return dict(zip(COUNTS, values, strict=True))

    def end(self) -> None:
        pass

    def _step(self) -> None:
        now = self.now / 1e6
        if self._alive:
            self._session.lease.hold(now)
        try:
            self._hear(self._session.step(now))
        except BridgeError as error:
            self._hear(self._session.close(now))
            self._session.take_output()
            self._heard.append(("ended", "refused" if isinstance(error, PortRefused) else "fault"))
        self._sent += self._session.take_output()

    def _hear(self, heard: list[Heard] | list[RejectReport]) -> None:
        for one in heard:
            event = _event(one)
            if event is not None:
                self._heard.append(event)


def _event(heard: Heard) -> Event | None:
    event: Event | None = None
    match heard:
        case Up(hello=hello, edges=edges):
            event = "up", hello.boot_id, edges
        case Rebooted() | Armed() | Lapsed():
            event = (type(heard).__name__.lower(),)
        case Arrival(edge=edge):
            event = "edge", edge.edge_seq, edge.ticks
        case Samples(block=block, missing=missing):
            event = "block", block.first_sample, missing, len(block.samples), int(block.samples.sum())
        case RejectReport():
            event = "report", heard.part_seq, str(heard.fate), heard.fire_ticks, heard.actual_ticks or 0
        case Log(level=level, text=text):
            event = "log", level, text
    return event


FATES: Final = (
    "asked",
    "done",
    "late",
    "full",
    "safe",
    "cancelled",
    "bad_output",
    "down",
    "rebooted",
    "forgotten",
    "unknown",
)
"""`enum eh_fate`."""
BAD_CONFIG: Final = 2
"""`EH_BAD_CONFIG`: reasons up to it are of those that a person must mend."""
NOBODY, NOT_PACKETS = 3, 4
"""`EH_NOBODY`, `EH_NOT_PACKETS`."""


class HostDied(Exception):
    """The program has ended, or says what it cannot say: no rule of the wire was looked at."""


class CHost:
    """The library in C as a program (`firmware/host_bench.c`).

    Attributes:
        pongs: sent [us], received [us], rx [ticks].
        reasons: why sessions ended, `enum eh_reason`.
    """

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([program], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self._sent = bytearray()
        self._heard: list[Event] = []
        self.pongs: list[tuple[int, int, int]] = []
        self.reasons: list[int] = []
        self.now = START_US

    def open(self) -> None:
        self._ask(b"O")

    def close(self) -> None:
        self._ask(b"X")

    def feed(self, data: bytes) -> None:
        self._ask(b"F" + len(data).to_bytes(4, "little") + data)

    def advance(self, us: int) -> None:
        self.now += us
        self._ask(b"A" + self.now.to_bytes(8, "little"))

    def alive(self, alive: bool) -> None:
        self._ask(b"H" + bytes([alive]))

    def follow_from(self, us: int) -> None:
        self._ask(b"G" + us.to_bytes(8, "little"))

    def reject(self, edge: int, after_us: int, pulse_us: int = 5000, output: int = 0) -> None:
        self._ask(b"R" + struct.pack("<IIIB", edge, after_us, pulse_us, output))

    def number_from(self, seq: int) -> None:
        self._ask(b"N" + seq.to_bytes(2, "little"))

    def take(self) -> bytes:
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def heard(self) -> list[Event]:
        heard, self._heard = self._heard, []
        return heard

    def counts(self) -> dict[str, int]:
        return dict(zip(COUNTS, struct.unpack(f"<{len(COUNTS)}Q", self._answer(b"C")), strict=True))

    def accept(self, count: int | None) -> None:
        """Let the port take so many bytes more and then none; None: any number."""
        self._ask(b"W" + (0xFFFFFFFF if count is None else count).to_bytes(4, "little"))

    def kill(self) -> None:
        """End a program that may not end by itself."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        try:
            _, complaint = self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        assert self._process.returncode == 0, complaint.decode(errors="replace")

    def _ask(self, request: bytes) -> None:
        self._cut(self._answer(request))

    def _answer(self, request: bytes) -> bytes:
        try:
            self._requests.write(request)
            self._requests.flush()
            self._sent += self._read(int.from_bytes(self._read(4), "little"))
            return self._read(int.from_bytes(self._read(4), "little"))
        except (BrokenPipeError, EOFError):
            assert self._process.stderr is not None
            complaint = self._process.stderr.read().decode(errors="replace")
            raise HostDied(complaint) from None

    def _read(self, count: int) -> bytes:
        data = self._answers.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _cut(self, data: bytes) -> None:
        at = 0

        def fields(form: str) -> tuple[Any, ...]:
            nonlocal at
            values = struct.unpack_from("<" + form, data, at)
            at += struct.calcsize("<" + form)
            return values

        while at < len(data):
            (kind,) = fields("B")
            match kind:
                case 0:
                    self._heard.append(("up", *fields("QI")))
                case 1:
                    self.reasons += fields("B")
                    self._heard.append(("ended", "refused" if self.reasons[-1] <= BAD_CONFIG else "fault"))
                case 2 | 3 | 4:
                    self._heard.append((("rebooted", "armed", "lapsed")[kind - 2],))
                case 5:
                    self._heard.append(("edge", *fields("IQ")))
                case 6:
                    self._heard.append(("block", *fields("QQHq")))
                case 7:
                    part, fate, fire, actual = fields("IBQQ")
                    self._heard.append(("report", part, FATES[fate], fire, actual))
                case 8:
                    self.pongs.append(fields("QQQ"))
                case 9:
                    level, length = fields("BH")
                    self._heard.append(("log", level, fields(f"{length}s")[0].decode()))
                case _:
                    raise HostDied(f"no such event: {kind}")


StartHost = Callable[[], Host]


def start_python(workshop: Path) -> StartHost:
    """Give what starts the session of the station."""
    return PythonHost


@functools.cache
def bench_program(workshop: Path) -> Path:
    """Give the library as a program with sanitizers, compiled once for a folder."""
    return compile_c(workshop / "host_bench", [FIRMWARE / name for name in (*LIBRARY, "host_bench.c")], *SANITIZED)


def start_c(workshop: Path) -> StartHost:
    """Compile the library; give what starts it."""
    program = bench_program(workshop)
    return lambda: CHost(program)


HOSTS: Final[dict[str, Callable[[Path], StartHost]]] = {"c": start_c, "python": start_python}
"""By name what prepares a host end, given a folder for the whole run."""
