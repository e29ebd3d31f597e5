"""On a running line pictures are encoded while their windows are still to come, and every part comes out the same."""

from __future__ import annotations

import queue
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent import Station
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.demo.lesson_plan import example_of, good_run
from edge_agent.inspection.encode import Encoder
from edge_agent.records import Part
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine
from tests.running_station import turning

pytestmark = pytest.mark.system

PARTS = 8


@pytest.mark.parametrize("bundle", ["castings", "generic"])
def test_a_picture_encoded_before_its_part_is_complete_comes_to_the_same_verdict(tmp_path: Path, bundle: str) -> None:
    line = CastingLine(3, defect_share=0.5)
    recipe = msgspec.structs.replace(Config.defaults(tmp_path).recipe, bundle=bundle, deadline_ms=20_000)
    config = msgspec.structs.replace(Config.defaults(tmp_path / "state"), recipe=recipe).resolved(Path())
    with Station(config) as station:
        station.teach("good", list(good_run(line, 20)))
        station.teach("scratch", [example_of(line.example("scratch", i)) for i in range(2)])
    told: queue.SimpleQueue[Part] = queue.SimpleQueue()
    agent = build(config, supply=SimLine(line, 2.0, PARTS), told=told.put)
    with turning(agent):
        parts = [told.get(timeout=120.0) for _ in range(PARTS)]
        early, judge = agent.dispatcher.counts.early, agent.holdings.recipe.judge
    encoder = Encoder.load(agent.holdings.recipe.bundle, config.engine)

    assert early > 0
    for part in parts:
        casting = line.part(part.trigger.number)
        wanted = judge.look(encoder.encode(casting.image, casting.samples, casting.rate_hz))
        assert part.embedding is not None
        assert np.array_equal(part.embedding.q, wanted.q)
        assert part.embedding.anomaly == wanted.anomaly
    encoder.close()
