"""An explanation is told on one screen and as plain values; a large map is summed, not thinned out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge_agent.inspection.explanation import Explanation, Neighbour
from edge_agent.inspection.featureshares import FeatureShares

FEATURES = FeatureShares(
    np.array([120.0, 2400.0]),
    np.array([[0.1, 9.0], [0.2, 0.0], [0.0, 0.0]]),
    np.zeros((3, 2)),
    np.zeros((3, 16)),
    np.zeros((3, 3)),
    np.zeros(3),
)


def explanation(grid: np.ndarray | None = None, **more: object) -> Explanation:
    fields: dict[str, object] = {
        "label": "scratch",
        "against": "good",
        "margin": 12.5,
        "judged": 12.4,
        "constant": -20.0,
        "residual": 1e-13,
        "modalities": {"image": 30.0, "vibration": 2.5},
        "grid": grid,
        "vibration": {"x": 2.0, "y": 0.25, "z": 0.25},
        "features": FEATURES,
        "nearest": tuple(Neighbour(f"scratch · part {i} " + "x" * 60, 3.0 * i) for i in (1, 2, 3)),
        "notes": ("vibration: from the stored embedding, so it is one share",),
    }
    return Explanation(**(fields | more))


def test_it_fits_on_one_screen() -> None:
    text = explanation(np.zeros((40, 40))).text(10.0)

    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80


def test_it_says_what_matters() -> None:
    text = explanation(np.zeros((16, 16))).text(10.0)

    assert text.startswith("scratch rather than good: +12.5 logit\n")
    for words in (
        "+30.0  image",
        "-20.0  what good parts have",
        "+12.5  together",
        "+9.0    x 2.4 kHz",
        "+2.0  x",
        "judged +12.4",
    ):
        assert words in text
    assert text.endswith("so it is one share")


def test_the_map_marks_where_and_how_much() -> None:
    grid = np.array([[12.0, 5.0, 2.5], [1.0, 0.9, -0.9], [-1.1, -5.1, 0.0]])
    lines = explanation(grid).text(10.0).splitlines()

    assert [line[:6] for line in lines[2:5]] == ["██▓▓▒▒", "░░····", "--==··"]


def test_regions_of_a_large_map_are_put_together_with_all_they_have() -> None:
    grid = np.zeros((32, 32))
    grid[0:2, 30:32] = 2.6
    lines = explanation(grid).text(10.0).splitlines()
    thinned = grid[::2, ::2]

    assert lines[2][30:32] == "██"
    assert thinned.max() < 10.0


def test_without_regions_there_is_no_map() -> None:
    text = explanation().text(10.0)

    assert "█" not in text
    assert "+30.0  image" in text


def test_distance_has_another_title() -> None:
    assert explanation(label=None).title == "anything but good: half the squared distance is 12.5"


@pytest.mark.parametrize("bare", [False, True])
def test_as_plain_values_it_is_json(bare: bool) -> None:
    told = explanation(features=None, vibration={}, nearest=()) if bare else explanation(np.arange(6.0).reshape(2, 3))
    plain = json.loads(json.dumps(told.as_dict(), allow_nan=False))

    assert plain.keys() == Explanation.__dataclass_fields__.keys()
    assert plain["grid"] == (None if bare else [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    assert (plain["features"] is None) == bare
    if not bare:
        assert plain["features"]["bands"][0] == [0.1, 9.0]
        assert plain["nearest"][0]["distance"] == 3.0
