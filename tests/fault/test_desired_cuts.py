"""A power cut at any step leaves the wishes as they were or as they are to be; and nothing is tried for ever."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_agent.config.file import load_config, read_config
from edge_agent.desired import Desired, Standing, Wish
from edge_agent.desired.settings import Change
from edge_agent.desired.standing import TRIES
from edge_agent.desired.store import FILE
from edge_agent.runtime.disk import Disk, save_checked
from edge_agent.testing.disk import FakeDisk, Files, power_cuts

OLD, NEW = Wish(1, 1, {"recipe.false_reject": 0.005}, "ada"), Wish(1, 2, {"recipe.false_reject": 0.05}, "ada")
MADE = (Change("recipe.false_reject", 0.005, 0.05),)
HELD = Standing(holds=OLD, held_since_utc=1e9)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text("[recipe]\nfalse_reject = 0.02\n")
    return path


def kept(standing: Standing) -> Files:
    disk = FakeDisk()
    save_checked(disk, FILE, msgspec.json.encode(standing))
    return {name: disk.read(name) for name in disk.names()}


def desired(file: Path, disk: Disk) -> Desired:
    return Desired(file, lambda folder: disk)


ACTIONS: dict[str, tuple[Standing, Callable[[Desired, Path], object]]] = {
    "a wish": (HELD, lambda d, file: d.consider(NEW, load_config(file), 2e9)),
    "a start": (HELD.on_trial(NEW, MADE), lambda d, file: d.begin()),
    "a proof": (HELD.on_trial(NEW, MADE), lambda d, file: d.prove(NEW, 2e9)),
    "taken back": (HELD.on_trial(NEW, MADE), lambda d, file: d.take_back(NEW, "no")),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_cut_leaves_what_was_or_what_is_to_be(file: Path, name: str) -> None:
    before, act = ACTIONS[name]
    whole = FakeDisk(kept(before))
    act(desired(file, whole), file)
    after = desired(file, whole).standing

    for files in power_cuts(kept(before), lambda disk: act(desired(file, disk), file)):
        found = desired(file, FakeDisk(files))
        assert found.standing in (before, after)
        assert not found.damage


def test_a_station_that_dies_at_each_start_goes_back_by_itself(file: Path) -> None:
    disk = FakeDisk(kept(HELD.on_trial(NEW, MADE)))
    shares = [desired(file, disk).begin().recipe.false_reject for _ in range(TRIES + 2)]

    assert shares == [0.05] * TRIES + [0.005] * 2


def test_a_start_that_is_not_counted_would_be_found_out(file: Path) -> None:
    class Hopeful(Desired):
        def begin(self):
            return read_config(self._path, self.standing.settings)[0]

    disk = FakeDisk(kept(HELD.on_trial(NEW, MADE)))
    shares = [Hopeful(file, lambda folder: disk).begin().recipe.false_reject for _ in range(TRIES + 2)]

    assert shares[-1] != 0.005
