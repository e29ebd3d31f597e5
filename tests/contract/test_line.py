"""The line that a configuration describes: what its recipes say together reaches the wire."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge_agent.agent.line import line_of
from edge_agent.config import Config, RecipeConfig, SourceConfig, StationConfig
from edge_agent.config.wire import RecipeGateConfig, WireConfig
from edge_agent.runtime.loop import Loop
from edge_agent.testing.clock import ManualClock
from firmware_bridge.heard import Up
from firmware_bridge.messages import ConfigAck, Hello


class Followed:
    """Stands in for the bridge."""

    failure = None

    def __init__(self) -> None:
        self.from_s: list[float] = []

    def hold(self, now: float) -> None:
        pass

    def follow_from(self, from_s: float) -> None:
        self.from_s.append(from_s)


def test_a_gate_waits_for_the_parts_of_the_recipe_that_takes_longest_to_pass_it(tmp_path: Path) -> None:
    gates = (
        RecipeGateConfig(output=0, travel_ms=900.0, pulse_ms=20.0),
        RecipeGateConfig(output=2, travel_ms=600.0, pulse_ms=700.0),
    )
    products = [SimpleNamespace(recipe=SimpleNamespace(config=RecipeConfig(gate=gate))) for gate in gates]
    holdings: Any = SimpleNamespace(
        products=products, recorder=SimpleNamespace(offer=lambda gated: None), note=lambda *words, **data: None
    )
    config = Config(
        station=StationConfig(state_dir=str(tmp_path)),
        source=SourceConfig(kind="wire", wire=WireConfig(port="/dev/serial/by-id/mcu")),
    )
    clock = ManualClock()
    loop = Loop(clock)
    line = line_of(config, clock, loop, holdings, None, None)
    assert line.wire is not None
    assert line.gate is not None
    bridge: Any = Followed()
    line.wire._bridge = bridge
    for component in line.components:
        loop.add(component)
    hello = Hello(1, 1, 7, 1_000_000, "sensor", 16_000, 26_667, 1, 3)
    line.wire._hear(Up(hello, ConfigAck(0, 26_667, 16_000, 256), 0))
    line.wire.open()
    line.gate.step(clock.now())

    assert bridge.from_s == [clock.now() + 1.3]
    assert line.wire._wanted.active_levels == line.wire._wanted.safe_levels == 0b101
