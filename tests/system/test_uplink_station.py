"""A running station, a real broker and a console: what the station records is stored there, whatever is killed."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest
from broker import broker
from console_book import ConsoleBook
from console_client import console, trust
from running_station import running, wait_until

from edge_agent.config import Config
from edge_agent.config.uplink import UplinkConfig
from edge_agent.ledger import Reader

pytestmark = pytest.mark.system


def settings_of(state_dir: Path, port: int) -> Config:
    plain = Config.defaults(state_dir)
    uplink = UplinkConfig(broker=f"mqtt://127.0.0.1:{port}")
    return msgspec.structs.replace(plain, uplink=uplink).resolved(state_dir)


def recorded(state_dir: Path) -> list[int]:
    with Reader(state_dir) as reader:
        return [part.trigger.number for part in reader.parts()]


def test_what_a_station_records_is_stored_at_the_console_and_its_states_are_there(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    settings = settings_of(state_dir, 1)
    book = ConsoleBook(settings.station.name)
    trust(state_dir, book)
    with broker(tmp_path) as mosquitto, console(mosquitto.port, book) as client:
        with running(settings_of(state_dir, mosquitto.port)) as (agent, _):
            wait_until(lambda: len(book.numbers()) >= 10)
            wait_until(lambda: len(client.retained) == 5)
            wait_until(lambda: agent.status().uplink.acknowledged.get("part", 0) > 5)  # type: ignore[union-attr]
            online, health = (msgspec.json.decode(client.retained[name]) for name in ("online", "health"))
            assert online["online"] is True
            assert health["health"] in ("ok", "warn", "fault")
            assert [trouble["kind"] for trouble in health["troubles"]].count("uplink_down") == 0
            assert msgspec.json.decode(client.retained["model"])["active"]["bundle"] == "generic"
        wait_until(lambda: msgspec.json.decode(client.retained["online"])["online"] is False)
    numbers = recorded(state_dir)
    with client.lock:
        assert book.numbers() == sorted(book.numbers()) == numbers[: len(book.numbers())]


def test_a_request_is_answered_through_the_broker(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    book = ConsoleBook(settings_of(state_dir, 1).station.name)
    answers: list[bytes] = []
    with broker(tmp_path) as mosquitto, console(mosquitto.port, book) as client:
        client.heard = lambda topic, payload: answers.append(payload) if "/rsp/" in topic else None
        with running(settings_of(state_dir, mosquitto.port)) as (agent, _):
            wait_until(lambda: "online" in client.retained)
            asked = {"v": 1, "id": str(uuid.uuid4()), "cmd": "info", "args": {}, "issued_at": agent.clock.utc()}
            client.publish(f"{book.base}/cmd/info/req", msgspec.json.encode({**asked, "ttl_ms": 30_000, "by": "ada"}))
            wait_until(lambda: bool(answers))
    answer = msgspec.json.decode(answers[-1])

    assert (answer["id"], answer["status"], answer["code"]) == (asked["id"], "ok", "OK"), answer


def test_a_broker_that_is_killed_is_found_again_and_nothing_is_missing(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    settings = settings_of(state_dir, 1)
    book = ConsoleBook(settings.station.name)
    trust(state_dir, book)
    with broker(tmp_path) as mosquitto, console(mosquitto.port, book):
        with running(settings_of(state_dir, mosquitto.port)) as (agent, _):
            wait_until(lambda: len(book.numbers()) >= 3)
            mosquitto.kill()
            wait_until(lambda: agent.status().uplink.protocol == "")  # type: ignore[union-attr]
            assert "uplink_down" in [trouble.kind for trouble in agent.status().troubles]
            before = len(recorded(state_dir))
            wait_until(lambda: len(recorded(state_dir)) >= before + 5)
            mosquitto.start()
            wait_until(lambda: len(book.numbers()) >= before + 10)
        assert sorted(book.numbers()) == recorded(state_dir)[: len(book.numbers())]


def test_a_station_without_a_broker_does_not_load_the_client_library() -> None:
    said = "import edge_agent.app, edge_agent.agent.outward, sys; sys.exit('paho' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", said], check=False).returncode == 0
