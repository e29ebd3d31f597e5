"""A station at a simulated microcontroller on a real pty: parts are announced, felt, judged, and thrown out in time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent import api
from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.config.file import load_config
from edge_agent.demo.lesson_plan import example_of
from edge_agent.ledger import Reader
from edge_agent.records import Action, Part
from edge_agent.station import Station
from models.castings import CastingLine
from tests.running_station import wait_until
from tests.wire_cell import NO_CAMERA, NOMINAL_RATE_HZ, TICK_HZ, TRUE_RATE_HZ, Cell, castings

pytestmark = pytest.mark.system

UNHURRIED = {"deadline_ms": 1500, "travel_ms": 2500, "lease_ms": 10_000}
"""Times within which a machine may stand still for a while, for what is not about that."""
TRAVEL_S = UNHURRIED["travel_ms"] / 1e3
TICKS_OFF_S = 0.0001 * TRAVEL_S + 0.0001
"""By how much the microcontroller's second may differ from the host's over `TRAVEL_S`: 100 ppm of it, and more [s]."""
ENOUGH = 18
"""Parts that were seen and felt; a part of which the busy machine lost something does not count."""


@contextmanager
def running(path: Path, cell: Cell) -> Iterator[Agent]:
    agent = build(load_config(path))
    cell.see = agent.line.wire.deliver
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        wait_until(lambda: agent.is_up and cell.stand.mcu.outputs.armed)
        cell.line.moving = True
        yield agent
    finally:
        agent.loop.stop()
        loop.join()
        unclean = agent.close()
        cell.see = lambda frame: None
        assert unclean == ()


def recorded(folder: Path) -> list[Part]:
    """Give the parts on record by number: one that had to wait was written down behind the next."""
    with Reader(folder / "state") as reader:
        return sorted(reader.parts(), key=lambda part: part.trigger.number)


def seen_and_felt(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.embedding is not None and not part.verdict.degraded]


def seen(parts: list[Part]) -> set[int]:
    """Give the numbers of the parts of which there was a picture."""
    return {p.trigger.number for p in parts if p.times.frame_s is not None}


def acted_in_time(part: Part) -> bool:
    """Say whether the output was told in time; on a machine that stands still there are others."""
    return part.times.acted_s is not None and part.times.acted_s <= part.trigger.time_s + UNHURRIED["deadline_ms"] / 1e3


def test_every_part_is_judged_by_what_was_seen_and_felt_and_the_gate_moves_at_its_tick(tmp_path: Path) -> None:
    with Cell(tmp_path) as cell:
        path = cell.config(tmp_path, "image", "vibration", device=NO_CAMERA, **UNHURRIED)
        with Station(path) as station:
            line = CastingLine(3)
            station.teach("good", [example_of(line.example("good", n)) for n in range(1, 41)])
        with running(path, cell) as agent:
            wait_until(lambda: len(seen_and_felt(recorded(tmp_path))) >= ENOUGH)
            cell.line.moving = False
            wait_until(lambda: len(recorded(tmp_path)) == len(cell.line.passed))
            wait_until(lambda: all(part.gate for part in recorded(tmp_path) if part.action is Action.REJECT))
            status = agent.status()

    parts = recorded(tmp_path)
    assert [part.trigger.number for part in parts] == list(range(1, len(cell.line.passed) + 1))
    assert {part.action for part in parts} == {Action.PASS, Action.REJECT}
    whole = seen_and_felt(parts)
    assert {len(part.embedding.present) for part in whole} == {2}
    assert status.wire.rate_hz == pytest.approx(TRUE_RATE_HZ, rel=2e-3)
    assert abs(status.wire.rate_hz / NOMINAL_RATE_HZ - 1.0) > 0.02
    good = [cell.line.passed[part.trigger.number - 1][1].truth == "good" for part in whole]
    ok = [part.verdict.outcome == "OK" for part in whole]
    assert sum(o for o, g in zip(ok, good, strict=True) if g) >= 0.7 * sum(good)
    opened = np.array([change.ticks for change in cell.opened()])
    in_time = list(filter(acted_in_time, parts))
    assert len(in_time) >= ENOUGH
    for part in in_time:
        edge = cell.line.passed[part.trigger.number - 1][0]
        assert (part.gate == "done") == (part.action is Action.REJECT)
        off_s = np.abs(opened - edge - TRAVEL_S * TICK_HZ) / TICK_HZ
        assert (off_s.min() < TICKS_OFF_S) == (part.action is Action.REJECT)


def test_a_pulled_cable_costs_the_parts_meanwhile_and_each_of_them_is_declared(tmp_path: Path) -> None:
    with Cell(tmp_path) as cell, running(cell.config(tmp_path, "vibration"), cell) as agent:
        wait_until(lambda: agent.inspector.counts.triggers >= 4)
        cell.stand.pull()
        wait_until(lambda: {s.name: s.state for s in agent.supervisor.status()}["source"] == "waiting")
        gone = len(cell.line.passed)
        wait_until(lambda: any("source is waiting" in trouble.message for trouble in agent.status().troubles))
        wait_until(lambda: len(cell.line.passed) >= gone + 4)
        back = len(cell.line.passed)
        cell.stand.plug_in()
        before = agent.inspector.counts.triggers
        wait_until(lambda: agent.inspector.counts.triggers >= before + 3)
        last = agent.source.position().number

    parts = recorded(tmp_path)
    assert [part.trigger.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) >= last - 1
    missed = {part.trigger.number for part in parts if part.verdict.cause == "overrun"}
    assert missed >= set(range(gone + 1, back + 1))


def test_what_passed_while_the_cable_was_pulled_is_declared_though_nothing_follows_it(tmp_path: Path) -> None:
    with Cell(tmp_path) as cell, running(cell.config(tmp_path, "vibration"), cell) as agent:
        wait_until(lambda: agent.inspector.counts.triggers >= 2)
        cell.stand.pull()
        wait_until(lambda: not agent.line.wire.status().armed)
        passed = len(cell.line.passed)
        wait_until(lambda: len(cell.line.passed) >= passed + 4)
        cell.line.moving = False
        cell.stand.plug_in()
        wait_until(lambda: len(recorded(tmp_path)) == len(cell.line.passed))

    assert [part.trigger.number for part in recorded(tmp_path)] == list(range(1, len(cell.line.passed) + 1))
    with Reader(tmp_path / "state") as reader:
        assert "outage_misses" in {event.kind for event in reader.events(500)}


def test_cameras_deliver_to_the_parts_of_the_wire_and_one_that_goes_is_missed_and_comes_back(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for casting in castings()[:6]:
        cv2.imwrite(str(pictures / f"{casting.number}.png"), casting.image)
    with Cell(tmp_path) as cell:
        path = cell.config(tmp_path, "image", "vibration", device=str(pictures), **UNHURRIED)
        with running(path, cell) as agent:
            cell.see = lambda frame: None  # this station has a camera of its own
            wait_until(lambda: len(seen(recorded(tmp_path))) >= 3)
            wait_until(lambda: [camera.state for camera in agent.status().cameras] == ["delivering"])
            pictures.rename(tmp_path / "away")
            wait_until(lambda: agent.status().cameras[0].state == "lost")
            away = len(cell.line.passed)
            wait_until(lambda: len(recorded(tmp_path)) >= away + 4)
            assert "camera_main" in [trouble.kind for trouble in agent.status().troubles]
            (tmp_path / "away").rename(pictures)
            wait_until(lambda: agent.status().cameras[0].state == "delivering")
            back = len(cell.line.passed)
            wait_until(lambda: any(number > back for number in seen(recorded(tmp_path))))

    assert not {away + 2, away + 3, away + 4} & seen(recorded(tmp_path))


def test_a_gate_that_hears_nothing_goes_to_its_safe_level_and_follows_again(tmp_path: Path) -> None:
    with Cell(tmp_path) as cell:
        path = cell.config(tmp_path, "vibration")
        command = [sys.executable, "-m", "edge_agent", "run", "-c", str(path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as station:
            try:
                wait_until(lambda: cell.stand.mcu.outputs.armed)
                station.send_signal(signal.SIGSTOP)
                wait_until(lambda: cell.stand.mcu.outputs.lapsed)
                wait_until(lambda: cell.opened()[-1].ticks > 0)
                station.send_signal(signal.SIGCONT)
                wait_until(lambda: cell.stand.mcu.outputs.armed)
                os.kill(station.pid, signal.SIGKILL)
                station.wait()
                wait_until(lambda: cell.stand.mcu.outputs.lapsed)
                assert not cell.stand.mcu.outputs.armed
            finally:
                station.kill()


def test_every_part_that_was_to_be_rejected_has_its_word_though_the_station_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware_bridge.bridge.LAST_S", 4.0)  # and a machine may stand still for most of that
    with (
        Cell(tmp_path, period_s=0.1) as cell,
        running(cell.config(tmp_path, "vibration", travel_ms=1200, lease_ms=10_000), cell) as agent,
    ):
        wait_until(lambda: agent.inspector.counts.triggers >= 8)
        wait_until(lambda: agent.inspector.in_flight > 0)

    rejected = [part for part in recorded(tmp_path) if part.action is Action.REJECT]
    assert len(rejected) >= 8
    assert [part.gate for part in rejected] == ["done"] * len(rejected)


def test_bypass_lets_every_part_pass_says_so_and_outlives_a_restart(tmp_path: Path) -> None:
    with Cell(tmp_path) as cell:
        path = cell.config(tmp_path, "vibration", lease_ms=10_000)
        with running(path, cell) as agent:
            socket = Path(agent.holdings.config.api.socket)
            answer = api.call(socket, "gate", {"to": "bypass", "who": "ada"})
            assert (answer["bypassed"], answer["fate"]) == (True, "")
            before, asked = len(cell.opened()), agent.line.gate.status().asked
            judged = agent.inspector.counts.triggers
            wait_until(lambda: agent.inspector.counts.triggers >= judged + 4)
            assert agent.line.gate.status().asked == asked
            assert len(cell.opened()) <= before + 2  # what was asked for before may still come
            wait_until(lambda: api.call(socket, "gate", {"to": "try", "who": "ada"})["fate"] == "done")
            assert "gate_bypassed" in [trouble.kind for trouble in agent.status().troubles]
        with running(path, cell) as agent:
            assert agent.line.gate.bypassed
            assert not api.call(socket, "gate", {"to": "follow", "who": "ada"})["bypassed"]

    with Reader(tmp_path / "state") as reader:
        kinds = [event.kind for event in reader.events(500)]
    assert {"gate_bypassed", "gate_follows", "gate_tried"} <= set(kinds)
    assert "bypassed" in {part.gate for part in recorded(tmp_path)}


def test_a_station_without_its_microcontroller_runs_and_says_what_is_missing(tmp_path: Path) -> None:
    cell = Cell(tmp_path)
    path = cell.config(tmp_path, "vibration")
    agent = build(load_config(path))
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        wait_until(lambda: agent.is_settled)
        messages = json.dumps([trouble.message for trouble in agent.status().troubles])
        assert "there is no such device" in messages
        assert not agent.is_up
        with cell:
            wait_until(lambda: agent.is_up)
    finally:
        agent.loop.stop()
        loop.join()
        assert agent.close() == ()
