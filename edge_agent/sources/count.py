"""The trigger count of a simulated microcontroller, kept in a small file so that it outlives the agent.

A real microcontroller goes on counting while the agent is dead; a simulated source lives inside the agent and must
write its count down before it announces a part. The write goes into the page cache and is not fsynced: it survives
SIGKILL, and a power cut may reset it, as it would reset a microcontroller. The record of parts is the ledger, not this.
"""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from edge_agent.errors import Unavailable
from edge_agent.sources.source import Position

SLOT: Final = struct.Struct("<4s16sQQ")
"""Magic, series (ASCII, zero padded), generation of the slot, trigger number; a CRC-32 follows."""
MAGIC: Final = b"EAC1"
SLOT_BYTES: Final = SLOT.size + 4
MAX_SERIES_CHARS: Final = 16


def name_series(utc_s: float) -> str:
    """Give a name no other count has: the second it began at and 16 random bits, in hex."""
    return f"{int(utc_s):x}-{secrets.token_hex(2)}"


class TriggerCount:
    """Counts triggers; each number is written down before it is given out.

    Two slots are written in turn, each with its own checksum, so that a write that is cut short costs nothing.

    Args:
        path: the file that keeps the count; None keeps it in memory only.
        new_series: gives a name for a new count, at most 16 ASCII characters.
        recorded: the highest number of a series that anybody has on record. A count that is behind it was set back by
            a power cut; it is not gone on with, for its numbers would be given out twice.
    """

    def __init__(
        self,
        path: Path | None,
        new_series: Callable[[], str],
        recorded: Callable[[str], int] = lambda series: 0,
    ) -> None:
        self._path = path
        self._new_series = new_series
        self._recorded = recorded
        self._file: BinaryIO | None = None
        self._generation = 0
        self._position: Position | None = None
        self.unsaved = 0  #: counts that could not be written down

    def open(self) -> Position:
        """Give the count found in the file; a new one where there is none or it is damaged.

        Returns:
            How far the count has come; number 0 for a new series.

        Raises:
            Unavailable: the file cannot be opened for writing.
        """
        self.close()
        found: tuple[int, Position] | None = None
        if self._path is not None:
            try:
                self._path.touch(mode=0o600)
                self._file = self._path.open("r+b", buffering=0)
                found = newest_slot(self._file.read(2 * SLOT_BYTES))
            except OSError as error:
                self.close()
                raise Unavailable(
                    f"the trigger count {self._path} cannot be kept ({error.strerror})",
                    hint="let the user of the agent write to the state directory",
                ) from None
        if found is not None:
            self._generation, self._position = found
            if self._recorded(self._position.series) > self._position.number:
                self._position = None
        return self._position or self.begin()

    def begin(self) -> Position:
        """Start a new series at 0."""
        return self._keep(Position(self._new_series(), 0))

    def advance(self) -> Position:
        """Count one trigger: write the new number down, then give it."""
        last = self.position()
        return self._keep(Position(last.series, last.number + 1))

    def position(self) -> Position:
        """Give the count as it stands."""
        if self._position is None:
            raise RuntimeError("the count is asked for before it was opened")
        return self._position

    def close(self) -> None:
        """Release the file; the count stays readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, position: Position) -> Position:
        self._generation += 1
        self._position = position
        if self._file is not None:
            slot = encode_slot(self._generation, position)
            try:
                os.pwrite(self._file.fileno(), slot, self._generation % 2 * SLOT_BYTES)
            except OSError:
                self.unsaved += 1
        return position


def encode_slot(generation: int, position: Position) -> bytes:
    """Give the bytes of one slot."""
    if len(position.series) > MAX_SERIES_CHARS:
        raise ValueError(f"a series has at most {MAX_SERIES_CHARS} characters, got {position.series!r}")
    body = SLOT.pack(MAGIC, position.series.encode("ascii"), generation, position.number)
    return body + zlib.crc32(body).to_bytes(4, "little")


def newest_slot(data: bytes) -> tuple[int, Position] | None:
    """Give generation and position of the newest whole slot in `data`, None when there is none."""
    whole: list[tuple[int, Position]] = []
    for at in (0, SLOT_BYTES):
        body, crc = data[at : at + SLOT.size], data[at + SLOT.size : at + SLOT_BYTES]
        if len(crc) == 4 and zlib.crc32(body).to_bytes(4, "little") == crc:
            magic, series, generation, number = SLOT.unpack(body)
            if magic == MAGIC:
                whole.append((generation, Position(series.rstrip(b"\0").decode("ascii"), number)))
    return max(whole, key=lambda slot: slot[0], default=None)
