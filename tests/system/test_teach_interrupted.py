"""Ctrl-C in `teach`, and a page that cannot be written: the person hears what the station has all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.config import Config
from edge_agent.errors import BadData, Unavailable
from edge_agent.learning.example import Example
from edge_agent.terminal.printout import write_file
from edge_agent.verbs import teach

pytestmark = pytest.mark.system

OPTIONS = teach.TeachOptions("Göod", (), (), 0, "ada", golden=False, now=False, yes=False, page=None, json=False)


def interrupted(
    monkeypatch: pytest.MonkeyPatch,
    teaching: object,
    *,
    ended: bool = False,
    parts_of_the_line: int = 0,
    now: bool = False,
    dropped: bool = False,
) -> list[str]:
    """Interrupt a lesson that a station is giving; give the commands that it is asked after that."""
    asked: list[str] = []

    def call(socket: Path, name: str, arguments: object = None, body: bytes = b"") -> Any:
        asked.append(name)
        if name == "teach":
            raise KeyboardInterrupt
        if name == "cancel" and ended:  # between the two questions
            raise Unavailable("no lesson is being given", hint="teach something first")
        return {"teaching": teaching} if name == "status" else {"cancelled": "candidate" if dropped else "lesson"}

    monkeypatch.setattr(teach.api, "call", call)
    monkeypatch.setattr(teach.api, "is_listening", lambda socket: True)
    example = Example("a.png", np.zeros((4, 4, 3), np.uint8), None, 0.0)
    monkeypatch.setattr(teach, "readable", lambda files, left_out: iter([example]))
    with pytest.raises(KeyboardInterrupt):
        teach._proposed(Config(), replace(OPTIONS, next=parts_of_the_line, now=now), lambda error: None)
    return asked


def test_a_lesson_that_is_interrupted_is_given_up_by_the_station(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted(monkeypatch, ["good", 3, 8]) == ["teach", "status", "cancel"]
    assert "given up the lesson of Göod" in capsys.readouterr().err


def test_the_next_parts_of_the_line_are_wanted_no_more_either(monkeypatch: pytest.MonkeyPatch) -> None:
    assert interrupted(monkeypatch, ["Göod", 1, 5], parts_of_the_line=5) == ["teach", "status", "cancel"]


def test_a_change_of_somebody_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert interrupted(monkeypatch, ["pit", 3, 8]) == ["teach", "status"]
    assert interrupted(monkeypatch, None) == ["teach", "status"]


@pytest.mark.parametrize(("now", "verb"), [(True, "`edge-agent undo` takes"), (False, "`edge-agent cancel` drops")])
def test_where_it_has_ended_by_then_a_person_hears_how_to_take_it_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], now: bool, verb: str
) -> None:
    interrupted(monkeypatch, ["good", 8, 8], ended=True, now=now)
    said = capsys.readouterr().err
    assert "Göod was not given up: no lesson is being given" in said and f"{verb} it" in said


def test_a_lesson_that_had_ended_by_then_is_dropped_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interrupted(monkeypatch, ["good", 8, 8], dropped=True) == ["teach", "status", "cancel"]
    said = capsys.readouterr().err
    assert "the change that waited was dropped" in said and "given up" not in said


def test_a_file_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadData, match="No space left"):
        write_file(tmp_path / "proof.html", b"x" * 1000)
    assert [*tmp_path.iterdir()] == []
