"""`edge-agent evaluate` and its questions as a person types them, on drawn castings and the shipped bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent import cli
from edge_agent.evaluate import incremental
from models.castings import CastingLine

LINE = CastingLine(77)
SMALL = ("--shots", 1, "--episodes", 2)
pytestmark = pytest.mark.system


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words], no_agent)


@pytest.fixture(scope="module")
def castings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Known pictures enough for a limit at 5 % and not at 1 %; the numbers lie apart, so nothing is a neighbour."""
    folder = tmp_path_factory.mktemp("castings")
    for truth, count in (("good", 22), ("stain", 22), ("pit", 5)):
        (folder / truth).mkdir()
        for i in range(count):
            assert cv2.imwrite(str(folder / truth / f"{i * 10:03d}.png"), LINE.example(truth, i).image)
    return folder


def report(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    assert run("evaluate", *words, *SMALL, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_classes_that_come_one_by_one_end_where_teaching_them_at_once_does(
    castings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, stepwise = report(capsys, castings), report(capsys, castings, "--incremental")

    assert stepwise["identical_bytes"] is True
    assert [arrival["classes"] for arrival in stepwise["arrivals"]] == [1, 2, 3]
    assert stepwise["arrivals"][-1]["balanced_accuracy"] == plain["balanced_accuracy"]
    assert {key: value for key, value in stepwise.items() if key in plain and key != "seconds"} == {
        key: value for key, value in plain.items() if key != "seconds"
    }
    assert list(plain)[:5] == ["accuracy", "balanced_accuracy", "recall", "confusion", "seconds"]
    assert set(stepwise["forgetting"]) == {"drop", "drop_same_question", "lost", "gained", "asked"}


def test_what_was_forgotten_is_said_in_words(castings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", castings, "--incremental", *SMALL) == 0
    out = capsys.readouterr().out

    assert "balanced accuracy" in out and "\n  3 classes" in out
    assert "among those known then" in out
    assert "the same bytes as all classes taught at once in another order" in out


def test_knowledge_that_depends_on_the_order_is_said_and_fails(
    castings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(incremental, "taught_backwards", lambda encoded, order, nothing: nothing)

    assert run("evaluate", castings, "--incremental", *SMALL) == 1
    assert "NOT the bytes" in capsys.readouterr().out


def test_an_unknown_class_is_never_taught_and_all_of_it_is_asked_about(
    castings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = report(capsys, castings, "--unknown", "pit")
    pit = answer["unknown"]["pit"]

    assert list(answer["unknown"]) == ["pit"] and answer["in_turn"] is False
    assert 0.0 <= pit["auroc"]["low"] <= pit["auroc"]["mean"] <= pit["auroc"]["high"] <= 1.0
    assert pit["calibrated_on"] == 20
    assert pit["recall_at_fpr"]["0.01"] is None and pit["fpr"]["0.01"] is None
    assert pit["recall_at_fpr"]["0.05"]["of"] == 2 * 5
    assert pit["fpr"]["0.05"]["of"] == 2 * 2 * (21 - 10)
    assert answer["tested"] == 2 * (5 + 22)


def test_each_class_is_unknown_in_turn_or_several_at_once(castings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", castings, "--unknown", "all", *SMALL) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.endswith("pictures")] == ["good", "pit", "stain"]
    assert "99 are needed" in out and "false alarms came to" in out

    both = report(capsys, castings, "--unknown", "stain", "--unknown", "pit")
    assert list(both["unknown"]) == ["pit", "stain"]
    assert both["unknown"]["pit"]["calibrated_on"] == 10


@pytest.fixture(scope="module")
def marked(castings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good castings, others with a spot painted on, and masks of the spots."""
    folder = tmp_path_factory.mktemp("marked")
    (folder / "good").symlink_to(castings / "good")
    (folder / "spot").mkdir()
    (folder / "ground_truth" / "spot").mkdir(parents=True)
    for i in range(5):
        image = LINE.example("good", 100 + i).image.copy()
        mask = np.zeros(image.shape[:2], np.uint8)
        for drawn, colour in ((image, (20, 20, 20)), (mask, 255)):
            cv2.circle(drawn, (120 + 50 * i, 150 + 40 * i), 26, colour, -1)
        assert cv2.imwrite(str(folder / "spot" / f"{i:03d}.png"), image)
        assert cv2.imwrite(str(folder / "ground_truth" / "spot" / f"{i:03d}_mask.png"), mask)
    return folder


@pytest.mark.parametrize("bundle", ["generic", "castings"])
def test_good_parts_alone_make_a_defect_stand_out(
    marked: Path, bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = report(capsys, marked, "--good-only", "--train-good", 10, "--bundle", bundle)

    assert list(answer["by_class"]) == ["spot"]
    assert answer["by_class"]["spot"]["image_auroc"] == answer["image_auroc"]
    assert answer["image_auroc"]["mean"] > 0.9
    assert answer["recall_at_fpr"]["0.01"]["of"] == answer["recall_at_fpr"]["0.001"]["of"] == 2 * 5
    assert answer["modelled"] == {"0.01": True, "0.001": True}
    assert (answer["train_good"], answer["shots"], answer["calibrated_on"]) == (10, 10, 6)
    assert answer["fpr"]["0.01"]["of"] == 2 * 6
    assert answer["pixel_auroc"]["mean"] > 0.9
    assert answer["pictures"] == {"good": 22, "spot": 5}


def test_good_only_is_said_in_words_and_without_masks(castings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", castings, "--good-only", *SMALL) == 0
    out = capsys.readouterr().out

    assert "11 good pictures learned" in out
    assert "\n  all defects" in out and "\n  stain" in out
    assert "found with 0.1% false alarms" in out and "pixels" not in out
    assert "limit from 5 good pictures by a model" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--unknown", "stian"), 1, "did you mean stain?"),
        (("--unknown", "pit", "--incremental"), 2, "not allowed with argument"),
        (("--unknown", "good", "--unknown", "pit", "--unknown", "stain"), 1, "no known class has more than 1"),
        (("--incremental", "--shots", "5"), 1, "fewer than three classes have more than 5"),
        (("--good-only", "--incremental"), 2, "not allowed with argument"),
        (("--train-good", "5"), 1, "--train-good says how much --good-only learns"),
        (("--good-only", "--train-good", "21"), 1, "22 usable good pictures, 21 to learn from"),
    ],
    ids=["no such class", "two questions", "nothing known", "too few", "two again", "without", "too many"],
)
def test_what_cannot_be_asked_is_answered_with_what_can(
    castings: Path, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        given = run("evaluate", castings, *SMALL, *words)
    except SystemExit as usage:
        given = usage.code
    assert given == code
    assert said in capsys.readouterr().err


def test_a_folder_without_good_parts_is_answered_with_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for truth in ("fine", "stain", "masks"):
        (tmp_path / truth).mkdir()

    assert run("evaluate", tmp_path, "--good-only") == 1
    assert "want a folder good and one for each kind of defect, found fine, stain" in capsys.readouterr().err


def test_an_unknown_class_without_a_usable_picture_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for truth in ("good", "stain", "empty"):
        (tmp_path / truth).mkdir()
    for truth in ("good", "stain"):
        assert cv2.imwrite(str(tmp_path / truth / "000.png"), LINE.example(truth, 0).image)

    assert run("evaluate", tmp_path, "--unknown", "empty") == 1
    assert "no usable picture of empty" in capsys.readouterr().err
