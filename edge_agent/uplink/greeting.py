"""What a station says of itself when it connects, and what the broker answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_agent.uplink.dialect import Version
from edge_agent.uplink.message import Outgoing, Session

IN_FLIGHT: Final = 20
"""Unacknowledged messages at most, whatever the broker would take: enough for 200 a second over 100 ms."""


@dataclass(frozen=True)
class Identity:
    """Who the station is to the broker.

    Attributes:
        client_id: the name of its session.
        username: "" without.
        password: of that name.
        keepalive_s: how long the connection may be silent [s].
        will: what the broker says when the station is gone.
        lasting: the broker keeps the session while nobody is there.
    """

    client_id: str
    username: str
    password: str | None
    keepalive_s: int
    will: Outgoing | None
    lasting: bool = True


@dataclass(frozen=True)
class Welcome:
    """What a broker said to CONNECT.

    Attributes:
        reason: 0 lets the station in; as MQTT 5 numbers them.
        said: the broker's own words.
        kept: it still had the session.
        limits: its limits, by their names in MQTT 5; what is missing is not limited.
    """

    reason: int
    said: str
    kept: bool
    limits: dict[str, int]

    @property
    def in_flight(self) -> int:
        """Messages that may be unacknowledged."""
        return min(self.limits.get("ReceiveMaximum", IN_FLIGHT), IN_FLIGHT)

    @property
    def acknowledges(self) -> bool:
        """It takes QoS 1."""
        return self.limits.get("MaximumQoS", 1) >= 1

    def session(self, version: Version, keepalive_s: float, kept: bool, unheard: tuple[str, ...]) -> Session:
        """Give the session that begins so.

        Args:
            version: of MQTT.
            keepalive_s: what the station asked for [s].
            kept: what the broker had before is still there.
            unheard: filters that were refused.

        Returns:
            The session.
        """
        return Session(
            protocol=version,
            kept=kept,
            in_flight=self.in_flight,
            max_bytes=self.limits.get("MaximumPacketSize"),
            keepalive_s=self.limits.get("ServerKeepAlive") or keepalive_s,
            retains=self.limits.get("RetainAvailable", 1) == 1,
            unheard=unheard,
        )


def packet_bytes(message: Outgoing, version: Version) -> int:
    """Give how long a message is as a packet.

    Args:
        message: it.
        version: of MQTT.

    Returns:
        Header and all [bytes].
    """
    body = 2 + len(message.topic.encode()) + (2 if message.qos else 0) + len(message.payload)
    if version == "5":
        properties = (3 + len(message.correlation)) if message.correlation else 0
        properties += 5 if message.expiry_s is not None else 0
        properties += (3 + len(message.reply_to.encode())) if message.reply_to else 0
        body += _length_bytes(properties) + properties
    return 1 + _length_bytes(body) + body


def _length_bytes(length: int) -> int:
    """Give how long the length itself is [bytes]: seven bits in each."""
    return max(1, (length.bit_length() + 6) // 7)
