"""Kernel SHAP and LIME, asked about the same part, say what the exact shares say.

They sample what the shares give at once; they are here as somebody else's opinion. Tokens are the features; one that is
masked is that of good parts.
"""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest
from share_cases import (
    BLOCKS,
    TOKENS,
    Game,
    drawn_head,
    drawn_terms,
    flat,
    masked_margin,
    rank_correlation,
    remade_margin,
)

from models.shares import Margin, pieces_of, shared_out

COUNT = sum(TOKENS.values())
CASES = range(6)


def imported(name: str, package: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, about each other, while they are loaded
        module = pytest.importorskip(name, reason=f"needs the extra [reference]: {package} is not installed")
        pytest.importorskip("tqdm").tqdm.monitor_interval = 0  # its thread would outlive the test
    return module


def case(seed: int) -> tuple[np.ndarray, Game, Game]:
    """Give exact shares; the margin of masked parts; and the same with every masked part brought to length anew.

    Tokens have most in common, and a part differs from good ones in some of them, as those of real parts do.
    """
    rng = np.random.default_rng(seed)
    good = {modality: 1.0 + 0.3 * own for modality, own in drawn_terms(rng).items()}
    terms = {modality: own + 0.3 * rng.normal(size=own.shape) for modality, own in good.items()}
    margin = Margin(drawn_head(rng), "pit", "good")
    pieces, reference = pieces_of(BLOCKS, terms), pieces_of(BLOCKS, good)
    shares = flat(shared_out(margin, BLOCKS, pieces, reference).tokens)
    return shares, masked_margin(margin, pieces, reference), remade_margin(margin, terms, good)


def kernel_shap(play: Game) -> np.ndarray:
    shap = imported("shap", "shap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.KernelExplainer(play, np.zeros((1, COUNT)))
        return np.asarray(explainer.shap_values(np.ones((1, COUNT)), nsamples=2**COUNT, silent=True))[0]


def lime(play: Game, seed: int) -> np.ndarray:
    tabular = imported("lime.lime_tabular", "lime")
    data = np.random.default_rng(seed).integers(0, 2, (200, COUNT)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = tabular.LimeTabularExplainer(
            data, mode="regression", categorical_features=list(range(COUNT)), random_state=seed
        )
        told = explainer.explain_instance(np.ones(COUNT), play, num_features=COUNT, num_samples=2000)
    weights = dict(told.as_map()[1])
    return np.array([weights[token] for token in range(COUNT)])


@pytest.mark.parametrize("seed", CASES)
def test_kernel_shap_finds_the_exact_shares(seed: int) -> None:
    """With as many samples as there are coalitions it is no approximation either."""
    shares, play, _ = case(seed)

    np.testing.assert_allclose(kernel_shap(play), shares, atol=1e-6 * np.abs(shares).max())


def test_kernel_shap_ranks_alike_where_length_is_made_anew() -> None:
    """Spearman's rho is 0.89 to 0.96: the shares take length as it came out, here it changes with every token."""
    found = []
    for seed in CASES:
        shares, _, remade = case(seed)
        found.append(rank_correlation(kernel_shap(remade), shares))

    assert np.mean(found) > 0.8


def test_lime_ranks_alike() -> None:
    """Spearman's rho is 1.00 in every case: the surrogate's weights differ, their order does not."""
    found = []
    for seed in CASES:
        shares, play, _ = case(seed)
        found.append(rank_correlation(lime(play, seed), shares))

    assert np.mean(found) > 0.9
