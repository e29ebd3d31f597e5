"""What goes when the ledger has become too large: the oldest parts, a few at a time, and never without a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_agent.ledger.database import Database
from edge_agent.ledger.tables import ALARM

TRIM_PARTS: Final = 100
"""Parts that are deleted at once: some milliseconds."""

KEPT_PARTS: Final = 1000
"""The newest parts stay, whatever else fills the database: the count of the triggers hangs on them."""

KEPT_SERIES: Final = 1000
"""Series without parts are forgotten when there are more of them."""


@dataclass(frozen=True)
class Trimmed:
    """What was deleted.

    Attributes:
        parts: how many parts.
        untold: how many of them the console did not have.
        is_new: the gap that says so has just begun.
    """

    parts: int
    untold: int = 0
    is_new: bool = False


def used_bytes(database: Database) -> int:
    """Give how much of the database is in use [bytes]; the file does not shrink, its free pages are used again."""
    free, pages, size = (
        int(database.value(f"PRAGMA {name}")) for name in ("freelist_count", "page_count", "page_size")
    )
    return (pages - free) * size


def trim_parts(database: Database, max_bytes: int, utc: float) -> Trimmed | None:
    """Delete the oldest parts where the database is too large, in one transaction.

    Args:
        database: the writing connection.
        max_bytes: what it may use [bytes].
        utc: wall time [s since the epoch].

    Returns:
        What was deleted; None where nothing has to be, or can.
    """
    if used_bytes(database) <= max_bytes:
        return None
    oldest = (
        "SELECT max(id) FROM (SELECT id FROM parts WHERE id <= (SELECT max(id) FROM parts) - ? ORDER BY id LIMIT ?)"
    )
    last = database.value(oldest, (KEPT_PARTS, TRIM_PARTS))
    if last is None:
        return None
    with database.transaction():
        is_new, untold = _lose(database, "part", "parts", "true", last, utc)
        database.execute(
            """
            INSERT INTO trimmed SELECT series, max(number) FROM parts WHERE id <= ? GROUP BY series
            ON CONFLICT (series) DO UPDATE SET number = max(number, excluded.number)
            """,
            (last,),
        )
        database.execute("DELETE FROM trimmed WHERE rowid <= (SELECT max(rowid) FROM trimmed) - ?", (KEPT_SERIES,))
        database.execute("DELETE FROM labels WHERE part <= ?", (last,))
        parts = database.execute("DELETE FROM parts WHERE id <= ?", (last,)).rows
    return Trimmed(parts, untold, is_new)


def trim_events(database: Database, kept: int, utc: float) -> None:
    """Delete the oldest events, in the transaction that is open.

    Args:
        database: the writing connection.
        kept: how many stay.
        utc: wall time [s since the epoch].
    """
    last = (database.value("SELECT max(id) FROM events") or 0) - kept
    if last > 0:
        _lose(database, "alarm", "events INDEXED BY alarms", ALARM, last, utc)
        database.execute("DELETE FROM events WHERE id <= ?", (last,))


def _lose(database: Database, kind: str, table: str, which: str, last: int, utc: float) -> tuple[bool, int]:
    """Remember as a gap what the console does not have; say whether that began one, and how much it was."""
    upto = int(database.value("SELECT upto FROM told WHERE class = ?", (kind,)))
    span = f"FROM {table} WHERE {which} AND id > ? AND id <= ?"
    count = int(database.value(f"SELECT count(*) {span}", (upto, last)))
    if not count:
        return False, 0
    first = int(database.value(f"SELECT min(id) {span}", (upto, last)))
    end = int(database.value(f"SELECT max(id) {span}", (upto, last)))
    before = database.value("SELECT max(last) FROM gaps WHERE class = ? AND last < ?", (kind, first)) or 0
    grown = database.execute(
        """
        UPDATE gaps SET last = ?, count = count + ?, utc = ?
        WHERE class = ? AND why = 'quota' AND last = ? AND last > ?
        """,
        (end, count, utc, kind, before, upto),
    ).rows
    database.execute(
        "DELETE FROM gaps WHERE class = ? AND why = 'unsendable' AND last >= ? AND last <= ?", (kind, first, end)
    )
    if not grown:
        begin = max(upto, int(before)) + 1
        database.execute(
            "INSERT INTO gaps (class, first, last, count, why, utc) VALUES (?, ?, ?, ?, 'quota', ?)",
            (kind, begin, end, count, utc),
        )
    return not grown, count
