"""The station that was named on the command line, so that what people are told to type next names it too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

DEFAULT_STATE: Final = Path("state")
"""Where a station's state is when nobody names it."""

STATION_VERBS: Final = (
    *("adopt", "audit", "cancel", "escape", "events", "export", "forget", "gate", "identity", "inspect", "label"),
    *("learned", "promote", "proof", "status", "teach", "trust", "undo", "use", "why"),
)
"""The verbs that are told a station with `-c` or `--state`."""

_TYPED: ContextVar[str] = ContextVar("station that was typed", default="")
_VERB: Final = re.compile(rf"\bedge-agent (?:{'|'.join(STATION_VERBS)})\b(?! -c| --state)")


def options_of(config: Path | None, state: Path) -> str:
    """Give the options that name a station, as a shell takes them; "" for the one that is meant without any."""
    if config is not None:
        return f"-c {shlex.quote(str(config))}"
    return "" if state == DEFAULT_STATE else f"--state {shlex.quote(str(state))}"


@contextmanager
def typed(options: str) -> Iterator[None]:
    """Have `placed` name the station of these options while the verb is done."""
    before = _TYPED.set(options)
    try:
        yield
    finally:
        _TYPED.reset(before)


def placed(text: str) -> str:
    """Give a text for people in which every command to be typed names the station that was typed."""
    options = _TYPED.get()
    return _VERB.sub(lambda found: f"{found[0]} {options}", text) if options else text
