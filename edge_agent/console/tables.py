"""The tables of a console's store, and how an older store becomes one of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.ledger.database import Migration

if TYPE_CHECKING:
    from edge_agent.ledger.driver import Schema

_FIRST: Final = (
    """
    CREATE TABLE facts (
        station TEXT NOT NULL,
        ledger TEXT NOT NULL,
        class TEXT NOT NULL CHECK (class IN ('audit', 'alarm', 'part')),
        seq INTEGER NOT NULL CHECK (seq >= 1),
        utc REAL NOT NULL,                  -- as the station says, seconds since the epoch
        body TEXT NOT NULL,                 -- the message, JSON
        PRIMARY KEY (station, ledger, class, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE spans (                    -- which numbers are known, as facts, as gaps, or as never given out
        station TEXT NOT NULL,
        ledger TEXT NOT NULL,
        class TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (station, ledger, class, first)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE gaps (                     -- what will never be told, or was acknowledged elsewhere
        station TEXT NOT NULL,
        ledger TEXT NOT NULL,
        class TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        count INTEGER,                      -- messages; NULL where nobody knows
        why TEXT NOT NULL,
        PRIMARY KEY (station, ledger, class, first, last)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE stations (
        station TEXT PRIMARY KEY,
        ledger TEXT NOT NULL,               -- the one that it told from last; empty before it told anything
        taken INTEGER NOT NULL              -- counters of `ack` that may have been used
    ) STRICT, WITHOUT ROWID
    """,
)


def _first_release(schema: Schema) -> None:
    for statement in _FIRST:
        schema.execute(statement)


def _second_release(schema: Schema) -> None:
    schema.execute(
        """
        CREATE TABLE contradictions (       -- facts under a number that was another one's
            station TEXT NOT NULL,
            ledger TEXT NOT NULL,
            class TEXT NOT NULL,
            seq INTEGER NOT NULL,
            utc REAL NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (station, ledger, class, seq, utc)
        ) STRICT, WITHOUT ROWID
        """
    )


MIGRATIONS: Final[tuple[Migration, ...]] = (_first_release, _second_release)
