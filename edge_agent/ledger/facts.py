"""What was recorded and is to be told to a console: rows in the order of their numbers, and the holes between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_agent.errors import Unavailable
from edge_agent.ledger.database import open_reader
from edge_agent.ledger.tables import ACK_COUNTER, ALARM, FILE_NAME, MIGRATIONS

KINDS: Final = ("audit", "alarm", "part")
"""What is told, what matters most first."""


@dataclass(frozen=True)
class Fact:
    """One thing to tell.

    Attributes:
        kind: one of `KINDS`.
        seq: its number.
        prev: number of the one before it; there is nothing in between.
        utc: when it happened [s since the epoch].
        row: its columns; empty for a gap.
        why: why everything after `prev` up to `seq` is missing; "" for a fact that is there.
        count: facts that this stands for.
    """

    kind: str
    seq: int
    prev: int
    utc: float
    row: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    count: int = 1


@dataclass(frozen=True)
class Lateness:
    """What becomes known of a part only after its row was made.

    Attributes:
        gate: what a reject gate did with a rejected part.
        pictured: answers whose picture is kept.
    """

    gate: bool = False
    pictured: tuple[str, ...] = ()


_PART: Final = (
    "id, series, number, outcome, label, score, p_normal, distance, cause, degraded, recipe, knowledge, present, "
    "picture, action, committed_late, trigger_s, frame_s, paired_s, inferred_s, decided_s, committed_s, acted_s, "
    "decided_utc, truth, normality, picture_anomaly, window_anomaly, gate, gate_off_us"
)
_ROWS: Final = {
    "part": f"SELECT {_PART} FROM parts WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
    "alarm": f"SELECT * FROM events INDEXED BY alarms WHERE {ALARM} AND id > ? AND id <= ? ORDER BY id LIMIT ?",
    "audit": "SELECT * FROM audit WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
}
_BEFORE: Final = {
    "part": "SELECT max(id) FROM parts WHERE id < ?",
    "alarm": f"SELECT max(id) FROM events INDEXED BY alarms WHERE {ALARM} AND id < ?",
    "audit": "SELECT max(id) FROM audit WHERE id < ?",
}
_COUNTED: Final = {
    "part": "SELECT max(0, coalesce(max(id), 0) - ?) FROM parts",
    "alarm": f"SELECT count(*) FROM events INDEXED BY alarms WHERE {ALARM} AND id > ?",
    "audit": "SELECT max(0, coalesce(max(id), 0) - ?) FROM audit",
}
_UTC: Final = {"part": "decided_utc", "alarm": "time_utc", "audit": "utc"}
_BEYOND: Final = 2**62


class FactReader:
    """Reads what is to be told. Belongs to one thread.

    Args:
        state_dir: folder of the ledger.
        lateness: what is waited for before a part is told.

    Raises:
        Unavailable: there is no ledger, or the disk fails.
        ConfigError: it may not be read, or is from a newer release.
        StateDamaged: it is damaged.
    """

    def __init__(self, state_dir: Path, lateness: Lateness = Lateness()) -> None:
        self._path = state_dir / FILE_NAME
        self._lateness = lateness
        self._database = open_reader(self._path, MIGRATIONS)
        try:
            self._inode = self._path.stat().st_ino
            self.ledger = str(self._database.value("SELECT id FROM ledger"))
        except OSError as error:
            self.close()
            raise Unavailable(f"{self._path} cannot be used: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; safe twice."""
        self._database.close()

    def check(self) -> None:
        """Raise `Unavailable` where the file is no longer the one that was opened: it was set aside as damaged."""
        try:
            inode = self._path.stat().st_ino
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be used: {error.strerror}") from error
        if inode != self._inode:
            raise Unavailable(f"{self._path} is another one than before")

    def told(self) -> dict[str, int]:
        """Give how far the console has everything, for each kind."""
        return {row["class"]: row["upto"] for row in self._database.query("SELECT class, upto FROM told")}

    def mark(self, name: str) -> str:
        """Give what was remembered under a name; "" where nothing was."""
        return str(self._database.value("SELECT value FROM marks WHERE name = ?", (name,)) or "")

    def counter(self) -> int:
        """Give the counter of the last word of the console that was obeyed."""
        return int(self.mark(ACK_COUNTER) or 0)

    def newest(self) -> dict[str, int]:
        """Give the number of the newest fact of each kind; 0 where there never was one."""
        return {kind: self._before(kind, _BEYOND) for kind in KINDS}

    def waiting(self, kind: str, after: int) -> int:
        """Count what the console does not have; of parts and audit rows this is an upper bound, by their numbers."""
        return int(self._database.value(_COUNTED[kind], (after,)))

    def oldest_utc(self, kind: str, after: int) -> float | None:
        """Give when the first fact after a number happened [s since the epoch]; None without one."""
        rows = list(self._rows(kind, after, _BEYOND, 1))
        return float(rows[0][_UTC[kind]]) if rows else None

    def after(self, kind: str, seq: int, upto: int | None, most: int, ripe: int) -> list[Fact]:
        """Give what comes after a number, in order, each with the number before it.

        Args:
            kind: one of `KINDS`.
            seq: what comes after this one.
            upto: nothing later than this; None without an end.
            most: how many at most.
            ripe: parts up to this number are given with whatever is known of them.

        Returns:
            The facts, up to the first that is not settled yet.
        """
        end = _BEYOND if upto is None else upto
        rows = list(self._rows(kind, seq, end, most))
        reached = rows[-1]["id"] if len(rows) == most else end
        if kind == "part":
            settled = self._settled(rows, ripe)
            reached = reached if len(settled) == len(rows) else rows[len(settled)]["id"]
            rows = settled
        clause = "class = ? AND last > ? AND first <= ? ORDER BY last LIMIT ?"
        gaps = list(self._database.query(f"SELECT * FROM gaps WHERE {clause}", (kind, seq, reached, most)))
        merged = sorted([*(row for row in rows if not _within(row["id"], gaps)), *gaps], key=_number)
        return list(self._chained(kind, merged[:most]))

    def _chained(self, kind: str, rows: list[dict[str, Any]]) -> Iterator[Fact]:
        prev: int | None = None
        for row in rows:
            seq = _number(row)
            if "why" in row:
                yield Fact(kind, seq, row["first"] - 1, row["utc"], {}, row["why"], row["count"])
            else:
                prev = self._before(kind, seq) if prev is None else prev
                yield Fact(kind, seq, prev, row[_UTC[kind]], row)
            prev = seq

    def _settled(self, rows: list[dict[str, Any]], ripe: int) -> list[dict[str, Any]]:
        for index, row in enumerate(rows):
            if row["id"] > ripe and not is_settled(row, self._lateness):
                return rows[:index]
        return rows

    def _rows(self, kind: str, seq: int, end: int, most: int) -> Iterator[dict[str, Any]]:
        return self._database.query(_ROWS[kind], (seq, end, most))

    def _before(self, kind: str, seq: int) -> int:
        """Give the number of the fact before a number: of a row, of a gap, or of what the console has and is gone."""
        row = self._database.value(_BEFORE[kind], (seq,)) or 0
        gap = self._database.value("SELECT max(last) FROM gaps WHERE class = ? AND last < ?", (kind, seq)) or 0
        told = self._database.value("SELECT upto FROM told WHERE class = ? AND upto < ?", (kind, seq)) or 0
        return max(int(row), int(gap), int(told))


def is_settled(row: Mapping[str, Any], lateness: Lateness) -> bool:
    """Say whether all is known of a part that is waited for.

    Args:
        row: the part's columns.
        lateness: what is waited for.

    Returns:
        It is.
    """
    if row["outcome"] == "MISSED":
        return True
    gated = not lateness.gate or row["action"] != "reject" or row["gate"] is not None
    pictured = row["outcome"] not in lateness.pictured or row["picture"] != ""
    timed = row["acted_s"] is not None and row["committed_s"] is not None
    return timed and gated and pictured


def _number(row: Mapping[str, Any]) -> int:
    return int(row["last"] if "why" in row else row["id"])


def _within(seq: int, gaps: list[dict[str, Any]]) -> bool:
    return any(gap["first"] <= seq <= gap["last"] for gap in gaps)
