"""Settings from the console on a real file of settings: what may be set, what is refused, what a start runs by."""

from pathlib import Path

import pytest

from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.desired import REMOTE, Desired, Wish
from edge_agent.desired.settings import leaves
from edge_agent.desired.store import FILE, fingerprint
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.station import Station
from edge_agent.testing.disk import FakeDisk

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


def considered(desired: Desired, wanted: Wish, file: Path) -> str:
    return desired.consider(wanted, load_config(file), UTC).phase


def test_a_wish_is_tried_at_the_next_start_then_holds_over_every_start(file: Path) -> None:
    wanted = wish(1, recipe__false_reject=0.005)

    assert considered(Desired(file), wanted, file) == "trial"
    tried = Desired(file)
    assert tried.begin().recipe.false_reject == 0.005
    assert tried.trying == wanted
    assert tried.prove(wanted, UTC)
    for _ in range(5):
        assert Desired(file).begin().recipe.false_reject == 0.005
    assert load_config(file).recipe.false_reject == 0.02


def test_a_dry_run_says_what_would_change_and_changes_nothing(file: Path) -> None:
    desired = Desired(file)
    before = desired.standing
    fate = desired.consider(wish(1, True, recipe__false_reject=0.005), load_config(file), UTC)

    assert fate.phase == "checked"
    assert [(c.key, c.before, c.after) for c in fate.changes] == [("recipe.false_reject", 0.02, 0.005)]
    assert desired.standing == Desired(file).standing == before


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

    assert considered(desired, wish(1, **settings), file) == "refused"
    assert any(said in error for error in desired.standing.newest.errors), desired.standing.newest.errors
    assert Desired(file).begin() == load_config(file)


def test_what_is_wrong_with_a_wish_does_not_blame_the_file(file: Path) -> None:
    desired = Desired(file)
    for version, settings in enumerate([{"recipe__false_reject": 0.9}, {"pairing__wait_ms": 400.0}], 1):
        considered(desired, wish(version, **settings), file)
        (error,) = desired.standing.newest.errors
        assert str(file) not in error and error.startswith("recipe."), error


def test_what_is_wrong_with_the_file_names_it(file: Path) -> None:
    desired, running = Desired(file), load_config(file)
    file.write_text("[recipe]\nfalse_rejec = 0.02\n")
    fate = desired.consider(wish(1, recipe__guided=False), running, UTC)

    assert fate.phase == "refused"
    assert [error.startswith(f"{file}:2: recipe.false_rejec") for error in fate.errors] == [True]


def test_a_wish_that_changes_nothing_holds_at_once(file: Path) -> None:
    desired = Desired(file)

    assert considered(desired, wish(1, recipe__false_reject=0.02), file) == "holds"
    assert desired.standing.holds is not None


def test_a_wish_that_wants_what_is_on_trial_has_to_be_proven_as_well(file: Path) -> None:
    first, same = wish(1, recipe__false_reject=0.005), wish(2, recipe__false_reject=0.005)
    considered(Desired(file), first, file)
    desired = Desired(file)
    running = desired.begin()

    assert desired.consider(same, running, UTC).phase == "trial"
    assert (desired.trying, desired.standing.holds) == (same, None)
    assert not desired.prove(first, UTC)
    assert desired.prove(same, UTC)


def test_what_was_never_tried_cannot_be_proven_nor_taken_back(file: Path) -> None:
    first, second = wish(1, recipe__false_reject=0.005), wish(2, recipe__false_reject=0.05)
    considered(Desired(file), first, file)
    desired = Desired(file)
    desired.consider(second, desired.begin(), UTC)

    assert not desired.prove(first, UTC)
    assert not desired.take_back(first, "no")
    assert desired.standing.trial == second


def test_a_second_process_that_is_refused_counts_no_start(file: Path) -> None:
    considered(Desired(file), wish(1, recipe__false_reject=0.005), file)
    with Station(load_config(file)):
        for _ in range(3):
            with pytest.raises(Unavailable, match="another process"):
                Desired(file).begin()

    assert Desired(file).begin().recipe.false_reject == 0.005


def test_a_start_that_was_stopped_is_given_back(file: Path) -> None:
    considered(Desired(file), wish(1, recipe__false_reject=0.005), file)
    for _ in range(5):
        desired = Desired(file)
        assert desired.begin().recipe.false_reject == 0.005
        desired.end()


def test_a_start_that_cannot_be_counted_is_not_one_of_the_trial(file: Path) -> None:
    disk = FakeDisk()
    desired = Desired(file, lambda folder: disk)
    considered(desired, wish(1, recipe__false_reject=0.005), file)
    disk.full = True
    again = Desired(file, lambda folder: disk)

    assert again.begin() == load_config(file)
    assert again.trying is None
    disk.full = False
    assert Desired(file, lambda folder: disk).begin().recipe.false_reject == 0.005


def test_a_trial_that_no_longer_fits_the_file_is_taken_back_at_the_start(file: Path) -> None:
    considered(Desired(file), wish(1, pairing__wait_ms=200.0), file)
    file.write_text("[recipe]\nfalse_reject = 0.02\ndeadline_ms = 190\n\n[pairing]\nwait_ms = 160\n")
    desired = Desired(file)

    assert desired.begin().pairing.wait_ms == 160
    assert desired.went_back is not None
    assert desired.went_back.phase == "taken_back"
    assert "recipe.deadline_ms" in desired.went_back.errors[0]


def test_a_wish_that_holds_and_no_longer_fits_the_file_is_named_and_a_wrong_file_is_named_first(file: Path) -> None:
    desired = Desired(file)
    wanted = wish(7, pairing__wait_ms=200.0)
    considered(desired, wanted, file)
    desired.prove(wanted, UTC)
    file.write_text("[recipe]\ndeadline_ms = 190\n")

    with pytest.raises(ConfigError) as fault:
        Desired(file).begin()
    assert "wish 7" in fault.value.hint


def test_a_damaged_file_of_wishes_is_said_and_the_station_runs_by_its_own(file: Path) -> None:
    desired = Desired(file)
    considered(desired, wish(1, recipe__false_reject=0.005), file)
    kept = Path(load_config(file).station.state_dir) / FILE
    kept.write_bytes(kept.read_bytes()[:-9])

    again = Desired(file)

    assert "damaged" in again.damage
    assert again.begin() == load_config(file)


def test_too_many_settings_are_not_looked_at(file: Path) -> None:
    with pytest.raises(BadData, match="at most 200"):
        considered(Desired(file), Wish(1, 1, {f"a{n}": 1 for n in range(201)}, "ada"), file)


def test_the_fingerprint_is_of_all_settings(file: Path) -> None:
    config = load_config(file)
    file.write_text(file.read_text().replace("0.02", "0.03"))

    assert fingerprint(config) == fingerprint(config)
    assert fingerprint(load_config(file)) != fingerprint(config)
