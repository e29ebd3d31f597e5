"""The one door to SQLite: connections whose pragmas were read back, migrations, translated errors.

It knows nothing of parts. Every exception of the driver becomes one of the station's own here, so that
nothing else in the program has to import it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_agent.errors import BadData, ConfigError, EdgeAgentError, StateDamaged, Unavailable
from edge_agent.ledger.driver import schema_of
from edge_agent.ledger.files import DAMAGED_HINT, DiskFull, check_length, make_private, take_lock

if TYPE_CHECKING:
    from edge_agent.ledger.driver import Schema

Migration = Callable[["Schema"], None]
"""One step forward; runs in a transaction that also raises the version."""

BUSY_S: Final = 1.0
"""How long a statement waits for another connection's lock [s]; the writer tries again after that."""

LOG_PAGES: Final = 8192
"""A commit checkpoints by itself when the log is longer than this [pages of 4 KiB]; `checkpoint` comes long before."""

_WRITER_PRAGMAS: Final = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "wal_autocheckpoint": LOG_PAGES,
}
_READER_PRAGMAS: Final = {"query_only": 1, "foreign_keys": 1}

_IN_THE_WAY: Final = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_PERM,
}


class Effect(NamedTuple):
    """What a statement did: how many rows it changed, and the number of the last one it inserted."""

    rows: int
    rowid: int


class Database:
    """One connection; belongs to one thread at a time.

    Args:
        conn: an open connection in autocommit mode.
        path: the database file, for messages.
        lock: descriptor of the writer's lock; None for a reader.
    """

    def __init__(self, conn: sqlite3.Connection, path: Path, lock: int | None) -> None:
        self._conn, self._path, self._lock = conn, path, lock

    @property
    def version(self) -> int:
        """Number of migrations the file has seen."""
        return int(self.value("PRAGMA user_version"))

    def execute(self, sql: str, values: Sequence[object] = ()) -> Effect:
        """Run one statement that changes something.

        Args:
            sql: the statement, with `?` for every value.
            values: what the question marks stand for.

        Returns:
            What it did.

        Raises:
            BadData: the row breaks a rule of its table; an open transaction stays open.
            Unavailable: the disk or another connection is in the way; `DiskFull` when there is no room.
            StateDamaged: the file is not what was written.
        """
        with _translated(self._path):
            cursor = self._conn.execute(sql, values)
            return Effect(cursor.rowcount, cursor.lastrowid or 0)

    def query(self, sql: str, values: Sequence[object] | dict[str, object] = ()) -> Iterator[dict[str, Any]]:
        """Give the rows of a SELECT one by one, as dictionaries; raises as `execute` does, at any of them."""
        with _translated(self._path):
            cursor = self._conn.execute(sql, values)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Give the first column of the first row, None without a row; raises as `execute` does."""
        with _translated(self._path):
            row = self._conn.execute(sql, values).fetchone()
            return row[0] if row else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: commits at the end (fsynced), rolls back on any error."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # the first error is the one to report
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
            raise

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Bring the tables to the newest version, one transaction a step.

        Args:
            migrations: every step since the first release; step n leads to version n.

        Raises:
            ConfigError: the file was written by a newer release.
        """
        self._refuse_newer(len(migrations))
        for number in range(self.version, len(migrations)):
            with self.transaction(), _translated(self._path):
                migrations[number](schema_of(self._conn))
                self._conn.execute(f"PRAGMA user_version = {number + 1}")

    def expect(self, migrations: Sequence[Migration]) -> None:
        """Refuse a file of another version, for a connection that may not migrate it."""
        self._refuse_newer(len(migrations))
        if self.version < len(migrations):
            raise Unavailable(
                f"{self._path} has schema version {self.version}, this release reads {len(migrations)}",
                hint="start the agent once with `edge-agent run`: it brings the ledger up to date",
            )

    def probe(self) -> None:
        """Read the schema and a row of each table: cheap for any size, finds a wrong or shortened file.

        Raises:
            StateDamaged: SQLite cannot make sense of the file.
        """
        tables = [row["name"] for row in self.query("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for name in tables:
            self.value(f'SELECT * FROM "{name}" LIMIT 1')

    def problems(self) -> list[str]:
        """Read the whole file and say what is wrong with it; empty when it is sound. Slow for a large one."""
        try:
            found = [str(row["integrity_check"]) for row in self.query("PRAGMA integrity_check")]
        except StateDamaged as error:
            return [error.message]
        return [] if found == ["ok"] else found

    def checkpoint(self) -> None:
        """Move what was committed from the log into the file, so that the log can begin anew; some milliseconds."""
        self.value("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the connection and give the writer's lock back; safe to call twice."""
        with suppress(sqlite3.Error):  # a failing disk must not keep the station from stopping
            self._conn.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refuse_newer(self, known: int) -> None:
        if self.version > known:
            raise ConfigError(
                f"{self._path} has schema version {self.version}, this release knows versions up to {known}",
                hint=f"install the newer edge-agent again, or move {self._path} away to begin a new ledger",
            )


def open_writer(path: Path, migrations: Sequence[Migration]) -> Database:
    """Open the one writing connection, making the folder and the file where they are missing.

    Args:
        path: the database file.
        migrations: every step since the first release.

    Returns:
        The connection: WAL, synchronous FULL and foreign keys read back, tables at the newest version. It may
        move to another thread.

    Raises:
        ConfigError: the folder cannot be written, or the file is from a newer release.
        Unavailable: another process writes this ledger, or the disk fails.
        StateDamaged: the file is damaged; see `files.set_aside`.
    """
    path = path.absolute()
    make_private(path)
    lock = take_lock(path)
    try:
        database = _connect(path, "rw", _WRITER_PRAGMAS, lock)
    except BaseException:
        os.close(lock)
        raise
    try:
        database.probe()
        database.migrate(migrations)
    except BaseException:
        database.close()
        raise
    return database


def open_reader(path: Path, migrations: Sequence[Migration]) -> Database:
    """Open a connection that cannot write; any number of processes may, while the agent runs.

    Args:
        path: the database file.
        migrations: every step since the first release.

    Returns:
        The connection.

    Raises:
        ConfigError: the file is from a newer release, or may not be read.
        Unavailable: there is no such file, it has not been brought up to date, or the disk fails.
        StateDamaged: the file is damaged.
    """
    path = path.absolute()
    if not path.exists():
        raise Unavailable(f"no ledger at {path}", hint="start the agent once, or give the right state directory")
    database = _connect(path, "ro", _READER_PRAGMAS, None)
    try:
        database.expect(migrations)
    except BaseException:
        database.close()
        raise
    return database


def _connect(path: Path, mode: str, pragmas: Mapping[str, object], lock: int | None) -> Database:
    check_length(path)
    with _translated(path):
        conn = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        with _translated(path):
            for name, value in pragmas.items():
                conn.execute(f"PRAGMA {name} = {value}")
                actual = conn.execute(f"PRAGMA {name}").fetchone()[0]
                if actual != value:
                    raise ConfigError(
                        f"{path}: {name} is {actual!r} and cannot be made {value!r}",
                        hint=f"put the state directory on a local file system, {path.parent} is not safe",
                    )
            return Database(conn, path, lock)
    except BaseException:
        conn.close()
        raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the driver's exceptions into the station's; what is neither disk nor data is a bug and passes."""
    try:
        yield
    except (OverflowError, UnicodeEncodeError) as error:
        raise BadData(f"not a row for {path.name}: {error}") from error
    except sqlite3.Error as error:
        translation = _translation(error, path)
        if translation is None:
            raise
        raise translation from error


def _translation(error: sqlite3.Error, path: Path) -> EdgeAgentError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the driver's own misuse errors carry no code
    match code:
        case sqlite3.SQLITE_FULL:
            return DiskFull(f"no room on the disk of {path}", hint=f"free some space under {path.parent}")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StateDamaged(f"{path} is damaged: {error}", hint=DAMAGED_HINT)
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH | sqlite3.SQLITE_TOOBIG:
            return BadData(f"not a row for {path.name}: {error}")
        case _ if code in _IN_THE_WAY:
            return Unavailable(
                f"{path} cannot be used: {error} ({error.sqlite_errorname})",
                hint=_hint(path),
            )
        case _:
            return None


def _hint(path: Path) -> str:
    """Say what to do about a database that is in the way; whoever reads one writes beside it."""
    if path.parent.exists() and not os.access(path.parent, os.R_OK | os.W_OK | os.X_OK):
        return f"you may not write in {path.parent}: be the user that runs the station"
    return f"check the disk of {path.parent}"
