"""The one table of commands a station obeys: the command line, the local API, the uplink and the documents read it.

Each row says what goes in, who may ask, and what it changes; what a command does is in `agent/answers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from edge_agent.arguments import (
    SLUG,
    Arguments,
    CancelArguments,
    EventsArguments,
    ForgetArguments,
    GateAnswer,
    GateArguments,
    IdentifyArguments,
    Identity,
    Info,
    InfoArguments,
    LabelArguments,
    Labelled,
    LearnedArguments,
    OutboxArguments,
    PartsArguments,
    PromoteArguments,
    ProofArguments,
    RestartArguments,
    StatusArguments,
    TeachArguments,
    TrustArguments,
    TrustedKey,
    UndoArguments,
    UseArguments,
    Used,
)
from edge_agent.config.schema import expectation, shown
from edge_agent.errors import BadData

__all__ = [
    "Arguments",
    "COMMANDS",
    "CancelArguments",
    "Command",
    "EventsArguments",
    "ForgetArguments",
    "GateAnswer",
    "GateArguments",
    "IdentifyArguments",
    "Identity",
    "Info",
    "InfoArguments",
    "LabelArguments",
    "Labelled",
    "LearnedArguments",
    "OutboxArguments",
    "PartsArguments",
    "Privilege",
    "PromoteArguments",
    "ProofArguments",
    "Resource",
    "RestartArguments",
    "StatusArguments",
    "TeachArguments",
    "TrustArguments",
    "TrustedKey",
    "UndoArguments",
    "UseArguments",
    "Used",
    "checked",
    "fitting",
]

T = TypeVar("T")


class Privilege(StrEnum):
    """What somebody may ask for; each includes those before it."""

    READ = "read"  #: changes nothing
    OPERATE = "operate"  #: what the people at the line do
    ADMINISTER = "administer"  #: whom the station obeys, and whether it runs

    def covers(self, needed: Privilege) -> bool:
        """Say whether who has this may ask for what needs `needed`."""
        order = list(Privilege)
        return order.index(self) >= order.index(needed)


class Resource(StrEnum):
    """What a command may change; one command at a time changes it."""

    NONE = "none"
    KNOWLEDGE = "knowledge"
    RECIPE = "recipe"
    GATE = "gate"
    LEDGER = "ledger"
    CONFIGURATION = "configuration"
    TRUST = "trust"
    STATION = "station"


@dataclass(frozen=True)
class Command:
    """One row of the table.

    Attributes:
        name: the word in the URL, in the topic and on the command line.
        arguments: the type of what goes in.
        help: one sentence.
        max_body_bytes: the largest body accepted; 0 for commands without one.
        timeout_s: how long a caller waits for the answer [s].
        privilege: who may ask.
        resource: what it may change.
        answers: the type of what comes out.
        doing: what others hear while it is being done.
        waits: it is done between two parts only.
        interrupts: names of commands whose work it may end while they are under way.
    """

    name: str
    arguments: type[Arguments]
    help: str
    max_body_bytes: int = 0
    timeout_s: float = 5.0
    privilege: Privilege = Privilege.OPERATE
    resource: Resource = Resource.NONE
    answers: str = "object"
    doing: str = ""
    waits: bool = False
    interrupts: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Over the network it needs a signature: it may change something."""
        return self.privilege is not Privilege.READ


def _reads(name: str, arguments: type[Arguments], answers: str, says: str, timeout_s: float = 5.0) -> Command:
    return Command(name, arguments, says, timeout_s=timeout_s, privilege=Privilege.READ, answers=answers)


_KNOWLEDGE: Final = Resource.KNOWLEDGE
_ADMINISTER: Final = Privilege.ADMINISTER

COMMANDS: Final[dict[str, Command]] = {
    command.name: command
    for command in (
        _reads("status", StatusArguments, "Status", "Tell what the station is doing and what is wrong."),
        _reads("events", EventsArguments, "list[Event]", "List the newest events."),
        Command(
            "label",
            LabelArguments,
            "Confirm or correct the verdict on a part, or take that back.",
            resource=Resource.LEDGER,
            answers="Labelled",
            doing="another part is being labelled",
        ),
        Command(
            "teach",
            TeachArguments,
            "Propose what examples of a class teach, with proof.",
            max_body_bytes=256 << 20,
            timeout_s=300.0,
            resource=_KNOWLEDGE,
            answers="Proposal",
            doing="a lesson is being given",
        ),
        _reads("learned", LearnedArguments, "list[ClassKnown]", "List the classes and samples that are known."),
        _reads("proof", ProofArguments, "ProofSheet", "Give the proof sheet of the change that waits.", 60.0),
        Command(
            "promote",
            PromoteArguments,
            "Judge by the change that waits.",
            timeout_s=60.0,
            resource=_KNOWLEDGE,
            answers="Changed",
            doing="a change is being promoted",
        ),
        Command(
            "cancel",
            CancelArguments,
            "Give up a lesson, or the change that waits.",
            resource=_KNOWLEDGE,
            answers="dict",
            doing="a change is being cancelled",
            interrupts=("teach",),
        ),
        Command(
            "forget",
            ForgetArguments,
            "Forget a class or samples as if never learned.",
            timeout_s=900.0,
            resource=_KNOWLEDGE,
            answers="Changed",
            doing="something is being forgotten",
        ),
        Command(
            "undo",
            UndoArguments,
            "Go back to what was known before the last change.",
            timeout_s=300.0,
            resource=_KNOWLEDGE,
            answers="Changed",
            doing="a change is being undone",
        ),
        Command(
            "use",
            UseArguments,
            "Inspect another product.",
            timeout_s=60.0,
            resource=Resource.RECIPE,
            answers="Used",
            doing="another product is being made ready",
        ),
        Command(
            "gate",
            GateArguments,
            "Bypass the reject gate, end that, or try the gate.",
            resource=Resource.GATE,
            answers="GateAnswer",
            doing="the reject gate is being tried or switched",
        ),
        _reads(
            "info",
            InfoArguments,
            "Info",
            "Tell what the station is: versions, keys, and the state of what commands change.",
        ),
        _reads("parts", PartsArguments, "list[dict]", "List recorded parts."),
        _reads("outbox", OutboxArguments, "object", "Tell how far the console knows what happened."),
        Command("identify", IdentifyArguments, "Say which station this is, for the record.", answers="Identity"),
        Command(
            "restart",
            RestartArguments,
            "End between two parts and begin again.",
            timeout_s=60.0,
            privilege=_ADMINISTER,
            resource=Resource.STATION,
            answers="dict",
            doing="the station is about to restart",
            waits=True,
        ),
        Command(
            "trust",
            TrustArguments,
            "List, add or remove the keys whose signed commands are obeyed.",
            privilege=_ADMINISTER,
            resource=Resource.TRUST,
            answers="list[TrustedKey]",
            doing="the trusted keys are being changed",
        ),
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
        raise BadData(f"`{name}`: {_no_choice(str(error), kind, given)}", hint="see docs/commands.md") from error


_WORDS: Final = (
    (f"`str` matching regex {SLUG!r}", "1 to 40 of a-z, 0-9 and _"),
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
