"""Options that several verbs of the command line share, and how their values are read."""

from __future__ import annotations

import argparse
import getpass
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.terminal.place import DEFAULT_STATE


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
    place.add_argument("--state", type=Path, default=DEFAULT_STATE, metavar="DIR", help="its state (default: ./state)")


def user_name() -> str:
    """Give the name of who runs the program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # one without a name, as in some containers


def named(text: str) -> str:
    """Read a name."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a name is needed")
    return text


def count(text: str) -> int:
    """Read a whole number."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number is needed, not {text!r}")
    return int(text)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Give what reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        if not low <= (asked := count(text)) <= high:
            raise argparse.ArgumentTypeError(f"a whole number from {low} to {high} is needed, not {text!r}")
        return asked

    return read


def digest(text: str) -> str:
    """Read a SHA-256, as `edge-agent audit verify` prints it."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"64 of 0-9 and a-f are needed, not {text!r}")
    return text


MOST: Final = 1_000_000_000
"""More than anybody counts on a command line."""

some = whole(1, MOST)
"""Reads how many of something there are to be, at least one."""


def number_between(low: float, high: float, unit: str, text: str) -> float:
    """Read a number.

    Args:
        low: the least that is taken.
        high: the most.
        unit: for people.
        text: what was typed.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: it is none, or not between these.
    """
    try:
        asked = float(text)
    except ValueError:
        asked = math.nan
    if not low <= asked <= high:
        raise argparse.ArgumentTypeError(f"between {low:g} and {high:g} {unit}, not {text!r}")
    return asked


def minutes(text: str) -> float:
    """Read how long something is to last [min]."""
    return number_between(0.05, 100_000.0, "minutes", text)


def budget_ms(text: str) -> float:
    """Read how long something may take [ms]."""
    return number_between(1.0, 10_000.0, "milliseconds", text)


FAST: Final = "fast"
"""Instead of a pace: as fast as the station answers."""


def rate_or_fast(text: str) -> float | str:
    """Read a pace of a line [1/s], or `fast`."""
    return FAST if text == FAST else rate(text)


def rate(text: str) -> float:
    """Read a pace of a line [1/s]."""
    return number_between(0.1, 50.0, "parts per second", text)
