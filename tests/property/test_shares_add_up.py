"""Whatever head, part and reference: shares and constant add up to the margin, to the rounding of float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from share_cases import BLOCKS, CLASSES, drawn_head, drawn_pieces, masked_margin, shapley_values

from models.shares import Margin, embedding_of, shared_out

MODALITIES = st.sampled_from([("image",), ("vibration",), ("image", "vibration")])


@given(
    seed=st.integers(0, 2**32 - 1),
    modalities=MODALITIES,
    inflation=st.sampled_from([0.0, 0.1, 1.0, 100.0]),
    counts=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    label=st.sampled_from([*(slug for slug in CLASSES if slug != "good"), None]),
)
def test_shares_add_up_and_are_shapley_values(
    seed: int, modalities: tuple[str, ...], inflation: float, counts: tuple[int, int], label: str | None
) -> None:
    rng = np.random.default_rng(seed)
    head = drawn_head(rng, modalities, inflation)
    tokens = {m: count for m, count in zip(("image", "vibration"), counts, strict=True) if m in modalities}
    pieces, reference = drawn_pieces(rng, tokens), drawn_pieces(rng, tokens)
    margin = Margin(head, label, "good")
    shares = shared_out(margin, BLOCKS, pieces, reference)
    size = float(head.distances(np.stack([embedding_of(BLOCKS, of) for of in (pieces, reference)])).max())
    play = masked_margin(margin, pieces, reference)
    flat = np.concatenate([shares.tokens[m] for m in tokens])

    assert abs(shares.residual) <= 1e-12 * (size + 1.0)
    assert shares.constant == pytest.approx(play(np.zeros((1, len(flat))))[0])
    np.testing.assert_allclose(flat, shapley_values(play, len(flat)), atol=1e-10 * (size + 1.0))
