"""Questions about commands and the audit, out of a connection that cannot write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_agent.ledger.auditchain import AuditRow
from edge_agent.ledger.database import open_reader
from edge_agent.ledger.reader import PAGE_ROWS
from edge_agent.ledger.tables import FILE_NAME, MIGRATIONS


@dataclass(frozen=True)
class StoredCommand:
    """A command as it was stored.

    Attributes:
        id: chosen by whoever asked.
        name: of the command.
        digest: of what was asked.
        request: what was asked, JSON; "" when that was long ago.
        before: fingerprint of what it may change, when it was accepted.
        key: id of the key that signed it, "" without one.
        issued_utc: when it was asked, as the asker says [s since the epoch].
        accepted_utc: when it was accepted [s since the epoch].
        ttl_s: how long after that it may be begun [s].
        answer: what was answered, JSON; "" where nothing was yet.
        told: the asker has that.
    """

    id: str
    name: str
    digest: str
    request: str
    before: str
    key: str
    issued_utc: float
    accepted_utc: float
    ttl_s: float
    answer: str
    told: bool


class JournalReader:
    """Reads commands and the audit. Belongs to one thread at a time.

    Args:
        path: the database file, or the folder it is in.

    Raises:
        Unavailable: there is no ledger, or the disk fails.
        ConfigError: it may not be read, or is from a newer release.
        StateDamaged: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._database = open_reader(path / FILE_NAME if path.is_dir() else path, MIGRATIONS)

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def command(self, command_id: str) -> StoredCommand | None:
        """Give the command of an id; None where there is none."""
        rows = self._database.query("SELECT * FROM commands WHERE id = ?", (command_id,))
        return next(map(_command_of, rows), None)

    def unsettled(self) -> list[StoredCommand]:
        """Give the commands without an answer, and those whose asker does not have it, oldest first."""
        rows = self._database.query("SELECT * FROM commands WHERE answer IS NULL OR told = 0 ORDER BY seq")
        return [_command_of(row) for row in rows]

    def newest_issued(self) -> dict[str, float]:
        """Give when the newest command of each key was asked, or came where that was earlier [s since the epoch]."""
        rows = self._database.query(
            "SELECT key, max(min(issued_utc, accepted_utc)) AS utc FROM commands WHERE key != '' GROUP BY key"
        )
        return {row["key"]: row["utc"] for row in rows}

    def audit(self, after: int = 0) -> Iterator[AuditRow]:
        """Give the rows of the audit one by one, oldest first; memory stays the same for any number.

        Args:
            after: only rows with a higher number.

        Yields:
            The rows.
        """
        sql = "SELECT id, utc, kind, body, previous, hash FROM audit WHERE id > ? ORDER BY id LIMIT ?"
        while page := [AuditRow(**row) for row in self._database.query(sql, (after, PAGE_ROWS))]:
            yield from page
            after = page[-1].id

    def newest_audit(self, most: int) -> list[AuditRow]:
        """Give the last rows of the audit, oldest first."""
        sql = "SELECT id, utc, kind, body, previous, hash FROM audit ORDER BY id DESC LIMIT ?"
        return [AuditRow(**row) for row in self._database.query(sql, (most,))][::-1]


def _command_of(row: Mapping[str, Any]) -> StoredCommand:
    names = ("id", "name", "digest", "request", "before", "key", "issued_utc", "accepted_utc", "ttl_s")
    return StoredCommand(**{name: row[name] for name in names}, answer=row["answer"] or "", told=bool(row["told"]))
