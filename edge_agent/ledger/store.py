"""What one transaction of the ledger does: a batch becomes rows, whole or not at all. It decides nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, assert_never

from edge_agent.errors import BadData
from edge_agent.ledger import commandrows
from edge_agent.ledger.batch import Batch, Duplicate, Late, Written
from edge_agent.ledger.database import Database, open_writer
from edge_agent.ledger.files import set_aside
from edge_agent.ledger.items import Misses, Reached, Receipted, SetAside
from edge_agent.ledger.retention import Trimmed, trim_events, trim_parts
from edge_agent.ledger.rows import (
    PART_COLUMNS,
    event_values,
    part_values,
    teaching_values,
    word_of,
    word_values,
)
from edge_agent.ledger.spoken import Accepted, Answered, Audited, Teaching, Told, Word, standing_label
from edge_agent.ledger.tables import ACK_COUNTER, KEPT_EVENTS, MIGRATIONS
from edge_agent.records import Event, Part

_INSERT_PART: Final = (
    f"INSERT INTO parts ({', '.join(PART_COLUMNS)}) SELECT {', '.join('?' * len(PART_COLUMNS))} "
    "WHERE NOT EXISTS (SELECT 1 FROM trimmed WHERE series = ? AND number >= ?) "
    "ON CONFLICT (series, number) DO NOTHING"
)
_INSERT_MISSES: Final = """
    INSERT INTO parts (series, number, outcome, cause, degraded, recipe, knowledge, picture, committed_late,
                       decided_utc)
    WITH RECURSIVE missed (number) AS (SELECT ? UNION ALL SELECT number + 1 FROM missed WHERE number < ?)
    SELECT ?, number, 'MISSED', ?, '[]', ?, '', '', 0, ? FROM missed
    WHERE number > coalesce((SELECT number FROM trimmed WHERE series = ?), 0)
    ON CONFLICT (series, number) DO NOTHING
    """
_UPDATE_PART: Final = """
    UPDATE parts SET
        committed_s = coalesce(?, committed_s),
        acted_s = coalesce(?, acted_s),
        action = coalesce(?, action),
        committed_late = max(?, committed_late),
        picture = coalesce(?, picture),
        gate = coalesce(?, gate),
        gate_off_us = coalesce(?, gate_off_us)
    WHERE series = ? AND number = ?
    """
_INSERT_EVENT: Final = (
    "INSERT INTO events (time_utc, severity, component, kind, message, data) VALUES (?, ?, ?, ?, ?, ?)"
)
_INSERT_WORD: Final = "INSERT INTO labels (part, utc, kind, label, who) VALUES (?, ?, ?, ?, ?)"
_INSERT_TEACHING: Final = (
    "INSERT INTO teachings (utc, action, slug, before, after, sources, who) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


_INSERT_GAP: Final = """
    INSERT INTO gaps (class, first, last, count, why, utc) SELECT ?, ?, ?, 1, ?, ?
    WHERE NOT EXISTS (SELECT 1 FROM gaps WHERE class = ? AND first <= ? AND last >= ?)
      AND ? = (SELECT id FROM ledger)
    """
_UPDATE_TOLD: Final = "UPDATE told SET upto = max(upto, ?) WHERE class = ? AND ? = (SELECT id FROM ledger)"
_FORGET_GAPS: Final = "DELETE FROM gaps WHERE class = ? AND last <= ? AND ? = (SELECT id FROM ledger)"
_SET_COUNTER: Final = """
    INSERT INTO marks SELECT ?, ? WHERE ? = (SELECT id FROM ledger)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
    """
_SET_MARK: Final = "INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Store:
    """The writing side of the database. Belongs to one thread at a time.

    Attributes:
        begun_utc: when the database was begun; 0 before it was opened [s since the epoch].

    Args:
        path: the database file.
        kept_events: how many events are kept.
    """

    def __init__(self, path: Path, kept_events: int = KEPT_EVENTS) -> None:
        self.path = path
        self._kept_events = kept_events
        self._database: Database | None = None
        self.begun_utc = 0.0

    def open(self) -> None:
        """Open the database where it is not; raises as `database.open_writer` does."""
        if self._database is None:
            self._database = open_writer(self.path, MIGRATIONS)
            self.begun_utc = float(self._database.value("SELECT begun_utc FROM ledger"))

    def close(self) -> None:
        """Close the database; never raises, safe twice."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def set_aside(self, utc: float) -> Path:
        """Move a damaged database out of the way; the next `open` begins a new one.

        Args:
            utc: wall time [s since the epoch].

        Returns:
            Where the damaged one is kept.
        """
        self.close()
        return set_aside(self.path, utc)

    def write(self, batch: Batch) -> Written:
        """Write a batch in one transaction; when this returns, the disk has it.

        What breaks a rule of its table is left out, and holds nothing else up.

        Args:
            batch: what to write.

        Returns:
            What became of it.

        Raises:
            Unavailable: the disk is in the way; nothing was written.
            StateDamaged: the file is damaged; nothing was written.
        """
        if self._database is None:
            raise RuntimeError("the store is closed")
        database = self._database
        refused: list[BadData] = []
        declared = 0
        with database.transaction():
            rows = [self._insert(database, item, batch.again) for item in batch.items]
            statements = [(_INSERT_MISSES, _misses_values(missed, batch.utc)) for missed in batch.misses]
            statements += [(_UPDATE_PART, _late_values(key, late)) for key, late in batch.late]
            statements += [(_INSERT_EVENT, event_values(event)) for event in batch.events]
            statements += [(_INSERT_GAP, _gap_values(aside)) for aside in batch.asides]
            statements += [(_SET_MARK, mark) for mark in batch.marks.items()]
            statements += [] if batch.told is None else list(_told_statements(batch.told))
            for sql, values in statements:
                try:
                    written = database.execute(sql, values).rows
                    declared += written if sql is _INSERT_MISSES else 0
                except BadData as error:
                    refused.append(error)
            if batch.events:
                trim_events(database, self._kept_events, batch.utc)
        return Written(rows, refused, declared)

    def trim(self, max_bytes: int, utc: float) -> Trimmed | None:
        """Delete the oldest parts where the database is too large; raises as `write` does.

        Args:
            max_bytes: what it may use [bytes].
            utc: wall time [s since the epoch].

        Returns:
            What was deleted; None where nothing has to be.
        """
        return None if self._database is None else trim_parts(self._database, max_bytes, utc)

    def checkpoint(self) -> None:
        """Empty the database's log, where it is open; raises as `write` does."""
        if self._database is not None:
            self._database.checkpoint()

    def _insert(self, database: Database, item: Receipted, again: bool) -> int | BadData:
        try:
            match item:
                case Part():
                    return self._insert_part(database, item, again)
                case Word():
                    return self._insert_word(database, item)
                case Teaching():
                    return database.execute(_INSERT_TEACHING, teaching_values(item)).rowid
                case Answered():
                    return self._insert_answer(database, item)
                case Accepted() | Told() | Audited():
                    return commandrows.write(database, item)
                case _:
                    assert_never(item)
        except BadData as error:
            return error

    def _insert_part(self, database: Database, part: Part, again: bool) -> int:
        key = (part.trigger.series, int(part.trigger.number))
        effect = database.execute(_INSERT_PART, (*part_values(part), *key))
        if effect.rows:
            return effect.rowid
        if again:
            own = "SELECT id FROM parts WHERE series = ? AND number = ? AND decided_utc = ?"
            if found := database.value(own, (*key, part.decided_utc)):
                return int(found)
        raise Duplicate(f"trigger {key[1]} of {key[0]} has an answer already")

    def _insert_answer(self, database: Database, answered: Answered) -> int:
        if not commandrows.needs_answer(database, answered):
            return 0
        for effect in answered.effects:
            match effect:
                case Word():
                    self._insert_word(database, effect)
                case Teaching():
                    database.execute(_INSERT_TEACHING, teaching_values(effect))
                case Event():
                    database.execute(_INSERT_EVENT, event_values(effect))
                case _:
                    assert_never(effect)
        return commandrows.answer(database, answered)

    def _insert_word(self, database: Database, word: Word) -> int:
        if database.value("SELECT id FROM parts WHERE id = ?", (word.part,)) is None:
            raise BadData(f"there is no part {word.part}", hint="`edge-agent export` lists the parts")
        spoken = database.query("SELECT * FROM labels WHERE part = ? ORDER BY id", (word.part,))
        label = standing_label([*map(word_of, spoken), word])
        row = database.execute(_INSERT_WORD, word_values(word)).rowid
        database.execute("UPDATE parts SET operator_label = ? WHERE id = ?", (label, word.part))
        return row


def _misses_values(missed: Misses, utc: float) -> tuple[object, ...]:
    return (missed.first, missed.last, missed.series, missed.cause, missed.recipe, utc, missed.series)


def _late_values(key: tuple[str, int], late: Late) -> tuple[object, ...]:
    action = late.action.value if late.action else None
    gate = late.gate, late.gate_off_us
    return (late.committed_s, late.acted_s, action, int(late.committed_late), late.picture, *gate, *key)


def _gap_values(aside: SetAside) -> tuple[object, ...]:
    new = (aside.kind, aside.first, aside.last, aside.why, aside.utc)
    return (*new, aside.kind, aside.last, aside.last, aside.ledger)


def _told_statements(told: Reached) -> Iterator[tuple[str, tuple[object, ...]]]:
    for kind, upto in told.upto.items():
        yield _UPDATE_TOLD, (upto, kind, told.ledger)
        yield _FORGET_GAPS, (kind, upto, told.ledger)
    if told.counter:
        yield _SET_COUNTER, (ACK_COUNTER, str(told.counter), told.ledger)
