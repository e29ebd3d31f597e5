"""What stations tell, a line for each thing; nothing of it moves the cursor of whoever watches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from console_fakes import fact, gap
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.fleet import row_of
from edge_agent.console.heard import State, fact_of, gap_of
from edge_agent.console.lines import shown, state_json, state_line, told_json, told_line
from edge_agent.console.store import Told


def told(message: dict[str, Any]) -> Told:
    text = json.dumps(message)
    return Told("press-3", fact_of(text.encode(), "press-3", message["class"]), text)


def line(message: dict[str, Any], *, colour: bool = False) -> str:
    return told_line(told(message), colour=colour).partition("  ")[2]


def test_a_part_is_its_answer_by_shape_word_and_number() -> None:
    body = {"outcome": "NG", "label": "scratch", "score": 0.9712, "cause": "class", "degraded": ["blurred"]}

    assert line(fact(7, part=body)) == "press-3  ■ NG      part 7  scratch 0.97  class  blurred"
    assert "\033[31m■ NG" in line(fact(7, part=body), colour=True)


@pytest.mark.parametrize("body", [{}, {"outcome": 7}, {"outcome": "NG", "degraded": 1, "score": "x", "label": None}])
def test_a_part_that_is_told_otherwise_is_shown_all_the_same(body: dict[str, Any]) -> None:
    assert "part 7" in line(fact(7, part=body))


def test_alarms_audit_and_gaps_have_their_lines() -> None:
    alarm = {"severity": "error", "component": "camera", "kind": "x", "message": "no picture", "data": {}}
    audit = {"utc": 1.0, "kind": "command", "body": {"cmd": "gate"}, "previous": "", "hash": "h"}

    assert line(fact(1, kind="alarm", alarm=alarm)) == "press-3  error   camera: no picture"
    assert line(fact(1, kind="audit", audit=audit)) == 'press-3  audit   command {"cmd":"gate"}'
    lost = Told("press-3", gap_of(json.dumps(gap(2, 4)).encode()))
    assert "part 2 to 4: 3 are gone (quota)" in told_line(lost, colour=False)
    assert json.loads(told_json(lost))["gap"]["to"] == 4


def test_states_are_shown() -> None:
    assert "offline" in state_line("press-3", State("online", {"online": False}), colour=False)
    assert "online" in state_line("press-3", State("online", {"online": True}), colour=False)
    assert json.loads(state_json("press-3", State("health", {"disk": "ok"})))["value"] == {"disk": "ok"}


@given(st.text(), st.text(), st.floats())
def test_nothing_that_is_told_controls_the_terminal(kind: str, text: str, utc: float) -> None:
    alarm = {"severity": kind, "component": text, "message": text, "kind": kind}
    said = told_line(told(fact(1, kind="alarm", alarm=alarm) | {"utc": 1.0}), colour=False)

    assert said.isprintable()
    assert len(said) < 1000
    assert json.loads(told_json(told(fact(1, kind="alarm", alarm=alarm))))


def test_a_long_text_is_cut() -> None:
    assert len(shown("x" * 10_000)) < 200


@pytest.mark.parametrize(
    "states", [{}, {"online": {}}, {"online": {"online": "yes"}}, {"health": {"backlog": "many", "troubles": [3]}}]
)
def test_a_station_that_does_not_say_is_left_open(states: dict[str, dict[str, Any]]) -> None:
    row = row_of("press-3", states)

    assert (row.online, row.since_utc, row.backlog, row.health, row.troubles) == (None, None, None, "", {})


def test_the_newest_time_in_any_state_is_when_it_was_seen() -> None:
    states = {"online": {"online": True, "since": 10.0}, "health": {"utc": 30.0}, "info": {"at": 20.0, "version": "1"}}

    assert (row_of("a", states).since_utc, row_of("a", states).seen_utc) == (10.0, 30.0)
