"""A head start gives its lane what it would have loaded itself, once, or nothing; and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_agent import cli, running
from edge_agent.agent.placed import ways_of
from edge_agent.config import Config, EngineConfig
from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import DeviceFault
from edge_agent.inspection import headstart
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.inspection.encoders import Evictions
from edge_agent.inspection.headstart import HeadStart
from edge_agent.scheduler.timetable import Timetable
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.disk import FakeDisk
from models import Bundle

CPU = Spot(DeviceName("openvino", "cpu"), 1)
OTHER = Spot(DeviceName("onnxruntime", "cpu"), 1)


class Loaded:
    """Stands in for an encoder."""

    def __init__(self) -> None:
        self.closed = 0
        self.vouched = False

    def vouch(self) -> None:
        self.vouched = True

    def close(self) -> None:
        self.closed += 1


class Runtime:
    """Stands in for a runtime: remembers what it was asked for."""

    def __init__(self, fails: bool = False) -> None:
        self.asked: list[tuple[str, EngineConfig, Path]] = []
        self.made = Loaded()
        self._fails = fails

    def load(self, bundle: Bundle, engine: EngineConfig, cache: Path) -> Encoder:
        self.asked.append((bundle.name, engine, cache))
        if self._fails:
            raise DeviceFault("it burns")
        return self.made  # type: ignore[return-value]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    defaults = Config.defaults(tmp_path)
    return msgspec.structs.replace(
        defaults, recipe=msgspec.structs.replace(defaults.recipe, bundle="castings")
    ).resolved(tmp_path)


@pytest.fixture
def bundle(config: Config) -> Bundle:
    return load_bundle(config.recipe.bundle_dir)


def begun(config: Config, runtime: Runtime, kind: type[HeadStart] = HeadStart) -> HeadStart:
    ahead = kind(config, runtime.load)
    ahead.begin()
    return ahead


def test_it_hands_over_what_it_loaded_once(config: Config, bundle: Bundle, tmp_path: Path) -> None:
    runtime = Runtime()
    ahead = begun(config, runtime)
    taken = [ahead.take(bundle, {"image": CPU, "vibration": CPU}) for _ in range(2)]
    ahead.close()

    assert taken == [runtime.made, None]
    assert runtime.asked == [("castings", config.engine, Path(config.station.state_dir) / "compiled")]
    assert (runtime.made.vouched, runtime.made.closed) == (True, 0)


class Careless(HeadStart):
    """Wrong: hands over what it has, whatever was asked for."""

    def take(self, bundle: Bundle, spots: Mapping[str, Spot]) -> Encoder | None:
        return super().take(bundle, dict.fromkeys(spots, CPU))


def gives_what_runs_elsewhere(config: Config, bundle: Bundle, kind: type[HeadStart]) -> bool:
    runtime = Runtime()
    ahead = begun(config, runtime, kind)
    given = ahead.take(bundle, {"image": CPU, "vibration": OTHER})
    ahead.close()
    return given is not None


def test_what_runs_elsewhere_is_not_given_and_that_is_noticed(config: Config, bundle: Bundle) -> None:
    assert not gives_what_runs_elsewhere(config, bundle, HeadStart)
    assert gives_what_runs_elsewhere(config, bundle, Careless)


def test_what_nobody_took_is_released(config: Config) -> None:
    runtime = Runtime()
    ahead = begun(config, runtime)
    ahead.close()
    ahead.close()

    assert runtime.made.closed == 1


def test_another_bundle_is_not_given(config: Config) -> None:
    generic = load_bundle(msgspec.structs.replace(config.recipe, bundle="generic").resolved(Path()).bundle_dir)
    ahead = begun(config, Runtime())

    assert ahead.take(generic, {"image": CPU}) is None
    ahead.close()


def test_where_it_fails_the_lane_has_to_load_and_hears_why(config: Config, bundle: Bundle) -> None:
    ahead = begun(config, Runtime(fails=True))

    assert ahead.take(bundle, {"image": CPU}) is None


def test_where_it_is_still_to_be_measured_where_it_runs_nothing_is_loaded(config: Config) -> None:
    runtime = Runtime()
    auto = msgspec.structs.replace(config, engine=msgspec.structs.replace(config.engine, runtime="auto"))
    begun(auto, runtime).close()

    assert runtime.asked == []


class Heard(Timetable):
    """Remembers which parts it heard of."""

    roles: frozenset[str] = frozenset()

    def ran(self, bundle: Bundle, role: str, spot: Spot, took_s: float) -> None:
        self.roles |= {role}
        super().ran(bundle, role, spot, took_s)


def test_the_first_way_takes_it_proves_one_vector_then_all_and_knows_how_long_they_took(
    config: Config, bundle: Bundle, tmp_path: Path
) -> None:
    ahead = HeadStart(config)
    ahead.begin()

    def never(*arguments: object) -> Any:
        raise AssertionError("it was loaded already")

    timetable = Heard(FakeDisk(), ManualClock(), never, lambda *noted: None)
    ways = ways_of([bundle], config.engine, tmp_path, Evictions(), timetable, never, ahead=ahead)
    encoders = ways[0].load()
    proven = [ways[0].prove(encoders) for _ in range(2)]
    encoders.close()

    assert proven == [1, len(bundle.golden().z)]
    assert timetable.roles == {part.role for part in bundle.manifest.judging}
    assert encoders.at == "openvino/cpu"


def test_each_start_in_a_process_begins_by_what_the_file_says_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = tmp_path / "station.toml", []

    class Remembers:
        def __init__(self, config: Config) -> None:
            asked.append(config.recipe.bundle)

        def begin(self) -> None: ...

    def says(bundle: str) -> None:
        path.write_text(f'[recipe]\nname = "parts"\nbundle = "{bundle}"\n')

    def serve(make: Any) -> int:
        make()
        says("steel")
        make()
        return 0

    says("castings")

    monkeypatch.setattr(headstart, "HeadStart", Remembers)
    monkeypatch.setattr(running, "begin", lambda path, ahead: None)

    assert cli.main(["run", "-c", str(path)], serve) == 0
    assert asked == ["castings", "steel"]
