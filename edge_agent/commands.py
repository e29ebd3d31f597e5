"""The one table of commands a running station answers: the local API, the CLI and the documents read it.

Each row says what goes in, in typed form; what a command does is in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from edge_agent.errors import BadData

T = TypeVar("T")

_SLUG: Final = "^[a-z0-9_]{1,40}$"
Slug = Annotated[str, Meta(pattern=_SLUG)]
Name = Annotated[str, Meta(min_length=1, max_length=80)]
Who = Annotated[str, Meta(min_length=1, max_length=80)]


class StatusArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`status` takes nothing."""


class EventsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`events`: the newest `limit` events, oldest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class LabelArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`label`: a person's word on a part; without `label` the last word is taken back."""

    part: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    who: Who
    label: Slug | None = None


class TeachArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`teach`: the examples travel as the request's body, see `learning.example`, or are the line's `next` parts.

    `golden` ones are only asked about; `now` promotes unproven; `goes_on` says that more of the lesson follows.
    """

    label: Name
    who: Who
    next: Annotated[int, Meta(ge=0, le=100)] = 0
    golden: bool = False
    now: bool = False
    goes_on: bool = False


class LearnedArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`learned` takes nothing."""


class ProofArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`proof` takes nothing."""


class PromoteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`promote`: `overrule` does it also where the proof sheet refuses."""

    who: Who
    overrule: bool = False


class CancelArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cancel`: a lesson that is being given, or a change that waits to be promoted."""

    who: Who


class ForgetArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`forget`: a class by name or slug, a sample's id, or what a sample was taught from."""

    what: Annotated[str, Meta(min_length=1, max_length=200)]
    who: Who


class UndoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`undo`: the last change of what was learned."""

    who: Who


class UseArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`use`: the name of a recipe of the configuration."""

    recipe: Annotated[str, Meta(min_length=1, max_length=40)]
    who: Who


class GateArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gate`: let the reject gate `follow` the station, `bypass` it so that every part passes, or `try` it once."""

    to: Literal["follow", "bypass", "try"]
    who: Who


@dataclass(frozen=True)
class GateAnswer:
    """What `gate` answers.

    Attributes:
        bypassed: every part passes.
        armed: the gate follows the station; at its safe level otherwise.
        fate: of a trial: `done`, or why the gate did not move; "" without one.
        off_us: of a trial: how much later than asked for it moved [us]; None unless it did.
    """

    bypassed: bool
    armed: bool
    fate: str = ""
    off_us: float | None = None


@dataclass(frozen=True)
class Used:
    """What `use` answers.

    Attributes:
        recipe: the one in use now.
        took_ms: from the moment when the device was ready for it until it was in use [ms].
    """

    recipe: str
    took_ms: float


Arguments = (
    StatusArguments
    | EventsArguments
    | LabelArguments
    | TeachArguments
    | LearnedArguments
    | ProofArguments
    | PromoteArguments
    | CancelArguments
    | ForgetArguments
    | UndoArguments
    | UseArguments
    | GateArguments
)


@dataclass(frozen=True)
class Command:
    """One row of the table.

    Attributes:
        name: the word in the URL and on the command line.
        arguments: the type of what goes in.
        help: one sentence.
        max_body_bytes: the largest body accepted; 0 for commands without one.
        timeout_s: how long a caller waits for the answer [s].
    """

    name: str
    arguments: type[Arguments]
    help: str
    max_body_bytes: int = 0
    timeout_s: float = 5.0


COMMANDS: Final[dict[str, Command]] = {
    command.name: command
    for command in (
        Command("status", StatusArguments, "Tell what the station is doing and what is wrong."),
        Command("events", EventsArguments, "List the newest events."),
        Command("label", LabelArguments, "Confirm or correct the verdict on a part, or take that back."),
        Command("teach", TeachArguments, "Propose what examples of a class teach, with proof.", 256 << 20, 300.0),
        Command("learned", LearnedArguments, "List the classes and samples that are known."),
        Command("proof", ProofArguments, "Give the proof sheet of the change that waits.", timeout_s=60.0),
        Command("promote", PromoteArguments, "Judge by the change that waits.", timeout_s=60.0),
        Command("cancel", CancelArguments, "Give up a lesson, or the change that waits."),
        Command("forget", ForgetArguments, "Forget a class or samples as if never learned.", timeout_s=30.0),
        Command("undo", UndoArguments, "Go back to what was known before the last change.", timeout_s=30.0),
        Command("use", UseArguments, "Inspect another product.", timeout_s=60.0),
        Command("gate", GateArguments, "Bypass the reject gate, end that, or try the gate."),
    )
}


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
        raise BadData(f"`{name}`: {_told(str(error))}", hint="see docs/commands.md") from error


_WORDS: Final = (
    (f"`str` matching regex '{_SLUG}'", "1 to 40 of a-z, 0-9 and _"),
    ("`str` of length >= 1", "some text"),
    ("`str`", "text"),
    ("`int`", "a whole number"),
)


def _told(reason: str) -> str:
    """Say what msgspec found in the words of a person, the argument first."""
    for theirs, ours in _WORDS:
        reason = reason.replace(theirs, ours)
    text, _, at = reason.partition(" - at `$.")
    return f"{at.rstrip('`')}: {text[0].lower()}{text[1:]}" if at else text
