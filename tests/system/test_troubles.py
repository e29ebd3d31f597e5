"""What goes wrong on a running station is answered, counted and said: a dead device, a hung one, a disk that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encode import Encoder
from edge_agent.ledger.files import DiskFull
from edge_agent.ledger.store import Store
from edge_agent.records import Outcome, Part
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine

pytestmark = pytest.mark.system


def wait_until(what: Callable[[], bool], timeout_s: float = 20.0) -> None:
    clock = SystemClock()
    until = clock.now() + timeout_s
    while not what():
        assert clock.now() < until, "it never came to that"
        clock.wait(threading.Event(), clock.now() + 0.02)


@contextmanager
def running(state_dir: Path, parts: list[Part], *, timeout_ms: float = 2000.0) -> Iterator[Agent]:
    config = Config.defaults(state_dir)
    config = msgspec.structs.replace(config, engine=msgspec.structs.replace(config.engine, timeout_ms=timeout_ms))
    agent = build(config, supply=SimLine(CastingLine(3), 20.0), told=parts.append)
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        yield agent
    finally:
        agent.loop.stop()
        loop.join()
        agent.close()


def kinds(agent: Agent) -> set[str]:
    return {trouble.kind for trouble in agent.status().troubles}


def test_a_device_that_is_dead_from_the_start_leaves_every_part_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*arguments: object) -> Encoder:
        raise DeviceFault("no such device", hint="plug it in")

    monkeypatch.setattr(Encoder, "load", dead)
    parts: list[Part] = []
    with running(tmp_path, parts) as agent:
        wait_until(lambda: len(parts) >= 10)
        assert {"device", "component_device"} <= kinds(agent)
    assert {(part.verdict.outcome, part.verdict.cause) for part in parts} == {(Outcome.UNSURE, "device")}
    assert [part.trigger.number for part in parts[:10]] == list(range(1, 11))


def test_a_device_that_hangs_is_given_up_and_its_parts_are_late_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, let_go = threading.Event(), threading.Event()
    encode = Encoder.encode

    def hanging(self: Encoder, *arguments: object) -> object:
        if hang.is_set():
            let_go.wait(30.0)
        return encode(self, *arguments)

    monkeypatch.setattr(Encoder, "encode", hanging)
    parts: list[Part] = []
    with running(tmp_path, parts, timeout_ms=400.0) as agent:
        wait_until(lambda: len(parts) >= 5)
        hang.set()
        wait_until(lambda: any(c.name == "device" and c.restarts for c in agent.status().components))
        hang.clear()
        let_go.set()
        before = len(parts)
        wait_until(lambda: len(parts) > before + 30 and parts[-1].verdict.cause == "untaught")
        counts = agent.inspector.counts
        assert counts.late > 0
        assert counts.overdue == 0
        assert "late" in kinds(agent)
    assert {part.verdict.cause for part in parts} <= {"untaught", "late", "device", "stopping"}


def test_a_disk_that_fails_is_said_and_nothing_is_lost_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    write = Store.write

    def failing(self: Store, batch: object) -> object:
        if full.is_set():
            raise DiskFull("no room", hint="make some")
        return write(self, batch)

    monkeypatch.setattr(Store, "write", failing)
    parts: list[Part] = []
    with running(tmp_path, parts) as agent:
        wait_until(lambda: len(parts) >= 5)
        full.set()
        wait_until(lambda: "disk" in kinds(agent) and agent.inspector.counts.committed_late > 3)
        full.clear()
        wait_until(lambda: "disk" not in kinds(agent))
        before = len(parts)
        wait_until(lambda: len(parts) >= before + 5)
        assert agent.inspector.counts.overdue == 0
        triggers = agent.source.position().number
    numbers = sorted(part.trigger.number for part in parts)
    assert numbers[: triggers - 8] == list(range(1, triggers - 7))
    assert any(part.committed_late for part in parts)
