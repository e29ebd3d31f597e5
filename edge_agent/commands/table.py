"""The one table of commands a station obeys: the command line, the local API, the uplink and the documents read it.

Each row says what goes in, who may ask, and what it changes; what a command does is in `agent/answers.py`.
"""

from __future__ import annotations

from typing import Final

from edge_agent.commands.arguments import (
    Arguments,
    CancelArguments,
    EventsArguments,
    ForgetArguments,
    GateArguments,
    IdentifyArguments,
    InfoArguments,
    LabelArguments,
    LearnedArguments,
    OutboxArguments,
    PartsArguments,
    PromoteArguments,
    ProofArguments,
    RestartArguments,
    StatusArguments,
    TeachArguments,
    TrustArguments,
    UndoArguments,
    UseArguments,
)
from edge_agent.commands.command import Command, Privilege, Resource


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
