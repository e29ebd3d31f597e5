"""The station is killed at random moments while it tells a backlog: nothing is lost, and nothing is stored twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from broker import broker
from console_book import ConsoleBook
from console_client import console, trust
from outage import CLOCK, fill, ids

KILLS = 4
BACKLOG = 3000

CONFIG = """
[station]
state_dir = "state"
[source.simline]
parts_per_s = 5.0
parts = {parts}
[uplink]
broker = "mqtt://127.0.0.1:{port}"
backlog_per_s = 700
"""


def start(folder: Path, port: int, parts: int) -> subprocess.Popen[str]:
    config = folder / "station.toml"
    config.write_text(CONFIG.format(port=port, parts=parts))
    command = [sys.executable, "-m", "edge_agent", "run", "-c", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(book: ConsoleBook, stored: int) -> None:
    until = CLOCK.now() + 200.0
    while len(book.facts) < stored:
        assert CLOCK.now() < until, f"{len(book.facts)} facts arrived, {stored} were expected"
        CLOCK.wait(threading.Event(), CLOCK.now() + 0.02)


@pytest.mark.system
def test_a_station_that_is_killed_while_it_tells_loses_nothing_and_is_stored_once(tmp_path: Path) -> None:
    state_dir, book, chance = tmp_path / "state", ConsoleBook("station-1"), random.Random(20261130)
    fill(state_dir, BACKLOG)
    trust(state_dir, book)
    with broker(tmp_path) as mosquitto, console(mosquitto.port, book) as client:
        for kill in range(KILLS):
            with start(tmp_path, mosquitto.port, 0) as process:
                wait_for(book, (kill + 1) * 500 + chance.randrange(200))
                process.send_signal(signal.SIGKILL)
        with start(tmp_path, mosquitto.port, 0) as process:
            wait_for(book, BACKLOG + 40)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
        with client.lock:
            stored = {name for name in book.facts if ".part." in name}
            reached = book.reached()["part"]

    recorded = ids(state_dir)
    assert {name for name in recorded if int(name.rpartition(".")[2]) <= reached} == {
        name for name in stored if int(name.rpartition(".")[2]) <= reached
    }
    assert stored <= recorded
    assert reached > BACKLOG
    assert len(book.arrived) >= len(book.facts)  # what came twice is one fact: the book refuses two with one id
