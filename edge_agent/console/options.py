"""Options that verbs of the console share, and how their values are read."""

from __future__ import annotations

import argparse

from edge_agent.terminal.options import number_between, user_name


def add_broker(verb: argparse.ArgumentParser) -> None:
    """Add the way to the broker."""
    verb.add_argument("-c", "--config", metavar="FILE", help="a console.toml: the way to the broker")
    verb.add_argument("--broker", metavar="URL", help="mqtts://HOST, mqtts://HOST:PORT")
    verb.add_argument("--root", metavar="ROOT", help="what all topics begin with (default: insp/v1)")
    for name, what in (
        ("ca", "certificates of the broker's authority"),
        ("certificate", "the console's certificate"),
        ("key", "the certificate's private key"),
    ):
        verb.add_argument(f"--{name}", metavar="FILE", help=what)


def default_by() -> str:
    """Give who asks where nobody says so: the login at the console."""
    return f"{user_name()}@console"


def seconds(text: str) -> float:
    """Read how long something may take [s]."""
    return number_between(0.1, 86_400.0, "seconds", text)
