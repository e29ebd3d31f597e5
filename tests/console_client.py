"""A console for tests at a real broker: a persistent session, a book of what is stored, a signed word on it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
from console_book import ConsoleBook
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.runtime.clock import SystemClock
from edge_agent.trust.file import key_of, write_keys
from edge_agent.trust.signing import public_bytes

CLOCK = SystemClock()


class ConsoleClient:
    """Stores what arrives, and acknowledges it every now and then.

    Attributes:
        book: what is stored.
        retained: the states of the station by name.
        heard: called with topic and payload of everything, on the client's thread.

    Args:
        port: of the broker, on this machine.
        book: what was stored by an earlier client.
        every_s: how often it says how far it is [s].
    """

    def __init__(self, port: int, book: ConsoleBook, every_s: float = 0.05) -> None:
        self.book = book
        self.retained: dict[str, bytes] = {}
        self.heard: Callable[[str, bytes], None] = lambda topic, payload: None
        self.lock = threading.Lock()
        self._every_s = every_s
        self._said_s = float("-inf")
        self._said: dict[str, int] = {}
        self._port = port
        self._stop = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "console", protocol=paho.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._thread = threading.Thread(target=self._run, name="console")

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    def _run(self) -> None:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        while not self._stop.is_set():
            try:
                self._client.connect("127.0.0.1", self._port, clean_start=False, properties=properties)
                while not self._stop.is_set() and self._client.loop(0.02) == paho.MQTT_ERR_SUCCESS:
                    self._acknowledge()
            except OSError:
                self._stop.wait(0.1)
        self._client.disconnect()

    def _on_connect(self, client: paho.Client, data: object, flags: object, code: object, properties: object) -> None:
        client.subscribe([(f"{self.book.base}/{what}/#", 1) for what in ("evt", "state", "rsp")])
        self.book.again = f"again-{self.book.counter}"
        self._said = {}

    def _on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        with self.lock:
            self.book.take(message.topic, message.payload)
            if "/state/" in message.topic:
                self.retained[message.topic.rpartition("/")[2]] = message.payload
        self.heard(message.topic, message.payload)

    def _acknowledge(self) -> None:
        now = CLOCK.now()
        with self.lock:
            if not self.book.ledger or now < self._said_s + self._every_s or self.book.reached() == self._said:
                return
            self._said, self._said_s = self.book.reached(), now
            self._client.publish(self.book.topic, self.book.ack(), qos=1, retain=True)


def trust(state_dir: Path, book: ConsoleBook) -> None:
    """Have a station believe the console."""
    state_dir.mkdir(parents=True, exist_ok=True)
    write_keys(
        state_dir / "trusted.toml",
        [key_of("console", "acknowledge", base64.b64encode(public_bytes(book.key)).decode())],
    )


@contextmanager
def console(port: int, book: ConsoleBook, every_s: float = 0.05) -> Iterator[ConsoleClient]:
    client = ConsoleClient(port, book, every_s)
    client.open()
    try:
        yield client
    finally:
        client.close()
