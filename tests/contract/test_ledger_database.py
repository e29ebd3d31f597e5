"""The door to SQLite: what it promises about a file before anything is written to it."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.ledger import database as door
from edge_agent.ledger.database import open_reader, open_writer
from edge_agent.ledger.files import DiskFull, set_aside
from edge_agent.ledger.tables import MIGRATIONS

if TYPE_CHECKING:
    from edge_agent.ledger.driver import Schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def existing(path: Path) -> Path:
    open_writer(path, MIGRATIONS).close()
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_ledger_is_private_even_with_an_open_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        database = open_writer(path, MIGRATIONS)
        database.execute("INSERT INTO events VALUES (1, 1.0, 'info', 'x', 'y', 'z', '{}')")
        modes = {file.name: mode(file) for file in path.parent.iterdir()}
        database.close()
    finally:
        os.umask(before)

    assert mode(path.parent) == 0o700
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"), 0o600)


def test_the_pragmas_that_durability_rests_on_are_in_force(path: Path) -> None:
    database = open_writer(path, MIGRATIONS)
    values = [database.value(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
    database.close()

    assert values == ["wal", 2, 1]


def test_a_pragma_that_does_not_take_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_WRITER_PRAGMAS", {"journal_mode": "wal", "page_size": 1234})

    with pytest.raises(ConfigError, match="page_size is 4096 and cannot be made 1234"):
        open_writer(path, MIGRATIONS)
    monkeypatch.undo()
    open_writer(path, MIGRATIONS).close()  # the refused one has let go of the file


def test_there_is_one_writer(existing: Path) -> None:
    first = open_writer(existing, MIGRATIONS)
    with pytest.raises(Unavailable, match="another process writes"):
        open_writer(existing, MIGRATIONS)
    first.close()

    open_writer(existing, MIGRATIONS).close()


def test_a_reader_cannot_write_and_sees_what_is_committed_meanwhile(existing: Path) -> None:
    writer, reader = open_writer(existing, MIGRATIONS), open_reader(existing, MIGRATIONS)
    writer.execute("INSERT INTO events VALUES (7, 1.0, 'info', 'x', 'y', 'z', '{}')")
    seen = reader.value("SELECT id FROM events")
    with pytest.raises(Unavailable, match="SQLITE_READONLY"):
        reader.execute("DELETE FROM events")
    writer.close()
    reader.close()

    assert seen == 7


def test_a_reader_opens_when_no_agent_runs(existing: Path) -> None:
    reader = open_reader(existing, MIGRATIONS)
    version = reader.version
    reader.close()

    assert version == len(MIGRATIONS)


def test_a_reader_never_makes_a_ledger(path: Path) -> None:
    with pytest.raises(Unavailable, match="no ledger at"):
        open_reader(path, MIGRATIONS)
    assert not path.parent.exists()


# Migrations. A released step is never changed, so a hand-made file of every version stays readable.


def add_weight(schema: "Schema") -> None:
    schema.execute("ALTER TABLE parts ADD COLUMN weight_g REAL")


def split_series(schema: "Schema") -> None:
    schema["parts"].transform(rename={"series": "source"})
    schema.execute("INSERT INTO tallies VALUES ('OK', 1)")  # breaks the primary key


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


NEWEST = len(MIGRATIONS)
VERSION_1 = Path(__file__).with_name("ledger_version_1.sql")


@pytest.fixture
def version_1(path: Path) -> Path:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.read_text())
    connection.close()
    return path


def test_a_file_of_version_1_is_brought_up_to_date_with_its_rows(version_1: Path) -> None:
    database = open_writer(version_1, [*MIGRATIONS, add_weight])
    version = database.version
    row = next(database.query("SELECT id, series, number, outcome, weight_g FROM parts"))
    database.close()

    assert version == len(MIGRATIONS) + 1
    assert row == {"id": 41, "series": "line-a", "number": 7, "outcome": "NG", "weight_g": None}


def test_the_first_step_still_makes_version_1(version_1: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.db"
    open_writer(made, MIGRATIONS[:1]).close()
    schema = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    tidy = [(name, str(sql).split()) for name, sql in rows(made, schema)]

    assert tidy == [(name, str(sql).split()) for name, sql in rows(version_1, schema)]


def test_a_step_that_fails_leaves_the_version_before_it(version_1: Path) -> None:
    with pytest.raises(BadData):
        open_writer(version_1, [*MIGRATIONS, add_weight, split_series])
    database = open_writer(version_1, [*MIGRATIONS, add_weight])
    series = database.value("SELECT series FROM parts")
    database.close()

    assert series == "line-a"


def test_a_file_of_a_newer_release_is_refused_and_left_alone(existing: Path) -> None:
    open_writer(existing, [*MIGRATIONS, add_weight]).close()

    for opener in (open_writer, open_reader):
        with pytest.raises(
            ConfigError,
            match=f"schema version {len(MIGRATIONS) + 1}, this release knows versions up to {len(MIGRATIONS)}",
        ) as refusal:
            opener(existing, MIGRATIONS)
        assert "install the newer edge-agent" in refusal.value.hint
    assert rows(existing, "PRAGMA user_version") == [(NEWEST + 1,)]


def test_a_reader_waits_for_the_agent_to_migrate(existing: Path) -> None:
    with pytest.raises(Unavailable, match=f"has schema version {NEWEST}, this release reads {NEWEST + 1}"):
        open_reader(existing, [*MIGRATIONS, add_weight])


# Damage.


def spoil_beginning(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_header(path: Path) -> None:
    os.truncate(path, 50)


def spoil_schema_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 400)


@pytest.mark.parametrize("spoil", [spoil_beginning, shorten, cut_header, spoil_schema_page])
def test_a_damaged_file_is_not_opened(existing: Path, spoil: object) -> None:
    spoil(existing)

    with pytest.raises(StateDamaged):
        open_writer(existing, MIGRATIONS)


def test_damage_deep_inside_is_found_on_demand(existing: Path) -> None:
    database = open_writer(existing, MIGRATIONS)
    with database.transaction():
        for number in range(400):
            database.execute(
                "INSERT INTO events (time_utc, severity, component, kind, message, data) "
                "VALUES (?, 'info', 'x', 'y', ?, '{}')",
                (float(number), "m" * 200),
            )
    sound = database.problems()
    pages = database.value("PRAGMA page_count")
    database.close()
    with existing.open("r+b") as file:
        file.seek((pages - 3) * 4096)  # of the events, which came last
        file.write(b"\xa5" * 4096)
    database = open_writer(existing, MIGRATIONS)
    damaged = database.problems()
    database.close()

    assert sound == []
    assert damaged


def test_setting_aside_keeps_every_damaged_file(existing: Path) -> None:
    spoil_beginning(existing)
    existing.with_name("ledger.db-wal").write_bytes(b"log")
    first = set_aside(existing, 1_735_732_800.0)
    existing.write_bytes(b"damaged again")
    second = set_aside(existing, 1_735_732_800.0)

    assert (first.name, second.name) == (
        "ledger.db.damaged-20250101T120000Z",
        "ledger.db.damaged-20250101T120000Z-2",
    )
    assert first.with_name(first.name + "-wal").read_bytes() == b"log"
    assert second.read_bytes() == b"damaged again"
    assert not existing.exists()


# The driver's exceptions.


def test_no_room_is_told_apart_and_nothing_of_the_transaction_remains(existing: Path) -> None:
    database = open_writer(existing, MIGRATIONS)
    database.execute(f"PRAGMA max_page_count = {database.value('PRAGMA page_count')}")
    with pytest.raises(DiskFull, match="no room"), database.transaction():
        database.execute("INSERT INTO labels (part, utc, kind, label, who) SELECT 1, 1.0, 'confirm', 'a', 'b' WHERE 0")
        for number in range(1000):
            database.execute(
                "INSERT INTO events (time_utc, severity, component, kind, message, data) "
                "VALUES (?, 'info', 'x', 'y', 'z', ?)",
                (float(number), "d" * 100),
            )
    left = database.value("SELECT count(*) FROM events")
    database.close()

    assert left == 0


@pytest.mark.parametrize("value", ["\udc80", 2**63, None])
def test_what_no_row_can_hold_is_bad_data(existing: Path, value: object) -> None:
    database = open_writer(existing, MIGRATIONS)
    with pytest.raises(BadData):
        database.execute("INSERT INTO tallies VALUES (?, ?)", (value, value))
    database.close()


def test_a_bug_is_not_translated(existing: Path) -> None:
    database = open_writer(existing, MIGRATIONS)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.execute("SELECT * FROM absent")
    database.close()


def test_a_folder_that_cannot_be_used_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(ConfigError, match="cannot be used"):
        open_writer(tmp_path / "file" / "ledger.db", MIGRATIONS)


@pytest.mark.parametrize(
    ("allowed", "hint"), [(False, "be the user that runs the station"), (True, "check the disk of")]
)
def test_whoever_may_not_use_a_database_hears_that_and_not_of_the_disk(
    tmp_path: Path, allowed: bool, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN"
    monkeypatch.setattr(os, "access", lambda path, mode: allowed)
    with pytest.raises(Unavailable) as raised, door._translated(tmp_path / "ledger.db"):
        raise error
    assert hint in raised.value.hint
