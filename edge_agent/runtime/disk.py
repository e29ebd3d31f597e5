"""Files that are the old ones or the new ones after a power cut, never something in between.

The door to the state directory. What the files mean is their owners' business, each of whom writes its own
names.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable

READ_LIMIT_BYTES: Final = 64 << 20
"""The largest file that is read unless the caller says otherwise [bytes]; checked before memory is taken."""

UNFINISHED: Final = ".new"
"""Suffix of a file that is being written; found after a power cut, it was never finished."""

HINTS: Final = {
    errno.ENOSPC: "free some space: `df -h {folder}` shows what is left",
    errno.EDQUOT: "free some space: `df -h {folder}` shows what is left, a quota may be lower",
    errno.EROFS: "the file system is mounted read-only: `df {folder}` names it, `dmesg` often says why",
    errno.EACCES: "give the folder to the user of this program: `ls -ld {folder}` shows whose it is",
    errno.EPERM: "give the folder to the user of this program: `ls -ld {folder}` shows whose it is",
    errno.EISDIR: "a folder is where a file belongs: `ls -l {folder}` shows it; move it away",
    errno.ENOTDIR: "something that is not a folder is in the way: `ls -ld {folder}`",
    errno.EIO: "the disk reports a fault: `dmesg` shows it; replace the disk or the card",
}
"""What the operator can do about an error that may pass; any other is a bug."""


class Missing(StateDamaged):
    """There is no file of that name. For a first start this is normal, later it is a loss."""


class Disk(Protocol):
    """A folder of files that outlive a power cut. Safe from any thread, with one writer for each name.

    Names are relative, with `/` between folders; one that points outside raises `BadData`. Folders appear
    when something is written into them. What may pass (no space, no permission) raises `Unavailable`, and
    a file that is not there `Missing`.
    """

    def write(self, name: str, data: bytes) -> None:
        """Write the whole file and wait until its bytes are safe. Its name is safe only after `sync`."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same folder, in place of any file there. Safe only after `sync`."""

    def remove(self, name: str) -> None:
        """Remove a file. It is sure to be gone only after `sync`."""

    def sync(self, folder: str = "") -> None:
        """Wait until the names in `folder` are safe."""

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The whole file; `StateDamaged` when it is larger than `limit_bytes`."""

    def exists(self, name: str) -> bool:
        """There is a file of that name (a folder is not one)."""

    def names(self, folder: str = "") -> list[str]:
        """The files directly in `folder`, sorted, named as for `read`; empty when there is no such folder."""


class RealDisk:
    """A `Disk` on the file system. Files are for their owner alone (0600, folders 0700).

    Args:
        root: the folder that all names are relative to; made when the first file is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, data: bytes) -> None:
        """Write the whole file and fsync it."""
        path = self._path(name)
        with _translated("write", path):
            _make_folder(path.parent)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same folder, in place of any file there."""
        same_folder(old, new)
        path = self._path(old)
        with _translated("rename", path):
            os.replace(path, self._path(new))

    def remove(self, name: str) -> None:
        """Remove a file."""
        path = self._path(name)
        with _translated("remove", path):
            os.unlink(path)

    def sync(self, folder: str = "") -> None:
        """Fsync `folder`."""
        path = self._root / checked_folder(folder)
        with _translated("sync", path):
            _fsync_folder(path)

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The whole file, its size checked first."""
        path = self._path(name)
        with _translated("read", path), path.open("rb") as file:
            within_limit(name, os.fstat(file.fileno()).st_size, limit_bytes)
            return file.read(limit_bytes)

    def exists(self, name: str) -> bool:
        """There is a file of that name."""
        path = self._path(name)
        with _translated("find", path):
            return path.is_file()

    def names(self, folder: str = "") -> list[str]:
        """The files directly in `folder`, sorted, named as for `read`."""
        path = self._root / checked_folder(folder)
        with _translated("list", path):
            if not path.is_dir():
                return []
            with os.scandir(path) as entries:
                found = sorted(entry.name for entry in entries if entry.is_file())
            return [f"{folder}/{name}" for name in found] if folder else found

    def _path(self, name: str) -> Path:
        return self._root / checked_name(name)


def replace(disk: Disk, name: str, data: bytes) -> None:
    """Put `data` in the place of the file `name`: whatever happens, the old file or the new one is there.

    When it returns, the new one is safe. When it raises, nothing unfinished uses up space.
    """
    unfinished = name + UNFINISHED
    try:
        disk.write(unfinished, data)
        disk.rename(unfinished, name)
    except Unavailable:
        with contextlib.suppress(Missing, Unavailable):
            disk.remove(unfinished)
        raise
    disk.sync(folder_of(name))


def discard_unfinished(disk: Disk, folder: str = "") -> list[str]:
    """Remove what a power cut left unfinished in `folder`; give the other names. While nothing is written there."""
    names = disk.names(folder)
    for name in names:
        if name.endswith(UNFINISHED):
            disk.remove(name)
    return [name for name in names if not name.endswith(UNFINISHED)]


def save_checked(disk: Disk, name: str, body: bytes) -> None:
    """Replace the file `name` by `body` (one JSON value on one line) and a second line with its SHA-256."""
    replace(disk, name, body + b"\n" + _seal(body))


def load_checked(disk: Disk, name: str) -> bytes:
    """The body that `save_checked` put into `name`; `StateDamaged` when it is no longer that."""
    body, _, seal = disk.read(name).removesuffix(b"\n").rpartition(b"\n")
    if seal + b"\n" != _seal(body):
        raise StateDamaged(
            f"{name} is damaged: its contents do not have the SHA-256 on its last line",
            hint=f"edit {name} only through edge-agent; a copy from a backup must be the whole file",
        )
    return body


def check_owner(folder: Path) -> None:
    """Refuse to write files that only this user can read into the folder of another one, as root would.

    Args:
        folder: the state directory; where there is none yet, it becomes this user's.

    Raises:
        ConfigError: it belongs to somebody else.
    """
    try:
        owner = folder.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise ConfigError(
            f"{folder} belongs to {name}, who could not read what another user writes",
            hint=f"ask as that user: sudo -u {name}",
        )


def checked_name(name: str) -> str:
    """Give `name` back, or raise `BadData` when it does not point to something inside the folder."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise BadData(f"{name!r} is not a file name relative to the state directory")
    return name


def checked_folder(folder: str) -> str:
    """Give `folder` back ("" for the topmost), or raise `BadData` when it does not point inside."""
    return folder and checked_name(folder)


def folder_of(name: str) -> str:
    """The folder that `name` lies in, "" for the topmost."""
    return name.rpartition("/")[0]


def same_folder(old: str, new: str) -> None:
    """Raise `BadData` when the names are in two folders, where no single `sync` could make a rename safe."""
    if folder_of(old) != folder_of(new):
        raise BadData(f"{old!r} cannot be renamed to {new!r}: that is another folder")


def within_limit(name: str, size_bytes: int, limit_bytes: int) -> None:
    """Raise `StateDamaged` when a file of `size_bytes` is larger than its reader expects."""
    if size_bytes > limit_bytes:
        raise StateDamaged(
            f"{name} has {size_bytes} bytes, more than the {limit_bytes} that are expected",
            hint=f"put a good copy of {name} from a backup in its place",
        )


def _seal(body: bytes) -> bytes:
    return json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


def _make_folder(path: Path) -> None:
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    _fsync_folder(path.parent)


def _fsync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _translated(doing: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Missing(f"cannot {doing} {path}: there is no such file") from error
    except OSError as error:
        if error.errno not in HINTS:
            raise
        seen = next(folder for folder in path.parents if os.path.exists(folder))
        hint = HINTS[error.errno].format(folder=seen)
        raise Unavailable(f"cannot {doing} {path}: {os.strerror(error.errno)}", hint=hint) from error


class UntouchedDisk(RealDisk):
    """A state directory that stays as it is, for who only looks; what is damaged the station will keep aside."""

    def write(self, name: str, data: bytes) -> None:
        """Refuse, which is a bug of whoever looks."""
        raise AssertionError(f"who looks does not write {name}")

    def rename(self, old: str, new: str) -> None:
        """Leave the file where it is."""

    def remove(self, name: str) -> None:
        """Refuse, which is a bug of whoever looks."""
        raise AssertionError(f"who looks does not remove {name}")
