"""Limits come from good pictures that are not asked about, and no scene is on two sides of the split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.evaluate import EvaluateOptions
from edge_agent.evaluate.goodonly import Asked, asked, detections, learned_of, split
from edge_agent.evaluate.goodscores import REGIONS
from edge_agent.evaluate.goodtokens import FINER, Folder, Looked, _masks
from models import Bundle
from models.embedding import assemble, quantise
from models.episodes import number_of
from models.head import Prior
from models.manifest import Block
from models.tokenbank import rounded

NUMBERED = [f"{n}.png" for n in range(100, 200) if n % 7]
PLAIN = [f"{letter}{digit}.png" for letter in "abcdefghijk" for digit in "xyz"]
BLOCKS = (Block("image", 0, 6, 1.0, "a"),)
Split = Callable[[list[str], int, np.random.Generator], tuple[list[str], list[str], list[str]]]


def crosses(sides: Sequence[Sequence[str]]) -> bool:
    """Whether two of the sides share a picture, or hold neighbours."""
    for i, one in enumerate(sides):
        for other in sides[i + 1 :]:
            numbers, others = ({number_of(name) for name in side} - {None} for side in (one, other))
            if set(one) & set(other) or any(abs(a - b) <= 2 for a in numbers for b in others):
                return True
    return False


@pytest.mark.parametrize("names", [NUMBERED, PLAIN], ids=["numbered", "plain"])
def test_no_scene_is_on_two_sides(names: list[str]) -> None:
    for seed in range(50):
        sides = split(names, 12, np.random.default_rng(seed))

        assert not crosses(sides)
        assert len(sides[0]) == 12
        assert sum(map(len, sides)) >= len(names) - 3 * 2 * 2
        assert sides == split(names[::-1], 12, np.random.default_rng(seed))


def by_chance(names: list[str], count: int, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    shuffled = rng.permutation(names).tolist()
    return shuffled[:count], shuffled[count::2], shuffled[count + 1 :: 2]


def without_gaps(names: list[str], count: int, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    return names[:count], names[count:50], names[50:]


@pytest.mark.parametrize("wrong", [by_chance, without_gaps])
def test_splits_that_ignore_neighbours_are_caught(wrong: Split) -> None:
    assert all(crosses(wrong(NUMBERED, 12, np.random.default_rng(seed))) for seed in range(50))


def test_where_neighbours_leave_nothing_it_is_said() -> None:
    with pytest.raises(BadData, match="no neighbour"):
        split([f"{n}.png" for n in range(10)], 7, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("good", "wanted", "learned"),
    [(40, None, 20), (200, None, 100), (900, None, 100), (900, 300, 300), (8, None, 4), (6, 2, 2)],
)
def test_half_is_learned_up_to_a_hundred_or_what_was_asked_for(good: int, wanted: int | None, learned: int) -> None:
    assert learned_of(good, wanted) == learned


@pytest.mark.parametrize(("good", "wanted"), [(5, None), (0, None), (40, 37), (40, 40), (40, 1), (40, 0), (5000, 2000)])
def test_too_few_or_too_many_are_refused(good: int, wanted: int | None) -> None:
    with pytest.raises(BadData, match=f"{good} usable good pictures"):
        learned_of(good, wanted)


def columns(regions: NDArray[np.float64]) -> NDArray[np.float64]:
    """By regions; by a distance that says nothing; by both."""
    return np.column_stack([regions, np.zeros(len(regions)), regions])


def episode(seed: int, calibration: int = 400, shift: float = 0.0) -> Asked:
    rng = np.random.default_rng(seed)
    faulty = {"near": columns(rng.normal(size=50) + 1), "far": columns(rng.normal(size=80) + 30)}
    marked, beside, clean = rng.normal(size=40) + 30, rng.normal(size=90), rng.normal(size=200)
    return Asked(
        columns(rng.normal(size=calibration)),
        columns(rng.normal(size=300) + shift),
        faulty,
        {"far": (marked, beside)},
        clean,
    )


def test_far_ones_are_found_and_few_good_ones_with_them() -> None:
    figures = detections([episode(seed) for seed in range(10)], 100)
    near, far = figures.by_class["near"], figures.by_class["far"]

    assert (far.image_auroc.low, far.recall_at_fpr["0.01"].count, far.recall_at_fpr["0.01"].of) == (1.0, 800, 800)
    assert far.distance_auroc.mean == 0.5 and far.joint_auroc == far.image_auroc
    assert near.image_auroc.mean < figures.image_auroc.mean < far.image_auroc.mean
    assert near.recall_at_fpr["0.001"].mean < near.recall_at_fpr["0.01"].mean < 0.3
    assert figures.recall_at_fpr["0.01"].of == 10 * 130
    for rate, share in figures.fpr.items():
        assert share.of == 3000
        assert share.low <= float(rate) <= share.high
    assert (figures.calibrated_on, figures.train_good) == (400, 100)
    assert far.pixel_auroc == figures.pixel_auroc and far.pixel_auroc is not None and far.pixel_auroc.mean == 1.0
    assert near.pixel_auroc is None


def test_the_limit_knows_nothing_of_what_is_asked() -> None:
    """Where the asked half lies higher than the other, the false alarms show it: a limit that peeked would hide it."""
    shifted = episode(0, shift=9.0)
    peeked = replace(shifted, calibration=shifted.good)

    assert detections([shifted], 9).fpr["0.01"].mean == 1.0
    assert detections([peeked], 9).fpr["0.01"].mean <= 0.01
    raised = replace(shifted, faulty={slug: rows + 99.0 for slug, rows in shifted.faulty.items()})
    assert detections([raised], 9).fpr == detections([shifted], 9).fpr


@pytest.mark.parametrize(("fewest", "modelled"), [(98, [True, True]), (99, [False, True]), (999, [False, False])])
def test_it_is_said_where_a_model_sets_the_limit(fewest: int, modelled: list[bool]) -> None:
    assert list(detections([episode(0, 2000), episode(1, fewest)], 9).modelled.values()) == modelled


def test_masks_are_found_under_both_names_and_brought_to_the_grid(tmp_path: Path) -> None:
    mask = np.zeros((80, 120), np.uint8)
    mask[40:, :60] = 1
    for path in ("ground_truth/pit/000_mask.png", "masks/pit/b.7.png", "masks/dent/000.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / path), mask)

    masks = _masks(tmp_path, "pit", ["000.jpg", "b.7.png", "c.png"], (2, 3))

    assert list(masks) == ["000.jpg", "b.7.png"]
    assert masks["000.jpg"].shape == (2 * FINER, 3 * FINER)
    assert masks["000.jpg"][FINER:, :6].all() and masks["000.jpg"].sum() == FINER * 6


def test_a_marked_place_is_found_where_it_is() -> None:
    rng = np.random.default_rng(3)
    places = rng.normal(size=(16, 6))

    def looked(tokens: NDArray[np.float64]) -> Looked:
        return Looked(rounded(tokens), quantise(assemble(BLOCKS, {"image": tokens.mean(axis=0)})))

    good = {f"{n}.png": looked(places + 0.2 * rng.normal(size=(16, 6))) for n in range(0, 300, 10)}
    faulty = places + 0.2 * rng.normal(size=(16, 6))
    faulty[5] = rng.normal(size=6)
    mask = np.zeros((4 * FINER, 4 * FINER), bool)
    mask[FINER : 2 * FINER, FINER : 2 * FINER] = True
    pictures = {"good": good, "pit": {"0.png": looked(faulty)}}
    bundle = SimpleNamespace(normal="good", digest="0" * 64, blocks=BLOCKS, prior=lambda: Prior(np.eye(6) * 0.01, 5.0))
    folder = Folder(cast(Bundle, bundle), (4, 4), pictures, {"good": {}, "pit": {"0.png": mask}}, ())
    names = list(good)

    right = asked(folder, names[:15], names[15:22], names[22:])
    wrong = asked(
        replace(folder, masks={"good": {}, "pit": {"0.png": mask.T[::-1]}}), names[:15], names[15:22], names[22:]
    )

    assert right.faulty["pit"][0, REGIONS] > right.calibration[:, REGIONS].max()
    located, elsewhere = (detections([one], 15).pixel_auroc for one in (right, wrong))
    assert located is not None and elsewhere is not None
    assert located.mean > 0.95 > elsewhere.mean


@pytest.mark.parametrize("options", [{"train_good": 5}, {"train_good": 0}])
def test_how_much_is_learned_means_nothing_without_good_only(options: dict[str, int]) -> None:
    plain = EvaluateOptions(Path("steel"), shots=5, episodes=20, seed=1, bundle="generic", json=False, **options)
    with pytest.raises(BadData, match="--train-good"):
        plain.check({"good", "pit"})
    replace(plain, good_only=True).check({"good", "pit"})
