"""A real mosquitto with the shipped configuration, rules and test authority, and a plain client to try them with."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from program_words import ROOT
from running_station import wait_until

from edge_agent.runtime.disk import RealDisk
from edge_agent.trust.identity import Identities

PACKAGING = ROOT / "packaging" / "mosquitto"
needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto") is None or shutil.which("openssl") is None,
    reason="mosquitto or openssl is not installed here: apt-get install mosquitto openssl",
)


def ca(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the shipped script."""
    command = ["sh", str(PACKAGING / "make-test-ca.sh"), *map(str, words)]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@dataclass(frozen=True)
class Credentials:
    """What somebody shows to the broker, and whom it trusts."""

    certificate: Path
    key: Path
    ca: Path


@dataclass(frozen=True)
class ShippedBroker:
    """A running broker, its authorities in `folder`."""

    folder: Path
    port: int
    console_port: int

    @property
    def console(self) -> Credentials:
        return Credentials(self.folder / "console.pem", self.folder / "console.key", self.folder / "ca.pem")

    def station(self, name: str) -> Credentials:
        """Give a station's credentials, made as a station makes them."""
        state = self.folder / name
        station = state / "identity" / "station.pem"
        if not station.exists():
            identities = Identities(RealDisk(state), name)
            identities.make()
            request, signed = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
            request.write_bytes(identities.request())
            done = ca(self.folder, "sign", ".", request, signed)
            assert done.returncode == 0, done.stderr
            identities.install(signed.read_bytes(), (self.folder / "ca.pem").read_bytes(), signed.stat().st_mtime + 1)
        return Credentials(station, station, self.folder / "ca.pem")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configured(text: str, port: int, console_port: int) -> str:
    """The shipped configuration on other ports; root's mosquitto stays root, as the files are root's then."""
    moved = text
    for shipped, here in ((8883, port), (8884, console_port)):
        moved, count = re.subn(rf"^listener {shipped}$", f"listener {here} 127.0.0.1", moved, flags=re.M)
        assert count == 1
    return moved + ("\nuser root\n" if os.geteuid() == 0 else "")


@contextmanager
def shipped_broker(folder: Path, rules: str | None = None, without: str = "") -> Iterator[ShippedBroker]:
    """Run the shipped broker, with other rules or without a line of its configuration where a test wants that."""
    folder.mkdir(exist_ok=True)
    done = ca(folder, "make", ".", "localhost", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    port, console_port = free_port(), free_port()
    settings = (PACKAGING / "edge-agent.conf").read_text()
    assert without in settings
    (folder / "edge-agent.acl").write_text(rules or (PACKAGING / "edge-agent.acl").read_text())
    (folder / "edge-agent.conf").write_text(configured(settings.replace(without, ""), port, console_port))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["mosquitto", "-c", "edge-agent.conf"], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or (answers(port) and answers(console_port)), 20.0)
        assert process.poll() is None, (folder / "log").read_text()
        yield ShippedBroker(folder, port, console_port)
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Client:
    """A client that says what the broker answered."""

    def __init__(self, port: int, credentials: Credentials | None, name: str = "", *, user: str = "") -> None:
        self.heard: list[paho.MQTTMessage] = []
        self._answers: dict[tuple[str, int], int] = {}
        self._connected = threading.Event()
        self.refused: int | None = None
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cafile=str(credentials.ca) if credentials else None)
        context.check_hostname = credentials is not None
        if credentials is None:
            context.verify_mode = ssl.CERT_NONE
        elif credentials.certificate.exists():
            context.load_cert_chain(credentials.certificate, credentials.key)
        self.client.tls_set_context(context)
        if user:
            self.client.username_pw_set(user, "x")
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda _c, _u, message: self.heard.append(message)
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._answers.setdefault(("p", mid), reason.value)
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answers.setdefault(
            ("s", mid), reasons[0].value
        )
        self.client.connect("localhost", port)
        self.client.loop_start()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: paho.ReasonCode, _p: object) -> None:
        self.refused = reason.value
        self._connected.set()

    def connected(self) -> bool:
        return self._connected.wait(10.0) and self.refused == 0

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False, **more: object) -> int:
        """Give the reason code that the broker answers with."""
        sent = self.client.publish(topic, payload, 1, retain, **more)
        return self._answer("p", sent.mid)

    def subscribe(self, topic: str) -> int:
        """Give the reason code that the broker answers with."""
        mid = self.client.subscribe(topic, 1)[1]
        assert mid is not None
        return self._answer("s", mid)

    def _answer(self, kind: str, mid: int) -> int:
        wait_until(lambda: (kind, mid) in self._answers, 10.0)
        return self._answers[kind, mid]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client._reset_sockets()


@contextmanager
def client(broker: ShippedBroker, credentials: Credentials, name: str = "") -> Iterator[Client]:
    made = Client(broker.console_port if credentials == broker.console else broker.port, credentials, name)
    try:
        assert made.connected()
        yield made
    finally:
        made.close()
