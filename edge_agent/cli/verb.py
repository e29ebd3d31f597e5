"""What every verb has: its place in the parser, and the configuration of the station that is meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

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


def config_of(arguments: argparse.Namespace) -> Config:
    """Give the configuration of the station that is meant."""
    from edge_agent.config import Config
    from edge_agent.config.file import load_config

    return load_config(arguments.config) if arguments.config is not None else Config.defaults(arguments.state)
