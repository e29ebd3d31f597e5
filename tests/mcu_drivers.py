"""Microcontroller ends of docs/wire.md in virtual time, behind one protocol; and the C firmware as one of them.

`tests/contract/test_mcu.py` runs on every entry of `DRIVERS`. An entry starts a board that is what `BOARD` says, whose
sensor gives `sample_value`s from the moment of CONFIG on, one period apart.
"""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.messages import Hello
from firmware_bridge.packet import Packet
from firmware_bridge.sim.mcu import Mcu

FIRMWARE: Final = Path(__file__).resolve().parents[1] / "firmware_bridge" / "firmware"
CORE: Final = ("codec.c", "bridge.c", "transmit.c", "blocks.c", "edges.c", "outputs.c")
SIM: Final = ("sim.c", "sim_board.c", "sim_lockstep.c", "sim_live.c")
STRICT: Final = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
SANITIZED: Final = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

PACKET, CORRUPT, OVERSIZE, FOREIGN = 1, 2, 3, 4
"""`enum eb_verdict` of the firmware."""
RECORD: Final = struct.Struct("<BBHH")
"""Type, reliable, seq and length of a packet, as `sim --decode` writes and `sim --encode` reads them."""

TICK_HZ: Final = 1_000_000
START_TICKS: Final = 2**33 - 50_000
"""The counter passes 2^33 within the first tests: no tick fits 32 bits."""
BOARD: Final = Hello(
    proto=1,
    firmware=0x00010000,
    boot_id=1,
    tick_hz=TICK_HZ,
    sensor="simulated",
    full_scale_mg=16_000,
    rate_hz=26_667,
    inputs=2,
    outputs=4,
)
SATURATED_EVERY: Final = 4096

Change = tuple[int, int, int]
"""When [ticks], which output, to which level. Every output begins at level 0."""


def sample_values(first: int, count: int) -> NDArray[np.int16]:
    """Give what the sensor of every driver measures, shape (count, 3).

    Args:
        first: number of the first sample since CONFIG.
        count: how many.
    """
    index = np.arange(first, first + count)[:, None]
    values = (31 * index + 977 * np.arange(3)[None, :]) % 4001 - 2000
    return np.where(index % SATURATED_EVERY == SATURATED_EVERY - 1, 32_767, values).astype(np.int16)


class Driver(Protocol):
    """A board in virtual time. What a call causes at once has happened when it returns."""

    now: int  #: [ticks]

    def feed(self, data: bytes) -> None:
        """Let bytes come over the wire now."""

    def advance(self, ticks: int) -> None:
        """Let time pass."""

    def level(self, level: int, ticks: int, input: int = 0) -> None:
        """Let an input change at a tick, now or later; each call names a later one than the call before."""

    def take(self) -> bytes:
        """Give what the board has put on the wire since the last call."""

    def outputs(self) -> list[Change]:
        """Give the changes of the outputs since the last call, oldest first."""

    def accept(self, count: int | None) -> None:
        """Let the wire take so many bytes more and then stall; None: any number."""

    def lose(self, samples: int) -> None:
        """Let the sensor lose its next samples."""

    def fault(self, on: bool) -> None:
        """Let the sensor answer no more, or again."""

    def close(self) -> None:
        """End the board."""


class Start(Protocol):
    """Starts a board."""

    def __call__(self, *, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> Driver:
        """Give a board that has just started, at a tick of its counter."""


class CDriver:
    """The firmware in C as a program in lockstep (`firmware/sim_lockstep.c`)."""

    def __init__(self, program: Path, boot_id: int, ticks: int, *words: str) -> None:
        command = [str(program), "--lockstep", "--boot-id", str(boot_id), "--ticks", str(ticks), *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self._sent = bytearray()
        self._changes: list[Change] = []
        self.now = ticks

    def feed(self, data: bytes) -> None:
        self._ask(b"F" + len(data).to_bytes(4, "little") + data)

    def advance(self, ticks: int) -> None:
        self.now += ticks
        self._ask(b"A" + self.now.to_bytes(8, "little"))

    def level(self, level: int, ticks: int, input: int = 0) -> None:
        self._ask(b"L" + struct.pack("<QBB", ticks, input, level))

    def take(self) -> bytes:
        self._ask(b"A" + self.now.to_bytes(8, "little"))
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def outputs(self) -> list[Change]:
        self.advance(0)
        changes = self._changes
        self._changes = []
        return changes

    def accept(self, count: int | None) -> None:
        self._ask(b"W" + (0xFFFFFFFF if count is None else count).to_bytes(4, "little"))

    def lose(self, samples: int) -> None:
        self._ask(b"D" + samples.to_bytes(4, "little"))

    def fault(self, on: bool) -> None:
        self._ask(b"S" + bytes([on]))

    def log(self, level: int, text: str) -> None:
        """Let the program on the board say a line for people."""
        self._ask(b"T" + struct.pack("<BH", level, len(text.encode())) + text.encode())

    def close(self) -> None:
        try:
            _, complaint = self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        assert self._process.returncode == 0, complaint.decode(errors="replace")

    def _ask(self, request: bytes) -> None:
        try:
            self._requests.write(request)
            self._requests.flush()
            self._sent += self._read(int.from_bytes(self._read(4), "little"))
            changes = int.from_bytes(self._read(4), "little")
            self._changes += struct.iter_unpack("<QBB", self._read(10 * changes))
        except (BrokenPipeError, EOFError):
            assert self._process.stderr is not None
            complaint = self._process.stderr.read().decode(errors="replace")
            raise AssertionError(f"the firmware has died:\n{complaint}") from None

    def _read(self, count: int) -> bytes:
        data = self._answers.read(count)
        if len(data) < count:
            raise EOFError
        return data


class PythonDriver:
    """The firmware in Python (`firmware_bridge/sim/mcu.py`)."""

    def __init__(self, boot_id: int, ticks: int) -> None:
        self._mcu = Mcu(boot_id, sample_values, TICK_HZ, BOARD.rate_hz, 0.0, ticks, BOARD.outputs)
        self._levels: list[tuple[int, int, int]] = []
        self._room: int | None = None
        self._sent = bytearray()
        self._told = 0
        self.now = ticks
        self._pump()

    def feed(self, data: bytes) -> None:
        for at in range(0, len(data), 64):  # as a wire brings them: answers go out in between
            self._mcu.receive(data[at : at + 64], self.now)
            self._pump()

    def advance(self, ticks: int) -> None:
        until = self.now + ticks
        while True:
            due = min(self._mcu.next_ticks(), self._levels[0][0] if self._levels else until, until)
            self.now = max(self.now, int(due))
            while self._levels and self._levels[0][0] <= self.now:
                at, number, level = self._levels.pop(0)
                self._mcu.set_trigger(level, at, number)
            self._mcu.step(self.now)
            self._pump()
            if self.now >= until and self._mcu.next_ticks() > until:
                return

    def level(self, level: int, ticks: int, input: int = 0) -> None:
        self._levels.append((ticks, input, level))
        self.advance(0)

    def take(self) -> bytes:
        self._pump()
        sent = bytes(self._sent)
        self._sent.clear()
        return sent

    def outputs(self) -> list[Change]:
        changes = [(c.ticks, c.output, c.level) for c in self._mcu.outputs.changes[self._told :]]
        self._told += len(changes)
        return changes

    def accept(self, count: int | None) -> None:
        self._room = count
        self._pump()

    def lose(self, samples: int) -> None:
        self._mcu.lose(samples)

    def fault(self, on: bool) -> None:
        self._mcu.sampler.faulty = on

    def close(self) -> None:
        pass

    def _pump(self) -> None:
        data = self._mcu.take_output(self._room)
        self._sent += data
        if self._room is not None:
            self._room -= len(data)


def start_python(workshop: Path) -> Start:
    """Give what starts the simulated microcontroller."""

    def start(*, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> Driver:
        return PythonDriver(boot_id, ticks)

    return start


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which everything is compiled once for the whole run."""
    folder = factory.getbasetemp() / "firmware"
    folder.mkdir(exist_ok=True)
    return folder


def compiler() -> str:
    """Give the C compiler; without one the test is skipped."""
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None:
        pytest.skip("there is no C compiler (Debian: gcc libc6-dev)")
    return found


def compile_c(output: Path, sources: list[Path], *flags: str) -> Path:
    """Compile a program; any warning is an error."""
    command = [compiler(), *STRICT, *flags, *map(str, sources), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return output


def decoded_c(program: Path, stream: bytes) -> list[Packet | int]:
    """Give what the decoder of the firmware makes of a stream: packets, and the verdicts on what was none."""
    output = _exchange(program, "--decode", stream)
    found: list[Packet | int] = []
    at = 0
    while at < len(output):
        verdict, at = output[at], at + 1
        if verdict != PACKET:
            found.append(verdict)
            continue
        kind, reliable, seq, length = RECORD.unpack_from(output, at)
        at += RECORD.size + length
        found.append(Packet(kind, bool(reliable), seq, output[at - length : at]))
    return found


def encoded_c(program: Path, packets: list[Packet]) -> bytes:
    """Give the bytes that the firmware makes of packets."""
    records = (RECORD.pack(p.type, p.reliable, p.seq, len(p.payload)) + p.payload for p in packets)
    return _exchange(program, "--encode", b"".join(records))


def _exchange(program: Path, mode: str, data: bytes) -> bytes:
    done = subprocess.run([program, mode], input=data, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@functools.cache
def sim_program(workshop: Path) -> Path:
    """Give the firmware as a program with sanitizers, compiled once for a folder."""
    return compile_c(workshop / "sim", [FIRMWARE / name for name in CORE + SIM], *SANITIZED)


def start_c(workshop: Path) -> Start:
    """Compile the firmware; give what starts it."""
    program = sim_program(workshop)

    def start(*, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> Driver:
        return CDriver(program, boot_id, ticks)

    return start


DRIVERS: Final[dict[str, Callable[[Path], Start]]] = {"c": start_c, "python": start_python}
"""By name what prepares a microcontroller end, given a folder for the whole run."""
