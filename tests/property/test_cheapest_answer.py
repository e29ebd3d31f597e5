"""The cheapest answer: what prices, evidence and the share of defects do to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.config import Config, CostsConfig
from edge_agent.inspection.decision import KAPPA, Thresholds, likelihood_ratio, p_defective
from edge_agent.records import Outcome

STRICTNESS = (Outcome.OK, Outcome.UNSURE, Outcome.NG)
GRID = np.linspace(0.001, 0.999, 250)

Rule = Callable[[CostsConfig, float], Outcome]
prices = st.floats(0.01, 1e4)
probabilities = st.floats(0.0, 1.0)


def sensible(costs: CostsConfig) -> bool:
    return costs.second_look < costs.escape * costs.false_reject / (costs.escape + costs.false_reject)


costs_of = st.builds(CostsConfig, prices, prices, prices).filter(sensible)


def answer(costs: CostsConfig, p: float) -> Outcome:
    return Thresholds.of(costs).outcome(p, may_be_ok=True)


def expected(costs: CostsConfig, p: float) -> dict[Outcome, float]:
    return {
        Outcome.OK: p * costs.escape,
        Outcome.NG: (1.0 - p) * costs.false_reject,
        Outcome.UNSURE: costs.second_look,
    }


def is_cheapest(rule: Rule, costs: CostsConfig) -> bool:
    """Whether no other answer would cost less, whatever the probability."""
    for p in GRID:
        price = expected(costs, p)
        if price[rule(costs, p)] > min(price.values()) * (1.0 + 1e-9):
            return False
    return True


@given(costs_of)
def test_no_other_answer_costs_less(costs: CostsConfig) -> None:
    assert is_cheapest(answer, costs)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda costs, p: Outcome.NG if p > costs.false_reject / (costs.escape + costs.false_reject) else Outcome.OK,
        lambda costs, p: Outcome.NG if p >= 0.8 else Outcome.OK if p < 0.5 else Outcome.UNSURE,
        lambda costs, p: Outcome.OK if p <= costs.second_look / costs.false_reject else Outcome.NG,
    ],
    ids=["without a second look", "whatever the prices", "the wrong price"],
)
def test_a_rule_that_is_not_the_cheapest_is_noticed(wrong: Rule) -> None:
    assert not is_cheapest(wrong, CostsConfig())


@given(costs_of, probabilities, st.floats(1.0, 100.0))
def test_a_dearer_escape_never_lets_a_part_through(costs: CostsConfig, p: float, more: float) -> None:
    dearer = CostsConfig(costs.escape * more, costs.false_reject, costs.second_look)
    before, after = answer(costs, p), answer(dearer, p)

    assert STRICTNESS.index(after) >= STRICTNESS.index(before)
    assert (after is Outcome.NG) == (before is Outcome.NG)  # it says nothing about good parts


@given(costs_of, probabilities, st.floats(1.0, 100.0))
def test_a_dearer_false_reject_never_rejects_more(costs: CostsConfig, p: float, more: float) -> None:
    before = answer(costs, p)
    after = answer(CostsConfig(costs.escape, costs.false_reject * more, costs.second_look), p)

    assert STRICTNESS.index(after) <= STRICTNESS.index(before)
    assert (after is Outcome.OK) == (before is Outcome.OK)


@given(costs_of, probabilities, st.floats(0.01, 1.0))
def test_a_cheaper_second_look_is_never_taken_less(costs: CostsConfig, p: float, less: float) -> None:
    after = answer(CostsConfig(costs.escape, costs.false_reject, costs.second_look * less), p)

    assert after in (Outcome.UNSURE, answer(costs, p))


@given(costs_of, probabilities, st.floats(0.1, 10.0))
def test_only_the_ratios_of_prices_matter(costs: CostsConfig, p: float, unit: float) -> None:
    other = CostsConfig(costs.escape * unit, costs.false_reject * unit, costs.second_look * unit)
    limits = (Thresholds.of(costs).ok, Thresholds.of(costs).ng)
    assume(min(abs(p - limit) for limit in limits) > 1e-9)

    assert answer(other, p) is answer(costs, p)


@given(costs_of, probabilities)
def test_what_may_not_be_ok_is_the_cheaper_one_of_the_others(costs: CostsConfig, p: float) -> None:
    price = expected(costs, p)
    given_ = Thresholds.of(costs).outcome(p, may_be_ok=False)
    others = {outcome: price[outcome] for outcome in (Outcome.NG, Outcome.UNSURE)}

    assert given_ is not Outcome.OK
    assert others[given_] <= min(others.values()) * (1.0 + 1e-9) + 1e-9


CHANCES = np.exp(np.linspace(np.log(1e-150), 0.0, 100_001))
"""Every p-value of a good part, spread so that the smallest are not missed."""


def average(evidence: Callable[[np.ndarray], np.ndarray]) -> float:
    """What evidence is on average over good parts, whose p-values are uniform."""
    return float(np.trapezoid(evidence(CHANCES), CHANCES))


def test_evidence_averages_one_over_good_parts() -> None:
    assert average(likelihood_ratio) == pytest.approx(1.0, abs=1e-3)


def test_evidence_that_is_multiplied_instead_of_averaged_is_noticed() -> None:
    """Both p-values of a part come from one embedding: their ratios are not independent."""
    assert average(lambda chance: likelihood_ratio(chance) ** 2) > 2.0


@given(st.floats(1e-300, 1.0), st.floats(1e-300, 1.0))
def test_the_more_unusual_the_more_probably_defective(one: float, other: float) -> None:
    more, less = sorted(map(float, likelihood_ratio(np.array([one, other]))), reverse=True)

    assert min(one, other) == one or more >= less
    assert p_defective(0.05, np.array(more)) >= p_defective(0.05, np.array(less))


def test_evidence_that_says_nothing_leaves_the_share_of_defects() -> None:
    assert p_defective(0.05, np.array([1.0]))[0] == pytest.approx(0.05)
    assert p_defective(0.05, np.array([1.0]), np.array([1.0]), 7)[0] == pytest.approx(0.05)


def test_kinds_that_were_taught_count_as_many_times_as_there_are() -> None:
    taught, other = np.array([8.0]), np.array([0.0])

    assert p_defective(0.5, other, taught, 1)[0] == pytest.approx(4.0 / 5.0)
    assert p_defective(0.5, other, taught, 7)[0] == pytest.approx(7.0 / 8.0)


@given(st.floats(1e-4, 0.5), st.floats(1e-4, 0.5), st.floats(1e-300, 1.0), costs_of)
def test_more_defects_never_let_a_part_through(one: float, other: float, chance: float, costs: CostsConfig) -> None:
    few, many = sorted((one, other))
    ratio = likelihood_ratio(np.array([chance]))
    before, after = (answer(costs, float(p_defective(share, ratio)[0])) for share in (few, many))

    assert STRICTNESS.index(after) >= STRICTNESS.index(before)


def test_with_the_defaults_the_most_ordinary_part_is_ok_and_a_far_one_ng() -> None:
    recipe = Config().recipe
    thresholds = Thresholds.of(recipe.costs)
    ordinary, far = p_defective(recipe.defect_share, likelihood_ratio(np.array([1.0, 1e-6])))

    assert float(likelihood_ratio(np.array(1.0))) == KAPPA
    assert thresholds.outcome(ordinary, may_be_ok=True) is Outcome.OK
    assert thresholds.outcome(far, may_be_ok=True) is Outcome.NG
