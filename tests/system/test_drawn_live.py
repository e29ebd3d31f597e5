"""A word on a drawn part reaches the judge of a running station."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent import api
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.learning.draw import GROUP
from edge_agent.learning.example import Example
from edge_agent.ledger import Reader
from edge_agent.records import Embedding, Modality, Part
from edge_agent.runtime.steps import finished
from edge_agent.sources.simline import SimLine
from edge_agent.station import Station
from models.castings import CastingLine
from models.embedding import assemble, quantise
from tests.running_station import turning, wait_until

pytestmark = pytest.mark.system

HELD_OUT = 10


def config_in(folder: Path) -> Config:
    config = Config.defaults(folder)
    recipe = msgspec.structs.replace(config.recipe, draw_one_in=1, deadline_ms=20_000.0)
    return msgspec.structs.replace(config, recipe=recipe)


def teach_good(config: Config) -> None:
    """Teach it something of which every casting is unlike, without encoding anything."""
    with Station(config) as station:
        pictures = [
            np.random.default_rng(i).integers(60, 190, (64, 64, 3), dtype=np.uint8) for i in range(2 * HELD_OUT)
        ]
        lesson = station.lessons.begin("good", [Example(f"{i}", picture) for i, picture in enumerate(pictures)])
        blocks = station.recipe.bundle.blocks
        while lesson.next_variant() is not None:
            noise = np.random.default_rng(lesson.done)
            raw = {b.modality: 1.0 + 0.1 * noise.normal(size=b.stop - b.start) for b in blocks}
            lesson.take(Embedding(quantise(assemble(blocks, raw)), frozenset(Modality)))
        finished(station.lessons.learn(lesson, "ann"))


def first_group(folder: Path, series: str) -> list[Part]:
    with Reader(folder) as reader:
        return list(reader.parts_of(series, range(1, GROUP + 1)))


def test_words_on_drawn_parts_move_the_limit_of_a_running_station_and_show_in_its_status(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    socket = Path(config.api.socket)
    teach_good(config)
    agent = build(config, supply=SimLine(CastingLine(3), 10.0))
    with turning(agent):
        wait_until(lambda: agent.is_up and len(first_group(tmp_path, agent.source.position().series)) == GROUP)
        wait_until(lambda: api.call(socket, "status")["drawn"]["waiting"] >= GROUP)
        before = api.call(socket, "status")
        parts = first_group(tmp_path, before["series"])
        for part in parts:
            api.call(socket, "label", {"part": part.id, "label": "good", "who": "ann"})
        wait_until(lambda: agent.inspector.in_use.judge.promise().held_out == HELD_OUT + GROUP)
        after = api.call(socket, "status")

    assert before["promise"]["held_out"] == HELD_OUT
    assert before["drawn"]["next"] == [part.id for part in parts[:3]]
    assert after["promise"]["held_out"] == HELD_OUT + GROUP
    assert (after["drawn"]["stopped"]["count"], after["drawn"]["stopped"]["of"]) == (GROUP, GROUP)
    assert agent.inspector.in_use.judge is agent.holdings.recipe.judge
