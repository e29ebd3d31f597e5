"""Kept pictures, by the digest of their bytes, within a quota: pictures of good parts go first, rows never do.

A file's name says all that the quota needs (`pictures/ab/cdef….1700000000000.ng.421337.png`: digest, wall time in
ms, outcome, size), so there is no index that could be out of step with the files. Pictures are PNG: what is kept as
evidence, and may be learned from later, judges exactly as it did; a JPEG does not.
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

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger.items import Pictured
from edge_agent.records import Outcome
from edge_agent.runtime.disk import Disk, Missing, discard_unfinished, replace

FOLDER: Final = "pictures"
"""Where pictures are, in the state directory."""

ROOM_BYTES: Final = 16 << 20
"""What `make_room` frees at least, where there is as much [bytes]: rows of some 20,000 parts."""

_NAME: Final = re.compile(FOLDER + r"/([0-9a-f]{2})/([0-9a-f]{62})\.(\d{1,16})\.(ok|ng|unsure)\.(\d{1,12})\.png")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHARDS: Final = tuple(f"{FOLDER}/{shard:02x}" for shard in range(256))


@dataclass(frozen=True)
class _Kept:
    name: str
    digest: str
    utc_ms: int
    outcome: str
    size_bytes: int


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A picture to be kept.

    Attributes:
        series: the trigger source's count.
        number: the part's number in it.
        outcome: the answer about the part.
        utc: wall time of the answer [s since the epoch].
        image: BGR, shape (height, width, 3), uint8.
    """

    series: str
    number: int
    outcome: Outcome
    utc: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class PicturesStatus:
    """The kept pictures, for people.

    Attributes:
        kept: how many.
        kept_bytes: how large together [bytes].
        max_bytes: the quota [bytes].
        evicted: how many went since the start, to make room.
    """

    kept: int
    kept_bytes: int
    max_bytes: int
    evicted: int


class PictureStore:
    """Pictures on a disk. Safe from any thread; only one process may `put`.

    Args:
        disk: the state directory.
        max_bytes: the quota [bytes].
    """

    def __init__(self, disk: Disk, max_bytes: int) -> None:
        self._disk, self._max_bytes = disk, max_bytes
        self._lock = threading.Lock()
        self._good: OrderedDict[str, _Kept] = OrderedDict()  # of OK parts; oldest first, as are the others
        self._evidence: OrderedDict[str, _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._evicted = 0

    def open(self) -> None:
        """Look at what is there, and remove what a power cut left half written; before the first `put`.

        Raises:
            Unavailable: the disk fails.
        """
        with self._lock:
            self._good.clear()
            self._evidence.clear()
            self._kept_bytes = 0
            for shard in _SHARDS:
                discard_unfinished(self._disk, shard)
            found = [kept for shard in _SHARDS for name in self._disk.names(shard) if (kept := _parsed(name))]
            for kept in sorted(found, key=lambda kept: kept.utc_ms):
                self._add(kept)
            self._shrink(self._max_bytes)

    def put(self, data: bytes, outcome: Outcome, utc: float) -> str:
        """Keep a picture; when this returns, it survives a power cut. The same picture is kept once.

        Args:
            data: the encoded picture.
            outcome: the answer about its part: what decides how long it stays.
            utc: wall time [s since the epoch].

        Returns:
            The digest: SHA-256 of `data`, 64 hexadecimal digits.

        Raises:
            BadData: it is larger than the quota.
            Unavailable: the disk fails, or stays full with no older picture left to remove.
        """
        if len(data) > self._max_bytes:
            raise BadData(
                f"a picture of {len(data)} bytes is larger than the quota of {self._max_bytes}",
                hint="raise [ledger] pictures_max_mb",
            )
        digest = hashlib.sha256(data).hexdigest()
        kind = "ok" if outcome is Outcome.OK else "ng" if outcome is Outcome.NG else "unsure"
        name = f"{FOLDER}/{digest[:2]}/{digest[2:]}.{int(utc * 1000)}.{kind}.{len(data)}.png"
        kept = _Kept(name, digest, int(utc * 1000), kind, len(data))
        with self._lock:
            if digest in self._evidence or (digest in self._good and kind == "ok"):
                return digest
            self._shrink(self._max_bytes - len(data))
            try:
                replace(self._disk, name, data)
            except Unavailable as error:
                if not _is_full(error) or not self._shrink(max(0, self._kept_bytes - ROOM_BYTES)):
                    raise
                replace(self._disk, name, data)
            if digest in self._good:
                self._remove(self._good, digest)
            self._add(kept)
        return digest

    def read(self, digest: str) -> bytes | None:
        """Give a picture; None where it is not kept (any more). Also in a process that only reads.

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
        for name in self._disk.names(f"{FOLDER}/{digest[:2]}"):
            kept = _parsed(name)
            if kept is None or kept.digest != digest:
                continue
            try:
                data = self._disk.read(name)
            except Missing:  # evicted in between
                continue
            if hashlib.sha256(data).hexdigest() != digest:
                raise StateDamaged(f"{name} is damaged: its bytes do not have the digest in its name")
            return data
        return None

    def make_room(self) -> int:
        """Remove the oldest pictures, of OK parts first, for a row to find space; return the bytes freed."""
        with self._lock:
            before = self._kept_bytes
            with contextlib.suppress(Unavailable):  # what could be removed counts
                self._shrink(max(0, before - ROOM_BYTES))
            return before - self._kept_bytes

    def status(self) -> PicturesStatus:
        """Say how much is kept; never waits for a picture that is being written."""
        count = len(self._good) + len(self._evidence)
        return PicturesStatus(count, self._kept_bytes, self._max_bytes, self._evicted)

    def _add(self, kept: _Kept) -> None:
        (self._good if kept.outcome == "ok" else self._evidence)[kept.digest] = kept
        self._kept_bytes += kept.size_bytes

    def _shrink(self, target_bytes: int) -> int:
        before = self._kept_bytes
        while self._kept_bytes > target_bytes:
            tier = self._good or self._evidence
            self._remove(tier, next(iter(tier)))
            self._evicted += 1
        return before - self._kept_bytes

    def _remove(self, tier: OrderedDict[str, _Kept], digest: str) -> None:
        with contextlib.suppress(Missing):
            self._disk.remove(tier[digest].name)
        self._kept_bytes -= tier.pop(digest).size_bytes


def encoded(image: NDArray[np.uint8]) -> bytes:
    """Give a picture as PNG; some 10 ms for 480 x 480, without the GIL.

    Args:
        image: BGR, shape (height, width, 3), uint8.

    Returns:
        The file's bytes; decoding them gives `image` back exactly.

    Raises:
        BadData: the encoder refuses it.
    """
    try:
        good, data = cv2.imencode(".png", image)
    except cv2.error as error:
        raise BadData(f"a picture of shape {image.shape} cannot be encoded: {error}") from error
    if not good:
        raise BadData(f"a picture of shape {image.shape} cannot be encoded")
    return data.tobytes()


def keep(store: PictureStore, snapshot: Snapshot) -> Pictured:
    """Encode a picture and keep it: some 10 ms, for a thread that nobody waits for; the answer is for the ledger."""
    digest = store.put(encoded(snapshot.image), snapshot.outcome, snapshot.utc)
    return Pictured(snapshot.series, snapshot.number, digest)


def _is_full(error: Unavailable) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)


def _parsed(name: str) -> _Kept | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    shard, rest, utc_ms, outcome, size_bytes = match.groups()
    return _Kept(name, shard + rest, int(utc_ms), outcome, int(size_bytes))
