"""The kept evidence of parts, picture and vibration window, within one quota: that of good parts goes first.

A file's name says all that the quota needs (`evidencefile.py`), so there is no index that could be out of step with the
files; only those that go next are kept in mind (`evidencequeue.py`). What is kept of one part goes together.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger import pictures, windows
from edge_agent.ledger.evidencefile import FOLDERS, EvidenceFile, picture_stem, window_stem
from edge_agent.ledger.evidencequeue import KNOWN, EvidenceQueue
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
        known: files that are known by name, at most.
    """

    def __init__(self, disk: Disk, max_bytes: int = 0, known: int = KNOWN) -> None:
        self._disk, self._max_bytes = disk, max_bytes
        self._lock = threading.Lock()
        self._known = known
        self._queue = EvidenceQueue()
        self._evicted = 0

    def open(self) -> None:
        """Look at what is there, and remove what a power cut left half written; before the first `put`.

        Raises:
            Unavailable: the disk fails.
        """
        with self._lock:
            self._look()
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
            before = self._queue.size_bytes
            with contextlib.suppress(Unavailable):  # what could be removed counts
                self._shrink(max(0, before - ROOM_BYTES))
            return before - self._queue.size_bytes

    def status(self) -> EvidenceStatus:
        """Say how much is kept; never waits for a file that is being written."""
        return EvidenceStatus(self._queue.count, self._queue.size_bytes, self._max_bytes, self._evicted)

    def _there(self) -> Iterator[EvidenceFile]:
        """Give every kept file; what is unfinished goes, and of two alike (from a backup) the one worth less."""
        for folder in FOLDERS:
            found: dict[str, EvidenceFile] = {}
            for name in discard_unfinished(self._disk, folder):
                file = EvidenceFile.parsed(name)
                same = None if file is None else found.get(file.stem)
                if file is not None and same is not None:
                    less, file = sorted((same, file), key=lambda each: each.worth)
                    self._disk.remove(less.name)
                if file is not None:
                    found[file.stem] = file
            yield from found.values()

    def _of(self, stem: str) -> EvidenceFile | None:
        files = map(EvidenceFile.parsed, self._disk.names(folder_of(stem)))
        return next((file for file in files if file is not None and file.stem == stem), None)

    def _found(self, stem: str, limit_bytes: int) -> tuple[str, bytes] | None:
        for _ in range(2):  # what was there may have got another name before it was read
            if (file := self._of(stem)) is not None:
                with contextlib.suppress(Missing):
                    return file.name, self._disk.read(file.name, limit_bytes)
        return None

    def _keep(self, file: EvidenceFile, data: bytes) -> None:
        there = self._of(file.stem)
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
            self._queue.drop(there)
            self._write(file, data)
        else:
            self._queue.drop(there)
            self._queue.add(file)

    def _write(self, file: EvidenceFile, data: bytes) -> None:
        try:
            replace(self._disk, file.name, data)
        except Unavailable as error:
            if not _is_full(error) or not self._shrink(max(0, self._queue.size_bytes - ROOM_BYTES)):
                raise
            replace(self._disk, file.name, data)
        self._queue.add(file)

    def _shrink(self, target_bytes: int) -> int:
        """Remove the evidence of the oldest parts, of each all of it, down to `target_bytes`; give the bytes freed."""
        before = self._queue.size_bytes
        going: tuple[bool, int] | None = None
        while (file := self._first()) is not None and (self._queue.size_bytes > target_bytes or file.worth == going):
            going = file.worth
            self._remove(file)
        return before - self._queue.size_bytes

    def _first(self) -> EvidenceFile | None:
        if self._queue.is_exhausted:
            self._look()
        return self._queue.first()

    def _look(self) -> None:
        self._queue = EvidenceQueue(self._there(), self._known)

    def _remove(self, file: EvidenceFile) -> None:
        with contextlib.suppress(Missing):
            self._disk.remove(file.name)
        self._queue.drop(file)
        self._evicted += 1


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
