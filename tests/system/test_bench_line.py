"""`bench --line` as a person runs it: a real station under load, and what cannot be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from test_demo import program

from edge_agent.bench import sharing, starting, teaching
from edge_agent.cli import main
from models.augment import AUGMENTATIONS

pytestmark = pytest.mark.system


def test_a_line_under_load_accounts_for_every_part_and_is_drawn(tmp_path: Path) -> None:
    ran = program(
        *("bench", "--line", 10, "--minutes", 0.05, "--bundle", "castings"),
        *("--background", "--chaos-device", "--histogram", "line.png", "--json"),
        cwd=tmp_path,
    )

    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    dispatch = report["dispatch"]
    assert report["parts"] == sum(report["outcomes"].values()) == 30
    assert dispatch["submitted"] == sum(dispatch[key] for key in ("done", "refused", "too_late", "faulted"))
    assert report["encoded"] > 0
    picture = cv2.imread(str(tmp_path / "line.png"))
    assert picture is not None
    assert picture.shape[2] == 3


def test_a_line_whose_deadline_is_soon_after_the_tap_test_has_parts_judged(tmp_path: Path) -> None:
    ran = program(
        "bench", "--line", 5, "--minutes", 0.1, "--bundle", "castings", "--budget", 60, "--json", cwd=tmp_path
    )

    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["deadline_ms"] == 140.0
    assert report["causes"].get("late", 0) < report["parts"] == 30


def test_stations_are_started_and_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(starting, "STARTS", 1)
    monkeypatch.setattr(starting, "SETTLED_S", 0.0)

    assert starting.run_starting("castings", as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["first_s"] > 0.0 and len(report["warm_s"]) == 1 and report["memory_mb"] > 50.0


def test_what_recipes_share_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sharing, "USERS", 2)

    assert sharing.run_sharing("castings", as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert 0.0 < report["of_openvino"] < 1.0 and all(mb > 50.0 for mb in report["mb"].values())


def test_a_running_station_is_taught_and_timed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(teaching, "CLASSES_TAUGHT", 2)
    monkeypatch.setattr(teaching, "SHOTS", 1)

    assert teaching.run_teaching("castings", 1, as_json=True) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["encodings"] == 2 * AUGMENTATIONS
    assert 0 < report["inference_s"] < report["bare_s"] and report["taught_s"] > 0
    assert 0 < report["solve"]["p50_ms"] <= report["solve"]["max_ms"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--background"], "--background goes with --line"),
        (["--budget", "20"], "--budget goes with --line"),
        (["--minutes", "2"], "--minutes goes with --line"),
        (["--line", "10", "--budget", "0"], "milliseconds"),
        (["--line", "0"], "between 0.1 and 50"),
        (["--line", "10", "--minutes", "none"], "minutes"),
        (["--start", "--bundle", "nope"], "name another one: castings, generic, steel"),
        (["--sharing", "--bundle", "nope"], "name another one: castings, generic, steel"),
        (["--teaching", "--bundle", "nope"], "name another one: castings, generic, steel"),
        (["--threads", "2"], "--threads goes with --teaching"),
        (["--teaching", "--threads", "0"], "0"),
        (["--line", "10", "--placement"], "not allowed with argument"),
        (["--state", "state"], "--state goes with --placement"),
        (["--line", "10", "--histogram", "nowhere/line.png"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_measured(
    tmp_path: Path,
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["bench", *words], lambda make: pytest.fail("it measures"))
    except SystemExit as usage:
        code = usage.code

    assert code != 0
    assert said in capsys.readouterr().err
