"""What came from outside moves no cursor and begins no line on the terminal of whoever looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import Config
from edge_agent.ledger import Audited
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.records import Event
from edge_agent.terminal.printing import shown
from edge_agent.verbs.audit import list_audit
from edge_agent.verbs.parts import show_events

EVIL = "ada\x1b[2J\n2026-01-01  error  all is well\x9b1m\x7f\r\u202e"


def test_control_characters_are_shown_as_what_they_are_not() -> None:
    assert shown(EVIL) == "ada?[2J?2026-01-01  error  all is well?1m???"
    assert shown("Größe 3 µm: gut – „ja“") == "Größe 3 µm: gut – „ja“"


def test_events_and_audit_say_each_thing_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config.defaults(tmp_path)
    store = Store(tmp_path / "ledger.db")
    store.open()
    body = '{"cmd":"gate\\u001b[2J","who":"a\\nb","code":"OK"}'
    event = Event(1.0, "warning", "gate", "x", f"{EVIL} bypasses")
    store.write(Batch([Audited(1.0, "command", body)], events=[event]))
    store.close()
    show_events(config, 10, as_json=False)
    list_audit(tmp_path, 10, as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
