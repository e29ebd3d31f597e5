"""The tables of the ledger, as the steps that lead to them; a step that was released is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.ledger.database import Migration

if TYPE_CHECKING:
    from edge_agent.ledger.driver import Schema

FILE_NAME: Final = "ledger.db"
"""The database's name in the state directory."""

KEPT_EVENTS: Final = 100_000
"""Older events are deleted: a month of one every half minute; of parts the oldest go above `ledger.max_mb`."""

ACK_COUNTER: Final = "ack_counter"
"""The mark that holds the counter of the console's last word."""

ALARM: Final = "severity IN ('warning', 'error')"
"""Which events are told as alarms."""

KEPT_COMMANDS: Final = 10_000
"""Of so many commands request and answer are kept; of older signed ones the id and the answer without its result."""

_FIRST: Final = (
    """
    CREATE TABLE parts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        series TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (number >= 1),
        outcome TEXT NOT NULL CHECK (outcome IN ('OK', 'NG', 'UNSURE', 'MISSED')),
        label TEXT,                         -- slug of the class that won
        score REAL,                         -- 0 to 1
        p_normal REAL,                      -- 0 to 1
        distance REAL,                      -- squared Mahalanobis
        cause TEXT NOT NULL,
        degraded TEXT NOT NULL,             -- JSON list of words
        recipe TEXT NOT NULL,
        knowledge TEXT NOT NULL,            -- digest
        embedding BLOB,                     -- int16, little endian
        present TEXT,                       -- JSON list of modalities in the embedding
        picture TEXT NOT NULL,              -- digest, empty where none was kept
        action TEXT CHECK (action IN ('pass', 'reject')),
        committed_late INTEGER NOT NULL CHECK (committed_late IN (0, 1)),
        trigger_s REAL,                     -- the seven times: host monotonic seconds
        frame_s REAL,
        paired_s REAL,
        inferred_s REAL,
        decided_s REAL,
        committed_s REAL,
        acted_s REAL,
        decided_utc REAL NOT NULL,          -- seconds since the epoch
        truth TEXT,                         -- class slug, where it is known
        operator_label TEXT,                -- class slug, the person's present word
        UNIQUE (series, number)
    ) STRICT
    """,
    "CREATE INDEX parts_by_time ON parts (decided_utc, outcome)",
    "CREATE TABLE tallies (outcome TEXT PRIMARY KEY, parts INTEGER NOT NULL) STRICT",
    "INSERT INTO tallies VALUES ('OK', 0), ('NG', 0), ('UNSURE', 0), ('MISSED', 0)",
    """
    CREATE TRIGGER parts_tally AFTER INSERT ON parts BEGIN
        UPDATE tallies SET parts = parts + 1 WHERE outcome = NEW.outcome;
    END
    """,
    """
    CREATE TABLE labels (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        part INTEGER NOT NULL REFERENCES parts (id),
        utc REAL NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('confirm', 'correct', 'undo')),
        label TEXT CHECK ((label IS NULL) = (kind = 'undo')),
        who TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX labels_by_part ON labels (part)",
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_utc REAL NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
        component TEXT NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL,
        data TEXT NOT NULL                  -- JSON object
    ) STRICT
    """,
    """
    CREATE TABLE teachings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        utc REAL NOT NULL,
        action TEXT NOT NULL,               -- teach, forget, undo
        slug TEXT NOT NULL,                 -- the class
        before TEXT NOT NULL,               -- digest of the knowledge, empty where there was none
        after TEXT NOT NULL,
        sources TEXT NOT NULL,              -- JSON list: where the examples came from
        who TEXT NOT NULL
    ) STRICT
    """,
)


def _first_release(schema: Schema) -> None:
    for statement in _FIRST:
        schema.execute(statement)


_ANOMALY: Final = (
    "ALTER TABLE parts ADD COLUMN normality TEXT",  # beginning of the digest of what was known of good parts
    "ALTER TABLE parts ADD COLUMN picture_anomaly REAL",  # spreads of good parts
    "ALTER TABLE parts ADD COLUMN window_anomaly REAL",
)


def _anomaly(schema: Schema) -> None:
    for statement in _ANOMALY:
        schema.execute(statement)


_GATE: Final = (
    "ALTER TABLE parts ADD COLUMN gate TEXT",  # what the reject gate did, one word; NULL where it was not asked
    "ALTER TABLE parts ADD COLUMN gate_off_us REAL",  # how much later than asked for [us]
)


def _gate(schema: Schema) -> None:
    for statement in _GATE:
        schema.execute(statement)


_COMMANDS: Final = (
    """
    CREATE TABLE commands (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,            -- chosen by whoever asked
        name TEXT NOT NULL,
        digest TEXT NOT NULL,               -- SHA-256 of what was asked, so that another request cannot use the id
        request TEXT NOT NULL,              -- JSON: arguments, who asked, by which way; empty when long answered
        before TEXT NOT NULL,               -- fingerprint of what it may change, when it was accepted
        key TEXT NOT NULL,                  -- id of the key that signed it; empty without a signature
        issued_utc REAL NOT NULL,           -- as the asker says
        ttl_s REAL NOT NULL,                -- not begun later than so long after it
        accepted_utc REAL NOT NULL,
        answer TEXT,                        -- JSON; NULL until it is known
        answered_utc REAL,
        told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
    ) STRICT
    """,
    "CREATE INDEX commands_open ON commands (seq) WHERE answer IS NULL OR told = 0",
    "CREATE INDEX commands_unsigned ON commands (seq) WHERE key = ''",
    "CREATE INDEX commands_signed ON commands (seq) WHERE key != '' AND request != ''",
    "CREATE INDEX commands_issued ON commands (key, min(issued_utc, accepted_utc)) WHERE key != ''",
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        utc REAL NOT NULL,                  -- whole milliseconds
        kind TEXT NOT NULL,                 -- command, refused, …
        body TEXT NOT NULL,                 -- JSON object
        previous TEXT NOT NULL,             -- hash of the row before; empty for the first
        hash TEXT NOT NULL                  -- of this one, with `previous` in it: docs/commands.md
    ) STRICT
    """,
)


def _commands(schema: Schema) -> None:
    for statement in _COMMANDS:
        schema.execute(statement)


_UPLINK: Final = (
    """
    CREATE TABLE ledger (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL,
        begun_utc REAL NOT NULL             -- when this table was made: whole seconds
    ) STRICT
    """,
    "INSERT INTO ledger VALUES (1, lower(hex(randomblob(8))), CAST(strftime('%s', 'now') AS REAL))",
    """
    CREATE TABLE told (                     -- what the console has, without a hole
        class TEXT PRIMARY KEY CHECK (class IN ('audit', 'alarm', 'part')),
        upto INTEGER NOT NULL
    ) STRICT
    """,
    "INSERT INTO told VALUES ('audit', 0), ('alarm', 0), ('part', 0)",
    """
    CREATE TABLE gaps (                     -- what the console will never have
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        class TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        count INTEGER NOT NULL,
        why TEXT NOT NULL CHECK (why IN ('quota', 'unsendable')),
        utc REAL NOT NULL
    ) STRICT
    """,
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",  # small things the uplink remembers
    "CREATE INDEX alarms ON events (id) WHERE severity IN ('warning', 'error')",
    "CREATE TABLE trimmed (series TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT",  # highest number that was deleted
)


def _uplink(schema: Schema) -> None:
    for statement in _UPLINK:
        schema.execute(statement)


def _gaps(schema: Schema) -> None:
    schema.execute("CREATE INDEX gaps_by_last ON gaps (class, last)")


MIGRATIONS: Final[tuple[Migration, ...]] = (_first_release, _anomaly, _gate, _commands, _uplink, _gaps)
"""Every step since the first release; step n leads to `user_version` n."""
