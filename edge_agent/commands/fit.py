"""Arguments from outside become those of a command, or an error that says in plain words what does not fit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from edge_agent.commands.arguments import Arguments
from edge_agent.commands.table import COMMANDS
from edge_agent.config.schema import expectation, shown
from edge_agent.errors import BadData

T = TypeVar("T")


def checked(name: str, /, **arguments: object) -> Arguments:
    """Check the arguments of a command, the same way for whoever asks: over the socket or with no station running.

    Args:
        name: a command of the table.
        **arguments: its arguments, also as text; None values are left out.

    Returns:
        The arguments in typed form.

    Raises:
        BadData: one is missing, unknown or wrong; the message names it.
    """
    return fitting(name, COMMANDS[name].arguments, arguments)


def fitting(name: str, kind: type[T], arguments: Mapping[str, object]) -> T:
    """Make arguments those of `kind`, for a command or verb of this name; raise `BadData` that names what is wrong."""
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadData(f"`{name}`: {_no_choice(str(error), kind, given)}", hint="see docs/commands.md") from error


_WORDS: Final = (
    ("`str` of length >= 1", "some text"),
    ("`str`", "text"),
    ("`int`", "a whole number"),
)


def _no_choice(reason: str, kind: type, given: Mapping[str, object]) -> str:
    """Say what there is to choose from, where that is what is wrong."""
    at = reason.partition(" - at `$.")[2].rstrip("`")
    kinds = (
        {field.name: field.type for field in msgspec.structs.fields(kind)} if issubclass(kind, msgspec.Struct) else {}
    )
    if not reason.startswith("Invalid enum value") or at not in kinds:
        return _told(reason)
    return f"{at}: must be {expectation(kinds[at])}, not {shown(given[at])}"


def _told(reason: str) -> str:
    """Say what msgspec found in the words of a person, the argument first."""
    for theirs, ours in _WORDS:
        reason = reason.replace(theirs, ours)
    text, _, at = reason.partition(" - at `$.")
    return f"{at.rstrip('`')}: {text[0].lower()}{text[1:]}" if at else text
