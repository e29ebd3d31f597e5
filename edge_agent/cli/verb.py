"""What every verb has: its place in the parser, and the configuration of the station that is meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.place import DEFAULT_STATE

if TYPE_CHECKING:
    from edge_agent.config import Config

AddVerb = Callable[..., argparse.ArgumentParser]
"""`add_parser` of argparse's collection of sub-commands."""


def add_verb(
    add: AddVerb,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a verb.

    Args:
        add: adds it.
        name: the word that is typed.
        run: does it, and gives the exit code.
        summary: what it does, one phrase.
        example: a command line.

    Returns:
        Its parser, to be given options.
    """
    verb = add(name, help=summary, description=f"{summary}.", epilog=f"example: {example}")
    verb.set_defaults(verb=run)
    return verb


def config_of(arguments: argparse.Namespace, *, begins: bool = False, changes: bool = False) -> Config:
    """Give the configuration of the station that is meant.

    Args:
        arguments: what was typed.
        begins: the verb makes a state folder where there is none.
        changes: the verb is about what a station knows or recorded, so that there must be one, also in the usual place.

    Returns:
        The configuration.

    Raises:
        ConfigError: it has an error.
        WrongUsage: the state folder that was named, or is needed, is not there.
    """
    from edge_agent.config import Config
    from edge_agent.config.file import load_config

    if arguments.config is not None:
        return load_config(arguments.config)
    state: Path = arguments.state
    if (changes or state != DEFAULT_STATE) and not begins and not state.is_dir():
        raise WrongUsage(f"there is no state folder {state}", hint="name the station's: --state DIR, or -c FILE")
    return Config.defaults(state)
