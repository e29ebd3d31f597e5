"""The configuration as a text: its limits, what does not go together, and where its paths lead."""

from pathlib import Path

import msgspec
import pytest

from edge_agent.config import SHIPPED_BUNDLES, Config, PairingConfig
from edge_agent.config.file import MAX_PROBLEMS, format_problems, parse_config
from edge_agent.config.tomltext import Problem
from edge_agent.records import Action, Modality

FOLDER = Path("/etc/station")


WIRE = "[source]\nkind = 'wire'\n[source.wire]\nport = '/dev/ttyACM0'\n"


def problems_of(text: str) -> list[tuple[int | None, str]]:
    return [(p.line, p.key) for p in parse_config(text, FOLDER)[1]]


def test_an_empty_text_is_the_defaults() -> None:
    assert parse_config("", FOLDER) == (Config().resolved(FOLDER), [])


def test_the_defaults_go_together() -> None:
    assert list(Config().conflicts()) == []


def test_values_arrive_typed() -> None:
    text = """
[pairing]
window_ms = 60
[recipe]
modalities = ["vibration"]
actions.unsure = "pass"
"""
    config, problems = parse_config(text, FOLDER)

    assert problems == []
    assert isinstance(config.pairing.window_ms, float)
    assert config.recipe.modalities == (Modality.VIBRATION,)
    assert config.recipe.actions.unsure is Action.PASS


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    text = 'station.state_dir = "s"\nsource.replay.folder = "../r"\nrecipe.bundle = "./b"\napi.socket = "a.sock"'
    config, _ = parse_config(text, FOLDER)

    assert config.station.state_dir == "/etc/station/s"
    assert config.source.replay.folder == "/etc/station/../r"
    assert config.recipe.bundle_dir == FOLDER / "b"
    assert config.api.socket == "/etc/station/a.sock"


def test_absolute_paths_stay() -> None:
    config, _ = parse_config('station.state_dir = "/var/lib/s"\nrecipe.bundle = "/opt/b"', FOLDER)

    assert config.station.state_dir == "/var/lib/s"
    assert config.api.socket == "/var/lib/s/api.sock"
    assert config.recipe.bundle_dir == Path("/opt/b")


def test_a_name_without_a_slash_is_a_shipped_bundle() -> None:
    config, _ = parse_config('recipe.bundle = "other"', FOLDER)

    assert config.recipe.bundle == "other"
    assert config.recipe.bundle_dir == SHIPPED_BUNDLES / "other"


def test_defaults_for_a_program_have_absolute_paths() -> None:
    config = Config.defaults(Path("here"))

    assert config.station.state_dir == str(Path.cwd() / "here")
    assert config.api.socket == str(Path.cwd() / "here" / "api.sock")


def test_resolving_twice_changes_nothing() -> None:
    config, _ = parse_config('recipe.bundle = "./b"\nsource.replay.folder = "r"', FOLDER)

    assert config.resolved(Path("/elsewhere")) == config


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[pairing]\n\nwait_ms = 250", 3, "recipe.deadline_ms"),
        ("[pairing]\nwait_ms = 200\n[recipe]\ndeadline_ms = 200", 4, "recipe.deadline_ms"),
        ("[recipe]\ndeadline_ms = 150\n", 2, "recipe.deadline_ms"),
        ("[pairing]\nwait_ms = 99", 2, "pairing.wait_ms"),
        ("[pairing]\nwindow_ms = 151", 2, "pairing.wait_ms"),
        ("[engine]\ndevice = 'gpu'\nruntime = 'onnxruntime'", 2, "engine.device"),
        ("[image_health]\nbright_mean_above = 12", 2, "image_health.dark_mean_below"),
        ("[watchdog]\nstall_s = 5\n[engine]\ntimeout_ms = 5000", 2, "watchdog.stall_s"),
        ("[source]\nkind = 'replay'", 2, "source.replay.folder"),
        (f"{WIRE}rate_hz = 1000\n[pairing]\nwait_ms = 200", 7, "pairing.wait_ms"),
        (f"{WIRE}[recipe.gate]\ntravel_ms = 269", 6, "recipe.gate.travel_ms"),
        ("[source]\nkind = 'wire'", 2, "source.wire.port"),
        ("[recipe.costs]\nsecond_look = 9.1", 2, "recipe.costs.second_look"),
        ("[recipe.costs]\nfalse_reject = 8\n", 2, "recipe.costs.second_look"),
        ("[recipe.costs]\nescape = 1000\nsecond_look = 1\n[recipe]\ndefect_share = 0.05", 5, "recipe.defect_share"),
    ],
)
def test_what_does_not_go_together(text, line, key) -> None:
    assert problems_of(text) == [(line, key)]


@pytest.mark.parametrize(
    "text",
    [
        "[pairing]\nwait_ms = 249.9",
        "[pairing]\nwait_ms = 100",
        "[pairing]\nwindow_ms = 500\n[recipe]\nmodalities = ['image']",
        "[pairing]\nframe_after_ms = 500\n[recipe]\nmodalities = ['vibration']",
        "[engine]\nruntime = 'openvino'\ndevice = 'npu'",
        "[source.replay]\nfolder = ''",
        f"{WIRE}rate_hz = 1000\nblock_samples = 16",
        f"{WIRE}rate_hz = 1000\n[recipe]\nmodalities = ['image']",
        f"{WIRE}[recipe.gate]\ntravel_ms = 270",
        "[recipe.costs]\nsecond_look = 9.09",
        "[recipe.costs]\nescape = 1000\nsecond_look = 1\n[recipe]\ndefect_share = 0.04",
    ],
)
def test_what_goes_together(text) -> None:
    assert problems_of(text) == []


def test_a_wrong_value_is_not_blamed_twice() -> None:
    """Its default would conflict with the other value, but nobody wrote the default."""
    assert problems_of("[pairing]\nwait_ms = 1000\n[recipe]\ndeadline_ms = '2000'") == [(4, "recipe.deadline_ms")]


def test_problems_of_every_kind_come_together_in_the_order_of_the_text() -> None:
    text = """[engine]
device = "npu"
threads = 0
threads = 1
runtime = "onnxruntime"
[recipe]
actions = { ok = "pas", ng = "reject" }
modalities = [
  "image",
  "image",
]
[sourc]
"""
    assert problems_of(text) == [
        (2, "engine.device"),
        (3, "engine.threads"),
        (4, "engine.threads"),
        (7, "recipe.actions.ok"),
        (10, "recipe.modalities"),
        (12, "sourc"),
    ]


def test_a_syntax_error_is_reported_alone() -> None:
    assert problems_of("x = 1\n[engine]\nthreads = many") == [(3, "")]


def test_problems_without_end_are_counted_not_listed() -> None:
    _, problems = parse_config("a = 1\n" * 1000, FOLDER)

    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].reason == "900 more problems"


@pytest.mark.parametrize("path", ["~/state", "~user", "a\\u0000b"])
def test_paths_that_would_not_mean_what_they_say(path) -> None:
    assert problems_of(f'station.state_dir = "{path}"') == [(1, "station.state_dir")]


@pytest.mark.parametrize("key", ["station.name", "recipe.name", "station.state_dir", "recipe.bundle"])
def test_names_are_not_empty(key) -> None:
    assert problems_of(f'{key} = ""') == [(1, key)]


@pytest.mark.parametrize("name", ["Station", "a b", "a/b", "a" * 41, "naïve", "a\\n"])
def test_names_that_would_not_fit_a_topic(name) -> None:
    assert problems_of(f'station.name = "{name}"') == [(1, "station.name")]


def test_a_part_that_was_missed_has_no_evidence_to_keep() -> None:
    assert problems_of('ledger.keep_evidence = ["MISSED"]') == [(1, "ledger.keep_evidence")]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        PairingConfig().wait_ms = 1.0


def test_json_says_every_key() -> None:
    config = Config.defaults(Path("/s"))

    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config


def test_format_leaves_out_what_is_not_known() -> None:
    problems = [Problem(3, "a.b", "is bad", "did you mean c?"), Problem(None, "", "cannot be read: gone")]

    assert format_problems(Path("f.toml"), problems) == (
        "f.toml:3: a.b: is bad (did you mean c?)\nf.toml: cannot be read: gone"
    )
