"""Commands and the audit as rows: what is kept, for how long, and that a transaction tried twice counts once."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from ledger_parts import part

from edge_agent.errors import BadData
from edge_agent.journal import Code, Response
from edge_agent.ledger import Accepted, Answered, Audited, JournalReader, Told, Word, WordKind, commandrows
from edge_agent.ledger.auditchain import verify
from edge_agent.ledger.batch import Batch, Duplicate
from edge_agent.ledger.items import Receipted
from edge_agent.ledger.store import Store

UTC = 1_764_500_000.1234
ANSWER = msgspec.json.encode(
    Response("id-1", "done", "ok", Code.OK, "", "", msgspec.Raw(b'{"a":1}'), "press-3", UTC, 1.0)
).decode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "ledger.db")
    made.open()
    made.write(Batch([part(1)]))
    yield made
    made.close()


def accepted(number: int, key: str = "") -> Accepted:
    return Accepted(f"id-{number}", "use", "d", "{}", "before", UTC + 5, 30.0, key=key, issued_utc=UTC + number)


def answered(number: int, text: str = '{"code":"OK","result":{"a":1}}', **more: object) -> Answered:
    audit = Audited(UTC, "command", f'{{"id":{number}}}')
    return Answered(f"id-{number}", text, UTC, audit, **more)  # type: ignore[arg-type]


def write(store: Store, *items: Receipted) -> list[int | BadData]:
    return list(store.write(Batch(items)).rows)


def test_an_id_is_taken_once(store: Store, tmp_path: Path) -> None:
    first, second = write(store, accepted(1), accepted(1))

    assert isinstance(first, int)
    assert isinstance(second, Duplicate)
    with JournalReader(tmp_path) as reader:
        assert [command.id for command in reader.unsettled()] == ["id-1"]


def test_answer_audit_and_effect_are_one(store: Store, tmp_path: Path) -> None:
    word = Word(1, WordKind.CORRECT, "pit", UTC, "me")
    nowhere = Word(99, WordKind.CORRECT, "pit", UTC, "me")
    write(store, accepted(1), accepted(2))
    done, failed = write(store, answered(1, effects=(word,)), answered(2, effects=(nowhere,)))

    assert isinstance(done, int)
    assert isinstance(failed, BadData)
    with JournalReader(tmp_path) as reader:
        assert [(c.id, c.answer, c.told) for c in reader.unsettled()] == [
            ("id-1", '{"code":"OK","result":{"a":1}}', False),
            ("id-2", "", False),
        ]
        assert len(list(reader.audit())) == 1


def test_an_answer_that_is_written_again_has_its_effect_once(store: Store, tmp_path: Path) -> None:
    """The transaction was reported as failed and had reached the disk."""
    word = Word(1, WordKind.CORRECT, "pit", UTC, "me")
    write(store, accepted(1))
    again = answered(1, effects=(word,))
    rows = [*write(store, again), *write(store, again)]
    other = write(store, answered(1, '{"code":"E_BUSY"}'))

    assert all(isinstance(row, int) for row in rows)
    assert isinstance(other[0], Duplicate)
    with JournalReader(tmp_path) as reader:
        assert len(list(reader.audit())) == 1


def test_what_was_told_is_settled(store: Store, tmp_path: Path) -> None:
    write(store, accepted(1), answered(1), Told("id-1"))
    with JournalReader(tmp_path) as reader:
        assert reader.unsettled() == []


def test_ids_of_signed_commands_are_kept_and_others_are_bounded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commandrows, "KEPT_COMMANDS", 4)
    for number in range(10):
        write(store, accepted(number, "key" if number % 2 else ""), answered(number, ANSWER, told=True))
    with JournalReader(tmp_path) as reader:
        found = {number: reader.command(f"id-{number}") for number in range(10)}
        newest = reader.newest_issued()

    assert [number for number, command in found.items() if command is None] == [0, 2, 4]
    old, new = found[1], found[9]
    assert old is not None and new is not None
    assert (old.request, old.digest, new.request) == ("", "d", "{}")
    assert json.loads(old.answer) == {**json.loads(ANSWER), "result": {}}
    assert msgspec.json.decode(old.answer, type=Response).code is Code.OK  # whoever asks again is told that much
    assert new.answer == ANSWER
    assert newest == {"key": UTC + 5}  # the last was asked at UTC + 9 by its own word, and came before that


def test_what_has_no_answer_yet_is_never_forgotten(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commandrows, "KEPT_COMMANDS", 2)
    for number in range(8):
        write(store, accepted(number))
    with JournalReader(tmp_path) as reader:
        assert len(reader.unsettled()) == 8


def test_a_person_can_check_a_row_without_this_program(store: Store, tmp_path: Path) -> None:
    """As docs/commands.md says it, with the tools of the system; Python stands in for sqlite3 where that is missing."""
    write(store, Audited(UTC, "command", '{"a":"é"}'), Audited(UTC + 1, "refused", "{}"))
    with JournalReader(tmp_path) as reader:
        rows = list(reader.audit())
    store.close()
    sql = (
        "SELECT previous || char(10) || printf('%.3f', utc) || char(10) || kind || char(10) || body "
        "FROM audit WHERE id = 2"
    )
    script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])"
    shown = subprocess.run(
        ["python3", "-c", script, str(tmp_path / "ledger.db"), sql], stdout=subprocess.PIPE, check=True
    ).stdout
    summed = subprocess.run(["sha256sum"], input=shown[:-1], stdout=subprocess.PIPE, check=True).stdout

    assert summed.split()[0].decode() == rows[1].hash == hashlib.sha256(shown[:-1]).hexdigest()
    assert verify(rows).rows == 2
