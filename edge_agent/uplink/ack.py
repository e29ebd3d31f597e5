"""The console's word on what it has stored: read without mercy, obeyed once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_agent import strictjson
from edge_agent.errors import BadData
from edge_agent.trust.signing import Envelope, opened

Number = Annotated[int, Meta(ge=0, le=2**62)]


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the console has stored.

    Attributes:
        v: version of the format.
        counter: grows with each word.
        ledger: id of the database that it speaks of.
        upto: how far it has everything, for each class.
        again: a new one asks for everything after that once more.
    """

    v: Literal[1]
    counter: Number
    ledger: Annotated[str, Meta(max_length=64)]
    upto: dict[Literal["audit", "alarm", "part"], Number]
    again: Annotated[str, Meta(max_length=64)] = ""


def read_ack(payload: bytes, topic: str, trusted: Mapping[str, bytes]) -> Ack:
    """Read what came on the topic for it.

    Args:
        payload: the envelope.
        topic: where it came.
        trusted: public keys of those who may acknowledge, by id.

    Returns:
        The console's word.

    Raises:
        BadData: nobody who may say so has said so, or it is none.
    """
    envelope = strictjson.decode(payload, Envelope)
    return strictjson.decode(opened(envelope, topic, trusted).encode(), Ack)


def check_ack(ack: Ack, ledger: str, newest: Mapping[str, int]) -> None:
    """Refuse a word that cannot be meant.

    Args:
        ack: the console's word.
        ledger: id of the database in use.
        newest: numbers of the newest facts.

    Raises:
        BadData: it speaks of another ledger, or of what does not exist.
    """
    if ack.ledger != ledger:
        raise BadData(f"it speaks of the ledger {ack.ledger!r}, this one is {ledger}")
    for kind, upto in ack.upto.items():
        if upto > newest.get(kind, 0):
            raise BadData(f"{kind} up to {upto}, though the newest is {newest.get(kind, 0)}")
