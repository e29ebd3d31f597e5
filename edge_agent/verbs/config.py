"""The verb `config`: which settings a station runs by, and who set each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from edge_agent.config.tomltext import quoted
from edge_agent.desired import Desired, Standing
from edge_agent.desired.settings import leaves
from edge_agent.terminal.printing import say, say_json

Origin = Literal["default", "file", "console"]


@dataclass(frozen=True)
class Setting:
    """One setting as `config --json` gives it.

    Attributes:
        key: its name, with dots.
        value: what the station runs by, paths absolute.
        origin: `default`, `file` or `console`.
    """

    key: str
    value: Any
    origin: Origin


def show_settings(path: Path, *, every: bool, as_json: bool) -> int:
    """Print the settings that a start would run by now.

    Args:
        path: the station's file.
        every: also those that nobody set.
        as_json: for programs.

    Returns:
        The exit code.
    """
    desired = Desired(path)
    settings = [s for s in _settings(desired) if every or s.origin != "default"]
    if as_json:
        say_json({"file": str(path), "settings": settings, "console": desired.standing})
        return 0
    say(_wish(desired.standing))
    width = max((len(setting.key) for setting in settings), default=0)
    for setting in settings:
        say(f"{setting.key:<{width}}  {setting.origin:<7}  {_written(setting.value)}")
    return 0


def _settings(desired: Desired) -> Iterator[Setting]:
    wished, written = desired.standing.settings, desired.written()
    for key, value in leaves(desired.in_force()):
        yield Setting(key, value, "console" if key in wished else "file" if key in written else "default")


def _wish(standing: Standing) -> str:
    last = standing.newest
    if standing.trial is not None:
        return f"the console's wish {standing.trial.version} of {standing.trial.by} is on trial"
    if standing.holds is None:
        said = "nothing that the console wants holds" if last is not None else "the console wants nothing"
    else:
        since = datetime.fromtimestamp(standing.held_since_utc).astimezone().isoformat(" ", "minutes")
        said = f"the console's wish {standing.holds.version} of {standing.holds.by} holds since {since}"
    if last is not None and last.phase in ("refused", "taken_back"):
        said += f"; its wish {last.version} was {last.phase.replace('_', ' ')}: {'; '.join(last.errors)}"
    return said


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value, len(value))
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return str(value)
