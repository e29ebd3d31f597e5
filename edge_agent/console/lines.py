"""What stations tell, a line for each thing. Pure: values go in, text comes out.

What comes from a station is shown without control characters: it cannot move the cursor of whoever watches.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from edge_agent.console.heard import Fact, Gap, Response, State
from edge_agent.console.store import Told
from edge_agent.terminal.printing import COLOURS, SHAPES
from edge_agent.terminal.printing import shown as safe

LONGEST: Final = 160
"""Characters of one thing that a station says."""

_SEVERITIES: Final = {"warning": "33", "error": "31"}
_GREEN, _RED, _GREY = "32", "31", "90"


def told_line(told: Told, *, colour: bool) -> str:
    """Give the line for a fact or a gap."""
    what = told.what
    if isinstance(what, Gap):
        text = f"gap     {what.kind} {what.first} to {what.last}: {what.count} are gone ({shown(what.why)})"
        return f"{_clock(what.utc)}  {told.station}  {_painted(text, _RED, colour)}"
    return f"{_clock(what.utc)}  {told.station}  {_fact(what, colour)}"


def told_json(told: Told) -> str:
    """Give a fact or a gap as one line of JSON: what the station said."""
    if isinstance(told.what, Fact):
        return told.text if "\n" not in told.text else _json(msgspec.json.decode(told.text))
    return _json({"station": told.station, "gap": told.what})


def state_line(station: str, state: State, *, colour: bool) -> str:
    """Give the line for a state."""
    if state.name == "online":
        online = state.value.get("online") is True
        word = _painted("online " if online else "offline", _GREEN if online else _RED, colour)
        return f"{'':8}  {station}  {word}"
    return f"{'':8}  {station}  {_painted(f'{shown(state.name):<7} {shown(_json(state.value))}', _GREY, colour)}"


def state_json(station: str, state: State) -> str:
    """Give a state as one line of JSON."""
    return _json({"station": station, "state": state.name, "value": state.value})


def response_line(response: Response) -> str:
    """Give the line for a response."""
    if response.phase != "done":
        more = "" if response.result in (None, {}) else f" {shown(_json(response.result))}"
        return f"{response.phase}{more}"
    if response.status == "ok":
        return f"done in {response.took_ms:.0f} ms"
    hint = f"\n  {shown(response.hint)}" if response.hint else ""
    return f"{shown(response.code)}: {shown(response.message)}{hint}"


def shown(value: object) -> str:
    """Give what a station said as text that is safe on a terminal, and not too long."""
    text = str(value)
    return safe(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def _fact(fact: Fact, colour: bool) -> str:
    body = fact.body
    if fact.kind == "part":
        outcome = str(body.get("outcome", ""))
        if outcome not in SHAPES:
            return f"part {fact.seq}  {shown(_json(body))}"
        score = body.get("score")
        seen = f"{shown(body.get('label') or '')} {score:.2f}" if isinstance(score, float) else ""
        rest = "  ".join(filter(None, (seen, shown(body.get("cause") or ""), _degraded(body))))
        answer = _painted(f"{SHAPES[outcome]} {outcome:<6}", COLOURS[outcome], colour)
        return f"{answer}  part {fact.seq}  {rest}".rstrip()
    if fact.kind == "alarm":
        severity = shown(body.get("severity", ""))
        text = f"{severity:<7} {shown(body.get('component', ''))}: {shown(body.get('message', ''))}"
        return _painted(text, _SEVERITIES.get(severity, _GREY), colour)
    return f"audit   {shown(body.get('kind', ''))} {shown(_json(body.get('body', body)))}"


def _degraded(body: dict[str, Any]) -> str:
    words = body.get("degraded")
    return ", ".join(map(shown, words)) if isinstance(words, list) else ""


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\033[{code}m{text}\033[0m" if colour else text


def _clock(utc: float) -> str:
    try:
        return datetime.fromtimestamp(utc).astimezone().strftime("%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
