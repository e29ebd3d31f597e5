"""How unusual a score is among held-out ones: exact ranks, and a tail that knows how little it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.inspection.joint import set_aside, sizes_of, usual
from edge_agent.inspection.ring import Ring, of_another_lot, promised

values = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=300).map(np.array)
Ranking = Callable[[np.ndarray, float], float]


def keeps_its_promise(p: Ranking, scores: np.ndarray) -> bool:
    """Of n + 1 exchangeable scores, at most a share alpha of the possible last ones gets a p-value of alpha or less."""
    for alpha in (0.01, 0.05, 0.2):
        low = sum(p(np.delete(scores, i), scores[i]) <= alpha for i in range(len(scores)))
        if low > alpha * len(scores) + 1e-9:
            return False
    return True


@given(values.filter(lambda scores: len(scores) >= 2))
def test_the_p_value_keeps_the_promise_of_split_conformal_prediction(scores: np.ndarray) -> None:
    assert keeps_its_promise(lambda held_out, score: float(Ring(held_out).p_value(score)), scores)


def test_the_promise_has_teeth() -> None:
    def greedy(held_out: np.ndarray, score: float) -> float:
        return float(np.mean(held_out >= score))

    assert not keeps_its_promise(greedy, np.arange(50.0))


def test_where_nothing_is_tied_every_rank_is_as_frequent_as_any_other() -> None:
    scores = np.random.default_rng(1).permutation(100.0 * np.arange(20.0))
    ranks = [float(Ring(np.delete(scores, i)).p_value(scores[i])) for i in range(20)]

    assert sorted(ranks) == pytest.approx(np.arange(1, 21) / 20)


@given(values, st.lists(st.floats(0.0, 1e9), min_size=2, max_size=20))
def test_what_lies_farther_out_is_less_probable_and_nothing_is_impossible(held_out: np.ndarray, asked: list) -> None:
    ring = Ring(held_out)
    chances = ring.chance(np.sort(asked))

    assert (chances > 0.0).all() and (chances <= 1.0).all()
    assert (np.diff(chances) <= 1e-12).all()


@given(values)
def test_short_of_the_tail_the_chance_is_the_p_value(held_out: np.ndarray) -> None:
    ring = Ring(held_out)
    inside = np.sort(held_out)[: len(held_out) // 2]

    assert (ring.chance(inside) == ring.p_value(inside)).all()


def surprises(chance: Ranking, alpha: float) -> int:
    """How many of 2000 good parts are said to be less probable than alpha, after seven others; scores thin out."""
    rng = np.random.default_rng(7)
    return sum(chance(scores[:7], scores[7]) <= alpha for scores in rng.exponential(size=(2000, 8)))


def test_a_tail_of_two_parts_is_not_taken_for_known() -> None:
    surprised = surprises(lambda held_out, score: float(Ring(held_out).chance(score)), 0.01)

    assert 8 <= surprised <= 35  # 20 are expected; 3 standard deviations are 13


def test_a_tail_whose_scale_is_taken_as_known_is_noticed() -> None:
    def sure(held_out: np.ndarray, score: float) -> float:
        start, *excesses = np.sort(held_out)[-3:]
        mean = np.mean(excesses) - start
        return 3 / 8 * float(np.exp(-max(score - start, 0.0) / mean))

    assert surprises(sure, 0.01) > 60


def test_more_held_out_parts_make_it_surer_that_a_part_lies_outside() -> None:
    rng = np.random.default_rng(3)
    chances = [float(Ring(rng.exponential(size=n)).chance(20.0)) for n in (4, 20, 100, 1000)]

    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 1e-3 and chances[-1] < 1e-7


def test_equal_scores_have_no_tail() -> None:
    ring = Ring(np.full(40, 2.0))

    assert ring.chance([1.0, 2.0, 9.0]) == pytest.approx([1.0, 1.0, 1 / 41])


@pytest.mark.parametrize(
    ("held_out", "asked", "possible"),
    [
        (99, 0.01, 0.01),
        (120, 0.01, 1 / 121),
        (199, 0.01, 0.01),
        (40, 0.01, 1 / 41),
        (1, 0.01, 0.5),
        (999, 0.001, 0.001),
    ],
)
def test_what_can_be_promised_with_so_many(held_out: int, asked: float, possible: float) -> None:
    assert promised(held_out, asked) == pytest.approx(possible)


@given(st.integers(1, 3000), st.floats(0.0001, 0.2))
@example(1584, 0.19999999999999998)
@example(199, 0.01)
def test_what_is_promised_is_what_the_ranks_give(held_out: int, asked: float) -> None:
    ranks = np.arange(1, held_out + 2) / (held_out + 1)
    stopped = np.mean(ranks <= max(asked, 1 / (held_out + 1)))

    assert promised(held_out, asked) == pytest.approx(stopped)


def by_leaving_out(scores: np.ndarray) -> np.ndarray:
    """Give the chance of each score by a ring that was made without it."""
    return np.array([float(Ring(np.delete(scores, i)).chance(scores[i])) for i in range(len(scores))])


tied = st.lists(st.integers(0, 4).map(float), min_size=2, max_size=40).map(np.array)


@given(values.filter(lambda scores: len(scores) >= 2) | tied)
@example(np.array([0.0, 0.0, 0.0, 0.0, 1e6, 1e-6]))
def test_a_held_out_part_is_weighed_as_if_it_had_never_been_held_out(scores: np.ndarray) -> None:
    assert Ring(scores).own() == pytest.approx(by_leaving_out(scores), rel=1e-6, abs=0.0)


def test_to_be_among_those_that_weigh_makes_a_difference() -> None:
    scores = np.arange(20.0) ** 2

    assert Ring(scores).chance(scores) != pytest.approx(by_leaving_out(scores), rel=1e-2)


Bound = Callable[[float, int, Sequence[int]], float]


def promise_of_lots_is_kept(bound: Bound, lots: list[np.ndarray], asked: float) -> bool:
    """Of lots of which each in turn is the one never shown, no larger a share is not normal than is promised."""
    shares, bounds = [], []
    for never_shown, parts in enumerate(lots):
        known = lots[:never_shown] + lots[never_shown + 1 :]
        scores, numbers = np.concatenate(known), np.repeat(np.arange(len(known)), [len(lot) for lot in known])
        which = [numbers == number for number in range(len(known))]
        kept = usual(scores[:, np.newaxis], which)
        possible = promised(int(kept.sum()), asked)
        shares.append(np.mean(Ring(scores[kept]).p_value(parts) <= possible))
        bounds.append(bound(possible, int(kept.sum()), sizes_of(kept, which)))
    return bool(np.mean(shares) <= max(bounds) + 1e-9)


def unequal(sizes: Sequence[int], seed: int, spread: float) -> list[np.ndarray]:
    """Scores of lots of these sizes, which differ by `spread` times what parts of one do."""
    rng = np.random.default_rng(seed)
    return [spread * rng.normal() + rng.normal(size=size) for size in sizes]


@given(
    st.lists(st.sampled_from([1, 2, 5, 10, 100]), min_size=3, max_size=14),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1.0, 100.0]),
    st.sampled_from([0.01, 0.03, 0.2]),
)
def test_what_lots_promise_of_the_next_one_is_kept_whatever_their_sizes(
    sizes: list[int], seed: int, spread: float, asked: float
) -> None:
    assert promise_of_lots_is_kept(of_another_lot, unequal(sizes, seed, spread), asked)


def test_a_promise_as_if_all_lots_were_of_one_size_is_broken_by_unequal_ones() -> None:
    def by_lots(possible: float, held_out: int, sizes: Sequence[int]) -> float:
        aside = set_aside(len(sizes))
        return (1.0 + aside + (len(sizes) - aside) * possible) / (len(sizes) + 1.0)

    small_lots_lie_out = [lot + (50.0 if len(lot) == 10 else 0.0) for lot in unequal([1000] * 3 + [10] * 6, 1, 10.0)]
    assert promise_of_lots_is_kept(of_another_lot, small_lots_lie_out, 0.01)
    assert not promise_of_lots_is_kept(by_lots, small_lots_lie_out, 0.01)


def test_lots_of_one_part_promise_little_more_than_parts_do() -> None:
    assert of_another_lot(0.01, 199, [1] * 199) == pytest.approx(3 / 200)
