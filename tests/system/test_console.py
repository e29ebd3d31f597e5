"""The console as a process, at a real broker with the shipped rules, and a scripted station on the other side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from console_fakes import LEDGER, fact, gap
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from running_station import wait_until
from shipped_broker import Client, ShippedBroker, client, needs_mosquitto, shipped_broker

from edge_agent.console.__main__ import main
from edge_agent.console.keyfile import load_key, make_key
from edge_agent.console.store import FILE_NAME
from edge_agent.console.tables import MIGRATIONS
from edge_agent.ledger.database import open_reader
from edge_agent.trust import signing

pytestmark = [pytest.mark.system, needs_mosquitto]
BASE = "insp/v1/press-3"
AHEAD = 400
"""Parts that are told beyond what is acknowledged: the broker drops what waits for a console beyond 1000."""

PROGRAM = [sys.executable, "-m", "edge_agent.console"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedBroker]:
    with shipped_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class Station:
    """Tells what it is told to, and goes on from what the console has, as docs/uplink.md says."""

    def __init__(self, client: Client, public: bytes) -> None:
        self.client = client
        self._keys = {signing.key_id(public): public}
        self.acks: list[dict[str, Any]] = []
        self.newest = self._told = 0
        client.client.on_message = self._heard
        self.requests: list[tuple[dict[str, Any], Any]] = []
        self.answer: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda request: []
        for topic in (f"{BASE}/ack", f"{BASE}/cmd/+/req"):
            assert client.subscribe(topic) == 1

    def _heard(self, _client: object, _data: object, message: Any) -> None:
        if message.topic.endswith("/ack"):
            envelope = signing.is_signed(message.payload)
            assert envelope is not None
            seen = {ack["again"] for ack in self.acks}
            self.acks.append(json.loads(signing.opened(envelope, message.topic, self._keys)))
            self._told = self.upto() if self.acks[-1]["again"] not in seen else self._told
            self.tell(self._told + 1, min(self.newest, self.upto() + AHEAD))
            return
        envelope = signing.is_signed(message.payload)
        text = message.payload if envelope is None else signing.opened(envelope, message.topic, self._keys)
        request = json.loads(text)
        self.requests.append((request, message))
        for phase in self.answer(request):
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = message.properties.CorrelationData
            said = {"v": 1, "id": request["id"], "status": "ok", "code": "OK", "message": "", "hint": "", "result": {}}
            payload = json.dumps({**said, "station": "press-3", "at": 1.0, "took_ms": 12.0, **phase}).encode()
            self.client.client.publish(message.properties.ResponseTopic, payload, 1, properties=properties)

    def begin(self) -> None:
        """Tell the first part until somebody hears it."""
        wait_until(lambda: self.client.publish(f"{BASE}/evt/part", json.dumps(fact(1)).encode()) == 0)

    def tell(self, first: int, last: int) -> None:
        self._told = max(self._told, last)
        for number in range(first, last + 1):
            self.client.client.publish(f"{BASE}/evt/part", json.dumps(fact(number)), 1)

    def upto(self) -> int:
        return int(self.acks[-1]["upto"]["part"]) if self.acks else 0


@contextmanager
def station(broker: ShippedBroker, key: Path) -> Iterator[Station]:
    with client(broker, broker.station("press-3"), "press-3") as connected:
        yield Station(connected, signing.public_bytes(load_key(key)))


def way(broker: ShippedBroker) -> list[str]:
    mine = broker.console
    words = {
        "broker": f"mqtts://localhost:{broker.console_port}",
        "ca": mine.ca,
        "certificate": mine.certificate,
        "key": mine.key,
    }
    return [word for name, value in words.items() for word in (f"--{name}", str(value))]


def run(broker: ShippedBroker, *words: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, str(words[0]), *way(broker), *map(str, words[1:])]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@contextmanager
def console(broker: ShippedBroker, *words: object, out: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    command = [*PROGRAM, str(words[0]), *way(broker), *map(str, words[1:])]
    process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return Path(make_key("fleet", tmp_path).file)


@pytest.fixture
def fresh(broker: ShippedBroker) -> Iterator[None]:
    """Without the word that an earlier test left at the broker."""
    yield
    with client(broker, broker.console) as cleaner:
        cleaner.publish(f"{BASE}/ack", b"", retain=True)


def stored(store: Path) -> list[int]:
    database = open_reader(store / FILE_NAME, MIGRATIONS)
    try:
        return [row["seq"] for row in database.query("SELECT seq FROM facts WHERE class = 'part' ORDER BY seq")]
    finally:
        database.close()


@pytest.mark.usefixtures("fresh")
def test_what_is_told_is_stored_and_acknowledged_and_shown(broker: ShippedBroker, key: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with station(broker, key) as told, console(broker, "watch", "--store", store, "--ack", key, "--json") as process:
        told.begin()
        told.tell(2, 3)
        wait_until(lambda: told.upto() == 3)
        told.tell(8, 8)
        told.client.publish(f"{BASE}/evt/part", b"\x1b[2J nonsense")
        told.client.publish(f"{BASE}/evt/gap", json.dumps(gap(4, 7)).encode())
        wait_until(lambda: told.upto() == 8)
        assert [ack["counter"] for ack in told.acks] == sorted({ack["counter"] for ack in told.acks})
        assert told.acks[-1]["ledger"] == LEDGER

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0
        said = [json.loads(line) for line in out.splitlines()]
        assert [line["seq"] for line in said if "seq" in line] == [1, 2, 3, 8]
        assert [line["gap"]["from"] for line in said if "gap" in line] == [4]
        assert "5 new, 0 told again, 1 not understood" in err
        assert "\x1b" not in err
        assert "missing" not in err
    assert stored(store) == [1, 2, 3, 8]


@pytest.mark.usefixtures("fresh")
def test_a_kill_loses_nothing_that_was_acknowledged_and_everything_comes_in_the_end(
    broker: ShippedBroker, key: Path, tmp_path: Path
) -> None:
    store, total, lives = tmp_path / "store", 4000, 3
    with station(broker, key) as told:
        told.newest = total
        for life in range(lives):
            before = told.upto()
            with console(broker, "watch", "--store", store, "--ack", key, out=subprocess.DEVNULL) as process:
                if life == 0:
                    told.begin()
                wait_until(lambda before=before: told.upto() > before)  # type: ignore[misc]
                process.kill()
                process.wait()
            acknowledged = told.upto()
            assert stored(store)[:acknowledged] == list(range(1, acknowledged + 1)), life
            told.newest += 500
        with console(broker, "watch", "--store", store, "--ack", key, out=subprocess.DEVNULL):
            wait_until(lambda: told.upto() == told.newest, 60.0)
        again = {ack["again"] for ack in told.acks}
        counters = [ack["counter"] for ack in told.acks]
        newest = told.newest
    assert stored(store) == list(range(1, newest + 1))
    assert counters == sorted(set(counters))
    assert len(again) == lives + 1


def test_a_command_is_followed_until_it_is_done(broker: ShippedBroker, key: Path) -> None:
    phases = [{"phase": "accepted"}, {"phase": "progress", "result": {"share": 0.5}}, {"phase": "done"}]
    with station(broker, key) as told:
        told.answer = lambda _: phases
        done = run(
            broker, "send", "press-3", "gate", "to=bypass", "--sign", key, "--expect", "gate=3f2a", "--by", "ada"
        )
        request, message = told.requests[0]

    assert (done.returncode, done.stderr) == (0, "")
    assert "press-3: done in 12 ms" in done.stdout
    assert (request["cmd"], request["args"], request["by"]) == ("gate", {"to": "bypass"}, "ada")
    assert request["expect"] == {"gate": "3f2a"}
    assert message.properties.ResponseTopic.startswith(f"{BASE}/rsp/console-")
    assert not message.retain
    assert message.properties.MessageExpiryInterval == 30


def test_an_error_and_silence_are_told_apart_and_the_same_id_asks_again(broker: ShippedBroker, key: Path) -> None:
    with station(broker, key) as told:
        wrong = {"status": "error", "code": "E_BUSY", "message": "a lesson is\x1b[2J given", "hint": "ask later"}
        told.answer = lambda _: [{"phase": "done", **wrong}]
        failed = run(broker, "send", "press-3", "use", "recipe=bolts", "--sign", key)
        assert failed.returncode == 1
        assert "E_BUSY: a lesson is?[2J given\n  ask later" in failed.stderr

        told.answer = lambda _: []
        silent = run(broker, "send", "press-3", "status", "--wait", "1", "--json")
        assert silent.returncode == 1
        said = json.loads(silent.stdout)
        assert (said["outcome"], said["response"]) == ("silent", None)
        told.answer = lambda _: [{"phase": "accepted"}]
        unfinished = run(broker, "send", "press-3", "status", "--wait", "1", "--id", said["id"])
        assert unfinished.returncode == 1
        assert f"--id {said['id']}" in unfinished.stderr
        assert {request["id"] for request, _ in told.requests[1:]} == {said["id"]}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("gat", "to=bypass"), "no command gat"),
        (("gate", "to=open"), "`gate`"),
        (("gate",), "`gate`"),
        (("gate", "to=try", "speed=3"), "`gate`"),
        (("gate", "bypass"), "'bypass' is no argument"),
        (("gate", "to=try", "who=me"), "--by"),
        (("label", "part=eight", "label=ok"), "`label`"),
        (("teach", "label=pit"), "examples from the line"),
        (("gate", "to=try", "--expect", "gate"), "no expectation"),
        (("gate", "to=try", "--expect", "gates=3f"), "there is no resource gates"),
        (("gate", "to=try"), "needs a signature"),
    ],
)
def test_what_the_station_would_refuse_as_wrong_is_not_sent(
    broker: ShippedBroker, words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        code = main(["send", *way(broker), "press-3", *words])
    finally:
        signal.signal(signal.SIGTERM, before)

    assert code == 2
    assert reason in capsys.readouterr().err


def test_who_is_there_and_how(broker: ShippedBroker, key: Path) -> None:
    with station(broker, key) as told:
        states = {
            "online": {"online": True, "boot_id": "b", "since": 1764500000.0},
            "info": {"version": "0.1.0", "utc": 1764500001.0},
            "health": {
                "health": "fault",
                "troubles": [{"kind": "camera_top", "message": "the camera is gone", "hint": "", "count": 0}],
                "backlog": {"part": 40, "alarm": 2},
            },
        }
        for name, value in states.items():
            told.client.publish(f"{BASE}/state/{name}", json.dumps(value).encode(), retain=True)
        done = run(broker, "stations", "--json")
        shown = run(broker, "stations")
        for name in states:
            told.client.publish(f"{BASE}/state/{name}", b"", retain=True)
    row = json.loads(done.stdout)[0]

    assert done.returncode == 0
    assert (row["station"], row["online"], row["version"], row["backlog"]) == ("press-3", True, "0.1.0", 42)
    assert (row["health"], row["troubles"]) == ("fault", {"camera_top": "the camera is gone"})
    assert "press-3" in shown.stdout
    assert "the camera is gone" in shown.stdout


def test_parts_are_shown_as_they_come(broker: ShippedBroker, key: Path) -> None:
    with station(broker, key) as told, console(broker, "tail", "press-3", "--json") as process:
        lines: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()))  # type: ignore[union-attr]
        reader.start()
        number = iter(range(1, 10_000))
        wait_until(lambda: bool(lines) or bool(told.tell(n := next(number), n)))
        reader.join()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert json.loads(lines[0])["class"] == "part"
    assert process.returncode == 0


def test_a_broker_that_does_not_let_the_console_in_is_said_once(broker: ShippedBroker) -> None:
    mine = broker.station("press-4")
    credentials = ["--ca", str(mine.ca), "--certificate", str(mine.certificate), "--key", str(mine.key)]
    command = [*PROGRAM, "send", "--broker", f"mqtts://localhost:{broker.port}", *credentials, "press-3", "status"]
    done = subprocess.run([*command, "--wait", "2"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "does not let this console" in done.stderr

    nobody = subprocess.run(
        [*PROGRAM, "stations", "--broker", "mqtt://127.0.0.1:9"], check=False, capture_output=True, text=True
    )
    assert nobody.returncode == 1
    assert "edge-console: " in nobody.stderr
