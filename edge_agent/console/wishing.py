"""A wish about the settings of a station: made from the one before, followed until the station has judged it. Pure.

Whoever wants one more setting must not forget those of before: a wish is the whole of what the console wants. And
whoever signs must not sign what somebody else made up: what lies at the broker counts only with a signature that is
known here, and only where it is what the station has, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edge_agent import strictjson
from edge_agent.config import Config
from edge_agent.config.schema import conform
from edge_agent.desired import Wish
from edge_agent.desired.settings import strangers
from edge_agent.errors import BadData
from edge_agent.trust import signing

SETTLED: Final = frozenset({"checked", "refused", "trial", "holds", "taken_back"})

AHEAD: Final = 1000
"""A station that says that it knows a version so much later than any that was signed is not believed."""


class Fate(msgspec.Struct, frozen=True):
    """What a station says became of a wish."""

    version: int
    phase: str
    digest: str = ""
    errors: tuple[str, ...] = ()
    changes: tuple[dict[str, Any], ...] = ()


class ConfigState(msgspec.Struct, frozen=True):
    """What `state/config` says, as far as it matters here."""

    version: int
    sha256: str
    trial: bool = False
    last: Fate | None = None

    @property
    def newest(self) -> int:
        """The newest version that it has heard of."""
        return max(self.version, 0 if self.last is None else self.last.version)


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


def wanted_of(payload: bytes, topic: str, known: Mapping[str, bytes]) -> Wish:
    """Read what lies at the broker.

    Args:
        payload: what lies there.
        topic: where.
        known: public keys of those who may want something of the station, by id.

    Returns:
        The wish.

    Raises:
        BadData: nobody who is known has signed it.
    """
    envelope = strictjson.decode(payload, signing.Envelope)
    return strictjson.decode(signing.opened(envelope, topic, known).encode(), Wish)


def next_wish(
    before: Wish | None, state: ConfigState | None, changed: Mapping[str, Any], dropped: Sequence[str], by: str
) -> Wish:
    """Make the wish that follows.

    Args:
        before: what was wanted; None where nothing was.
        state: what the station said last; None where it said nothing.
        changed: settings that are to be otherwise.
        dropped: settings that are to be as the station's file says.
        by: who wants it.

    Returns:
        It, not a dry run.

    Raises:
        BadData: what was wanted before is not known, or what is to be dropped was not wanted.
    """
    settings = {} if before is None else dict(before.settings)
    signed, heard = 0 if before is None else before.version, 0 if state is None else state.newest
    if state is not None and state.version > signed:
        raise BadData(
            f"the station runs by wish {state.version}, and what lies at the broker is "
            + ("nothing" if before is None else f"wish {signed}"),
            hint="try again; if that stays, want everything anew: --anew",
        )
    if heard > signed + AHEAD:
        raise BadData(f"the station says that it has heard of wish {heard}, the newest that was signed is {signed}")
    for key in dropped:
        if key not in settings:
            wanted = ", ".join(sorted(settings)) or "nothing"
            raise BadData(f"nobody wants {key}", hint=f"what is wanted: {wanted}")
        del settings[key]
    return Wish(1, max(signed, heard) + 1, settings | dict(changed), by)


def is_settled(state: ConfigState, wish: Wish) -> bool:
    """Say whether a station has said what becomes of a wish, and of no other."""
    last = state.last
    return last is not None and (last.version, last.digest) == (wish.version, wish.digest) and last.phase in SETTLED


def way_out(wish: Wish, fate: Fate) -> str:
    """Say how a wish that could not be is got rid of: it lies at the broker, and the next one would be made from it.

    Args:
        wish: what was wanted.
        fate: what became of it.

    Returns:
        What to type; "" where there is nothing to get rid of.
    """
    if fate.phase not in ("refused", "taken_back") or not wish.settings:
        return ""
    named = [key for key in wish.settings if any(key in error for error in fate.errors)]
    drops = " ".join(f"--drop {key}" for key in named or wish.settings)
    return f"it goes on to be wanted, and each later wish with it, until it is given otherwise or dropped: {drops}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
