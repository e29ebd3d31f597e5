"""Recorded parts a page at a time, for who asks over a wire: as an export names their fields."""

from __future__ import annotations

from pathlib import Path

from edge_agent.ledger.database import open_reader
from edge_agent.ledger.export import part_row
from edge_agent.ledger.rows import part_of
from edge_agent.ledger.tables import FILE_NAME, MIGRATIONS

_PAGE = """
    SELECT * FROM parts
    WHERE id > ? AND (? IS NULL OR decided_utc >= ?) AND (? IS NULL OR decided_utc < ?) AND (? IS NULL OR outcome = ?)
    ORDER BY id LIMIT ?
    """


def parts_page(
    state_dir: Path,
    *,
    after: int = 0,
    limit: int = 50,
    since_utc: float | None = None,
    until_utc: float | None = None,
    outcome: str | None = None,
) -> list[dict[str, object]]:
    """Give parts in the order they were committed.

    Args:
        state_dir: folder of the database.
        after: only parts with a higher number; the last one's number gives the next page.
        limit: how many at most.
        since_utc: only those decided since [s since the epoch]; None for all.
        until_utc: only those decided before [s since the epoch]; None for all.
        outcome: only those with this one; None for all.

    Returns:
        For each the fields of an export by name.

    Raises:
        Unavailable: there is no ledger yet, or the disk fails.
        StateDamaged: it is damaged.
    """
    database = open_reader(state_dir / FILE_NAME, MIGRATIONS)
    try:
        values = (after, since_utc, since_utc, until_utc, until_utc, outcome, outcome, limit)
        return [part_row(part_of(row)) for row in database.query(_PAGE, values)]
    finally:
        database.close()
