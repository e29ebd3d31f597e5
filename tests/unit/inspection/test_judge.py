"""The verdict rule on embeddings made by hand: two modalities of four dimensions each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import RecipeConfig
from edge_agent.inspection.judge import Judge, limit_at, p_value
from edge_agent.records import Embedding, Modality, Outcome
from models import Knowledge
from models.embedding import quantise
from models.head import Prior
from models.manifest import Block

D = 8
BLOCKS = (Block("image", 0, 4, 0.5, "a"), Block("vibration", 4, 8, 0.5, "b"))
BOTH = frozenset(Modality)
CENTRE = np.array([0.5, 0.2, 0.1, 0.1, 0.5, 0.2, 0.1, 0.1])
SHIFT = {"scratch": np.array([-0.3, 0.1, 0, 0, 0, 0, 0, 0]), "crack": np.array([0, 0, 0, 0, -0.3, 0.1, 0, 0])}


@dataclass
class SmallBundle:
    normal: str = "good"
    blocks: tuple[Block, ...] = BLOCKS
    digest: str = "0" * 64
    spread: Prior = field(default_factory=lambda: Prior(np.eye(D) * 0.01**2, 20.0))

    def prior(self) -> Prior:
        return self.spread


def rows(n: int, slug: str = "good", seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng((seed, len(slug))).normal(scale=0.01, size=(n, D))
    return quantise(CENTRE + SHIFT.get(slug, 0.0) + noise)


def judge(defects: tuple[str, ...] = (), calibration: int = 200, **recipe: object) -> Judge:
    knowledge = Knowledge.empty("r", "0" * 64, BLOCKS)
    for row in rows(100):
        knowledge = knowledge.learn("good", row[None])
    for slug in defects:
        for row in rows(5, slug):
            knowledge = knowledge.learn(slug, row[None])
    return Judge(SmallBundle(), knowledge, rows(calibration, seed=1), RecipeConfig(**recipe))


def embedding(row: np.ndarray, present: frozenset[Modality] = BOTH) -> Embedding:
    q = row.copy()
    for block in BLOCKS:
        if block.modality not in present:
            q[block.start : block.stop] = 0
    return Embedding(q, present)


def test_a_station_that_was_taught_nothing_is_never_sure() -> None:
    blank = Judge(SmallBundle(), Knowledge.empty("r", "0" * 64, BLOCKS), rows(0), RecipeConfig())

    verdict = blank.judge(embedding(rows(1)[0]))

    assert (verdict.outcome, verdict.cause) == (Outcome.UNSURE, "untaught")


def test_good_parts_alone_tell_good_from_not_normal() -> None:
    knows_good = judge()
    good = [knows_good.judge(embedding(row)) for row in rows(500, seed=2)]
    far = knows_good.judge(embedding(rows(1, "scratch")[0]))

    false_rejects = sum(verdict.outcome is not Outcome.OK for verdict in good)
    assert false_rejects <= 20  # 1 % of 500 are asked for; 20 and more would have a chance of 1 in 3 million
    assert (far.outcome, far.cause) == (Outcome.NG, "not_normal")


def test_without_held_out_parts_nothing_is_ok() -> None:
    verdict = judge(calibration=0).judge(embedding(rows(1, seed=3)[0]))

    assert (verdict.outcome, verdict.cause) == (Outcome.UNSURE, "uncalibrated")


@pytest.mark.parametrize("slug", ["scratch", "crack"])
def test_a_taught_defect_is_called_by_its_name(slug: str) -> None:
    verdict = judge(("scratch", "crack")).judge(embedding(rows(9, slug, seed=4)[8]))

    assert (verdict.outcome, verdict.label) == (Outcome.NG, slug)


def test_a_defect_that_does_not_win_clearly_is_a_question_for_a_person() -> None:
    between = quantise(CENTRE + 0.5 * SHIFT["scratch"])

    verdict = judge(("scratch",), confidence=0.999).judge(embedding(between))

    assert verdict.outcome is not Outcome.OK


def test_a_part_that_is_certainly_one_of_two_defects_is_not_good_whichever_it_is() -> None:
    knows = judge(("scratch", "crack"))
    both = quantise(CENTRE + SHIFT["scratch"] + SHIFT["crack"])

    verdict = knows.judge(embedding(both))

    assert verdict.outcome is Outcome.NG


def test_half_of_the_evidence_is_never_a_quiet_ok() -> None:
    seen = [judge(("scratch",)).judge(embedding(row, frozenset({Modality.IMAGE}))) for row in rows(20, seed=5)]

    assert {verdict.outcome for verdict in seen} == {Outcome.UNSURE}
    assert "degraded" in {verdict.cause for verdict in seen}


def test_what_the_picture_cannot_show_is_a_question_when_there_is_only_the_picture() -> None:
    seen = [judge(("scratch", "crack")).judge(embedding(row, frozenset({Modality.IMAGE}))) for row in rows(20, seed=5)]

    assert {verdict.outcome for verdict in seen} == {Outcome.UNSURE}
    assert "ambiguous" in {verdict.cause for verdict in seen}


def test_a_defect_is_still_found_by_the_modality_that_is_left() -> None:
    verdict = judge(("scratch", "crack")).judge(embedding(rows(1, "crack", seed=6)[0], frozenset({Modality.VIBRATION})))

    assert (verdict.outcome, verdict.label) == (Outcome.NG, "crack")


def test_a_recipe_that_expects_pictures_only_is_not_degraded_by_having_no_vibration() -> None:
    knows = judge(modalities=(Modality.IMAGE,))

    outcomes = [knows.judge(embedding(row, frozenset({Modality.IMAGE}))).outcome for row in rows(50, seed=7)]

    assert outcomes.count(Outcome.OK) >= 45


distances = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=300).map(lambda values: np.sort(np.array(values)))


def keeps_its_promise(p: object, values: np.ndarray) -> bool:
    """Of n + 1 exchangeable parts, at most a share alpha of the possible last ones gets a p-value of alpha or less."""
    for alpha in (0.01, 0.05, 0.2):
        low = sum(p(np.delete(values, i), values[i]) <= alpha for i in range(len(values)))
        if low > alpha * len(values) + 1e-9:
            return False
    return True


@given(distances.filter(lambda values: len(values) >= 2))
def test_the_p_value_keeps_the_promise_of_split_conformal_prediction(values: np.ndarray) -> None:
    assert keeps_its_promise(p_value, values)


def test_the_promise_has_teeth() -> None:
    def greedy(calibration: np.ndarray, distance: float) -> float:
        return float(np.mean(calibration >= distance))

    assert not keeps_its_promise(greedy, np.arange(50.0))


@given(distances)
def test_the_limit_is_one_of_the_held_out_distances_and_falls_with_the_false_reject_rate(values: np.ndarray) -> None:
    assert limit_at(values, 0.2) <= limit_at(values, 0.01)
    assert limit_at(values, 0.01) in values
