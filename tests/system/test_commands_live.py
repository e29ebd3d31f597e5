"""Commands on a station that runs as a process: it restarts and answers, says who it is, and keeps the audit."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from journal_rig import CONSOLE, OPERATOR, request
from running_station import running, wait_until

from edge_agent import api
from edge_agent.agent import Agent
from edge_agent.commands.arguments import TrustArguments
from edge_agent.config import Config
from edge_agent.errors import Unavailable, Unsafe
from edge_agent.runtime.clock import SystemClock
from edge_agent.trust.file import changed
from edge_agent.trust.signing import public_bytes
from edge_agent.uplink.message import Inbound, Outgoing

CONFIG = """
[station]
name = "press-3"
state_dir = "state"
[source.simline]
parts_per_s = 5.0
"""
CLOCK = SystemClock()


def edge_agent(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    (folder / "station.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "edge_agent", "run", "-c", "station.toml"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def asked(socket: Path, name: str, **arguments: object) -> Any:
    """The answer; None while the station does not run."""
    try:
        return api.call(socket, name, arguments)
    except Unavailable:
        return None


@pytest.mark.system
def test_a_restart_is_done_once_and_answered_by_the_next_life(tmp_path: Path) -> None:
    socket = tmp_path / "state" / "api.sock"
    with process(tmp_path) as child:
        wait_until(lambda: bool(asked(socket, "parts")))
        before = api.call(socket, "info")
        assert before["station"] == "press-3"
        with pytest.raises(Unavailable, match="stopping"):
            api.call(socket, "restart", {"who": "me", "id": "r-1"})
        wait_until(lambda: (asked(socket, "info") or before)["life"] != before["life"])
        wait_until(lambda: asked(socket, "restart", who="me", id="r-1") == {"after_restart": True})
        after = api.call(socket, "info")
        assert child.poll() is None
        assert api.call(socket, "restart", {"who": "me", "id": "r-1"}) == {"after_restart": True}
        assert api.call(socket, "info")["life"] == after["life"]
        assert api.call(socket, "identify", {"who": "me"})["station"] == "press-3"
        wait_until(lambda: len(asked(socket, "parts", limit=3, after=1) or ()) == 3)
        parts = api.call(socket, "parts", {"limit": 3, "after": 1})
        assert [part["id"] for part in parts] == [2, 3, 4]
        assert api.call(socket, "outbox") == {"broker": ""}
        wait_until(lambda: not edge_agent(tmp_path, "audit", "verify", "-c", "station.toml").returncode)
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=120)
    assert (child.returncode, output) == (0, "")
    listed = edge_agent(tmp_path, "audit", "list", "-c", "station.toml", "--json")
    bodies = [json.loads(line)["body"] for line in listed.stdout.splitlines()]
    assert [(body["cmd"], body["code"], body["who"]) for body in bodies] == [
        ("restart", "OK", "me"),
        ("identify", "OK", "me"),
    ]


@pytest.mark.system
def test_trust_is_changed_on_the_file_and_through_the_station(tmp_path: Path) -> None:
    key = tmp_path / "console.pem"
    done = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key.pem"], check=False)
    assert done.returncode == 0
    subprocess.run(["openssl", "pkey", "-in", tmp_path / "key.pem", "-pubout", "-out", key], check=True)
    added = edge_agent(tmp_path, "trust", "add", "console", str(key), "--role", "administer", "--json")
    (entry,) = json.loads(added.stdout)
    assert (entry["name"], entry["role"]) == ("console", "administer")
    assert (tmp_path / "state" / "trusted.toml").stat().st_mode & 0o777 == 0o600
    with running(Config.defaults(tmp_path / "state")) as (agent, _):
        assert agent.trust.keys("operate").keys() == {entry["id"]}
        public = TrustArguments("add", "me", "tablet", "operate", public_of(OPERATOR))
        words = ("trust", "add", "tablet", public.public or "", "--role", "operate", "--who", "me")
        assert edge_agent(tmp_path, *words).returncode == 0
        assert len(agent.trust.all()) == 2
        refused = edge_agent(tmp_path, "trust", "remove", "console")
        assert refused.returncode == 1
        assert "the last that administers" in refused.stderr
    audit = edge_agent(tmp_path, "audit", "verify", "--json")
    assert json.loads(audit.stdout)["rows"] == 2
    with pytest.raises(Unsafe):
        changed(agent.trust.all(), TrustArguments("remove", "me", "console"))


def public_of(key: Any) -> str:
    return base64.b64encode(public_bytes(key)).decode()


@pytest.mark.system
def test_a_changed_audit_is_found_also_in_a_copy(tmp_path: Path) -> None:
    with running(Config.defaults(tmp_path / "state")) as (_, socket):
        for _ in range(3):
            api.call(socket, "identify", {"who": "me"})
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "state" / "ledger.db").read_bytes())
    good = json.loads(edge_agent(tmp_path, "audit", "verify", "--ledger", "copy.db", "--json").stdout)
    assert (good["rows"], good["fault"]) == (3, "")
    with closing(sqlite3.connect(copy)) as database:
        database.execute("UPDATE audit SET body = replace(body, 'me', 'it') WHERE id = 2")
        database.commit()
    found = edge_agent(tmp_path, "audit", "verify", "--ledger", "copy.db")
    assert (found.returncode, found.stdout) == (1, "1 rows fit; row 2 is not what was written\n")
    with closing(sqlite3.connect(copy)) as database:
        database.execute("DELETE FROM audit WHERE id >= 2")
        database.commit()
    assert edge_agent(tmp_path, "audit", "verify", "--ledger", "copy.db").returncode == 0
    cut = edge_agent(tmp_path, "audit", "verify", "--ledger", "copy.db", "--head", good["head"])
    assert (cut.returncode, "cut off" in cut.stdout) == (1, True)


class Network:
    """Stands for the way to the console."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.said: list[dict[str, Any]] = []
        self.acknowledged: list[Inbound] = []
        agent.say = self._say
        agent.acknowledge = self.acknowledged.append

    def ask(self, inbound: Inbound) -> None:
        self.agent.calls.post(lambda: self.agent.desk.requests(inbound, CLOCK.now()))

    def _say(self, outgoing: Outgoing) -> bool:
        self.said.append(json.loads(outgoing.payload))
        self.agent.calls.post(lambda: self.agent.desk.delivered(outgoing))
        return True

    def answer(self, asked_id: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [said for said in list(self.said) if said["id"] == asked_id and said["phase"] == "done"]

        wait_until(lambda: bool(found()))
        return found()[0]


@pytest.mark.system
def test_a_station_is_taught_over_the_network_and_a_part_is_labelled(tmp_path: Path) -> None:
    settings = Config.defaults(tmp_path / "state")
    root, name = settings.uplink.root, settings.station.name
    edge_agent(tmp_path, "trust", "add", "console", public_of(CONSOLE), "--role", "administer")
    with running(settings) as (agent, socket):
        network = Network(agent)

        def asks(number: int, cmd: str, key: Any = CONSOLE, **args: object) -> dict[str, Any]:
            asked_id, topic = f"request-{number:04}", f"{root}/{name}/cmd/{cmd}/req"
            inbound = request(cmd, args, key=key, clock=CLOCK, asked_id=asked_id, topic=topic, reply_to="")
            network.ask(inbound)
            return network.answer(asked_id)

        info = asks(1, "info", None)["result"]
        taught = asks(2, "teach", label="good", next=3)
        assert taught["code"] == "OK"
        assert len(taught["result"]["taught"]["taught"]) == 3
        assert asks(3, "info", None)["result"]["fingerprints"]["knowledge"] != info["fingerprints"]["knowledge"]
        assert asks(4, "promote", overrule=True)["code"] == "OK"
        assert asks(5, "promote")["code"] == "E_BUSY"  # nothing waits any more
        assert asks(6, "label", part=1, label="pit")["code"] == "OK"
        assert asks(7, "label", part=1, label="pit")["code"] == "OK"
        assert asks(8, "label", part=10**9, label="pit")["code"] == "E_PRECONDITION"
        assert asks(9, "gate", to="try")["code"] == "E_PRECONDITION"  # a simulated line has none
        assert asks(10, "use", recipe="nuts")["code"] == "E_PRECONDITION"
        assert asks(6, "label", part=1, label="pit")["code"] == "OK"
        wait_until(lambda: len(network.acknowledged) == 11)
        with agent.holdings.reader() as reader:
            assert [word.label for word in reader.words(1)] == ["pit", "pit"]
        assert {phase for said in network.said if said["id"] == "request-0002" for phase in [said["phase"]]} >= {
            "accepted",
            "done",
        }
    assert json.loads(edge_agent(tmp_path, "audit", "verify", "--json").stdout)["rows"] == 8
