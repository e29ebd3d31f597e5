"""Verdicts against truths: each is counted where it belongs, and a share carries its interval."""

from __future__ import annotations

import math

import pytest

from edge_agent.demo.tally import Tally
from edge_agent.proportion import wilson
from edge_agent.records import Outcome, Part, Times, Trigger, Verdict


def part(truth: str | None, outcome: Outcome, label: str | None = None) -> Part:
    return Part(Trigger("s", 1, 0.0, truth), Verdict(outcome, label), Times(0.0), "default")


def tally(*parts: Part) -> Tally:
    counted = Tally("good")
    for each in parts:
        counted.add(each)
    return counted


SEEN = tally(
    *[part("good", Outcome.OK, "good")] * 6,
    part("good", Outcome.NG, "crack"),
    part("good", Outcome.UNSURE),
    part("crack", Outcome.NG, "crack"),
    part("crack", Outcome.NG, "pit"),
    part("crack", Outcome.UNSURE, "crack"),
    part("crack", Outcome.MISSED),
    part("crack", Outcome.OK, "good"),
    part("bent", Outcome.NG),
    part(None, Outcome.NG, "crack"),
)


def test_good_parts_are_right_when_ok_and_defective_ones_when_ng() -> None:
    assert (SEEN.specificity().count, SEEN.specificity().of) == (6, 8)
    assert (SEEN.recall("crack").count, SEEN.recall("crack").of) == (2, 5)
    assert (SEEN.all_defects().count, SEEN.all_defects().of) == (3, 6)
    assert (SEEN.right().count, SEEN.right().of) == (9, 14)


def test_a_part_is_stopped_unless_it_is_ok_and_named_only_by_its_own_class() -> None:
    assert (SEEN.stopped("crack").count, SEEN.stopped("good").count) == (4, 2)
    assert (SEEN.named("crack").count, SEEN.named("crack").of) == (1, 5)


def test_good_comes_first_and_a_part_without_a_truth_does_not_count() -> None:
    assert SEEN.classes == ["good", "bent", "crack"]
    assert SEEN.parts == 14


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    interval = wilson(count, of)

    assert (interval.mean, interval.low, interval.high) == pytest.approx((count / of, low, high), abs=1e-4)
    assert f"{count} of {of}" in str(interval)


def test_of_none_nothing_is_known() -> None:
    nothing = wilson(0, 0)

    assert math.isnan(nothing.mean)
    assert (nothing.low, nothing.high, str(nothing)) == (0.0, 1.0, "–")
    assert tally().right().of == 0
