"""A device that goes wrong when the test says so: every part is answered, in time or declared, and it is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.bench.chaos import Chaos, Fault
from edge_agent.config import Config
from edge_agent.ledger import Reader
from edge_agent.records import Outcome, Part
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine
from tests.running_station import turning, wait_until

pytestmark = pytest.mark.system

DEADLINE_MS = 1500.0
"""Enough for a machine that is busy with other tests to have a part judged by the lane that stands in [ms]."""

TIMES = 3


class Scripted(Chaos):
    """Goes wrong at the next inferences, or loads, after it was told to."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.wanted: list[Fault] = []

    def tell(self, fault: Fault) -> None:
        """Go wrong; a dead device is loaded again because it hung."""
        with self._lock:
            self.wanted = [Fault.HANG] if fault is Fault.DEAD else TIMES * [fault]
            self._dead = 1 if fault is Fault.DEAD else 0

    _dead = 0

    def fails_to_load(self) -> bool:
        """Say whether a device that was loaded before is dead now."""
        self._dead -= 1
        return self._dead >= 0

    def next(self) -> Fault | None:
        """Say what goes wrong with the present inference."""
        with self._lock:
            fault = self.wanted.pop() if self.wanted else None
            if fault is not None:
                self.counts[fault] += 1
            return fault


def is_ready(agent: Agent) -> bool:
    """Say whether one lane is in use and the other stands in."""
    return [lane.state for lane in agent.status().dispatch.lanes] == ["in use", "ready"]


def causes_of(parts: list[Part]) -> set[str]:
    return {part.verdict.cause for part in parts}


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
def test_a_device_that_goes_wrong_costs_no_answer(tmp_path: Path, fault: Fault) -> None:
    config = Config.defaults(tmp_path)
    engine = msgspec.structs.replace(config.engine, timeout_ms=400.0, memory_mb=2000)
    recipe = msgspec.structs.replace(config.recipe, deadline_ms=DEADLINE_MS)
    config = msgspec.structs.replace(config, engine=engine, recipe=recipe)
    chaos, parts = Scripted(), list[Part]()
    agent = build(config, supply=SimLine(CastingLine(3), 5.0), told=parts.append, load=chaos.load)
    with turning(agent):
        wait_until(lambda: len(parts) >= 3 and is_ready(agent))
        chaos.tell(fault)
        wait_until(lambda: chaos.counts[fault] >= (1 if fault is Fault.DEAD else TIMES))
        before = len(parts)
        wait_until(lambda: "untaught" in causes_of(parts[before:]) and len(parts) >= before + 5)
        counts = agent.dispatcher.counts
    own = {"untaught", "stopping"}  # nothing was taught: its own verdict is that nothing is known
    assert [part.trigger.number for part in sorted(parts, key=lambda p: p.trigger.number)] == list(
        range(1, len(parts) + 1)
    )
    assert causes_of(parts) <= own | {"late", "device"}
    assert {part.verdict.outcome for part in parts} == {Outcome.UNSURE}
    assert counts.submitted == counts.done + counts.refused + counts.too_late + counts.faulted
    if fault in (Fault.NAN, Fault.SLOW):  # the one that stands in has them in time
        assert causes_of(parts) <= own
    with Reader(tmp_path) as reader:
        said = {event.kind for event in reader.events(1000)}
        times = [part.times for part in reader.parts() if part.times.acted_s is not None]
    assert ("device_failed" in said) == (fault is not Fault.SLOW)
    overdue = sum(t.acted_s - t.trigger_s > DEADLINE_MS / 1e3 for t in times if t.acted_s is not None)
    assert overdue == agent.inspector.counts.overdue
