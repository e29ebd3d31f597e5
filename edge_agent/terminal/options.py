"""Options that several verbs of the command line share, and how their values are read."""

from __future__ import annotations

import argparse
import getpass
import os
from pathlib import Path
from typing import Final


def add_json(verb: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    verb.add_argument("--json", action="store_true", help="answer as JSON, for programs")


def add_who(verb: argparse.ArgumentParser) -> None:
    """Add `--who`."""
    verb.add_argument("--who", default=user_name(), metavar="NAME", help="your name, for the record")


def add_station(verb: argparse.ArgumentParser) -> None:
    """Add `--config` and `--state`: which station is meant."""
    place = verb.add_mutually_exclusive_group()
    place.add_argument("-c", "--config", type=Path, metavar="FILE", help="the station's configuration")
    place.add_argument("--state", type=Path, default=Path("state"), metavar="DIR", help="its state (default: ./state)")


def user_name() -> str:
    """Give the name of who runs the program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # one without a name, as in some containers


def count(text: str) -> int:
    """Read a whole number."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number is needed, not {text!r}")
    return int(text)


def minutes(text: str) -> float:
    """Read how long something is to last [min]."""
    try:
        asked = float(text)
    except ValueError:
        asked = 0.0
    if not 0.05 <= asked <= 100_000.0:
        raise argparse.ArgumentTypeError(f"between 0.05 and 100000 minutes, not {text!r}")
    return asked


FAST: Final = "fast"
"""Instead of a pace: as fast as the station answers."""


def rate_or_fast(text: str) -> float | str:
    """Read a pace of a line [1/s], or `fast`."""
    return FAST if text == FAST else rate(text)


def rate(text: str) -> float:
    """Read a pace of a line [1/s]."""
    try:
        parts_per_s = float(text)
    except ValueError:
        parts_per_s = 0.0
    if not 0.1 <= parts_per_s <= 50.0:
        raise argparse.ArgumentTypeError(f"between 0.1 and 50 parts per second, not {text!r}")
    return parts_per_s
