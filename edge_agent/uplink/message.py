"""What passes between the door to the broker and those who use it: frozen records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

NOBODY: Final = 0x10
"""Reason code: the broker took a message to which nobody listens."""

REFUSED: Final = 0x80
"""From this reason code on the broker did not take it."""


def is_taken(reason: int) -> bool:
    """Say whether a reason code means that the broker took a message for somebody."""
    return reason < REFUSED and reason != NOBODY


@dataclass(frozen=True)
class Outgoing:
    """A message to publish.

    Attributes:
        topic: where.
        payload: what.
        qos: 0 or 1.
        retain: the broker keeps it for whoever comes later.
        correlation: Correlation Data of the request that this answers; MQTT 5 only.
        expiry_s: after this nobody needs it any more [s]; None: for ever.
        reply_to: Response Topic of a request; MQTT 5 only.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    correlation: bytes = b""
    expiry_s: int | None = None
    reply_to: str = ""


@dataclass(frozen=True)
class Inbound:
    """A message that came; one of QoS 1 is given again after a reconnect until it is acknowledged.

    Attributes:
        topic: where.
        payload: what.
        qos: 0 or 1.
        retain: it lay at the broker when the subscription was made.
        again: the broker has sent it before.
        arrived_s: when [s, host monotonic].
        reply_to: Response Topic; "" without one.
        correlation: Correlation Data.
        mark: what the door acknowledges it by.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    again: bool
    arrived_s: float
    reply_to: str = ""
    correlation: bytes = b""
    mark: int = 0


@dataclass(frozen=True)
class Delivered:
    """What the broker said of a published message of QoS 1.

    Attributes:
        token: what `publish` gave.
        reason: the reason code of PUBACK: 0 accepted, 0x10 nobody listens, from 0x80 on refused; 3.1.1 knows only 0.
    """

    token: int
    reason: int


@dataclass(frozen=True)
class Session:
    """What a broker said when it let the station in.

    Attributes:
        protocol: the version of MQTT.
        kept: the broker still had the session of before, with its subscriptions.
        in_flight: unacknowledged messages of QoS 1 that it takes at most; a few more wait in the door.
        max_bytes: of one packet, header and all; None without a limit.
        keepalive_s: how long the connection may be silent [s].
        retains: it keeps retained messages; where not, they are sent as ordinary ones.
        unheard: what the station wanted to listen to and may not.
    """

    protocol: Literal["5", "3.1.1"]
    kept: bool
    in_flight: int
    max_bytes: int | None
    keepalive_s: float
    retains: bool = True
    unheard: tuple[str, ...] = ()


Happening = Inbound | Delivered


class Door(Protocol):
    """The way to a broker. Belongs to one thread, but for `wake`; every call is bounded in time."""

    def connect(self) -> Session:
        """Connect and subscribe; blocks for some seconds at most.

        Returns:
            What the broker said.

        Raises:
            Unavailable: it is not there or does not let the station in, with the reason; try again later.
        """

    def fits(self, message: Outgoing) -> bool:
        """Say whether the broker takes a message of this size."""

    def publish(self, message: Outgoing) -> int:
        """Send a message; one of QoS 0 may be dropped and counted while the network takes nothing.

        Args:
            message: one that fits.

        Returns:
            The token that its `Delivered` will carry; 0 for QoS 0, which has none.

        Raises:
            Unavailable: the connection has ended.
        """

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is safe here. Does nothing where its connection has ended."""

    def turn(self, until_s: float) -> Sequence[Happening]:
        """Let traffic pass until something happens, somebody wakes it, or the time is over.

        Args:
            until_s: when to return at the latest [s, host monotonic].

        Returns:
            What happened, in order.

        Raises:
            Unavailable: the connection has ended, with the reason.
        """

    def wake(self) -> None:
        """Have `turn` return at once. Safe from any thread."""

    def close(self, *, will: bool = False) -> None:
        """Disconnect where connected; never raises, safe twice.

        Args:
            will: the broker says the last will, as if the connection were lost.
        """
