"""Several products on one station: a change of product on a running line, and two that alternate part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from test_demo import program

from edge_agent import api
from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.bench.loads import Pace, castings_of
from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.demo.lesson_plan import example_of
from edge_agent.inspection.encode import Encoder
from edge_agent.records import Part
from edge_agent.sources.schedule import Material
from edge_agent.station import Station
from models.castings import CastingLine
from tests.running_station import turning, wait_until

pytestmark = pytest.mark.system

RECIPE = '[recipe]\nbundle = "castings"\ndeadline_ms = 20_000\n'
"""No machine misses this deadline."""


def configured(folder: Path) -> Config:
    (folder / "bolts.toml").write_text(RECIPE + 'name = "bolts"\n')
    path = folder / "station.toml"
    path.write_text(f'[station]\nrecipes = ["bolts.toml"]\n{RECIPE}[engine]\nmemory_mb = 1000\n')
    return load_config(path)


class Alternating(Pace):
    """Names the recipe of every part, two in turn."""

    def take(self) -> Material | None:
        material = super().take()
        return None if material is None else replace(material, recipe=("default", "bolts")[self._taken % 2])


@contextmanager
def running(config: Config, supply: Pace, told: Callable[[Part], None]) -> Iterator[Agent]:
    agent = build(config, supply=supply, told=told)
    with turning(agent):
        yield agent


def test_a_change_of_product_on_a_running_line_loses_no_trigger_and_holds_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, parts, loaded = configured(tmp_path), list[Part](), list[object]()
    at_spots = Encoder.at_spots
    monkeypatch.setattr(Encoder, "at_spots", lambda *which, **how: loaded.append(which) or at_spots(*which, **how))
    with running(config, Pace(castings_of(CastingLine(1), 8), 10.0, 10_000), parts.append):
        wait_until(lambda: len(parts) >= 5)
        before = len(loaded)
        api.call(Path(config.api.socket), "use", {"recipe": "bolts", "who": "me"})
        wait_until(lambda: sum(part.recipe == "bolts" for part in parts) >= 5)
        assert api.call(Path(config.api.socket), "status", {})["recipe"] == "bolts"
    parts.sort(key=lambda part: part.trigger.number)
    numbers = [part.trigger.number for part in parts]
    recipes = [part.recipe for part in parts]

    assert len(loaded) == before > 0  # both products have one bundle, which is there
    assert numbers == list(range(1, len(numbers) + 1))
    assert recipes == sorted(recipes, reverse=True)  # first all of one, then all of the other
    with Station(config) as station:
        assert station.recipe.config.name == "bolts"


def test_two_products_alternate_part_by_part_on_one_loaded_bundle(tmp_path: Path) -> None:
    config, parts = configured(tmp_path), list[Part]()
    with running(config, Alternating(castings_of(CastingLine(1), 8), 10.0, 10_000), parts.append) as agent:
        wait_until(lambda: len(parts) >= 20)
        assert agent.evictions.count == 0

    parts.sort(key=lambda part: part.trigger.number)
    assert [part.recipe for part in parts[:20]] == ["bolts", "default"] * 10
    judged = {part.recipe for part in parts if part.verdict.cause == "untaught"}  # a busy machine may be late for some
    assert judged == {"bolts", "default"}


def test_what_one_product_is_taught_the_other_does_not_know(tmp_path: Path) -> None:
    config = configured(tmp_path)
    line = CastingLine(2)
    with Station(config) as station:
        station.use("bolts")
        station.teach("good", [example_of(line.example("good", i)) for i in range(6)])
        assert station.recipe.learned.knowledge.samples("good") == 3
        station.use("default")
        assert not station.recipe.learned.knowledge.classes


def test_use_on_a_stopped_station_and_what_it_says_of_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    configured(tmp_path)
    done = program("use", "bolts", "-c", "station.toml", "--json", cwd=tmp_path)
    wrong = program("use", "nuts", "-c", "station.toml", cwd=tmp_path)

    assert json.loads(done.stdout) == {"recipe": "bolts", "took_ms": 0.0}
    assert wrong.returncode == 1
    assert "there is no recipe 'nuts': default, bolts" in wrong.stderr


def test_a_device_that_is_not_there_is_a_matter_of_the_configuration_on_a_stopped_station_too(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text('[engine]\ndevice = "npu"\n')
    (tmp_path / "good").mkdir()
    cv2.imwrite(str(tmp_path / "good" / "1.png"), CastingLine(1).example("good", 1).image)
    ran = program("teach", "good", "good", "--yes", "-c", "station.toml", cwd=tmp_path)

    assert ran.returncode == 78
    assert "OpenVINO finds no device npu here" in ran.stderr
