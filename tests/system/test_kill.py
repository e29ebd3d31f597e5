"""Kill -9 at random moments: the database stays whole, every trigger is answered or declared, none twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.config import Config
from edge_agent.ledger import Misses, Reader
from edge_agent.records import Outcome
from edge_agent.sources.count import TriggerCount
from edge_agent.station import Station
from tests.running_station import running

KILLS = 4

CONFIG = """
[station]
state_dir = "state"
[source.simline]
parts_per_s = 40.0
parts = {parts}
[recipe]
deadline_ms = 250
"""


def start(folder: Path, parts: int) -> subprocess.Popen[str]:
    config = folder / "station.toml"
    config.write_text(CONFIG.format(parts=parts))
    command = [sys.executable, "-m", "edge_agent", "run", "-c", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_parts(folder: Path, more_than: int) -> None:
    until = time.monotonic() + 120.0
    while time.monotonic() < until:
        if counted(folder) > more_than:
            return
        time.sleep(0.02)
    raise AssertionError("the station does not begin to work")


def counted(folder: Path) -> int:
    path = folder / "state" / "source.count"
    if not path.exists():
        return 0
    count = TriggerCount(path, lambda: "unused")
    number = count.open().number
    count.close()
    return number


@pytest.mark.system
def test_kills_lose_nothing_and_answer_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    before = 0
    for _ in range(KILLS):
        with start(tmp_path, parts=0) as process:
            wait_for_parts(tmp_path, before)
            time.sleep(chance.uniform(0.0, 0.8))
            process.send_signal(signal.SIGKILL)
        before = counted(tmp_path)
    with start(tmp_path, parts=5) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output

    triggers = counted(tmp_path)
    with Reader(tmp_path / "state") as reader:
        problems = reader.problems()
        counts = reader.counts()
        numbers = [part.trigger.number for part in reader.parts()]
    assert problems == []
    assert sorted(numbers) == list(range(1, triggers + 1))
    assert sum(counts.values()) == triggers
    assert counts[Outcome.MISSED] > 0  # something was in flight at one of the kills, or the test proves nothing


@pytest.mark.system
def test_gaps_of_a_count_that_has_ended_are_declared_at_the_next_start(tmp_path: Path) -> None:
    settings = Config.defaults(tmp_path / "state")
    with Station(settings) as station:
        for number in (1, 2, 5):
            station.holdings.ledger.offer(Misses("before", number, number, "overrun"))
    with running(settings):
        pass

    with Reader(tmp_path / "state") as reader:
        rows = [(p.trigger.number, p.verdict.cause) for p in reader.parts() if p.trigger.series == "before"]
        assert "restart_misses" in {event.kind for event in reader.events(100)}
    assert sorted(rows) == [(1, "overrun"), (2, "overrun"), (3, "restart"), (4, "restart"), (5, "overrun")]
