"""The kept evidence of parts, picture and vibration window, within one quota: that of good parts goes first.

A file's name says all that the quota needs (`evidencefile.py`), so there is no index that could be out of step with the
files. What is kept of one part goes together.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger import pictures, windows
from edge_agent.ledger.evidencefile import FOLDERS, EvidenceFile, picture_stem, window_stem
from edge_agent.records import Frame, Part, VibrationWindow
from edge_agent.runtime.disk import READ_LIMIT_BYTES, Disk, Missing, discard_unfinished, folder_of, replace
from models.waveform import Waveform

ROOM_BYTES: Final = 16 << 20
"""What `make_room` frees at least, where there is as much [bytes]: rows of some 20,000 parts."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class EvidenceStatus:
    """The kept evidence, for people.

    Attributes:
        kept: how many files: pictures and windows.
        kept_bytes: how large together [bytes].
        max_bytes: the quota [bytes].
        evicted: how many files went since the start, to make room.
    """

    kept: int
    kept_bytes: int
    max_bytes: int
    evicted: int


class EvidenceStore:
    """Evidence on a disk. Safe from any thread.

    Any process may read, also beside a running station: reading needs no `open`, takes no lock and changes nothing.
    Only one process may `put`.

    Args:
        disk: the state directory.
        max_bytes: the quota [bytes]; 0 in a process that only reads.
    """

    def __init__(self, disk: Disk, max_bytes: int = 0) -> None:
        self._disk, self._max_bytes = disk, max_bytes
        self._lock = threading.Lock()
        self._good: OrderedDict[str, EvidenceFile] = OrderedDict()  # by stem; oldest first, as are the others
        self._others: OrderedDict[str, EvidenceFile] = OrderedDict()
        self._kept_bytes = 0
        self._evicted = 0

    def open(self) -> None:
        """Look at what is there, and remove what a power cut left half written; before the first `put`.

        Raises:
            Unavailable: the disk fails.
        """
        with self._lock:
            self._good.clear()
            self._others.clear()
            self._kept_bytes = 0
            for folder in FOLDERS:
                discard_unfinished(self._disk, folder)
            names = (name for folder in FOLDERS for name in self._disk.names(folder))
            found = [file for name in names if (file := EvidenceFile.parsed(name))]
            for file in sorted(found, key=lambda file: file.utc_ms):
                if (same := self._tier(file).get(file.stem)) is not None:  # copied in from a backup
                    self._remove(same)
                self._add(file)
            self._shrink(self._max_bytes)

    def put(self, part: Part, picture: bytes = b"", window: bytes = b"") -> str:
        """Keep the evidence of a part; when this returns, it survives a power cut.

        The window is written first, because it is found without the part's row saying so: when power goes in between,
        or the disk fails, the window alone is there.

        Args:
            part: whose it is; its outcome and time decide how long it stays.
            picture: the encoded picture, b"" without one. One that is kept already is not written again; it stays with
                the part that stays longest.
            window: the encoded window, b"" without one.

        Returns:
            The picture's digest: SHA-256, 64 hexadecimal digits; "" without one.

        Raises:
            BadData: it is larger than the quota.
            Unavailable: the disk fails, or stays full with nothing older left to remove.
        """
        size_bytes = len(picture) + len(window)
        if size_bytes > self._max_bytes:
            raise BadData(
                f"picture and window of a part take {size_bytes} bytes, more than the quota of {self._max_bytes}",
                hint="raise [ledger] evidence_max_mb",
            )
        digest = hashlib.sha256(picture).hexdigest() if picture else ""
        with self._lock:
            self._shrink(self._max_bytes - size_bytes)
            if window:
                self._keep(EvidenceFile.of(part, window_stem(part), len(window)), window)
            if picture:
                self._keep(EvidenceFile.of(part, picture_stem(digest), len(picture)), picture)
        return digest

    def picture(self, part: Part) -> bytes | None:
        """Give the picture that a part's row names.

        Args:
            part: as the ledger has it.

        Returns:
            The PNG's bytes; None where none was kept, or is not any more.

        Raises:
            StateDamaged: the file is not what was kept.
        """
        return self.read(part.picture) if part.picture else None

    def window(self, part: Part) -> Waveform | None:
        """Give the vibration window of a part.

        Args:
            part: as the ledger has it.

        Returns:
            Acceleration [m/s^2], shape (n, 3), float32, read-only, and its sample rate [Hz]; None where none was kept,
            or is not any more.

        Raises:
            StateDamaged: the file is not what was kept.
        """
        found = self._found(window_stem(part), windows.MAX_BYTES)
        if found is None:
            return None
        name, data = found
        try:
            return windows.decoded(data)
        except StateDamaged as error:
            raise StateDamaged(f"{name} is damaged: {error.message}", hint=error.hint) from error

    def read(self, digest: str) -> bytes | None:
        """Give a picture; None where it is not kept (any more).

        Args:
            digest: SHA-256 of its bytes, 64 hexadecimal digits.

        Returns:
            The file's bytes, or None.

        Raises:
            BadData: `digest` is not one.
            StateDamaged: the file is not what was kept.
        """
        if not _DIGEST.fullmatch(digest):
            raise BadData(f"{digest!r} is not the digest of a picture: 64 hexadecimal digits")
        found = self._found(picture_stem(digest), READ_LIMIT_BYTES)
        if found is None:
            return None
        name, data = found
        if hashlib.sha256(data).hexdigest() != digest:
            raise StateDamaged(f"{name} is damaged: its bytes do not have the digest in its name")
        return data

    def make_room(self) -> int:
        """Remove the oldest evidence, of OK parts first, for a row to find space; return the bytes freed."""
        with self._lock:
            before = self._kept_bytes
            with contextlib.suppress(Unavailable):  # what could be removed counts
                self._shrink(max(0, before - ROOM_BYTES))
            return before - self._kept_bytes

    def status(self) -> EvidenceStatus:
        """Say how much is kept; never waits for a file that is being written."""
        count = len(self._good) + len(self._others)
        return EvidenceStatus(count, self._kept_bytes, self._max_bytes, self._evicted)

    def _found(self, stem: str, limit_bytes: int) -> tuple[str, bytes] | None:
        for _ in range(2):  # what was there may have got another name before it was read
            for name in self._disk.names(folder_of(stem)):
                file = EvidenceFile.parsed(name)
                if file is not None and file.stem == stem:
                    with contextlib.suppress(Missing):
                        return name, self._disk.read(name, limit_bytes)
        return None

    def _keep(self, file: EvidenceFile, data: bytes) -> None:
        there = self._others.get(file.stem) or self._good.get(file.stem)
        if there is None:
            self._write(file, data)
        elif there.worth < file.worth:
            self._rename(there, file, data)

    def _rename(self, there: EvidenceFile, file: EvidenceFile, data: bytes) -> None:
        """Have what is kept already stay as long as `file`."""
        try:
            self._disk.rename(there.name, file.name)
            self._disk.sync(folder_of(file.name))
        except Missing:  # somebody has removed it
            self._drop(there)
            self._write(file, data)
        else:
            self._drop(there)
            self._add(file)

    def _write(self, file: EvidenceFile, data: bytes) -> None:
        try:
            replace(self._disk, file.name, data)
        except Unavailable as error:
            if not _is_full(error) or not self._shrink(max(0, self._kept_bytes - ROOM_BYTES)):
                raise
            replace(self._disk, file.name, data)
        self._add(file)

    def _shrink(self, target_bytes: int) -> int:
        """Remove the evidence of the oldest parts, of each all of it, down to `target_bytes`; give the bytes freed."""
        before = self._kept_bytes
        while self._kept_bytes > target_bytes:
            tier = self._good or self._others
            oldest_ms = next(iter(tier.values())).utc_ms
            while tier and (file := next(iter(tier.values()))).utc_ms == oldest_ms:
                self._remove(file)
                self._evicted += 1
        return before - self._kept_bytes

    def _tier(self, file: EvidenceFile) -> OrderedDict[str, EvidenceFile]:
        return self._good if file.is_good else self._others

    def _add(self, file: EvidenceFile) -> None:
        self._tier(file)[file.stem] = file
        self._kept_bytes += file.size_bytes

    def _remove(self, file: EvidenceFile) -> None:
        with contextlib.suppress(Missing):
            self._disk.remove(file.name)
        self._drop(file)

    def _drop(self, file: EvidenceFile) -> None:
        del self._tier(file)[file.stem]
        self._kept_bytes -= file.size_bytes


def keep(store: EvidenceStore, part: Part, frame: Frame | None, window: VibrationWindow | None) -> str:
    """Encode the evidence of a part and keep it: some 10 ms, for a thread that nobody waits for.

    Args:
        store: keeps it.
        part: whose it is.
        frame: its picture, or None.
        window: its vibration, or None.

    Returns:
        The picture's digest, for the part's row; "" without one.

    Raises:
        BadData: it cannot be encoded, or is larger than the quota.
        Unavailable: the disk fails, or stays full.
    """
    return store.put(
        part,
        b"" if frame is None else pictures.encoded(frame.image),
        b"" if window is None else windows.encoded(window.samples, window.rate_hz),
    )


def _is_full(error: Unavailable) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)
