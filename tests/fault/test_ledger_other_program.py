"""Another program that reads the ledger of a running station and closes it leaves the station's log alone.

SQLite removes the log when the last connection closes, and knows the others by POSIX locks, all of which a process
loses when it closes any descriptor of the file: one plain `open` and `close` in the station, and the next tool that
looks into the ledger takes the log away under the running station.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.errors import StateDamaged
from edge_agent.ledger.database import Database, open_reader, open_writer
from edge_agent.ledger.tables import MIGRATIONS

LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM events").fetchone()
connection.close()
"""


def insert(database: Database, times: int) -> None:
    for i in range(times):
        database.execute(
            "INSERT INTO events (time_utc, severity, component, kind, message, data) VALUES (?, ?, ?, ?, ?, ?)",
            (float(i), "info", "test", "seen", "a part", "{}"),
        )


def after_another_program(path: Path, in_the_station: Callable[[], None]) -> tuple[bool, int]:
    """Say whether the log is still there after another program looked, and how many rows a new reader finds."""
    writer = open_writer(path, MIGRATIONS)
    try:
        insert(writer, 3)
        in_the_station()
        subprocess.run([sys.executable, "-c", LOOK, str(path)], check=True)
        kept = path.with_name(f"{path.name}-wal").exists()
        if kept:
            insert(writer, 2)
    finally:
        writer.close()
    reader = open_reader(path, MIGRATIONS)
    try:
        return kept, int(reader.value("SELECT count(*) FROM events"))
    finally:
        reader.close()


def test_a_reader_inside_the_station_costs_it_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    assert after_another_program(path, lambda: open_reader(path, MIGRATIONS).close()) == (True, 5)


def test_a_plain_look_at_the_file_would(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    def look() -> None:
        with path.open("rb") as file:
            file.read(100)

    kept, _ = after_another_program(path, look)
    assert not kept


@pytest.mark.parametrize("length", [1, 99, 511])
def test_a_file_that_is_too_short_is_told_from_an_empty_one(tmp_path: Path, length: int) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"SQLite format 3\0".ljust(length, b"\0")[:length])
    with pytest.raises(StateDamaged, match="too short"):
        open_writer(path, MIGRATIONS)
    assert path.stat().st_size == length
