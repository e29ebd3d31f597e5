"""Heads and parts drawn at random, small enough to ask every coalition of tokens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.head import Head
from models.manifest import Block
from models.shares import Margin, Pieces, embedding_of, pieces_of

BLOCKS = (Block("image", 0, 5, 0.6, "a"), Block("vibration", 5, 8, 0.4, "b"))
TOKENS = {"image": 5, "vibration": 2}
CLASSES = ("crack", "good", "pit")

Floats = NDArray[np.float64]
Game = Callable[[NDArray[np.float64]], Floats]


def drawn_head(
    rng: np.random.Generator, modalities: Sequence[str] = ("image", "vibration"), inflation: float = 1.0
) -> Head:
    """Draw a head; `inflation` is how much its classes differ in the variance that they are going to show."""
    dims = np.concatenate([np.full(b.stop - b.start, b.modality in modalities) for b in BLOCKS])
    k = int(dims.sum())
    root = 0.2 * rng.normal(size=(k, k)) + 0.3 * np.eye(k)
    whitening = np.linalg.inv(np.linalg.cholesky(root @ root.T + 0.01 * np.eye(k)))
    grown = 1.0 + inflation * rng.uniform(0.0, 1.0, (len(CLASSES), k))
    return Head(CLASSES, tuple(modalities), dims, 0.4 * rng.normal(size=(len(CLASSES), k)), grown, whitening, 1.0)


def drawn_terms(rng: np.random.Generator, tokens: Mapping[str, int] = TOKENS) -> dict[str, Floats]:
    """Draw what each token adds to the raw values."""
    return {b.modality: rng.normal(size=(tokens[b.modality], b.stop - b.start)) for b in BLOCKS if b.modality in tokens}


def drawn_pieces(rng: np.random.Generator, tokens: Mapping[str, int] = TOKENS) -> dict[str, Floats]:
    """Draw the pieces of a part."""
    return pieces_of(BLOCKS, drawn_terms(rng, tokens))


def flat(shares: Mapping[str, Floats]) -> Floats:
    """Put the shares of all tokens behind one another, in the order of `masked_margin`."""
    return np.concatenate([shares[b.modality] for b in BLOCKS if b.modality in shares])


def masked_margin(margin: Margin, pieces: Pieces, reference: Pieces) -> Game:
    """Give the margin of parts some of whose tokens are those of good parts, for masks (n, tokens): 1 keeps a token."""

    def play(masks: NDArray[np.float64]) -> Floats:
        return np.array([margin.at(embedding_of(BLOCKS, _mixed(mask, pieces, reference))) for mask in masks])

    return play


def remade_margin(margin: Margin, terms: Pieces, good: Pieces) -> Game:
    """Give the same game where a part that lost tokens is brought to length anew, as a bundle would."""

    def play(masks: NDArray[np.float64]) -> Floats:
        remade = (pieces_of(BLOCKS, _mixed(mask, terms, good)) for mask in masks)
        return np.array([margin.at(embedding_of(BLOCKS, pieces)) for pieces in remade])

    return play


def shapley_values(play: Game, count: int) -> Floats:
    """Ask every coalition (Shapley, 1953)."""
    coalitions = np.array(list(itertools.product((0.0, 1.0), repeat=count)))
    worth = dict(zip(map(tuple, coalitions), play(coalitions), strict=True))
    values = np.zeros(count)
    for coalition, value in worth.items():
        size = int(sum(coalition))
        for token in range(count):
            if not coalition[token]:
                joined = (*coalition[:token], 1.0, *coalition[token + 1 :])
                weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                values[token] += weight * (worth[joined] - value)
    return values


def rank_correlation(a: Floats, b: Floats) -> float:
    """Give Spearman's rho; there are no ties in what is drawn."""
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])


def _mixed(mask: NDArray[np.float64], kept: Pieces, good: Pieces) -> dict[str, Floats]:
    mixed, at = {}, 0
    for block in BLOCKS:
        if block.modality in kept:
            own = mask[at : at + len(kept[block.modality]), None]
            at += len(own)
            mixed[block.modality] = own * kept[block.modality] + (1.0 - own) * good[block.modality]
    return mixed
