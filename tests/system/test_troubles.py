"""What goes wrong on a running station is answered, counted and said: a dead device, a hung one, a disk that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_agent.agent import Agent
from edge_agent.agent.given import Plan
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.errors import DeviceFault, Unavailable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import Example
from edge_agent.ledger import Reader
from edge_agent.ledger.files import DiskFull
from edge_agent.ledger.store import Store
from edge_agent.records import Outcome, Part
from edge_agent.runtime.background import Chore
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine
from tests.running_station import turning, wait_until

pytestmark = pytest.mark.system

DEADLINE_MS = 250.0
UNHURRIED_MS = 20_000.0
"""A deadline that no machine misses, for what is not about deadlines [ms]."""


@contextmanager
def running(
    state_dir: Path, parts: list[Part], *, timeout_ms: float = 2000.0, deadline_ms: float = DEADLINE_MS
) -> Iterator[Agent]:
    config = Config.defaults(state_dir)
    engine = msgspec.structs.replace(config.engine, timeout_ms=timeout_ms)
    recipe = msgspec.structs.replace(config.recipe, deadline_ms=deadline_ms)
    config = msgspec.structs.replace(config, engine=engine, recipe=recipe)
    agent = build(config, supply=SimLine(CastingLine(3), 5.0), told=parts.append)
    with turning(agent):
        yield agent


def overdue(state_dir: Path, deadline_ms: float = DEADLINE_MS) -> int:
    """Count the parts on record whose output was told after their deadline; a machine that stands still makes some."""
    with Reader(state_dir) as reader:
        times = [part.times for part in reader.parts() if part.times.acted_s is not None]
    assert times
    return sum(t.acted_s > t.trigger_s + deadline_ms / 1e3 for t in times)


def kinds(agent: Agent) -> set[str]:
    return {trouble.kind for trouble in agent.status().troubles}


def test_a_device_that_is_dead_from_the_start_leaves_every_part_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*arguments: object, **named: object) -> Encoder:
        raise DeviceFault("no such device", hint="plug it in")

    monkeypatch.setattr(Encoder, "at_spots", dead)
    parts: list[Part] = []
    with running(tmp_path, parts, deadline_ms=UNHURRIED_MS) as agent:
        wait_until(lambda: len(parts) >= 10)
        assert "device" in kinds(agent)
        assert all(lane.reason.endswith("no such device") for lane in agent.status().dispatch.lanes)
    answered = {(part.verdict.outcome, part.verdict.cause) for part in parts} - {(Outcome.UNSURE, "stopping")}
    assert answered == {(Outcome.UNSURE, "device")}
    assert sorted(part.trigger.number for part in parts) == list(range(1, len(parts) + 1))


@pytest.mark.parametrize("where", ["encode", "begin"])
def test_a_device_that_hangs_is_given_up_and_its_parts_are_late_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    hang, let_go = threading.Event(), threading.Event()
    method = getattr(Encoder, where)

    def hanging(self: Encoder, *arguments: object, **named: object) -> object:
        if hang.is_set():
            let_go.wait(30.0)
        return method(self, *arguments, **named)

    monkeypatch.setattr(Encoder, where, hanging)
    parts: list[Part] = []
    with running(tmp_path, parts, timeout_ms=400.0, deadline_ms=1000.0) as agent:
        wait_until(lambda: len(parts) >= 5)
        hang.set()
        wait_until(lambda: any("not answered" in lane.reason for lane in agent.status().dispatch.lanes))
        if where == "encode":
            wait_until(lambda: "late" in kinds(agent))
        else:  # the part itself need not be late: what hangs is begun long before its deadline
            answered = len(parts)
            wait_until(lambda: len(parts) >= answered + 5)
        hang.clear()
        let_go.set()
        before = len(parts)
        wait_until(lambda: "untaught" in {part.verdict.cause for part in parts[before:]})
        assert (agent.inspector.counts.late > 0) or where == "begin"
    assert agent.inspector.counts.overdue == overdue(tmp_path, 1000.0)
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
        triggers = agent.source.position().number
        series = agent.source.position().series
    with Reader(tmp_path) as reader:
        numbers = sorted(part.trigger.number for part in reader.parts())
        assert reader.unanswered(series, triggers) == []
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= triggers
    assert any(part.committed_late for part in parts)
    assert agent.inspector.counts.overdue == overdue(tmp_path)


def test_a_source_whose_thread_fails_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take, broken = SimLine.take, threading.Event()

    def breaking(self: SimLine) -> object:
        if broken.is_set():
            broken.clear()
            raise Unavailable("unplugged", hint="plug it in")
        return take(self)

    monkeypatch.setattr(SimLine, "take", breaking)
    parts: list[Part] = []
    with running(tmp_path, parts) as agent:
        wait_until(lambda: len(parts) >= 5)
        broken.set()
        wait_until(lambda: any(c.name == "source" and c.restarts for c in agent.status().components))
        before = len(parts)
        wait_until(lambda: len(parts) >= before + 5)
    numbers = sorted(part.trigger.number for part in parts)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_lesson_for_a_dead_device_is_given_up_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*arguments: object, **named: object) -> Encoder:
        raise DeviceFault("no such device", hint="plug it in")

    monkeypatch.setattr(Encoder, "at_spots", dead)
    monkeypatch.setattr("edge_agent.agent.teacher.GIVE_UP_S", 0.5)
    results: list[object] = []
    casting = CastingLine(4).example("pit", 0)
    with running(tmp_path, []) as agent:
        wait_until(lambda: agent.is_up)
        lesson = agent.holdings.lessons.begin("pit", [Example("a", casting.image)])
        product, plan = agent.holdings.products.in_use, Plan("pit", "me")
        agent.calls.post(lambda: agent.teacher.begin(product, lesson, plan, results.append, agent.clock.now()))
        wait_until(lambda: bool(results))
        assert agent.teacher.progress is None
    assert isinstance(results[0], Unavailable)


def test_background_work_goes_on_after_a_restart_of_it(tmp_path: Path) -> None:
    with running(tmp_path, []) as agent:
        wait_until(lambda: agent.is_up)
        agent.supervisor.failed("background", Unavailable("for a test"))
        wait_until(lambda: any(c.name == "background" and c.restarts for c in agent.status().components))
        done: list[object] = []
        wait_until(lambda: agent.background.status() is not None)
        agent.calls.post(lambda: agent.background.submit(Chore(lambda: 7, done.append)) and None)
        wait_until(lambda: done == [7])
