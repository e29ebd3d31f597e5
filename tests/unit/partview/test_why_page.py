"""Why a part was answered so, on a screen and on a page: all of it is there, and nothing runs or is fetched."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from page_reading import EVIL, Reading, dangers
from proof_states import exemplar, part

from edge_agent.inspection.explanation import WIDTH, Explanation, Neighbour
from edge_agent.inspection.featureshares import FeatureShares
from edge_agent.learning.example import Example
from edge_agent.partview.heat import Heat, heat_of
from edge_agent.partview.why import Why
from edge_agent.partview.whypage import why_page
from edge_agent.partview.whytext import said, strongest, why_lines
from edge_agent.records import Anomaly, Outcome, Verdict

IMAGE = np.full((64, 64, 3), 90, np.uint8)
PICTURE = cv2.imencode(".png", IMAGE)[1].tobytes()
GRID = np.zeros((4, 4))
GRID[1, 2], GRID[3, 0] = 70.0, -20.0
UNLIKE = np.full((4, 4), 0.5)
UNLIKE[2, 1], UNLIKE[0, 0] = 18.0, -1.0
NONE = Heat(None, None, None)


def onlooker(name: str = "line") -> SimpleNamespace:
    bundle = SimpleNamespace(name=name, manifest=SimpleNamespace(version="1"), digest="b" * 64)
    return SimpleNamespace(
        config=SimpleNamespace(station=SimpleNamespace(name=name)),
        recipe=SimpleNamespace(config=SimpleNamespace(name=name), bundle=bundle),
        called=lambda slug: name if slug == "evil" else str(slug),
        picture=lambda part: PICTURE,
        example=lambda exemplar: Example("", IMAGE),
    )


def features() -> FeatureShares:
    bands = np.zeros((3, 8))
    bands[0, 3] = 25.0
    small = np.zeros((3, 4))
    return FeatureShares(np.geomspace(60, 12_000, 8), bands, np.zeros((3, 8)), small, small[:, :3], np.zeros(3))


def explanation(**changed: object) -> Explanation:
    made = Explanation(
        label="scratch",
        against="good",
        margin=80.0,
        judged=79.9,
        constant=-10.0,
        residual=1e-13,
        modalities={"image": 50.0, "vibration": 40.0},
        grid=GRID,
        vibration={"x": 30.0, "y": 10.0, "z": 0.0},
        features=features(),
        nearest=(Neighbour("scratch: scratch/1.png", 12.0),),
    )
    return replace(made, **changed)


def why(told: Explanation | None = None, **changed: object) -> Why:
    verdict = Verdict(Outcome.NG, "scratch", 0.97, 0.008, 310.0)
    judged = replace(part(12), verdict=verdict, knowledge="a" * 64)
    seen = replace(judged.embedding, anomaly=Anomaly("d" * 16, 9.31, None))
    judged = replace(judged, embedding=seen)
    made = Why(judged, "a" * 64, verdict, told or explanation(), UNLIKE, (exemplar("scratch", 1),), IMAGE, ())
    return replace(made, **changed)


def test_one_screen_has_the_answer_the_shares_their_sum_the_regions_and_the_nearest() -> None:
    lines = why_lines(why())
    text = "\n".join(lines)

    assert lines[0] == "part 12: NG scratch 0.97"
    assert "a 12; p_normal 0.008; distance 310" in lines[1]
    for words in ("scratch rather than good: +80.0 logit", "+50.0  image", "+40.0  vibration", "+80.0  together"):
        assert words in text
    assert "miss the sum by 1e-13" in text
    assert "strongest regions (row, column): (2, 3) +70.0; (4, 1) -20.0" in text
    assert "12.0  scratch: scratch/1.png" in text
    assert "in its most unusual details: picture 9.3 spreads unlike good parts" in lines
    assert "where the picture is unlike good parts" not in text
    assert f"x {features().band_hz[3]:.0f} Hz" in text
    assert len(lines) <= 24
    assert all(len(line) <= WIDTH for line in lines)


@pytest.mark.parametrize("changed", [{"grid": None}, {"label": None}])
def test_where_shares_do_not_say_it_the_map_shows_where_the_part_is_unlike_good_ones(changed: dict) -> None:
    lines = why_lines(why(explanation(**changed)))
    top = lines.index("where the picture is unlike good parts") + 1

    assert lines[top : top + 4] == ["········"] * 2 + ["··▓▓····", "········"]
    assert lines[top + 4].startswith("█ 20 spreads")
    assert lines[top + 5].startswith("most unusual regions (row, column): (3, 2) +18.0; ")


@pytest.mark.parametrize(
    ("changed", "answer"), [({}, "shares"), ({"label": None}, "anomaly"), ({"grid": None}, "anomaly")]
)
def test_the_map_that_says_most_about_the_verdict_is_the_answer(changed: dict, answer: str) -> None:
    heat = heat_of(why(explanation(**changed)))

    assert heat.answer is not None
    assert heat.answer == getattr(heat, answer)
    assert heat_of(why(image=None)) == NONE
    assert heat_of(why(unlike=None)).anomaly is None


def test_what_has_changed_since_is_said() -> None:
    changed = why(known="c" * 64, now=Verdict(Outcome.OK, "good", 0.9), notes=("knowledge has changed since",))
    page = Reading(why_page(onlooker(), changed, NONE)).text

    assert "by what is known now: OK good 0.90" in why_lines(changed)
    assert "· knowledge has changed since" in why_lines(changed)
    assert "Knowledge has changed since. By what is known now: OK good 0.90." in page
    assert "explained by knowledge: " + "c" * 64 in page
    assert "by what is known now" not in "\n".join(why_lines(why()))
    assert "explained by knowledge" not in Reading(why_page(onlooker(), why(), NONE)).text


def test_a_part_that_was_never_judged_is_told_too() -> None:
    missed = why(explanation=None, nearest=(), image=None, now=None, notes=("nothing of it was judged",))
    missed = replace(missed, part=replace(missed.part, verdict=Verdict(Outcome.MISSED, cause="restart")))

    assert why_lines(missed)[0] == "part 12: MISSED (restart)"
    assert "MISSED (restart)" in Reading(why_page(onlooker(), missed, NONE)).text
    assert missed.as_dict()["explanation"] is None


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(Outcome.NG, None, 0.6, cause="not_normal"), "NG 0.60 (not_normal)"),
        (
            Verdict(Outcome.UNSURE, "pit", 0.4, cause="ambiguous", degraded=("dark",)),
            "UNSURE pit 0.40 (ambiguous, dark)",
        ),
        (Verdict(Outcome.MISSED, None, float("nan"), cause="disk"), "MISSED (disk)"),
    ],
)
def test_a_verdict_is_said_in_few_words(verdict: Verdict, words: str) -> None:
    assert said(verdict) == words


def test_the_strongest_regions_are_those_of_the_largest_share_either_way() -> None:
    assert list(strongest(-GRID)) == ["(2, 3) -70.0", "(4, 1) +20.0"]


def test_the_page_has_picture_heat_map_bars_and_the_nearest() -> None:
    page = why_page(onlooker(), why(), Heat(PICTURE, PICTURE, PICTURE))
    read = Reading(page)

    assert sum(tag == "img" for tag, _ in read.tags) == 4
    assert sum(tag == "svg" for tag, _ in read.tags) == 4 + 3 + 8 + 1
    for words in (
        "The picture that was judged.",
        "Strongest regions (row, column) of 4 x 4",
        "In its most unusual details: picture 9.3 spreads unlike good parts.",
        "Most unusual regions (row, column) of 4 x 4: (3, 2) +18.0",
        "squared distance 12",
        "full height is 25",
    ):
        assert words in read.text


def test_without_picture_tokens_or_features_the_page_has_what_is_left() -> None:
    bare = explanation(grid=None, features=None, vibration={"0 ms": 1.0, "20 ms": -2.0}, nearest=())
    read = Reading(why_page(onlooker(), why(bare, image=None, nearest=()), NONE))

    assert "img" not in [tag for tag, _ in read.tags]
    assert "20 ms" in read.text
    assert "Where" not in read.text
    assert "Loudness" not in read.text


def test_nothing_on_the_page_runs_or_is_fetched() -> None:
    told = explanation(label=EVIL, against=EVIL, nearest=(Neighbour(EVIL, 1.0),), modalities={EVIL: 1.0})
    evil = why(told, nearest=(replace(exemplar("scratch", 1, source=EVIL), label="evil"),), notes=(EVIL,))
    evil = replace(evil, part=replace(evil.part, operator_label="evil", verdict=Verdict(Outcome.NG, EVIL, cause=EVIL)))
    page = why_page(onlooker(EVIL), evil, Heat(PICTURE, None, PICTURE))

    assert dangers(page) == []
    assert Reading(page).open == []
    page.encode()
    assert "\x1b" not in "".join(why_lines(evil))
