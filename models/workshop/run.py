"""The run folder: who holds it, what is trained in it, its checkpoints. It survives kill, power cut and a full disk.

Files are whole or not there: each is written under another name, synced, renamed, and its folder is synced. A
checkpoint begins with the SHA-256 of the rest; the newest two are kept. Everything else follows from a checkpoint and
can be written again. What is inside a checkpoint is the loop's business; nothing here needs torch.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from models.workshop.errors import WorkshopError

KEPT: Final = 2
"""Checkpoints: the newest, and the one to go back to when that is damaged."""

CHECKPOINT: Final = "epoch-{:05d}.checkpoint"
DESCRIPTION: Final = "run.json"
LOCK: Final = "lock"
UNFINISHED: Final = ".new"
DERIVED: Final = ("best.pt", "history.json", "curves.png")

DIGEST_BYTES: Final = 32

HINTS: Final = {
    errno.ENOSPC: "free some space (`df -h {folder}`); the same command goes on from the last checkpoint",
    errno.EDQUOT: "free some space, your quota is used up; the same command goes on from the last checkpoint",
    errno.EFBIG: "the file size is limited (`ulimit -f`); the same command goes on from the last checkpoint",
    errno.EROFS: "the file system is mounted read-only: choose another folder",
    errno.EACCES: "you may not write there: `ls -ld {folder}` shows whose it is",
    errno.EPERM: "you may not write there: `ls -ld {folder}` shows whose it is",
    errno.EEXIST: "a file is in the way: choose another folder",
    errno.ENOTDIR: "a file is in the way: choose another folder",
    errno.EIO: "the disk reports a fault: `dmesg` shows it",
}


class Run:
    """A run folder that this process holds; made by `held`.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self, say: Callable[[str], None]) -> bytes:
        """Give the newest whole checkpoint, empty when none was written yet.

        Args:
            say: is told the name of each damaged one that is passed over.

        Returns:
            What was given to `keep`.

        Raises:
            WorkshopError: there are checkpoints and all are damaged.
        """
        checkpoints = self._checkpoints()
        for path in reversed(checkpoints):
            body = _whole(path)
            if body is not None:
                return body
            say(f"{path} is damaged (its SHA-256 does not match) and is not used")
        if checkpoints:
            raise WorkshopError(
                f"every checkpoint in {self.folder} is damaged", hint="start afresh: without resuming, or elsewhere"
            )
        return b""

    def keep(self, epoch: int, body: bytes) -> None:
        """Write the checkpoint after `epoch`; older ones than the last two go once it is safe."""
        self.put(CHECKPOINT.format(epoch), hashlib.sha256(body).digest() + body)
        for path in self._checkpoints()[:-KEPT]:
            with _told("remove", path):
                path.unlink()

    def put(self, name: str, data: bytes) -> Path:
        """Put a file into the folder, in place of any of that name: the old one or the new one is there, never half."""
        path = self.folder / name
        fresh = path.with_name(name + UNFINISHED)
        with _told("write", path):
            try:
                with fresh.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(path)
            except OSError:
                with suppress(OSError):
                    fresh.unlink()
                raise
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return path

    def _checkpoints(self) -> list[Path]:
        return sorted(self.folder.glob(CHECKPOINT.replace("{:05d}", "*")))

    def begin(self, description: Mapping[str, Any], *, resume: bool) -> None:
        """Make sure that what is in the folder belongs to this training, or that there is nothing in it.

        Args:
            description: what is trained and how, JSON-able.
            resume: go on with what is there; otherwise it is removed.

        Raises:
            WorkshopError: the folder holds something else.
        """
        path = self.folder / DESCRIPTION
        new = json.dumps(description, indent=2, sort_keys=True, allow_nan=False)
        with _told("read", self.folder):
            names = {entry.name for entry in self.folder.iterdir()}
            others = sorted(names - {LOCK, DESCRIPTION + UNFINISHED})
            old = path.read_bytes() if path.exists() else None
        if old is None and others:
            raise WorkshopError(
                f"{self.folder} is no run folder: it has {', '.join(others[:3])} and no {DESCRIPTION}",
                hint="choose a new or an empty folder",
            )
        with _told("clear", self.folder):
            for unfinished in self.folder.glob(f"*{UNFINISHED}"):
                unfinished.unlink()
        if old is not None and resume:
            self._check_same(old, new)
            return
        with _told("clear", self.folder):
            for old_path in (*self._checkpoints(), *(self.folder / name for name in DERIVED), path):
                old_path.unlink(missing_ok=True)
        self.put(DESCRIPTION, new.encode() + b"\n")

    def _check_same(self, old: bytes, new: str) -> None:
        try:
            was, now = _flat(json.loads(old)), _flat(json.loads(new))
        except ValueError as error:
            raise WorkshopError(
                f"{self.folder / DESCRIPTION} is damaged: {error}", hint="start afresh: without resuming, or elsewhere"
            ) from error
        changed = [
            f"{key} was {_shown(was, key)} and is {_shown(now, key)}"
            for key in sorted(was.keys() | now.keys())
            if key not in was or key not in now or was[key] != now[key]
        ]
        if changed:
            more = f"; and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise WorkshopError(
                f"{self.folder} holds another training: {'; '.join(changed[:3])}{more}",
                hint="set that back, choose another folder, or start afresh without resuming",
            )


@contextmanager
def held(folder: Path, description: Mapping[str, Any], *, resume: bool) -> Iterator[Run]:
    """Hold a run folder; nobody else can until the context ends or the process does.

    Args:
        folder: made when it is not there.
        description: what is trained and how, JSON-able; a run is only resumed under the same one.
        resume: go on with what is there; otherwise it is removed.

    Yields:
        The folder.

    Raises:
        WorkshopError: it is in use, holds something else, or cannot be written.
    """
    with _told("make", folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise WorkshopError(
                f"{folder} is in use by another training (process {lock.read(20).strip() or 'unknown'})",
                hint="wait until it has ended, or choose another folder",
            ) from None
        with _told("write", folder / LOCK):
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
        run = Run(folder)
        run.begin(description, resume=resume)
        yield run


def _whole(path: Path) -> bytes | None:
    """Give the body of a checkpoint, nothing where it is damaged; memory is only taken once the digest is right."""
    with _told("read", path), path.open("rb") as file:
        digest = file.read(DIGEST_BYTES)
        if hashlib.file_digest(file, "sha256").digest() != digest:
            return None
        file.seek(DIGEST_BYTES)
        return file.read()


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {key: value}
    return {
        path: leaf
        for name, part in value.items()
        for path, leaf in _flat(part, f"{key}.{name}" if key else name).items()
    }


def _shown(leaves: Mapping[str, Any], key: str) -> str:
    return reprlib.repr(leaves[key]) if key in leaves else "not there"


@contextmanager
def _told(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = HINTS.get(error.errno or 0, "").format(folder=path.parent)
        raise WorkshopError(f"cannot {doing} {path}: {error.strerror or error}", hint=hint) from error
