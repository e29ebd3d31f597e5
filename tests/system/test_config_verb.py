"""`edge-agent config`: which settings hold, and who set them."""

import json
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.config.file import load_config
from edge_agent.desired import Desired, Wish


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text("[recipe]\nfalse_reject = 0.02\ndeadline_ms = 300\n")
    return path


def typed(*words: str) -> int:
    return main(["config", *words], serve=lambda make: 1)


WISH = Wish(1, 41, {"recipe.false_reject": 0.005}, "ada")


def wished(file: Path) -> Desired:
    desired = Desired(file)
    desired.consider(WISH, load_config(file), 1.7e9)
    return desired


def test_each_setting_says_who_set_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wished(file).prove(WISH, 1.7e9)

    assert typed("-c", str(file)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "wish 41 of ada holds since" in lines[0]
    assert [line.split() for line in lines[1:]] == [
        ["recipe.deadline_ms", "file", "300.0"],
        ["recipe.false_reject", "console", "0.005"],
    ]


def test_all_of_them_and_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wished(file)

    assert typed("-c", str(file), "--all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    origins = {setting["key"]: setting["origin"] for setting in told["settings"]}
    assert (origins["recipe.false_reject"], origins["pairing.wait_ms"]) == ("console", "default")
    assert told["console"]["trial"]["version"] == 41


def test_looking_counts_no_start(file: Path) -> None:
    before = wished(file).standing
    typed("-c", str(file))

    assert Desired(file).standing == before


def test_what_was_refused_says_why(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Desired(file).consider(Wish(1, 2, {"recipe.false_reject": 7}, "ada"), load_config(file), 1.7e9)
    typed("-c", str(file))

    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("nothing that the console wants holds; its wish 2 was refused: recipe.false_reject: ")
    assert str(file) not in said


def test_values_are_written_as_the_file_would_have_them(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[recipe]\nprotected = ["crack", "cold_shut"]\n[station]\nstate_dir = "a \\"b\\""\n')
    assert typed("-c", str(file)) == 0

    out = capsys.readouterr().out
    assert '["crack", "cold_shut"]' in out
    assert r'a \"b\""' in out


def test_a_wrong_file_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[recipe]\nfalse_rejec = 0.02\n")

    assert typed("-c", str(file)) == 78
    assert "did you mean recipe.false_reject" in capsys.readouterr().err
