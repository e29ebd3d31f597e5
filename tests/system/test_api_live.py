"""A running station answers over its socket exactly when something is wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent import api
from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.example import Example, pack
from edge_agent.learning.lesson import Lesson
from edge_agent.ledger import Reader
from edge_agent.runtime.background import CHORES, Chore
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine
from tests.running_station import turning, wait_until

pytestmark = pytest.mark.system


@contextmanager
def running(state_dir: Path) -> Iterator[tuple[Agent, Path]]:
    config = Config.defaults(state_dir)
    agent = build(config, supply=SimLine(CastingLine(3), 10.0))
    with turning(agent):
        wait_until(lambda: agent.is_up)
        yield agent, Path(config.api.socket)


def test_status_and_events_do_not_wait_for_what_the_background_has_to_do(tmp_path: Path) -> None:
    let_go = threading.Event()
    with running(tmp_path) as (agent, socket):
        while agent.background.submit(Chore(lambda: let_go.wait(120.0), lambda result: None)):
            pass
        try:
            status = api.call(socket, "status")
            events = api.call(socket, "events")
        finally:
            let_go.set()
    assert status["background"]["jobs"]["waiting"] >= CHORES - 1
    assert set(status["parts"]) == {"OK", "NG", "UNSURE", "MISSED"}
    assert isinstance(events, list)


def test_status_is_given_with_the_reason_where_the_ledger_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*arguments: object) -> object:
        raise StateDamaged("the database is malformed", hint="keep it for a specialist")

    with running(tmp_path) as (agent, socket):
        monkeypatch.setattr(Reader, "counts", damaged)
        monkeypatch.setattr(Reader, "events", damaged)
        status = api.call(socket, "status")
        with pytest.raises(BadData, match="malformed"):
            api.call(socket, "events")
    (trouble,) = [trouble for trouble in status["troubles"] if trouble["kind"] == "reader"]
    assert "the database is malformed" in trouble["message"]
    assert trouble["hint"] == "keep it for a specialist"
    assert status["recipe"] == agent.holdings.recipe.config.name
    assert status["parts"] == {}


def test_a_lesson_is_got_ready_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    begin = Lesson.__init__

    def noted(self: Lesson, *arguments: object, **more: object) -> None:
        threads.append(threading.current_thread().name)
        begin(self, *arguments, **more)  # type: ignore[arg-type]  # it passes on whatever it was given

    monkeypatch.setattr(Lesson, "__init__", noted)
    castings = [CastingLine(3).example("good", i) for i in range(3)]
    body = pack([Example(f"good {i}", c.image, c.samples, c.rate_hz) for i, c in enumerate(castings)])
    with running(tmp_path) as (_, socket):
        answer = api.call(socket, "teach", {"label": "good", "who": "me"}, body)
    assert len(answer["taught"]["taught"]) == 3
    assert threads == ["background"]
