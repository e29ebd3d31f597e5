"""The ledger's reading side: typed records out of a connection that cannot write, in this process or another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from edge_agent.errors import BadData
from edge_agent.ledger.database import Database, open_reader
from edge_agent.ledger.items import Misses
from edge_agent.ledger.latency import MOMENTS, Latency, latencies_of
from edge_agent.ledger.rows import event_of, part_of, teaching_of, word_of
from edge_agent.ledger.spoken import Teaching, Word
from edge_agent.ledger.tables import FILE_NAME, MIGRATIONS
from edge_agent.records import Event, Outcome, Part

_EMBEDDED: Final = "WHERE recipe = ? AND decided_utc >= ? AND embedding IS NOT NULL"
"""Parts of a recipe that were judged by an embedding since a wall time."""

LAST_PART: Final = 2**63 - 1
"""The largest number that SQLite gives a row."""

PAGE_ROWS: Final = 500
"""Rows fetched at once: no snapshot is held between pages, so that an export does not make the log grow."""

GAP_WINDOW: Final = 100_000
"""How far below the last row gaps are looked for: as many misses as wait after three hours of a failed disk at ten
parts a second; read in 0.2 s, once a start."""


class Reader:
    """Questions to the ledger. Belongs to one thread at a time; opens in under a millisecond, so open one a request.

    Args:
        state_dir: folder of the database.

    Raises:
        Unavailable: there is no ledger yet, or the disk fails.
        ConfigError: it may not be read, or is from a newer release.
        StateDamaged: it is damaged.
    """

    def __init__(self, state_dir: Path) -> None:
        self._database: Database = open_reader(state_dir / FILE_NAME, MIGRATIONS)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe twice."""
        self._database.close()

    def counts(self, since_utc: float | None = None) -> dict[Outcome, int]:
        """Count parts by outcome.

        Args:
            since_utc: only those decided since [s since the epoch]; None for all, which costs the same for any size.

        Returns:
            Every outcome, also those without a part.
        """
        counts = dict.fromkeys(Outcome, 0)
        if since_utc is None:
            rows = self._database.query("SELECT outcome, parts FROM tallies")
        else:
            rows = self._database.query(
                "SELECT outcome, count(*) AS parts FROM parts WHERE decided_utc >= ? GROUP BY outcome", (since_utc,)
            )
        counts.update({Outcome(row["outcome"]): row["parts"] for row in rows})
        return counts

    def part(self, part_id: int) -> Part:
        """Give one part.

        Args:
            part_id: the ledger's number of it.

        Returns:
            The part.

        Raises:
            BadData: there is none of this number.
        """
        found = next(self._parts("WHERE id = ?", (part_id,)), None) if part_id <= LAST_PART else None
        if found is None:
            raise BadData(f"there is no part {part_id}", hint="`edge-agent export` lists the parts")
        return found

    def parts_of(self, series: str, numbers: Sequence[int]) -> Iterator[Part]:
        """Give the parts of some triggers of a series, ascending; those without a row are left out."""
        ordered = sorted(numbers)
        for at in range(0, len(ordered), PAGE_ROWS):
            page = ordered[at : at + PAGE_ROWS]
            marks = ", ".join("?" * len(page))
            yield from self._parts(f"WHERE series = ? AND number IN ({marks}) ORDER BY number", (series, *page))

    def labelled(self, most: int) -> list[tuple[str, int]]:
        """Give series and number of the parts that people said something about, by the newest `most` words."""
        rows = self._database.query(
            """
            SELECT DISTINCT series, number FROM parts
            WHERE id IN (SELECT part FROM labels ORDER BY id DESC LIMIT ?) AND operator_label IS NOT NULL
            """,
            (most,),
        )
        return [(row["series"], row["number"]) for row in rows]

    def recent(self, most: int, outcomes: Sequence[Outcome] = tuple(Outcome)) -> list[Part]:
        """Give the last parts, newest first.

        Args:
            most: how many at most.
            outcomes: which; all when left out.

        Returns:
            The parts.
        """
        marks = ", ".join("?" * len(outcomes))
        clause = f"WHERE outcome IN ({marks}) ORDER BY id DESC LIMIT ?"
        return list(self._parts(clause, (*[outcome.value for outcome in outcomes], most)))

    def newest(self, recipe: str, since_utc: float, most: int) -> list[Part]:
        """Give the newest parts of a recipe that were judged by an embedding, oldest first.

        Args:
            recipe: its name.
            since_utc: only those decided since [s since the epoch].
            most: how many at most.

        Returns:
            The parts.
        """
        clause = f"{_EMBEDDED} ORDER BY decided_utc DESC LIMIT ?"
        return list(self._parts(clause, (recipe, since_utc, most)))[::-1]

    def embedded(self, recipe: str, since_utc: float) -> int:
        """Count the parts of a recipe that were judged by an embedding since a wall time [s since the epoch]."""
        return int(self._database.value(f"SELECT count(*) FROM parts {_EMBEDDED}", (recipe, since_utc)))

    def parts(self, since_utc: float | None = None) -> Iterator[Part]:
        """Give parts one by one, in the order they were committed; memory stays the same for any number.

        Args:
            since_utc: only those decided since [s since the epoch]; None for all.

        Yields:
            The parts, also those that are committed while this goes on.
        """
        since = float("-inf") if since_utc is None else since_utc
        first = self._database.value("SELECT min(id) FROM parts WHERE decided_utc >= ?", (since,))
        last_id = (first or 1) - 1
        while page := list(
            self._parts("WHERE id > ? AND decided_utc >= ? ORDER BY id LIMIT ?", (last_id, since, PAGE_ROWS))
        ):
            yield from page
            last_id = page[-1].id

    def latencies(self, last: int = 1000) -> list[Latency]:
        """Give how long each hop of the last parts took; hops that no part has are left out.

        Args:
            last: how many parts, newest first; declared misses have no times and are passed over.

        Returns:
            One entry a hop, in the order of a part's life.
        """
        columns = ", ".join(f"{moment}_s" for moment in MOMENTS)
        rows = self._database.query(
            f"SELECT {columns} FROM parts WHERE outcome != 'MISSED' ORDER BY id DESC LIMIT ?", (last,)
        )
        table = np.array([[row[f"{moment}_s"] for moment in MOMENTS] for row in rows], np.float64)
        return latencies_of(table.reshape(-1, len(MOMENTS)))

    def events(
        self, most: int, since_utc: float | None = None, severities: Sequence[str] = ("info", "warning", "error")
    ) -> list[Event]:
        """Give the last events, newest first.

        Args:
            most: how many at most.
            since_utc: only those since [s since the epoch]; None for all.
            severities: which; all when left out.

        Returns:
            The events.
        """
        marks = ", ".join("?" * len(severities))
        rows = self._database.query(
            f"SELECT * FROM events WHERE time_utc >= ? AND severity IN ({marks}) ORDER BY id DESC LIMIT ?",
            (float("-inf") if since_utc is None else since_utc, *severities, most),
        )
        return [event_of(row) for row in rows]

    def words(self, part_id: int) -> list[Word]:
        """Give what people said about a part, oldest first."""
        rows = self._database.query("SELECT * FROM labels WHERE part = ? ORDER BY id", (part_id,))
        return [word_of(row) for row in rows]

    def teachings(self, most: int) -> list[Teaching]:
        """Give the last changes of knowledge, newest first."""
        rows = self._database.query("SELECT * FROM teachings ORDER BY id DESC LIMIT ?", (most,))
        return [teaching_of(row) for row in rows]

    def last_series(self) -> str | None:
        """Name the series of the newest row; None in an empty ledger."""
        found = self._database.value("SELECT series FROM parts ORDER BY id DESC LIMIT 1")
        return None if found is None else str(found)

    def last_number(self, series: str) -> int:
        """Give the highest trigger number of a series that has a row, or had one; 0 where none has."""
        last = self._database.value("SELECT max(number) FROM parts WHERE series = ?", (series,)) or 0
        return max(int(last), self._trimmed(series))

    def unanswered(self, series: str, count: int, cause: str = "restart", recipe: str = "") -> list[Misses]:
        """Find the triggers without a row, ready to be declared.

        Args:
            series: the trigger source's count.
            count: how far it has counted; `last_number` where that is not known.
            cause: one word for why they have none.
            recipe: the recipe that should have judged them.

        Returns:
            Ranges, ascending: every one above the last row, and gaps at most `GAP_WINDOW` numbers below it, but none
            that were deleted. Of a series without any row the last `GAP_WINDOW`: the rest is not this ledger's.
        """
        last = self.last_number(series)
        rows = self._database.query(
            """
            SELECT before + 1 AS first, number - 1 AS last FROM (
                SELECT number, lag(number, 1, :floor) OVER (ORDER BY number) AS before
                FROM parts WHERE series = :series AND number > :floor
            ) WHERE number > before + 1 ORDER BY number
            """,
            {"series": series, "floor": max(self._trimmed(series), last - GAP_WINDOW)},
        )
        gaps = [(row["first"], min(row["last"], count)) for row in rows if row["first"] <= count]
        if count > last:
            gaps.append((last + 1 if last else max(1, count - GAP_WINDOW + 1), count))
        return [Misses(series, first, end, cause, recipe) for first, end in gaps]

    def problems(self) -> list[str]:
        """Read the whole database and say what is wrong with it; empty when it is sound. Slow for a large one."""
        return self._database.problems()

    def _trimmed(self, series: str) -> int:
        """Give the highest number of a series whose row was deleted; 0 where none was."""
        return int(self._database.value("SELECT number FROM trimmed WHERE series = ?", (series,)) or 0)

    def _parts(self, clause: str, values: Sequence[object]) -> Iterator[Part]:
        rows: Iterator[dict[str, Any]] = self._database.query(f"SELECT * FROM parts {clause}", values)
        return map(part_of, rows)
