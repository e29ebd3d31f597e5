"""What the uplink says of itself: a record for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge_agent.uplink.teller import Facts, Teller


@dataclass(frozen=True)
class UplinkStatus:
    """The way to the console.

    Attributes:
        broker: its address.
        protocol: `5` or `3.1.1`; "" while there is no connection.
        since_utc: since when it is connected, or not [s since the epoch]; None before the first try has ended.
        reason: why there is no connection; "" while there is one.
        connects: connections since the start.
        backlog: facts that the console does not have, by class; of parts and audit rows at most so many.
        oldest_utc: when the oldest of them happened [s since the epoch]; None without one.
        behind_s: how old that is [s].
        acknowledged: number up to which the console has everything, by class.
        told: facts that the broker took since the start, again ones too.
        refused: how often it did not.
        last_refusal: reason code of the last time; None without one.
        waits: reason code that a class waits for, by class.
        set_aside: facts that no broker takes, since the start.
        acks: words of the console that were obeyed since the start.
        acks_refused: words that were not.
        last_ack: why the last of these was not; "" without one.
        refused_inbound: messages that found no room, and come again with the next connection.
        unsent: states and responses that the broker refused.
        reader: why the ledger cannot be read; "" while it can.
        certificate_days: how long the station's certificate is still valid [days]; None without one.
    """

    broker: str
    protocol: str = ""
    since_utc: float | None = None
    reason: str = ""
    connects: int = 0
    backlog: Mapping[str, int] = field(default_factory=dict)
    oldest_utc: float | None = None
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    behind_s: float = 0.0
    told: int = 0
    refused: int = 0
    last_refusal: int | None = None
    waits: Mapping[str, int] = field(default_factory=dict)
    set_aside: int = 0
    acks: int = 0
    acks_refused: int = 0
    last_ack: str = ""
    refused_inbound: int = 0
    unsent: int = 0
    reader: str = ""
    certificate_days: float | None = None


def counted(status: UplinkStatus, teller: Teller, facts: Facts | None, utc: float, reader: str = "") -> UplinkStatus:
    """Give a status with what was told, and what the ledger still has for the console.

    Args:
        status: as it was.
        teller: what was told.
        facts: of the ledger; None where it cannot be read.
        utc: wall time [s since the epoch].
        reader: why not.

    Returns:
        The new one.
    """
    drain, acks = teller.drain, teller.acks
    upto, backlog, oldest = status.acknowledged, status.backlog, status.oldest_utc
    if facts is not None:
        upto = drain.upto() if facts.ledger == drain.ledger else facts.told()
        backlog = {kind: facts.waiting(kind, number) for kind, number in upto.items()}
        times = [facts.oldest_utc(kind, number) for kind, number in upto.items() if backlog[kind]]
        oldest = min((time for time in times if time is not None), default=None)
    return replace(
        status,
        backlog=backlog,
        oldest_utc=oldest,
        behind_s=0.0 if oldest is None else max(0.0, utc - oldest),
        acknowledged=upto,
        told=drain.told,
        refused=drain.refused,
        last_refusal=drain.last_refusal,
        waits={lane.kind: lane.reason for lane in drain.lanes if lane.reason is not None},
        set_aside=drain.set_aside,
        acks=acks.obeyed,
        acks_refused=acks.refused,
        last_ack=acks.reason,
        reader=reader,
    )
