"""What is typed as a number is one that can be used, or is refused with what may be typed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from documents import document, rows

from edge_agent import cli
from edge_agent.console.options import seconds
from edge_agent.errors import BadData, ConfigError, EdgeAgentError
from edge_agent.terminal.exits import done
from edge_agent.terminal.options import FAST, count, digest, minutes, rate, rate_or_fast, some, whole
from edge_agent.terminal.place import options_of, placed, typed
from edge_agent.terminal.printing import say, say_json, warn
from edge_agent.verbs.parts import UNMOVED


def test_a_count_is_written_in_plain_digits() -> None:
    assert (count("0"), count("12")) == (0, 12)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "two", "٣"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number is needed"):
        count(text)


def test_a_whole_number_has_limits() -> None:
    assert (some("1"), whole(1, 100)("100"), whole(0, 3)("0")) == (1, 100, 0)
    for text in ("0", "101", "-1", "two"):
        with pytest.raises(argparse.ArgumentTypeError, match="a whole number"):
            whole(1, 100)(text)


@pytest.mark.parametrize(
    "words",
    ["bench --parts 0", "evaluate x --shots 0", "evaluate x --episodes 0", "events --limit 0", "teach good --next 0"],
)
def test_what_must_be_some_is_refused_where_it_is_typed(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parser().parse_args(words.split())

    assert ended.value.code == 2
    assert "a whole number from 1" in capsys.readouterr().err


def test_what_is_no_hash_is_not_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert digest("0" * 64) == "0" * 64
    for text in ("abc", "G" * 64, "0" * 65, "0" * 64 + "\n"):
        with pytest.raises(argparse.ArgumentTypeError, match="64 of 0-9 and a-f"):
            digest(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bench --background", "--line"),
        ("camera shot", "configuration"),
        ("teach pit", "--next"),
        ("teach pit --next 3 --part 4", "lesson of their own"),
        ("trust add ada", "KEY, --role"),
        ("demo --count 3", "--examples"),
        ("bench --placement -c station.toml --bundle castings", "leave out --bundle"),
        ("bench -c station.toml", "--placement"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split(), lambda make: pytest.fail("it runs")) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("teach good -c nowhere.toml a.png", 78, "nowhere.toml"),
        ("teach good a.png -c nowhere.toml b.png", 78, "nowhere.toml"),
        ("inspect a.png -c nowhere.toml b.png", 78, "nowhere.toml"),
        ("teach good a.png --nope b.png", 2, "unrecognized arguments: --nope"),
        ("status -c nowhere.toml a.png", 2, "unrecognized arguments: a.png"),
    ],
)
def test_files_may_come_behind_an_option(
    words: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        ended = cli.main(words.split(), lambda make: pytest.fail("it runs"))
    except SystemExit as usage:
        ended = int(str(usage.code))
    assert ended == code
    assert said in capsys.readouterr().err


def test_each_line_of_what_went_wrong_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong() -> int:
        raise ConfigError("a.toml:2: this\na.toml:5: that", hint="look")

    assert done("edge-agent", wrong) == 78
    assert capsys.readouterr().err == "edge-agent: a.toml:2: this\nedge-agent: a.toml:5: that\n  look\n"


def test_each_fate_of_a_trial_of_the_gate_has_a_sentence() -> None:
    fates = {row[0].strip("`") for row in rows(document("gate.md")) if row[0].strip("`").replace("_", "").isalpha()}

    assert set(UNMOVED) <= fates
    assert {"late", "safe", "down", "bad_output"} <= set(UNMOVED)


def test_the_limits_themselves_are_taken() -> None:
    assert (minutes("0.05"), minutes("100000")) == (0.05, 100_000.0)
    assert (rate("0.1"), rate("50"), rate_or_fast(FAST)) == (0.1, 50.0, FAST)
    assert (seconds("0.1"), seconds("86400")) == (0.1, 86_400.0)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "0", "1e9"])
@pytest.mark.parametrize(
    ("read", "said"),
    [
        (minutes, "between 0.05 and 100000 minutes"),
        (rate, "between 0.1 and 50 parts per second"),
        (seconds, "between 0.1 and 86400 seconds"),
    ],
)
def test_what_is_no_number_between_them_is_refused_with_them(read: object, said: str, text: str) -> None:
    assert callable(read)
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        read(text)


@pytest.mark.parametrize(
    ("config", "state", "options"),
    [
        (None, "state", ""),
        (None, "/var/lib/a b", " --state '/var/lib/a b'"),
        ("station.toml", "state", " -c station.toml"),
    ],
)
def test_what_is_to_be_typed_next_names_the_station_that_was_typed(
    config: str | None, state: str, options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "`edge-agent promote` or edge-agent teach good FOLDER, edge-agent check -c FILE, edge-agent undo -c FILE"
    said = (
        f"`edge-agent promote{options}` or edge-agent teach{options} good FOLDER, "
        "edge-agent check -c FILE, edge-agent undo -c FILE"
    )
    with typed(options_of(None if config is None else Path(config), Path(state))):
        assert placed(text) == said
        say(text)
        say_json({"hint": text})
        warn(BadData("no", hint=text))
        assert done("edge-agent", lambda: failing(BadData("no", hint=text))) == 1
    assert placed(text) == text
    out, err = capsys.readouterr()
    assert out == f'{said}\n{{"hint":"{text}"}}\n'
    assert err == f"edge-agent: no ({said})\nedge-agent: no\n  {said}\n"


def failing(error: EdgeAgentError) -> int:
    raise error


def test_a_state_folder_that_was_mistyped_is_not_taken_for_a_new_station(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"")
    for words in (
        ["inspect", str(picture)],
        ["status"],
        ["learned"],
        ["export", "parts.csv"],
        ["undo"],
        ["trust", "list"],
        ["identity", "show"],
    ):
        assert cli.main([*words, "--state", str(tmp_path / "typo")], lambda make: 0) == 2
        assert "there is no state folder" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    "words", ["learned", "proof", "promote", "cancel", "forget pit", "undo", "label 3 pit", "use a"]
)
def test_in_a_folder_without_a_station_no_verb_makes_one_to_look_at(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words.split(), lambda make: 0) == 2
    assert "there is no state folder state" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "words",
    [
        ["teach", "", "x.png"],
        ["label", "7", ""],
        ["export", "parts.txt"],
        ["escape", "7", "--class", "pit", "--since", "today"],
        ["escape", "7", "--class", ""],
        ["learned", " "],
        ["trust", "remove"],
        ["identity", "request"],
        ["identity", "make", "x.csr"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_at_any_station_is_wrong_usage(words: list[str], tmp_path: Path) -> None:
    try:
        code = cli.main([*words, "--state", str(tmp_path)], lambda make: 0)
    except SystemExit as refused:  # by the parser itself
        code = int(refused.code or 0)
    assert code == 2
    assert not [*tmp_path.iterdir()]
