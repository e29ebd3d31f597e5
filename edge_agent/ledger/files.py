"""The files around a database: made private, held by one writer, set aside when damaged. No SQL here."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.runtime.disk import RealDisk

DAMAGED_HINT: Final = (
    "start the agent: it keeps a file that it finds damaged aside and begins a new ledger; "
    "where it does not see the damage, stop it and move the file away"
)

_SHORTEST_BYTES: Final = 512
"""A database has at least one page, and this is the smallest page (SQLite database file format, section 1.3.2)."""


class DiskFull(Unavailable):
    """No room for another row: make some, then try again."""


@contextmanager
def translated_os(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into an error of the station."""
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be used: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(message, hint=f"free some space under {path.parent}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR):
            raise ConfigError(
                message,
                hint=f"give {path.parent} to the user who runs the agent, or set another state directory",
            ) from error
        raise Unavailable(message, hint=f"check the disk of {path.parent}") from error


def make_private(path: Path) -> None:
    """Make the file (0600) and the folders above it (0700) where they are missing, so that they stay.

    A folder that exists keeps its mode: whoever made it chose it.
    """
    with translated_os(path):
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700)
            RealDisk(folder.parent).sync()
        if not path.exists():
            path.touch(mode=0o600)
            RealDisk(path.parent).sync()
        path.chmod(0o600)


def take_lock(path: Path) -> int:
    """Become the one writer of `path`; the kernel gives the lock back however the process ends.

    Args:
        path: the database file; the lock is a file beside it.

    Returns:
        The descriptor that holds the lock.

    Raises:
        Unavailable: another process writes it.
    """
    lock_path = path.with_name(path.name + ".lock")
    with translated_os(lock_path):
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Unavailable(
            f"another process writes {path}",
            hint="stop the other edge-agent, or give this one a state directory of its own",
        ) from error
    return lock


def check_length(path: Path) -> None:
    """Refuse a file that is too short for a database; an empty one is a database to come.

    The file is not opened: closing it would give back every lock that this process has on it (POSIX advisory locks),
    and the next program that reads the ledger and closes it would remove the log of the running station.

    Args:
        path: the database file.

    Raises:
        StateDamaged: it is shorter than any database.
    """
    with translated_os(path):
        length = path.stat().st_size
    if 0 < length < _SHORTEST_BYTES:
        raise StateDamaged(f"{path} is too short for a SQLite database", hint=DAMAGED_HINT)


def set_aside(path: Path, utc: float) -> Path:
    """Rename a damaged database, with its log, out of the way.

    Args:
        path: the database file; nobody may have it open for writing.
        utc: wall time [s since the epoch], for the name.

    Returns:
        Where it is kept: `ledger.db.damaged-20250101T120000Z`, with a number behind where that is taken.
    """
    stamp = datetime.fromtimestamp(utc, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for number in range(2, 1000):
        if not aside.exists():
            break
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    with translated_os(path):
        for suffix in ("-wal", "-shm", ""):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
        RealDisk(path.parent).sync()
    return aside
