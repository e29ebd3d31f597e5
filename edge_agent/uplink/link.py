"""One connection in MQTT: the one module that knows the client library (paho-mqtt).

The library runs on the caller's thread alone, through its interface for foreign loops: it starts no thread and its
callbacks only put things on lists. Each connection has a client of its own, so that nothing of an old one is sent again
behind the uplink's back.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.errors import Unavailable
from edge_agent.uplink.connection import Connection
from edge_agent.uplink.dialect import Version
from edge_agent.uplink.greeting import Identity, Welcome
from edge_agent.uplink.message import Delivered, Happening, Inbound, Outgoing
from edge_agent.uplink.refusal import ended, refused

SESSION_S: Final = 86_400
"""How long the broker keeps requests for a station that is away [s]: older ones have expired anyway."""

WILL_DELAY_S: Final = 5
"""How long a station may be gone before it is said to be offline [s]: a reconnect takes less."""

HELD_BACK: Final = 200
"""Messages that may wait for a place among those in flight; who keeps to `Session.in_flight` never meets this."""

RECEIVE: Final = 32
"""Unacknowledged messages of QoS 1 that the broker may send: as many requests as may wait behind the door."""

LARGEST_BYTES: Final = 262_144 + 1024
"""The largest message that is taken [bytes]: 256 KiB, and its header."""

_PROTOCOLS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class _Client(paho.Client):
    """The library's client, on a connection that was made for it.

    Its own way to connect bounds the steps of a handshake, not the handshake, and reads single bytes from the system.
    """

    connection: Connection

    def _create_socket(self) -> Connection:
        return self.connection


class Link:
    """One connection in MQTT; belongs to one thread.

    Args:
        connection: to the broker, just made.
        version: of MQTT.
        who: the station.
        clean: the broker forgets what it had kept of the session.
        number: of this connection; marks what came through it.
        where: host and port, for what is said to people.
    """

    def __init__(
        self, connection: Connection, version: Version, who: Identity, clean: bool, number: int, where: str
    ) -> None:
        self.connection = connection
        self.welcome: Welcome | None = None
        self.answered: dict[int, list[int]] = {}
        self._version = version
        self._number = number
        self._where = where
        self._fault: Unavailable | None = None
        self._happened: list[Happening] = []
        self._tokens: dict[int, int] = {}
        self._held_back: deque[tuple[Outgoing, int]] = deque()
        self._client = self._made(who, clean)
        self._client.connection = connection
        self._client.connect(
            "broker",  # not used: the connection is there
            keepalive=who.keepalive_s,
            clean_start=clean if version == "5" else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=_properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=SESSION_S if who.lasting else 0,
                ReceiveMaximum=RECEIVE,
                MaximumPacketSize=LARGEST_BYTES,
            )
            if version == "5"
            else None,
        )

    def _made(self, who: Identity, clean: bool) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=who.client_id,
            clean_session=None if self._version == "5" else clean,
            protocol=_PROTOCOLS[self._version],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = client.on_unsubscribe = self._on_answer
        if who.username:
            client.username_pw_set(who.username, who.password)
        if who.will is not None:
            delay = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=WILL_DELAY_S)
            client.will_set(
                who.will.topic,
                who.will.payload,
                who.will.qos,
                who.will.retain,
                properties=delay if self._version == "5" else None,
            )
        return client

    @property
    def fault(self) -> Unavailable | None:
        """Why the connection has ended; None while it lives."""
        return self._fault

    @property
    def wants_write(self) -> bool:
        """Something waits to be written."""
        return self._client.want_write()

    def step(self, readable: bool, writable: bool) -> None:
        """Let pass what can pass without waiting."""
        self.connection.fill(readable)
        try:
            while self.connection.intake.ready and self._fault is None:
                self._client.loop_read()
            for identifier in self.connection.intake.refused():
                self._client.ack(identifier, 1)
            self._send()
            if self._fault is None and writable and self._client.want_write():
                self._client.loop_write()
            if self._fault is None:
                self._client.loop_misc()
        except (MQTTException, ValueError, TypeError, LookupError, struct.error) as error:
            self.end(Unavailable(f"the broker at {self._where} says what cannot be read: {error}"))
        if self.connection.at_end:
            self.end(
                self.connection.fault
                or Unavailable(
                    f"the broker at {self._where} has closed the connection",
                    hint="it was stopped, or another program connects with the same station.name",
                )
            )

    def end(self, fault: Unavailable) -> None:
        """Let the connection be over; the first reason counts."""
        self._fault = self._fault or fault
        self.connection.close()

    def take(self) -> list[Happening]:
        """Take what has happened."""
        happened, self._happened = self._happened, []
        return happened

    @property
    def happened(self) -> bool:
        """Something has happened."""
        return bool(self._happened)

    def publish(self, message: Outgoing, token: int) -> None:
        """Send a message; one of QoS 1 waits while the broker takes no more unacknowledged ones.

        Args:
            message: it.
            token: what its `Delivered` carries.

        Raises:
            RuntimeError: far more messages are on their way than the session allows.
        """
        if message.qos == 0:
            self._client.publish(message.topic, message.payload, 0, message.retain, self._properties_of(message))
            return
        if len(self._held_back) >= HELD_BACK:
            raise RuntimeError(f"more than {HELD_BACK} messages wait for the broker")
        self._held_back.append((message, token))
        self._send()

    def _send(self) -> None:
        in_flight = self.welcome.in_flight if self.welcome is not None else 0
        while self._held_back and len(self._tokens) < in_flight and self._fault is None:
            message, token = self._held_back.popleft()
            properties = self._properties_of(message)
            info = self._client.publish(message.topic, message.payload, 1, message.retain, properties)
            self._tokens[info.mid] = token

    def listen(self, filters: Iterable[str]) -> int:
        """Subscribe; the answer will be in `answered` under the number given."""
        options = SubscribeOptions(qos=1, noLocal=True)
        wanted: Any = [(name, options if self._version == "5" else 1) for name in filters]
        return self._client.subscribe(wanted)[1] or 0

    def unlisten(self, filters: Iterable[str]) -> int:
        """Unsubscribe; the answer will be in `answered` under the number given."""
        return self._client.unsubscribe(list(filters))[1] or 0

    def acknowledge(self, mark: int) -> None:
        """Acknowledge a message that came through this connection; another one's is not ours to acknowledge."""
        if mark >> 16 == self._number and self._fault is None:
            self._client.ack(mark & 0xFFFF, 1)

    def leave(self, *, will: bool = False) -> None:
        """Say goodbye; the broker says the last will where that is wanted, in 3.1.1 because nobody said goodbye."""
        if not will:
            self._client.disconnect()
        elif self._version == "5":
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))

    def _properties_of(self, message: Outgoing) -> Properties | None:
        if self._version != "5":
            return None
        given: dict[str, Any] = {}
        if message.correlation:
            given["CorrelationData"] = message.correlation
        if message.reply_to:
            given["ResponseTopic"] = message.reply_to
        if message.expiry_s is not None:
            given["MessageExpiryInterval"] = message.expiry_s
        return _properties(PacketTypes.PUBLISH, **given) if given else None

    def _on_connect(
        self, _client: paho.Client, _data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        limits = {name: value for name, value in vars(properties or ()).items() if isinstance(value, int)}
        said = str(getattr(properties, "ReasonString", ""))
        self.welcome = Welcome(reason.value, said, bool(flags.session_present), limits)
        if reason.value:
            self.end(refused(reason.value, said, self._where))

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.end(ended(reason.value, str(getattr(properties, "ReasonString", "")), self._where))
        else:
            self.end(
                self.connection.fault or Unavailable(f"the connection to the broker at {self._where} broke: {reason}")
            )

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        properties = message.properties
        self._happened.append(
            Inbound(
                message.topic,
                bytes(message.payload),
                message.qos,
                message.retain,
                message.dup,
                self.connection.heard_s,
                getattr(properties, "ResponseTopic", ""),
                getattr(properties, "CorrelationData", b""),
                self._number << 16 | message.mid,
            )
        )

    def _on_publish(
        self, _client: paho.Client, _data: Any, identifier: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        token = self._tokens.pop(identifier, None)
        if token is not None:
            self._happened.append(Delivered(token, reason.value))

    def _on_answer(
        self, _client: paho.Client, _data: Any, identifier: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        self.answered[identifier] = [reason.value for reason in reasons]


def _properties(packet: int, **given: Any) -> Properties:
    properties: Properties = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in given.items():
        setattr(properties, name, value)
    return properties
