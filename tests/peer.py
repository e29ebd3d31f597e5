"""Somebody else at the broker, for tests: a plain client of MQTT 5 or 3.1.1 that hears and says what a test wants."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HEARD_S = 10.0
"""How long a test waits for what must come [s]."""


class Peer:
    """A client with a thread of its own."""

    def __init__(self, port: int, client_id: str, filters: tuple[str, ...], protocol: int, clean: bool) -> None:
        newest = protocol == paho.MQTTv5
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTProtocolVersion(protocol),
            clean_session=None if newest else clean,
        )
        self._heard: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._client.on_message = lambda client, data, message: self._heard.put(message)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_connect = lambda *_: self._client.subscribe([(name, 1) for name in filters or ("none",)])
        kept = Properties(PacketTypes.CONNECT)
        kept.SessionExpiryInterval = 0 if clean else 3600
        more: dict[str, Any] = {"clean_start": clean, "properties": kept} if newest else {}
        self._client.connect("127.0.0.1", port, keepalive=60, **more)
        self._client.loop_start()
        assert self._ready.wait(HEARD_S)

    def say(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False, **properties: Any) -> None:
        """Publish, and wait until it is on its way (QoS 0) or acknowledged."""
        given = Properties(PacketTypes.PUBLISH) if properties else None
        for name, value in properties.items():
            setattr(given, name, value)
        self._client.publish(topic, payload, qos, retain, given).wait_for_publish(HEARD_S)

    def hear(self, timeout_s: float = HEARD_S) -> paho.MQTTMessage:
        """Wait for the next message."""
        return self._heard.get(timeout=timeout_s)

    def heard(self) -> list[paho.MQTTMessage]:
        """Take what has come."""
        taken = []
        while not self._heard.empty():
            taken.append(self._heard.get())
        return taken

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # its own wait for the garbage collector


@contextmanager
def peer(
    port: int, *filters: str, client_id: str = "peer", protocol: int = paho.MQTTv5, clean: bool = True
) -> Iterator[Peer]:
    """Connect somebody who listens to `filters`."""
    made = Peer(port, client_id, filters, protocol, clean)
    try:
        yield made
    finally:
        made.close()
