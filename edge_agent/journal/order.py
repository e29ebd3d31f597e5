"""One command that somebody is allowed to ask for, ready to be done; and what is kept of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from edge_agent.commands import COMMANDS, Command
from edge_agent.commands.arguments import Arguments
from edge_agent.ledger import StoredCommand


class Way(StrEnum):
    """How a command came."""

    LOCAL = "local"  #: through the socket
    MQTT = "mqtt"  #: over the network


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a command, so that a restart can go on with it.

    Attributes:
        args: its arguments.
        who: the person or program, as it says.
        way: how it came.
        caller: the user or key that vouches for that.
        expect: fingerprints that it insists on.
        body: SHA-256 of what came with it, "" without.
        reply_to: topic of the answer.
        correlation: what the answer is to carry.
    """

    args: dict[str, Any]
    who: str
    way: Way
    caller: str
    expect: dict[str, str] = {}
    body: str = ""
    reply_to: str = ""
    correlation: bytes = b""


@dataclass(frozen=True)
class Order:
    """A command that somebody is allowed to ask for.

    Attributes:
        id: chosen by whoever asks.
        command: its row in the table.
        arguments: what goes in.
        who: the person or program, as it says.
        way: how it came.
        caller: the user or key that vouches for that.
        arrived_s: when it came [s, host monotonic].
        issued_utc: when it was asked, as the asker says [s since the epoch].
        ttl_s: how long after that it may be begun [s].
        key: id of the key that signed it, "" without one.
        expect: fingerprints that it insists on.
        body: what comes with it.
        reply_to: topic of the answer.
        correlation: what the answer is to carry.
    """

    id: str
    command: Command
    arguments: Arguments
    who: str
    way: Way
    caller: str
    arrived_s: float
    issued_utc: float
    ttl_s: float
    key: str = ""
    expect: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reply_to: str = ""
    correlation: bytes = b""

    @property
    def kept(self) -> Kept:
        """What is kept of it."""
        return Kept(
            args=msgspec.to_builtins(self.arguments),
            who=self.who,
            way=self.way,
            caller=self.caller,
            expect=dict(self.expect),
            body=hashlib.sha256(self.body).hexdigest() if self.body else "",
            reply_to=self.reply_to,
            correlation=self.correlation,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked and by whom, but not of when: asking again later is the same request."""
        kept = self.kept
        said = (self.command.name, kept.args, kept.expect, kept.body, kept.who, kept.caller)
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def kept_of(stored: StoredCommand) -> Kept | None:
    """Give what is kept of a command; None where that was shortened, or is such that this release cannot read it."""
    try:
        return msgspec.json.decode(stored.request, type=Kept)
    except msgspec.MsgspecError:
        return None


def order_of(stored: StoredCommand, arrived_s: float) -> Order:
    """Make a stored command an order again, without its body.

    Args:
        stored: as it was stored.
        arrived_s: when it came, or what stands for that after a restart [s, host monotonic].

    Returns:
        The order.

    Raises:
        msgspec.ValidationError: this release has no such command any more, or other arguments for it.
    """
    kept = msgspec.json.decode(stored.request, type=Kept)
    command = COMMANDS.get(stored.name)
    if command is None:
        raise msgspec.ValidationError(f"there is no command `{stored.name}`")
    return Order(
        id=stored.id,
        command=command,
        arguments=msgspec.convert(kept.args, command.arguments),
        who=kept.who,
        way=kept.way,
        caller=kept.caller,
        arrived_s=arrived_s,
        issued_utc=stored.issued_utc,
        ttl_s=stored.ttl_s,
        key=stored.key,
        expect=kept.expect,
        reply_to=kept.reply_to,
        correlation=kept.correlation,
    )
