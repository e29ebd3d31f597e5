"""Limits come from pictures that are not asked about, and nothing that could show the same scene is on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.evaluate.figures import conformal_limit
from edge_agent.evaluate.unknown import Scores, beyond, halves, open_sets, score
from models import Knowledge
from models.embedding import assemble, quantise
from models.episodes import number_of
from models.head import Prior
from models.manifest import Block

NUMBERED = [f"{n}.png" for n in range(100, 190) if n % 7]
PLAIN = [f"{letter}.png" for letter in "abcdefghijk"]


def episode(seed: int, calibration: int = 400, shift: float = 0.0) -> Scores:
    """Scores of known pictures, of which those that are asked about may lie higher, and of two unknown classes."""
    rng = np.random.default_rng(seed)
    return Scores(
        calibration=rng.normal(size=calibration),
        known=rng.normal(size=300) + shift,
        unknown={"near": rng.normal(size=50) + 1, "far": rng.normal(size=80) + 9},
    )


def test_far_ones_are_found_and_few_known_ones_with_them() -> None:
    figures = open_sets([episode(seed) for seed in range(10)])
    near, far = figures["near"], figures["far"]

    assert (far.auroc.low, far.recall_at_fpr["0.01"].count, far.recall_at_fpr["0.01"].of) == (1.0, 800, 800)
    assert 0.6 < near.auroc.mean < 0.9
    assert near.recall_at_fpr["0.01"].mean < near.recall_at_fpr["0.05"].mean < 0.5
    assert near.fpr == far.fpr
    for rate, share in far.fpr.items():
        assert share.of == 3000
        assert share.low <= float(rate) <= share.high
    assert near.calibrated_on == 400


def limit_of_its_own(scores: Scores, rate: float) -> float | None:
    return conformal_limit(scores.calibration, rate)


def limit_by_peeking(scores: Scores, rate: float) -> float | None:
    return conformal_limit(scores.known, rate)


def limit_by_everything(scores: Scores, rate: float) -> float | None:
    return conformal_limit(np.concatenate([scores.calibration, scores.known]), rate)


def false_alarms(limit_of: Callable[[Scores, float], float | None], scores: Scores) -> float:
    share = beyond([scores.known], [limit_of(scores, 0.01)])
    assert share is not None
    return share.mean


def test_the_limit_knows_nothing_of_what_is_asked() -> None:
    """Where the asked half lies higher than the other, the false alarms show it: a limit that peeked would hide it."""
    shifted = episode(0, shift=9.0)
    figures = open_sets([shifted])["far"]

    assert figures.fpr["0.01"].mean == false_alarms(limit_of_its_own, shifted) == 1.0
    assert false_alarms(limit_by_peeking, shifted) <= 0.01
    assert false_alarms(limit_by_everything, shifted) <= 0.05
    assert figures.recall_at_fpr == open_sets([replace(shifted, known=shifted.known - 30.0)])["far"].recall_at_fpr


def test_each_episode_has_a_limit_of_its_own() -> None:
    low, high = episode(0), episode(1)
    raised = Scores(high.calibration + 50, high.known + 50, {slug: rows + 50 for slug, rows in high.unknown.items()})

    assert open_sets([low, raised]) == open_sets([low, high])


def test_the_limit_is_exceeded_not_reached() -> None:
    assert beyond([np.array([1.0, 2.0, 3.0])], [2.0]).count == 1


@pytest.mark.parametrize(("fewest", "told"), [(18, []), (19, ["0.05"]), (98, ["0.05"]), (99, ["0.01", "0.05"])])
def test_too_few_known_pictures_in_one_episode_set_no_limit(fewest: int, told: list[str]) -> None:
    figures = open_sets([episode(0), episode(1, calibration=fewest)])["far"]

    assert [rate for rate, share in figures.recall_at_fpr.items() if share is not None] == told
    assert [rate for rate, share in figures.fpr.items() if share is not None] == told
    assert figures.calibrated_on == fewest
    assert figures.auroc.mean == 1.0


def test_nothing_known_to_ask_about_is_an_error() -> None:
    with pytest.raises(BadData, match="no known picture is left"):
        open_sets([replace(episode(0), known=np.empty(0))])


def crosses(calibration: list[str], asked: list[str]) -> bool:
    numbers, others = ({number_of(name) for name in half} - {None} for half in (calibration, asked))
    return bool(set(calibration) & set(asked)) or any(abs(a - b) <= 2 for a in numbers for b in others)


@pytest.mark.parametrize("names", [NUMBERED, PLAIN], ids=["numbered", "plain"])
def test_no_asked_picture_is_one_that_set_the_limit_nor_its_neighbour(names: list[str]) -> None:
    for seed in range(50):
        calibration, asked = halves(names, np.random.default_rng(seed))

        assert len(calibration) == len(names) // 2
        assert not crosses(calibration, asked)
        assert len(calibration) + len(asked) >= len(names) - 2 * 2
        assert set(calibration) | set(asked) <= set(names)


def by_chance(names: list[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    shuffled = rng.permutation(names).tolist()
    return shuffled[::2], shuffled[1::2]


def without_a_gap(names: list[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    start = int(rng.integers(len(names)))
    turned = names[start:] + names[:start]
    return turned[::-1][: len(names) // 2], turned[::-1][len(names) // 2 :]


@pytest.mark.parametrize("wrong", [by_chance, without_a_gap])
def test_halves_that_ignore_neighbours_are_caught(
    wrong: Callable[[list[str], np.random.Generator], tuple[list[str], list[str]]],
) -> None:
    assert all(crosses(*wrong(NUMBERED, np.random.default_rng(seed))) for seed in range(50))


def test_the_cut_is_another_one_in_each_episode_and_the_order_of_the_names_does_not_matter() -> None:
    cuts = {tuple(halves(NUMBERED, np.random.default_rng(seed))[0]) for seed in range(30)}
    shuffled = np.random.default_rng(9).permutation(NUMBERED).tolist()

    assert len(cuts) > 15
    assert halves(shuffled, np.random.default_rng(4)) == halves(NUMBERED, np.random.default_rng(4))
    assert halves([], np.random.default_rng(4)) == ([], [])


def test_the_score_is_the_distance_to_the_nearest_class() -> None:
    blocks = (Block("image", 0, 3, 1.0, "a"),)
    rng = np.random.default_rng(0)

    def embedded(centre: list[float], n: int) -> NDArray[np.int16]:
        return np.stack([quantise(assemble(blocks, {"image": centre + 0.1 * rng.normal(size=3)})) for _ in range(n)])

    knowledge = Knowledge.empty("steel", "0" * 64, blocks)
    for slug, centre in (("c000", [1.0, 0.0, 0.0]), ("c001", [0.0, 1.0, 0.0])):
        for row in embedded(centre, 5):
            knowledge = knowledge.learn(slug, row[np.newaxis])
    head = knowledge.head(Prior(np.eye(3) * 0.02, 5.0), normal="")
    known, unknown = embedded([0.0, 1.0, 0.0], 9), embedded([0.0, 0.0, 1.0], 9)

    np.testing.assert_array_equal(score(head, known), head.distances(known / 2**14)[:, 1])
    assert score(head, unknown).min() > score(head, known).max()
