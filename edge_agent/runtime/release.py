"""Which release of the program this is."""

from __future__ import annotations


def program_version() -> str:
    """Give the version of the program."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (nobody asks before the first verdict)

    try:
        return version("edge-agent")
    except PackageNotFoundError:
        return "not installed"
