"""The shipped broker, its rules and its test authority, with a real mosquitto: who is let in, and who may say what."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from authority import Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from door_bench import Memory, opened, quiet
from program_words import ROOT
from running_station import wait_until
from shipped_broker import (
    PACKAGING,
    Client,
    Credentials,
    ShippedBroker,
    answers,
    ca,
    client,
    configured,
    free_port,
    needs_mosquitto,
    shipped_broker,
)

from edge_agent import cli
from edge_agent.config.file import load_config
from edge_agent.trust import certificate
from edge_agent.uplink.message import Inbound
from edge_agent.uplink.mqtt import MqttDoor
from edge_agent.uplink.topics import Topics

pytestmark = [pytest.mark.system, needs_mosquitto]
NOT_AUTHORIZED = 0x87
NOBODY_LISTENS = 0x10


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedBroker]:
    with shipped_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("insp/v1/press-3/evt/part", True),
        ("insp/v1/press-3/state/online", True),
        ("insp/v1/press-3/rsp/console", True),
        ("insp/v1/press-4/evt/part", False),
        ("insp/v1/press-4/state/online", False),
        ("insp/v1/press-4/rsp/console", False),
        ("insp/v1/press-3/ack", False),
        ("insp/v1/press-3/cmd/gate/req", False),
        ("insp/v1/press-4/cmd/gate/req", False),
        ("insp/v1/press-3/desired/config", False),
        ("insp/v1/press-3", False),
        ("insp/v2/press-3/evt/part", False),
        ("anything", False),
    ],
)
def test_a_station_says_only_what_is_its_own(broker: ShippedBroker, topic: str, may: bool) -> None:
    with client(broker, broker.station("press-3"), "press-3") as station:
        assert (station.publish(topic) in (0, NOBODY_LISTENS)) == may
        assert may or station.publish(topic) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("insp/v1/press-3/cmd/+/req", True),
        ("insp/v1/press-3/ack", True),
        ("insp/v1/press-3/desired/config", True),
        ("insp/v1/press-4/cmd/+/req", False),
        ("insp/v1/press-4/ack", False),
        ("insp/v1/+/evt/#", False),
        ("insp/v1/press-3/#", False),
        ("$share/x/insp/v1/+/evt/#", False),
        ("#", False),
    ],
)
def test_a_station_hears_only_what_is_for_it(broker: ShippedBroker, topic: str, may: bool) -> None:
    with (
        client(broker, broker.station("press-3")) as station,
        client(broker, broker.station("press-4")) as other,
        client(broker, broker.console) as console,
    ):
        answer = station.subscribe(topic)
        assert other.publish("insp/v1/press-4/evt/part") in (0, NOBODY_LISTENS)
        console.publish("insp/v1/press-4/cmd/gate/req")
        console.publish("insp/v1/press-4/ack")
        if may:
            assert answer == 1
            console.publish(topic.replace("+", "gate"))
            wait_until(lambda: bool(station.heard), 10.0)
        assert not [message.topic for message in station.heard if "press-4" in message.topic]


def test_the_console_hears_and_asks_everybody_and_speaks_in_nobody_s_name(broker: ShippedBroker) -> None:
    with client(broker, broker.station("press-3")) as station, client(broker, broker.console) as console:
        assert console.subscribe("insp/v1/+/evt/#") == 1
        station.publish("insp/v1/press-3/evt/part", b'{"v":1}')
        wait_until(lambda: bool(console.heard), 10.0)
        assert station.subscribe("insp/v1/press-3/cmd/+/req") == 1
        assert console.publish("insp/v1/press-3/cmd/gate/req") == 0
        for topic in ("evt/part", "state/online", "rsp/console"):
            assert console.publish(f"insp/v1/press-3/{topic}") == NOT_AUTHORIZED
        assert console.publish("elsewhere") == NOT_AUTHORIZED


def let_in(port: int, context: ssl.SSLContext, user: str = "") -> bool:
    """Whether the broker answers a CONNECT with anything but an end of the connection."""
    name = user.encode()
    named = len(name).to_bytes(2, "big") + name if user else b""
    body = b"\x00\x04MQTT\x04" + (b"\x82" if user else b"\x02") + b"\x00\x3c" + b"\x00\x01x" + named
    try:
        with (
            socket.create_connection(("localhost", port), 10.0) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            encrypted.sendall(b"\x10" + bytes([len(body)]) + body)
            return encrypted.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False


def shown(broker: ShippedBroker, chain: bytes | None = None, key: bytes | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(broker.folder / "ca.pem"))
    if chain is not None and key is not None:
        pem = broker.folder / "shown.pem"
        pem.write_bytes(key + chain)
        context.load_cert_chain(pem)
    return context


def authority(broker: ShippedBroker) -> Authority:
    """The broker's own authority, to sign what the script does not."""
    made = Authority()
    key = serialization.load_pem_private_key((broker.folder / "ca.key").read_bytes(), None)
    made.key = key  # type: ignore[assignment]
    made.certificate = x509.load_pem_x509_certificate((broker.folder / "ca.pem").read_bytes())
    made.name = made.certificate.subject
    return made


def test_whoever_is_not_known_is_not_let_in(broker: ShippedBroker) -> None:
    key = certificate.make_key()
    request = certificate.request(key, "press-3")
    ours = authority(broker)

    assert let_in(broker.port, shown(broker, ours.signed(request, begins=-300, ends=3000), key))
    assert not let_in(broker.port, shown(broker))
    assert not let_in(broker.port, shown(broker), "console")
    assert not let_in(broker.port, shown(broker, Authority().signed(request, begins=-300, ends=3000), key))
    assert not let_in(broker.port, shown(broker, ours.signed(request, begins=-900, ends=-300), key))


def test_only_a_console_is_let_in_where_names_of_sessions_are_chosen(broker: ShippedBroker) -> None:
    def pair(of: Credentials) -> ssl.SSLContext:
        return shown(broker, of.certificate.read_bytes(), of.key.read_bytes())

    console, station = pair(broker.console), pair(broker.station("press-3"))

    assert let_in(broker.console_port, console)
    assert let_in(broker.port, station)
    assert not let_in(broker.console_port, station)
    assert not let_in(broker.port, console)


def waits_for_press_3(broker: ShippedBroker) -> bool:
    """Whether a request still waits in press-3's session when press-4 has called its own by that name."""
    topics = Topics("insp/v1", "press-3")
    memory = Memory()
    common = {"scheme": "mqtts", "host": "localhost", "ca": str(broker.folder / "ca.pem")}

    def station(name: str, *more: str, **kept: Memory) -> AbstractContextManager[MqttDoor]:
        own = broker.station(name)
        files = {"certificate": str(own.certificate), "key": str(own.key)}
        return opened(broker.port, *more, client_id="edge-agent-press-3", **files, **common, **kept)

    wanted = topics.ack, topics.requests, topics.desired("#")
    with station("press-3", *wanted, memory=memory) as listening:
        assert listening._session is not None and listening._session.unheard == ()
    with client(broker, broker.console) as console:
        assert console.publish(topics.request("gate")) == 0
    with station("press-4"):
        pass
    with station("press-3", *wanted, memory=memory) as again:
        return any(isinstance(one, Inbound) for one in quiet(again, 2.0))


def test_no_station_ends_another_s_session(broker: ShippedBroker) -> None:
    assert waits_for_press_3(broker)


def test_a_broker_that_believes_the_names_of_sessions_is_noticed(tmp_path: Path) -> None:
    with shipped_broker(tmp_path, without="use_username_as_clientid true\n") as broker:
        assert not waits_for_press_3(broker)


def test_the_name_that_a_client_gives_itself_counts_for_nothing(broker: ShippedBroker) -> None:
    made = Client(broker.port, broker.station("press-3"), "console", user="console")
    try:
        assert made.connected()
        assert made.publish("insp/v1/press-4/cmd/gate/req") == NOT_AUTHORIZED
    finally:
        made.close()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("pattern write insp/v1/%u/evt/#", "pattern write insp/v1/+/evt/#"),
        ("pattern read insp/v1/%u/ack", "pattern readwrite #"),
    ],
)
def test_a_rule_that_is_too_wide_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    rules = (PACKAGING / "edge-agent.acl").read_text()
    assert right in rules

    with (
        shipped_broker(tmp_path, rules.replace(right, wrong)) as broker,
        client(broker, broker.station("press-3")) as station,
    ):
        assert station.publish("insp/v1/press-4/evt/part") != NOT_AUTHORIZED


def readme_commands() -> list[str]:
    block = re.findall(r"^```\n(.*?)^```", (PACKAGING / "README.md").read_text(), re.M | re.S)[0]
    return block.splitlines()


def test_the_readme_has_ten_commands_and_they_work_as_written(tmp_path: Path) -> None:
    commands = readme_commands()
    assert len(commands) == 10
    (tmp_path / "packaging").symlink_to(ROOT / "packaging")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    port, console_port = free_port(), free_port()
    try:
        for command in commands[:8]:
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, (command, done.stderr)
            if command.startswith("cp "):
                conf = tmp_path / "broker" / "edge-agent.conf"
                conf.write_text(configured(conf.read_text(), port, console_port))
        broker = ShippedBroker(tmp_path / "broker", port, console_port)
        wait_until(lambda: answers(port), 20.0)
        config = load_config(tmp_path / "station.toml")
        mine = Credentials(Path(config.uplink.certificate), Path(config.uplink.key), Path(config.uplink.ca))
        with client(broker, mine, "press-3") as station:
            assert station.publish("insp/v1/press-3/state/online") in (0, NOBODY_LISTENS)
            assert station.publish("insp/v1/press-4/state/online") == NOT_AUTHORIZED
        assert shlex.split(commands[8])[:2] == ["edge-agent", "run"]
        assert cli.parser().parse_args(shlex.split(commands[8].removesuffix("&"))[1:]).config == Path("station.toml")
    finally:
        pid = tmp_path / "broker" / "mosquitto.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            wait_until(lambda: not answers(port), 20.0)


def test_the_script_signs_no_request_that_was_changed(tmp_path: Path) -> None:
    assert ca(tmp_path, "make", "ca", "localhost").returncode == 0
    asked = x509.load_pem_x509_csr(certificate.request(certificate.make_key(), "press-3"))
    der = asked.public_bytes(serialization.Encoding.DER).replace(b"press-3", b"press-4")
    changed = x509.load_der_x509_csr(der)
    (tmp_path / "changed.csr").write_bytes(changed.public_bytes(serialization.Encoding.PEM))
    done = ca(tmp_path, "sign", "ca", "changed.csr", "changed.pem")

    assert changed.subject.rfc4514_string() == "CN=press-4"
    assert (done.returncode, "was changed" in done.stderr) == (1, True)
    assert not (tmp_path / "changed.pem").exists()


def test_the_script_overwrites_nothing_and_signs_only_stations(tmp_path: Path) -> None:
    assert ca(tmp_path, "make", "ca", "localhost").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "ca").iterdir()}
    again = ca(tmp_path, "make", "ca", "localhost")
    assert (again.returncode, "move it away first" in again.stderr) == (1, True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "ca").iterdir()} == before
    assert {stat.S_IMODE((tmp_path / "ca" / name).stat().st_mode) for name in before} == {0o600}

    for name, accepted in (
        ("press-3", True),
        ("console", False),
        ("broker", False),
        ("Press", False),
        ("a,O=b", False),
        (40 * "a", True),
        (41 * "a", False),
    ):
        request = tmp_path / "one.csr"
        request.write_bytes(certificate.request(certificate.make_key(), name))
        done = ca(tmp_path, "sign", "ca", "one.csr", f"{accepted}-{name[:2]}.pem")
        assert (done.returncode == 0) == accepted, name
        assert ("FOR TESTS ONLY" in done.stderr) == accepted
    assert "is there already" in ca(tmp_path, "sign", "ca", "one.csr", "True-pr.pem").stderr
    assert ca(tmp_path, "sign", "ca", "ca/ca.pem", "x.pem").returncode == 1
    assert ca(tmp_path).returncode == ca(tmp_path, "make", "x").returncode == 2
    assert "neither a name nor an address" in ca(tmp_path, "make", "y", "a b").stderr
