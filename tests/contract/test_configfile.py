"""A configuration on a real disk: the file itself, and the files and folders that it names."""

import os
from pathlib import Path

import pytest

from edge_agent.config import faults, tables
from edge_agent.config.faults import MAX_SOCKET_PATH_BYTES, api_faults
from edge_agent.config.file import MAX_FILE_BYTES, check_config, load_config
from edge_agent.config.tomltext import Problem
from edge_agent.engines.pool import device_faults
from edge_agent.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a bundle and a recording that are complete as far as a configuration can see."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.toml").touch()
    (tmp_path / "recording").mkdir()
    (tmp_path / "recording" / "index.csv").touch()
    return tmp_path


def check(folder: Path, text: str, *, bundle: str = "./bundle") -> list[Problem]:
    path = folder / "station.toml"
    short_socket = "" if "api" in text else 'api.socket = "/tmp/a.sock"\n'
    path.write_text(f'recipe.bundle = "{bundle}"\n{short_socket}{text}')
    return check_config(path, api_faults, device_faults)


def test_a_good_file_loads(folder) -> None:
    assert check(folder, 'source = { kind = "replay", replay.folder = "recording" }') == []
    loaded = load_config(folder / "station.toml")

    assert loaded.source.replay.folder == str(folder / "recording")
    assert loaded.recipe.bundle_dir == folder / "bundle"
    assert sorted(path.name for path in folder.iterdir()) == ["bundle", "recording", "station.toml"]


def test_load_names_file_line_key_and_reason_of_every_problem(folder) -> None:
    check(folder, "engine.threads = 0\nwatchdog.stall = 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "station.toml")

    first, second = caught.value.message.splitlines()
    assert first == f"{folder}/station.toml:3: engine.threads: must be a whole number from 1 to 64, not 0"
    assert second.endswith("(did you mean watchdog.stall_s?)")
    assert (ROOT / "docs" / "config.md").exists()
    assert "docs/config.md" in caught.value.hint


@pytest.mark.parametrize("remove", ["recording/index.csv", "bundle/manifest.toml"])
def test_a_folder_that_lacks_its_file(folder, remove) -> None:
    (folder / remove).unlink()
    [problem] = check(folder, 'source = { kind = "replay", replay.folder = "recording" }')

    assert problem.reason == f'"{folder}/{remove}" does not exist'


def test_a_folder_where_a_file_should_be(folder) -> None:
    (folder / "bundle" / "manifest.toml").unlink()
    (folder / "bundle" / "manifest.toml").mkdir()
    [problem] = check(folder, "")

    assert problem.reason.endswith("is not a file")


def test_folders_that_are_not_there(folder) -> None:
    problems = check(folder, '[source]\nkind = "replay"\nreplay.folder = "none"', bundle="./nothing")

    assert [(p.line, p.key, p.reason) for p in problems] == [
        (1, "recipe.bundle", f'"{folder}/nothing" does not exist'),
        (5, "source.replay.folder", f'"{folder}/none" does not exist'),
    ]


def test_a_replay_folder_that_is_not_used_may_be_missing(folder) -> None:
    assert check(folder, 'source.replay.folder = "none"') == []


def test_a_bundle_that_is_not_shipped(folder) -> None:
    [problem] = check(folder, "", bundle="no-such-bundle")

    assert (problem.line, problem.key) == (1, "recipe.bundle")
    assert problem.reason == 'no bundle "no-such-bundle" is shipped'


def test_shipped_bundles_are_found_by_name_and_nearly_by_name(folder, monkeypatch) -> None:
    for module in (tables, faults):
        monkeypatch.setattr(module, "SHIPPED_BUNDLES", folder)

    assert check(folder, "", bundle="bundle") == []
    assert check(folder, "", bundle="bundel")[0].hint == 'did you mean "bundle"? A folder is written with a "/".'
    assert check(folder, "", bundle="x")[0].hint == 'Shipped: bundle. A folder is written with a "/".'


def test_a_state_folder_that_is_a_file(folder) -> None:
    [problem] = check(folder, 'station.state_dir = "bundle/manifest.toml"')

    assert (problem.line, problem.key) == (3, "station.state_dir")
    assert problem.reason.endswith("is not a folder")


def test_a_state_folder_inside_a_file(folder) -> None:
    [problem] = check(folder, 'station.state_dir = "bundle/manifest.toml/state"')

    assert "Not a directory" in problem.reason


@pytest.mark.parametrize(("length", "count"), [(MAX_SOCKET_PATH_BYTES, 0), (MAX_SOCKET_PATH_BYTES + 1, 1)])
def test_the_path_of_a_socket_fits_the_system(folder, length, count) -> None:
    path = "/run/" + "ä" + "x" * (length - 7)

    assert len(os.fsencode(path)) == length
    assert [p.key for p in check(folder, f'api.socket = "{path}"')] == ["api.socket"] * count


def test_a_state_folder_too_deep_for_its_socket(folder) -> None:
    [problem] = check(folder, f'[api]\n[station]\nstate_dir = "/var/{"x" * 100}"')

    assert (problem.line, problem.key) == (4, "api.socket")


@pytest.mark.parametrize(
    ("written", "count"),
    [("none/a.sock", 1), ("bundle/manifest.toml", 1), ("bundle/a.sock", 0), ("/run/station-1/a.sock", 0)],
    ids=["no folder", "another file", "not there yet", "made by systemd"],
)
def test_the_folder_of_a_socket_is_there_and_no_other_file_in_its_place(folder, written, count) -> None:
    assert [p.key for p in check(folder, f'api.socket = "{written}"')] == ["api.socket"] * count


def test_a_device_that_is_not_there_is_named_before_the_start(folder) -> None:
    problems = check(folder, 'engine.device = "npu"')
    assert [p.key for p in problems] == ["engine.device"] and "cpu" in problems[0].hint
    assert not check(folder, 'engine = { device = "npu", runtime = "auto" }')


def test_what_only_a_running_station_needs_keeps_nobody_from_looking(folder) -> None:
    problems = check(folder, 'api.operators = "nobody-here"\napi.socket = "none/a.sock"')
    assert len(problems) == 2
    assert load_config(folder / "station.toml").api.operators == "nobody-here"


def test_a_folder_that_is_reached_through_a_link_is_made_by_systemd_all_the_same(folder) -> None:
    (folder / "var-run").symlink_to("/run")
    assert check(folder, 'api.socket = "var-run/station-1/a.sock"') == []


def test_the_groups_of_the_local_api_exist(folder) -> None:
    [problem] = check(folder, 'api.operators = "nobody-here"\napi.readers = "root"\napi.socket = "/run/a.sock"')

    assert problem.key == "api.operators" and "no group" in problem.reason and "groupadd" in problem.hint


def test_files_that_are_no_configuration(tmp_path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    reasons = {name: check_config(tmp_path / name)[0].reason for name in ("none", "loop", "pipe", "large", ".")}

    assert reasons == {
        "none": "cannot be read: No such file or directory",
        "loop": "cannot be read: Too many levels of symbolic links",
        "pipe": "is not a regular file",
        "large": "has 1000001 bytes; a configuration has 1000000 at most",
        ".": "is not a regular file",
    }


def test_the_largest_file_is_still_read_to_its_end(tmp_path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES - 6) + b"\nx = 1")

    assert (2, "x") in [(problem.line, problem.key) for problem in check_config(path)]


def test_text_that_is_not_utf8_is_found_by_line(tmp_path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes("# fine\nstation.name = 'Prüfplatz'\n".encode("latin-1"))

    assert check_config(path) == [Problem(2, "", "byte 0xfc is not UTF-8", "save the file as UTF-8")]


def test_a_byte_order_mark_does_not_matter(folder) -> None:
    check(folder, "")
    path = folder / "station.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert check_config(path) == []


def test_the_packaged_file_is_good_once_its_bundle_is_there(folder) -> None:
    text = (ROOT / "packaging" / "default.toml").read_text()
    path = folder / "station.toml"
    path.write_text(text.replace('"generic"', '"./bundle"').replace('socket = ""', 'socket = "/tmp/a.sock"'))

    assert check_config(path) == []


WIRE = '[source]\nkind = "wire"\n[source.wire]\nport = "/dev/{port}"\nrate_hz = 1000\nblock_samples = {block}\n'
FELT = '[recipe]\nmodalities = ["vibration"]\n'


@pytest.mark.parametrize(
    ("port", "baud", "block", "said"),
    [
        ("ttyUSB0", 115_200, 30, "must be at most 29 at 115200 baud, not 30"),
        ("ttyUSB0", 115_200, 29, None),
        ("ttyACM0", 115_200, 50, None),
        ("ttyUSB0", 9600, 1, "must be at most 0 at 9600 baud, not 1"),
    ],
)
def test_a_block_behind_which_acknowledgements_come_too_late_is_refused_on_a_uart(
    tmp_path: Path, port: str, baud: int, block: int, said: str | None
) -> None:
    path = tmp_path / "station.toml"
    path.write_text(WIRE.format(port=port, block=block) + f"baud = {baud}\n" + FELT)
    reasons = [problem.reason for problem in check_config(path) if problem.key == "source.wire.block_samples"]

    assert reasons == ([] if said is None else [said])


def test_a_station_at_a_wire_that_expects_pictures_needs_a_camera(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    wire = WIRE.format(port="ttyACM0", block=50)
    path.write_text(wire)
    assert [problem.key for problem in check_config(path)] == ["camera.device"]

    path.write_text(wire + FELT)
    assert check_config(path) == []
    path.write_text(wire + '[camera]\ndevice = "/dev/video0"\n')
    assert check_config(path) == []


def test_a_recipe_s_file_that_expects_pictures_needs_a_camera_too(tmp_path: Path) -> None:
    (tmp_path / "bolts.toml").write_text('[recipe]\nname = "bolts"\n')
    path = tmp_path / "station.toml"
    path.write_text('[station]\nrecipes = ["bolts.toml"]\n' + WIRE.format(port="ttyACM0", block=50) + FELT)

    (problem,) = check_config(path)
    assert "bolts.toml" in problem.reason
    assert "must name a camera" in problem.reason
