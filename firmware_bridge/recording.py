"""What went over a wire, in a file: every piece read and written, with its time, for whoever looks into it later.

A file begins with `MAGIC` and its version. Then follow entries: `ENTRY` (what it is, when, how many bytes), the bytes,
and the CRC-32 of both. Entries are only ever added, so a recording that was cut off anywhere is good up to its last
whole entry. A file that exists is never written to.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from firmware_bridge.codes import Type
from firmware_bridge.errors import BadPacket, BridgeError
from firmware_bridge.layout import decode_message
from firmware_bridge.messages import Block, Message
from firmware_bridge.packet import Packet, PacketDecoder
from firmware_bridge.port import Port

MAGIC: Final = b"edge-agent wire\n"
VERSION: Final = 1
ENTRY: Final = struct.Struct("<BdI")
"""What it is (`Kind`), when [s, host monotonic], how many bytes follow; then their CRC-32 and that of this, u32."""
CRC_BYTES: Final = 4
MAX_PIECE: Final = 1 << 20
"""No piece is longer [bytes]: a length beyond it is damage."""
MAX_BYTES: Final = 256 << 20
"""A recording ends when it would grow larger [bytes]: 25 minutes of the full rate."""


class Kind(IntEnum):
    """What an entry is."""

    OPENED = 0  #: the port was opened; what was cut off before does not go on
    READ = 1  #: from the microcontroller
    WRITTEN = 2  #: to it


class BadRecording(BridgeError):
    """A file is no recording, or cannot be made."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        kind: what it is.
        time_s: host monotonic time [s].
        data: the bytes.
    """

    kind: Kind
    time_s: float
    data: bytes


class Recorder:
    """Writes one recording. Belongs to one thread, but `error` and `bytes` may be read on any.

    Args:
        path: the file; it must not exist.
        max_bytes: it grows no larger [bytes].

    Raises:
        BadRecording: the file exists or cannot be made.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise BadRecording(f"{path} exists", hint="name another file, or remove this one") from None
        except OSError as error:
            raise BadRecording(f"{path} cannot be made: {error.strerror}", hint="name another file") from None
        self._path = path
        self.error: BadRecording | None = None  #: why nothing more is recorded
        self.bytes = 0  #: of the file so far
        self.left_out = 0  #: pieces that came after the recording had ended
        self._write(MAGIC + bytes([VERSION]))

    def add(self, kind: Kind, time_s: float, data: bytes = b"") -> None:
        """Add an entry. What cannot be written ends the recording, not the session that is recorded."""
        if self.error is not None:
            self.left_out += 1
            return
        body = ENTRY.pack(kind, time_s, len(data)) + data
        self._write(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little"))

    def close(self) -> None:
        """Close the file; safe twice."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        if self.bytes + len(data) > self._max_bytes:
            self.error = BadRecording(
                f"{self._path} has reached its {self._max_bytes >> 20} MiB", hint="give it more: --max-mib"
            )
            return
        try:
            while data:
                n = self._file.write(data)
                self.bytes += n
                data = data[n:]
        except OSError as error:
            self.error = BadRecording(f"{self._path}: {error.strerror}", hint="make room on the disk")


class RecordedPort:
    """A port of which everything is recorded. Keeps the contract of `port.Port`.

    Args:
        port: the port itself.
        recorder: takes what goes over it.
        now: tells the host monotonic time [s].
    """

    def __init__(self, port: Port, recorder: Recorder, now: Callable[[], float]) -> None:
        self._port = port
        self._recorder = recorder
        self._now = now
        recorder.add(Kind.OPENED, now())

    def wait(self, timeout_s: float, to_write: bool) -> None:
        """Wait as the port does."""
        self._port.wait(timeout_s, to_write)

    def read(self) -> bytes:
        """Take what has come."""
        data = self._port.read()
        if data:
            self._recorder.add(Kind.READ, self._now(), data)
        return data

    def write(self, data: bytes) -> int:
        """Write what fits; that much is recorded."""
        n = self._port.write(data)
        if n:
            self._recorder.add(Kind.WRITTEN, self._now(), data[:n])
        return n

    def wake(self) -> None:
        """End a `wait`."""
        self._port.wake()

    def close(self) -> None:
        """Release the port; the recording goes on with the next one."""
        self._port.close()


def read_entries(file: BinaryIO) -> Iterator[Entry]:
    """Give the entries of a recording, up to where it was cut off or damaged.

    Args:
        file: open at its beginning; afterwards it stands behind the last whole entry.

    Yields:
        The entries, oldest first.

    Raises:
        BadRecording: it is no recording, or one of another version.
    """
    head = file.read(len(MAGIC) + 1)
    if head[:-1] != MAGIC:
        raise BadRecording("this is no recording of a wire", hint="make one with: python -m firmware_bridge record")
    if head[-1] != VERSION:
        raise BadRecording(f"this recording has version {head[-1]}, this program reads {VERSION}")
    at = len(head)
    while (entry := _entry(file)) is not None:
        at += ENTRY.size + len(entry.data) + CRC_BYTES
        yield entry
    file.seek(at)


def _entry(file: BinaryIO) -> Entry | None:
    head = file.read(ENTRY.size)
    if len(head) < ENTRY.size:
        return None
    kind, time_s, n = ENTRY.unpack(head)
    if n > MAX_PIECE:
        return None
    rest = file.read(n + CRC_BYTES)
    data = rest[:n]
    if len(rest) < n + CRC_BYTES or zlib.crc32(head + data).to_bytes(CRC_BYTES, "little") != rest[n:]:
        return None
    try:
        return Entry(Kind(kind), time_s, data)
    except ValueError:  # of a later program, and whole: nothing is known of what follows
        return None


class Reader:
    """Turns entries into rows that say what was told, for people and programs."""

    def __init__(self) -> None:
        self._decoders = {Kind.READ: PacketDecoder(), Kind.WRITTEN: PacketDecoder()}
        self._begun_s: float | None = None

    def rows(self, entry: Entry) -> Iterator[dict[str, Any]]:
        """Give a row for each message that an entry completes, and one for damage.

        Args:
            entry: the next one.

        Yields:
            Rows with `t` [s, since the first entry], `to`, `type` and the fields of the message.
        """
        if self._begun_s is None:
            self._begun_s = entry.time_s
        row: dict[str, Any] = {"t": round(entry.time_s - self._begun_s, 6)}
        if entry.kind is Kind.OPENED:
            for decoder in self._decoders.values():
                decoder.forget()
            yield row | {"type": "OPENED"}
            return
        row["to"] = "host" if entry.kind is Kind.READ else "mcu"
        decoder = self._decoders[entry.kind]
        before = decoder.corrupt + decoder.oversize, decoder.foreign
        for packet in decoder.feed(entry.data):
            yield row | _told(packet)
        damaged, foreign = decoder.corrupt + decoder.oversize - before[0], decoder.foreign - before[1]
        if damaged:
            yield row | {"type": "DAMAGED", "packets": damaged}
        if foreign:
            yield row | {"type": "FOREIGN", "version": decoder.foreign_version, "packets": foreign}


def _told(packet: Packet) -> dict[str, Any]:
    row: dict[str, Any] = {"seq": packet.seq}
    try:
        message = decode_message(packet)
    except BadPacket as error:
        return {"type": packet.type} | row | {"unusable": error.message, "payload": packet.payload.hex()}
    return {"type": Type(packet.type).name} | row | _fields(message)


def _fields(message: Message) -> dict[str, Any]:
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}
    if isinstance(message, Block):
        fields["n"] = len(message.samples)
        fields["peak"] = int(np.abs(message.samples.astype(np.int32)).max())
        del fields["samples"]
    return fields
