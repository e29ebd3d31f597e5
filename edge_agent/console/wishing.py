"""A wish about the settings of a station: made from the one before, followed until the station has judged it. Pure.

Whoever wants one more setting must not forget those of before: a wish is the whole of what the console wants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edge_agent.config import Config
from edge_agent.desired import Wish
from edge_agent.desired.settings import strangers
from edge_agent.errors import BadData
from edge_agent.schema import conform

SETTLED: Final = frozenset({"checked", "refused", "trial", "holds", "taken_back"})


class Fate(msgspec.Struct, frozen=True):
    """What a station says became of the last wish."""

    version: int
    phase: str
    errors: tuple[str, ...] = ()
    changes: tuple[dict[str, Any], ...] = ()


class ConfigState(msgspec.Struct, frozen=True):
    """What `state/config` says, as far as it matters here."""

    version: int
    sha256: str
    trial: bool = False
    last: Fate | None = None


def settings_of(words: Mapping[str, str]) -> dict[str, Any]:
    """Read settings as they are typed: JSON where it is some, else text.

    Args:
        words: values by key.

    Returns:
        The settings.

    Raises:
        BadData: one is no setting that the console may have, or never fits.
    """
    settings = {key: _value(text) for key, text in words.items()}
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        *tables, name = key.split(".")
        at = tree
        for table in tables:
            at = at.setdefault(table, {})
        at[name] = value
    problems = strangers(settings) or conform(tree, Config, {})[1]
    if problems:
        first = problems[0]
        raise BadData(f"{first.key}: {first.reason}", hint=first.hint)
    return settings


def next_wish(
    before: Wish | None, state: ConfigState | None, changed: Mapping[str, Any], dropped: Sequence[str], by: str
) -> Wish:
    """Make the wish that follows.

    Args:
        before: what the console wanted; None where it wanted nothing.
        state: what the station said last; None where it said nothing.
        changed: settings that are to be otherwise.
        dropped: settings that are to be as the station's file says.
        by: who wants it.

    Returns:
        It, not a dry run.

    Raises:
        BadData: what is to be dropped was not wanted.
    """
    settings = {} if before is None else dict(before.settings)
    for key in dropped:
        if key not in settings:
            wanted = ", ".join(sorted(settings)) or "nothing"
            raise BadData(f"the console does not want {key}", hint=f"it wants: {wanted}")
        del settings[key]
    known = [0 if before is None else before.version]
    if state is not None:
        known += [state.version, 0 if state.last is None else state.last.version]
    return Wish(1, max(known) + 1, settings | dict(changed), by)


def is_settled(state: ConfigState, version: int) -> bool:
    """Say whether a station has said what becomes of a wish."""
    return state.last is not None and state.last.version == version and state.last.phase in SETTLED


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
