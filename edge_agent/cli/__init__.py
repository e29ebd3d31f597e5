"""The `edge-agent` command: what may be typed, and for each verb the few lines that call what does it.

It parses; exit codes are 0 fine, 1 failed, 2 wrong usage, 78 configuration, 130 interrupted. A verb loads
only what it needs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.cli import audit, camera, identity, learning, measuring, part, station
from edge_agent.errors import ConfigError
from edge_agent.terminal.exits import EXIT_OK, EXIT_USAGE, done
from edge_agent.terminal.place import DEFAULT_STATE, options_of, typed

if TYPE_CHECKING:
    from edge_agent.agent import Agent

PROGRAM: Final = "edge-agent"

Serve = Callable[[Callable[[], "Agent"]], int]
"""Makes an agent, runs it until it ends or is stopped, closes it, and gives the exit code."""


def main(argv: Sequence[str], serve: Serve) -> int:
    """Do what was typed; give the exit code.

    Args:
        argv: the words after the program's name.
        serve: runs an agent under the process's signals.

    Returns:
        The exit code.
    """
    top = parser()
    arguments, left = top.parse_known_args(argv)
    if left and (isinstance(getattr(arguments, "paths", None), list) and not any(w.startswith("-") for w in left)):
        arguments.paths += map(Path, left)  # argparse takes no files behind an option (bpo-14191)
    elif left:
        top.error(f"unrecognized arguments: {' '.join(left)}")
    arguments.serve = serve
    station = options_of(getattr(arguments, "config", None), getattr(arguments, "state", None) or DEFAULT_STATE)
    with typed(station):
        return done(PROGRAM, lambda: _done(arguments))


def _done(arguments: argparse.Namespace) -> int:
    """Do the verb; say where defaults stand in for a configuration and are not what the station was taught with."""
    try:
        return int(arguments.verb(arguments))
    except ConfigError as error:
        from edge_agent.learning.stateblobs import OtherBundle

        if isinstance(error, OtherBundle) and getattr(arguments, "config", "") is None:
            hint = "--state stands for the defaults: name the station's own configuration instead, -c FILE"
            raise ConfigError(error.message, hint=hint) from error
        raise


def parser() -> argparse.ArgumentParser:
    """Describe every verb; the documents are checked against it."""
    top = argparse.ArgumentParser(
        prog=PROGRAM, description="An inspection station: picture and vibration in, OK / NG / UNSURE out."
    )
    top.add_argument("--version", action="store_true", help="print the version of the program and its runtimes")
    top.set_defaults(verb=_version_or_help, parser=top)
    add = top.add_subparsers(title="verbs", metavar="VERB").add_parser
    for verbs in (station, identity, camera, part, learning, audit, measuring):
        verbs.add_verbs(add)
    return top


def _version_or_help(arguments: argparse.Namespace) -> int:
    if not arguments.version:
        arguments.parser.print_help(sys.stderr)
        return EXIT_USAGE
    from importlib.metadata import version

    names = ("edge-agent", "onnxruntime", "openvino", "numpy")
    sys.stdout.write("".join(f"{name} {version(name)}\n" for name in names))
    return EXIT_OK
