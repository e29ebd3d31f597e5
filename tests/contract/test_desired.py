"""Settings from the console on a real file of settings: what may be set, what is refused, what a start runs by."""

from pathlib import Path

import pytest

from edge_agent.config import Config
from edge_agent.configfile import load_config
from edge_agent.desired import REMOTE, Desired, Wish
from edge_agent.desired.settings import leaves
from edge_agent.desired.store import FILE, fingerprint
from edge_agent.errors import BadData, ConfigError

UTC = 1.7e9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text("[recipe]\nfalse_reject = 0.02\n\n[pairing]\nwait_ms = 160\n")
    return path


def wish(version: int, dry_run: bool = False, **settings: object) -> Wish:
    return Wish(1, version, {key.replace("__", "."): value for key, value in settings.items()}, "ada", dry_run)


def test_each_setting_that_may_come_from_the_console_is_one() -> None:
    assert set(dict(leaves(Config()))) >= REMOTE


def test_nothing_that_could_cut_a_station_off_may_come_from_the_console() -> None:
    tables = ("station.", "source.", "camera.", "api.", "engine.", "gate.", "watchdog.")

    assert not [key for key in REMOTE if key.startswith(tables)]
    assert [key for key in REMOTE if key.startswith("uplink.")] == ["uplink.backlog_per_s"]


def test_a_wish_is_tried_at_the_next_start_then_holds_over_every_start(file: Path) -> None:
    desired = Desired(file)

    assert desired.consider(wish(1, recipe__false_reject=0.005), load_config(file))
    assert Desired(file).begin().recipe.false_reject == 0.005
    tried = Desired(file)
    tried.begin()
    assert tried.prove(UTC)
    for _ in range(5):
        assert Desired(file).begin().recipe.false_reject == 0.005
    assert load_config(file).recipe.false_reject == 0.02


def test_a_dry_run_says_what_would_change_and_changes_nothing(file: Path) -> None:
    desired = Desired(file)

    assert not desired.consider(wish(1, True, recipe__false_reject=0.005), load_config(file))
    assert [(c.key, c.before, c.after) for c in desired.standing.last.changes] == [("recipe.false_reject", 0.02, 0.005)]
    assert Desired(file).begin() == load_config(file)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"recipe__false_reject": 0.9}, "recipe.false_reject: must be a number from 0.0001 to 0.2"),
        ({"recipe__false_reject": "x"}, "recipe.false_reject: must be a number"),
        ({"recipe__nothing": 1}, "recipe.nothing: may not be set from the console"),
        ({"station__state_dir": "/"}, "station.state_dir: may not be set from the console"),
        ({"uplink__broker": "mqtt://evil"}, "uplink.broker: may not be set from the console"),
        ({"pairing__wait_ms": 400.0}, "recipe.deadline_ms: must be more than pairing.wait_ms"),
        ({"recipe": {"false_reject": 0.01}}, "recipe: may not be set from the console"),
        ({"": 1}, "may not be set from the console"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_nothing_changes(file: Path, settings, said: str) -> None:
    desired = Desired(file)

    assert not desired.consider(wish(1, **settings), load_config(file))
    assert desired.standing.last.phase == "refused"
    assert any(said in error for error in desired.standing.last.errors), desired.standing.last.errors
    assert Desired(file).begin() == load_config(file)


def test_a_problem_with_a_setting_of_the_console_names_no_line_of_the_file(file: Path) -> None:
    desired = Desired(file)
    desired.consider(wish(1, recipe__false_reject=0.9), load_config(file))

    assert f"{file}: recipe.false_reject" in desired.standing.last.errors[0]


def test_a_wish_that_changes_nothing_needs_no_new_start(file: Path) -> None:
    desired = Desired(file)

    assert not desired.consider(wish(1, recipe__false_reject=0.02), load_config(file))
    assert desired.prove(UTC)
    assert desired.standing.holds is not None


def test_a_trial_that_no_longer_fits_the_file_is_taken_back_at_the_start(file: Path) -> None:
    Desired(file).consider(wish(1, pairing__wait_ms=200.0), load_config(file))
    file.write_text("[recipe]\nfalse_reject = 0.02\ndeadline_ms = 190\n\n[pairing]\nwait_ms = 160\n")
    desired = Desired(file)

    assert desired.begin().pairing.wait_ms == 160
    assert desired.standing.last.phase == "taken_back"
    assert "recipe.deadline_ms" in desired.standing.last.errors[0]


def test_a_wish_that_holds_and_no_longer_fits_the_file_is_named_and_a_wrong_file_is_named_first(file: Path) -> None:
    desired = Desired(file)
    desired.consider(wish(7, pairing__wait_ms=200.0), load_config(file))
    desired.prove(UTC)
    file.write_text("[recipe]\ndeadline_ms = 190\n")

    with pytest.raises(ConfigError) as fault:
        Desired(file).begin()
    assert "wish 7" in fault.value.hint


def test_a_damaged_file_of_wishes_is_said_and_the_station_runs_by_its_own(file: Path) -> None:
    desired = Desired(file)
    desired.consider(wish(1, recipe__false_reject=0.005), load_config(file))
    kept = Path(load_config(file).station.state_dir) / FILE
    kept.write_bytes(kept.read_bytes()[:-9])

    again = Desired(file)

    assert "damaged" in again.damage
    assert again.begin() == load_config(file)


def test_too_many_settings_are_not_looked_at(file: Path) -> None:
    with pytest.raises(BadData, match="at most 200"):
        Desired(file).consider(Wish(1, 1, {f"a{n}": 1 for n in range(201)}, "ada"), load_config(file))


def test_the_fingerprint_is_of_all_settings(file: Path) -> None:
    config = load_config(file)
    file.write_text(file.read_text().replace("0.02", "0.03"))

    assert fingerprint(config) == fingerprint(config)
    assert fingerprint(load_config(file)) != fingerprint(config)
