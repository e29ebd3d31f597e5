"""The verb that makes signing keys: `key`."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Final

from edge_agent.console.keyfile import make_key
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.printing import say, say_json

NAME: Final = re.compile(r"[a-z0-9-]{1,40}")


def make_signing_key(name: str, role: str, *, as_json: bool) -> int:
    """Make a key in the folder where the program runs, and say how stations are told to trust it.

    Args:
        name: of the key.
        role: what stations shall take it for.
        as_json: print JSON.

    Returns:
        The exit code.

    Raises:
        WrongUsage: the name is none.
        ConfigError: there is such a file, or none can be made.
    """
    if not NAME.fullmatch(name):
        raise WrongUsage(f"{name!r} is no name of a key", hint="1 to 40 of a-z, 0-9 and -")
    made = make_key(name, Path())
    if as_json:
        say_json({**asdict(made), "role": role})
        return 0
    say(f"made {made.file}, key {made.id}: whoever has the file can sign in its name")
    say("on each station, as its user:")
    say(f"  edge-agent trust add {made.name} {made.public} --role {role}")
    return 0
