"""What a station says, as values. Pure; `docs/uplink.md` is the contract.

A station may be newer than the console, so unknown keys are kept and not understood; a wrong type, another
station's name or another topic's class is not.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from edge_agent import strictjson
from edge_agent.errors import BadData
from edge_agent.uplink.ack import Number

Kind = Literal["part", "alarm", "audit"]
CLASSES: Final[tuple[Kind, ...]] = ("part", "alarm", "audit")
"""What a station tells in chains."""

Ledger = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
Seq = Annotated[int, Meta(ge=1, le=2**62)]


class Fact(msgspec.Struct, frozen=True):
    """A message on `evt/part`, `evt/alarm` or `evt/audit`.

    Attributes:
        v: version of the format.
        id: the same each time it is told.
        ledger: the database it is from.
        kind: its class.
        seq: its number there.
        prev: the number before it.
        station: who says so.
        utc: when it was told or happened [s since the epoch].
        acknowledged: up to this number of its class the station tells nothing any more; None where it does not say.
        part: of class `part`, what is told.
        alarm: of class `alarm`.
        audit: of class `audit`.
    """

    v: Literal[1]
    id: Annotated[str, Meta(max_length=80)]
    ledger: Ledger
    kind: Kind = msgspec.field(name="class")
    seq: Seq
    prev: Number
    station: str
    utc: float
    acknowledged: Number | None = None
    part: dict[str, Any] | None = None
    alarm: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is told; empty where the class has nothing under its own name."""
        return {"part": self.part, "alarm": self.alarm, "audit": self.audit}[self.kind] or {}


class Gap(msgspec.Struct, frozen=True):
    """A message on `evt/gap`: what will never be told.

    Attributes:
        v: version of the format.
        ledger: the database.
        kind: the class.
        first: the lowest number of the hole.
        last: the highest.
        count: how many messages it stands for.
        why: one word.
        utc: since when [s since the epoch].
    """

    v: Literal[1]
    ledger: Ledger
    kind: Kind = msgspec.field(name="class")
    first: Seq = msgspec.field(name="from")
    last: Seq = msgspec.field(name="to")
    count: Number
    why: Annotated[str, Meta(max_length=40)]
    utc: float


class State(msgspec.Struct, frozen=True):
    """What a station says of itself under `state/`, newest value only.

    Attributes:
        name: `online`, `info`, `health`, `config`, `model`.
        value: what it says.
    """

    name: str
    value: dict[str, Any]


class Response(msgspec.Struct, frozen=True):
    """A message on `rsp/REQUESTER`.

    Attributes:
        v: version of the format.
        id: of the request.
        phase: accepted, progress or done.
        status: ok or error.
        code: one word for programs.
        message: for people.
        hint: what a person can do.
        result: of a command that is done, or how far it is.
        station: who answers.
        at: when [s since the epoch].
        took_ms: since the request came [ms].
    """

    v: Literal[1]
    id: Annotated[str, Meta(max_length=80)]
    phase: Literal["accepted", "progress", "done"]
    status: Literal["ok", "error"]
    code: Annotated[str, Meta(max_length=40)]
    message: str = ""
    hint: str = ""
    result: Any = None
    station: str = ""
    at: float = 0.0
    took_ms: float = 0.0


def station_of(topic: str, root: str) -> tuple[str, str] | None:
    """Split a topic into the station's name and what follows; None where it is not under `root`."""
    if not topic.startswith(f"{root}/"):
        return None
    station, _, rest = topic[len(root) + 1 :].partition("/")
    return (station, rest) if station and rest else None


def fact_of(payload: bytes, station: str, kind: str) -> Fact:
    """Read a message on `evt/CLASS`.

    Args:
        payload: what came.
        station: whose topic it came on.
        kind: the topic's class.

    Returns:
        The fact.

    Raises:
        BadData: it is none, or says that it is somebody else's.
    """
    fact = strictjson.decode(payload, Fact)
    if fact.station != station:
        raise BadData(f"says that it is from {fact.station[:40]!r}")
    if fact.kind != kind:
        raise BadData(f"says that it is of class {fact.kind}")
    if fact.id != f"{fact.ledger}.{fact.kind}.{fact.seq}":
        raise BadData(f"has the id {fact.id!r}, which is another message's")
    if fact.prev >= fact.seq:
        raise BadData(f"number {fact.seq} cannot come after number {fact.prev}")
    return fact


def gap_of(payload: bytes) -> Gap:
    """Read a message on `evt/gap`; raise `BadData` where it is none."""
    gap = strictjson.decode(payload, Gap)
    if gap.last < gap.first:
        raise BadData(f"a gap from {gap.first} to {gap.last}")
    return gap


def state_of(payload: bytes, name: str) -> State:
    """Read a message on `state/NAME`; raise `BadData` where it is none."""
    return State(name, strictjson.decode(payload, dict[str, Any]))
