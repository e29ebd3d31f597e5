"""Shares add up to the margin and are the Shapley values of the tokens; a formula that is nearly right is found out."""

from __future__ import annotations

import numpy as np
import pytest
from share_cases import (
    BLOCKS,
    TOKENS,
    drawn_head,
    drawn_pieces,
    drawn_terms,
    flat,
    masked_margin,
    remade_margin,
    shapley_values,
)

from models.embedding import assemble
from models.shares import (
    Margin,
    Pieces,
    Shares,
    embedding_of,
    even_pieces,
    margin_of,
    mean_pieces,
    pieces_of,
    shared_out,
    token_terms,
)


def test_the_pieces_of_a_part_sum_to_its_embedding() -> None:
    terms = drawn_terms(np.random.default_rng(1))
    want = assemble(BLOCKS, {modality: own.sum(axis=0) for modality, own in terms.items()})

    np.testing.assert_allclose(embedding_of(BLOCKS, pieces_of(BLOCKS, terms)), want, atol=1e-15)


def test_terms_are_attention_times_value_over_all_heads() -> None:
    rng = np.random.default_rng(2)
    attention, values = rng.random((1, 2, 3)), rng.normal(size=(1, 2, 3, 4))
    want = [sum(attention[0, h, t] * values[0, h, t] for h in range(2)) for t in range(3)]

    np.testing.assert_allclose(token_terms(attention, values), want)


def test_the_slope_is_that_of_the_margin() -> None:
    rng = np.random.default_rng(3)
    head = drawn_head(rng)
    z, step = rng.normal(size=8), 1e-6
    for label in ("pit", None):
        margin = Margin(head, label, "good")
        rises = [(margin.at(z + step * axis) - margin.at(z - step * axis)) / (2 * step) for axis in np.eye(8)]

        np.testing.assert_allclose(margin.slope(z), rises, rtol=1e-5)


def test_shares_and_constant_add_up_to_the_margin_between_the_logits() -> None:
    rng = np.random.default_rng(4)
    head, pieces, reference = drawn_head(rng), drawn_pieces(rng), drawn_pieces(rng)
    shares = shared_out(Margin(head, "pit", "good"), BLOCKS, pieces, reference)
    logits = dict(zip(head.classes, head.logits(embedding_of(BLOCKS, pieces)), strict=True))

    assert shares.margin == logits["pit"] - logits["good"]
    assert {modality: len(own) for modality, own in shares.tokens.items()} == TOKENS
    assert shares.constant + flat(shares.tokens).sum() == pytest.approx(shares.margin, rel=1e-12)
    assert abs(shares.residual) < 1e-10


def test_shares_are_the_shapley_values_of_the_tokens() -> None:
    """Every coalition is asked, with the tokens of good parts in place of those that take no part."""
    rng = np.random.default_rng(5)
    pieces, reference = drawn_pieces(rng), drawn_pieces(rng)
    margin = Margin(drawn_head(rng, inflation=3.0), "crack", "good")
    asked = shapley_values(masked_margin(margin, pieces, reference), sum(TOKENS.values()))

    np.testing.assert_allclose(flat(shared_out(margin, BLOCKS, pieces, reference).tokens), asked, atol=1e-9)


def test_without_a_label_the_distance_to_good_is_shared_out() -> None:
    rng = np.random.default_rng(6)
    head, pieces = drawn_head(rng), drawn_pieces(rng)
    good = np.zeros(8)
    good[head.dims] = head.means[head.classes.index("good")]
    shares = shared_out(Margin(head, None, "good"), BLOCKS, pieces, even_pieces(BLOCKS, good, TOKENS))

    assert shares.constant == pytest.approx(0.0, abs=1e-12)
    assert 2.0 * flat(shares.tokens).sum() == pytest.approx(head.distances(embedding_of(BLOCKS, pieces))[1])


def test_with_equal_variance_the_shares_are_those_of_a_linear_classifier() -> None:
    rng = np.random.default_rng(7)
    head, pieces, reference = drawn_head(rng, inflation=0.0), drawn_pieces(rng), drawn_pieces(rng)
    shares = shared_out(Margin(head, "pit", "good"), BLOCKS, pieces, reference)
    weights = head.whitening.T @ head.whitening @ (head.means[2] - head.means[1])

    np.testing.assert_allclose(shares.slope, weights, rtol=1e-9)


def linear_only(margin: Margin, pieces: Pieces, reference: Pieces) -> Shares:
    """The formula of a linear head: the slope at the reference, as if it were the same everywhere."""
    slope = margin.slope(embedding_of(BLOCKS, reference))
    return _with_slope(margin, pieces, reference, slope)


def slope_at_the_part(margin: Margin, pieces: Pieces, reference: Pieces) -> Shares:
    return _with_slope(margin, pieces, reference, margin.slope(embedding_of(BLOCKS, pieces)))


def _with_slope(margin: Margin, pieces: Pieces, reference: Pieces, slope: np.ndarray) -> Shares:
    z, z0 = embedding_of(BLOCKS, pieces), embedding_of(BLOCKS, reference)
    tokens = {b.modality: (pieces[b.modality] - reference[b.modality]) @ slope[b.start : b.stop] for b in BLOCKS}
    return Shares(tokens, slope, margin.at(z0), margin.at(z))


@pytest.mark.parametrize("wrong", [linear_only, slope_at_the_part])
def test_a_formula_for_linear_heads_does_not_add_up(wrong: object) -> None:
    rng = np.random.default_rng(8)
    pieces, reference = drawn_pieces(rng), drawn_pieces(rng)
    differs = wrong(Margin(drawn_head(rng, inflation=1.0), "pit", "good"), pieces, reference)
    same = wrong(Margin(drawn_head(rng, inflation=0.0), "pit", "good"), pieces, reference)

    assert abs(differs.residual) > 1e-2
    assert abs(same.residual) < 1e-10


def test_forgetting_the_length_does_not_add_up() -> None:
    rng = np.random.default_rng(9)
    terms, reference = drawn_terms(rng), drawn_pieces(rng)
    margin = Margin(drawn_head(rng), "pit", "good")
    judged = margin.at(assemble(BLOCKS, {modality: own.sum(axis=0) for modality, own in terms.items()}))
    right = shared_out(margin, BLOCKS, pieces_of(BLOCKS, terms), reference)
    unscaled = shared_out(margin, BLOCKS, terms, reference)

    assert right.constant + flat(right.tokens).sum() == pytest.approx(judged)
    assert abs(unscaled.constant + flat(unscaled.tokens).sum() - judged) > 1.0


def test_what_is_not_exact_is_the_length_that_other_tokens_would_have_given() -> None:
    """In a game that brings every coalition to length anew the sum is the same and the single values are others."""
    rng = np.random.default_rng(10)
    terms, good = drawn_terms(rng), drawn_terms(rng)
    margin = Margin(drawn_head(rng), "pit", "good")
    shares = shared_out(margin, BLOCKS, pieces_of(BLOCKS, terms), pieces_of(BLOCKS, good))
    remade = shapley_values(remade_margin(margin, terms, good), sum(TOKENS.values()))

    assert remade.sum() == pytest.approx(flat(shares.tokens).sum())
    assert not np.allclose(remade, flat(shares.tokens))


def test_a_modality_that_the_head_does_not_look_at_has_no_share() -> None:
    rng = np.random.default_rng(11)
    pieces, reference = drawn_pieces(rng), drawn_pieces(rng)
    shares = shared_out(Margin(drawn_head(rng, ("image",)), "pit", "good"), BLOCKS, pieces, reference)

    assert not shares.tokens["vibration"].any()
    assert abs(shares.residual) < 1e-10


def test_a_part_without_a_modality_is_explained_by_the_head_for_the_rest() -> None:
    rng = np.random.default_rng(12)
    only = {"vibration": 2}
    shares = shared_out(
        Margin(drawn_head(rng, ("vibration",)), "pit", "good"), BLOCKS, drawn_pieces(rng, only), drawn_pieces(rng)
    )

    assert list(shares.tokens) == ["vibration"]
    assert abs(shares.residual) < 1e-10


def test_the_mean_of_good_parts_is_taken_token_by_token_of_those_that_have_the_modality() -> None:
    rng = np.random.default_rng(13)
    both, silent = drawn_pieces(rng), drawn_pieces(rng, {"image": 5})
    mean = mean_pieces([both, silent])

    np.testing.assert_allclose(mean["image"], (both["image"] + silent["image"]) / 2)
    np.testing.assert_array_equal(mean["vibration"], both["vibration"])
    assert mean_pieces([]) == {}


def test_even_pieces_sum_to_what_was_spread() -> None:
    z = np.random.default_rng(14).normal(size=8)

    np.testing.assert_allclose(embedding_of(BLOCKS, even_pieces(BLOCKS, z, TOKENS)), z)


def test_the_margin_that_matters() -> None:
    head = drawn_head(np.random.default_rng(15))
    middles = np.zeros((3, 8))
    middles[:, head.dims] = head.means
    pit, good = margin_of(head, middles[2], "good"), margin_of(head, middles[1], "good")

    assert (pit.label, pit.against) == ("pit", "good")
    assert good.label == "good"
    assert good.against in ("crack", "pit")
    assert pit.at(middles[2]) > 0.0
    assert good.at(middles[1]) > 0.0


def test_where_only_good_is_known_the_distance_to_it_matters() -> None:
    head = drawn_head(np.random.default_rng(15))
    alone = type(head)(("good",), head.modalities, head.dims, head.means[:1], head.inflation[:1], head.whitening, 1.0)
    margin = margin_of(alone, np.zeros(8), "good")

    assert (margin.label, margin.against) == (None, "good")


def test_what_does_not_fit_is_refused_with_the_reason() -> None:
    rng = np.random.default_rng(16)
    head, pieces = drawn_head(rng), drawn_pieces(rng)
    margin = Margin(head, "pit", "good")
    for refused, words in (
        (lambda: Margin(head, "dent", "good"), "no class 'dent'"),
        (lambda: Margin(head, "good", "good"), "against itself"),
        (lambda: token_terms(np.ones((1, 2, 3)), np.ones((1, 3, 2, 4))), "want attention"),
        (lambda: pieces_of(BLOCKS, {"sound": np.ones((2, 3))}), "no block for sound"),
        (lambda: pieces_of(BLOCKS, {"image": np.ones((2, 3))}), r"want terms \(tokens, 5\)"),
        (lambda: pieces_of(BLOCKS, {"image": np.zeros((2, 5))}), "has a length"),
        (lambda: shared_out(margin, BLOCKS, {"image": pieces["image"]}, pieces), "not all of them have pieces"),
        (lambda: shared_out(margin, BLOCKS, pieces, {"image": pieces["image"]}), "vibration: .* a reference of None"),
        (lambda: shared_out(margin, BLOCKS, pieces, drawn_pieces(rng, {"image": 4, "vibration": 2})), "image: pieces"),
    ):
        with pytest.raises(ValueError, match=words):
            refused()
