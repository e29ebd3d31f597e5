"""A start with settings that the station cannot be built with goes back to those that hold, in the same start."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent import running
from edge_agent.config.file import load_config
from edge_agent.desired import Desired, Wish
from edge_agent.errors import ConfigError, Unavailable

WISH = Wish(1, 1, {"recipe.false_reject": 0.05}, "ada")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text("[recipe]\nfalse_reject = 0.02\n")
    Desired(path).consider(WISH, load_config(path), 1.7e9)
    return path


def built(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[float]:
    shares: list[float] = []

    def build(config, *, desired, ahead):
        shares.append(config.recipe.false_reject)
        if error is not None and config.recipe.false_reject == 0.05:
            raise error
        return SimpleNamespace(desired=desired)

    monkeypatch.setattr(running, "build", build)
    return shares


def test_settings_on_trial_are_built_with(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = built(monkeypatch, None)
    running.begin(file)

    assert shares == [0.05]


def test_what_cannot_be_built_is_taken_back_with_its_reason(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = built(monkeypatch, ConfigError("no bundle can do this"))
    agent = running.begin(file)

    assert shares == [0.05, 0.02]
    assert agent.desired.standing.newest.errors == ("no bundle can do this",)


def test_what_may_pass_costs_a_try_and_nothing_more(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(monkeypatch, Unavailable("another agent uses the state directory"))
    with pytest.raises(Unavailable):
        running.begin(file)

    assert Desired(file).standing.trial is not None


def test_a_fault_that_is_not_the_wishes_ends_the_start(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Desired(file).take_back(WISH, "no")
    monkeypatch.setattr(
        running, "build", lambda config, *, desired, ahead: (_ for _ in ()).throw(ConfigError("no bundle"))
    )

    with pytest.raises(ConfigError, match="no bundle"):
        running.begin(file)
