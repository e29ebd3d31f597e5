"""A request as it comes over the network, read without mercy. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from edge_agent import strictjson
from edge_agent.commands import COMMANDS, Command, Resource
from edge_agent.commands.arguments import Arguments
from edge_agent.errors import BadData
from edge_agent.trust.signing import Envelope, envelope_of
from edge_agent.uplink.topics import Topics

MAX_REQUEST_BYTES: Final = 64 * 1024
"""Of one request, signature and all; ours are below one."""

MAX_REPLY_TO_BYTES: Final = 200
"""Of the topic for the response."""

MAX_CORRELATION_BYTES: Final = 256
"""Of what the response is to carry."""

_ID: Final = re.compile(r"\A[A-Za-z0-9._-]{8,64}\Z")

BY: Final = "`by` says who asks"


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request.

    Attributes:
        v: version of this record.
        id: chosen by whoever asks.
        cmd: the command.
        issued_at: when it is asked [s since the epoch].
        ttl_ms: how long after that it may be begun [ms].
        by: the person or program who asks, as they say.
        args: what goes in.
        expect: fingerprints that it insists on, by resource.
    """

    v: Literal[1]
    id: Annotated[str, Meta(pattern=_ID.pattern)]
    cmd: Annotated[str, Meta(min_length=1, max_length=40)]
    issued_at: Annotated[float, Meta(ge=0, le=1e11)]
    ttl_ms: Annotated[int, Meta(ge=1, le=86_400_000)]
    by: Annotated[str, Meta(min_length=1, max_length=80)]
    args: dict[str, Any] = {}
    expect: dict[Resource, Annotated[str, Meta(max_length=128)]] = {}


@dataclass(frozen=True)
class Said:
    """What came as a request, read once.

    Attributes:
        envelope: what it came in; None without a signature.
        value: the request itself as JSON has it, from nobody in particular as long as the signature is not checked.
        fault: why that cannot be read; None where it can.
    """

    envelope: Envelope | None
    value: Any
    fault: BadData | None = None

    @property
    def id(self) -> str:
        """The id of the request, also of one that is wrong otherwise; "" where even that cannot be read."""
        found = self.value.get("id") if isinstance(self.value, dict) else None
        return found if isinstance(found, str) and _ID.search(found) else ""


def read(payload: bytes) -> Said:
    """Read what came as a request: what it is in, and what it says.

    Args:
        payload: an envelope or a request, JSON.

    Returns:
        What it says; as its fault, why nothing.
    """
    envelope = None
    try:
        value = strictjson.plain(payload, max_bytes=MAX_REQUEST_BYTES)
        envelope = envelope_of(value)
        if envelope is not None:
            value = strictjson.plain(envelope.signed.encode(), max_bytes=MAX_REQUEST_BYTES)
    except BadData as fault:
        return Said(envelope, None, fault)
    return Said(envelope, value)


def asked_of(said: Said, name: str) -> Asked:
    """Make what was said a request.

    Args:
        said: as it was read.
        name: the command that its topic names.

    Returns:
        The request.

    Raises:
        BadData: it is none; the message begins with the place of the fault.
    """
    if said.fault is not None:
        raise said.fault
    asked = strictjson.as_kind(said.value, Asked)
    if asked.cmd != name:
        raise BadData(f"$.cmd: it says `{asked.cmd[:40]}`, its topic says `{name[:40]}`")
    return asked


def command_of(name: str) -> Command:
    """Give the row of a command; raise `BadData` where there is none."""
    command = COMMANDS.get(name)
    if command is None:
        raise BadData(f"$.cmd: there is no command `{name[:40]}`", hint=f"commands: {', '.join(COMMANDS)}")
    return command


def arguments_of(command: Command, asked: Asked) -> Arguments:
    """Make what goes in that of the command.

    Args:
        command: its row.
        asked: the request.

    Returns:
        The arguments, with who asks where the command records that.

    Raises:
        BadData: one is missing, unknown or wrong, or the command needs a body; the message begins with the place.
    """
    given = dict(asked.args)
    takes_who = "who" in command.arguments.__struct_fields__
    if "who" in given:
        raise BadData(f"$.args.who: {BY}", hint="leave it out")
    if takes_who:
        given["who"] = asked.by
    try:
        arguments = msgspec.convert(given, command.arguments)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        raise BadData(f"$.args{place.rstrip('`')}: {text[0].lower()}{text[1:]}") from error
    if command.max_body_bytes and not getattr(arguments, "next", 0):
        raise BadData(
            f"$.args.next: `{command.name}` takes its examples from the line when it is asked over the network",
            hint="say how many parts: next",
        )
    return arguments


def reply_topic(reply_to: str, topics: Topics) -> str | None:
    """Give where a request is answered.

    Args:
        reply_to: the Response Topic, "" without one.
        topics: of the station.

    Returns:
        The topic; None where it lies elsewhere than under the station's responses, so that nobody is answered.
    """
    if not reply_to:
        return topics.response()
    requester = reply_to.removeprefix(topics.responses)
    bounded = len(reply_to.encode(errors="replace")) <= MAX_REPLY_TO_BYTES
    fits = requester != reply_to and requester and bounded and not set(reply_to) & set("+#\0")
    return reply_to if fits else None
