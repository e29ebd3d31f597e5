"""Exact shares of a verdict: what every token of a part adds to the margin between two classes.

Pure float64 arithmetic on what a bundle's part `shares` gives, on a head and on what good parts look like; it runs no
model. Why the shares are exact:

**The embedding is a sum.** The raw values of a block are the sum over heads and tokens of attention times value, and
the block is sqrt(weight) / |raw| times that. So z = sum_t p_t with a *piece* p_t for each token; |raw| is taken as it
came out.

**The margin is quadratic in z.** Classes differ in the variance that they are going to show (`Head.inflation`), so a
weight for each dimension does not tell it all. Integrated Gradients (Sundararajan, Taly and Yan, Axiomatic Attribution
for Deep Networks, 2017) go the straight way from a reference to the part and share out what changes on the way; in game
theory these are the values of Aumann and Shapley (Values of Non-Atomic Games, 1974). Along a line the slope of a
quadratic changes evenly, so its mean is that of the midpoint and no integral is left to approximate:

    f(z) - f(z0) = (z - z0) . f'((z + z0) / 2),      share of token t = (p_t - r_t) . f'((z + z0) / 2)

with the reference z0 = sum_t r_t. They are the Shapley values of the tokens as well, where a token that takes no part
has the piece r_t. What the reference has already, f(z0), is the constant; with the shares it adds up to f(z).

**The reference** is the mean of good parts: of their pieces, token by token, where those are known; otherwise the
head's mean of good parts, spread evenly over the tokens. Attention is taken as it came out, too: what a token did to
the attention of the others, and to the length, is not its share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.head import Head
from models.manifest import Block

Floats = NDArray[np.float64]

Pieces = Mapping[str, Floats]
"""What an embedding is the sum of, by modality: (tokens, dimensions of the block)."""


@dataclass(frozen=True, eq=False)
class Margin:
    """How much more one class than another.

    Attributes:
        head: the classifier.
        label: slug of the class in question; None for anything but `against`.
        against: slug of the class that it is held against.
    """

    head: Head
    label: str | None
    against: str

    def __post_init__(self) -> None:
        for slug in (self.against, self.label):
            if slug is not None and slug not in self.head.classes:
                raise ValueError(f"no class {slug!r} in this head, it has {', '.join(self.head.classes)}")
        if self.label == self.against:
            raise ValueError(f"{self.against!r} against itself says nothing")

    def at(self, z: ArrayLike) -> float:
        """Give logit of `label` minus logit of `against`; without a label, half the squared distance to `against`."""
        row = self.head.classes.index(self.against)
        if self.label is None:
            return 0.5 * float(self.head.distances(z)[row])
        logits = self.head.logits(z)
        return float(logits[self.head.classes.index(self.label)] - logits[row])

    def slope(self, z: ArrayLike) -> Floats:
        """Give the gradient of `at`, shape (d,); zero in dimensions that the head does not look at."""
        values = np.asarray(z, dtype=np.float64)
        slope = np.zeros(len(values))
        slope[self.head.dims] = -self._logit_slope(self.against, values)
        if self.label is not None:
            slope[self.head.dims] += self._logit_slope(self.label, values)
        return slope

    def _logit_slope(self, slug: str, z: Floats) -> Floats:
        row = self.head.classes.index(slug)
        scale = np.sqrt(self.head.inflation[row])
        away = (z[self.head.dims] - self.head.means[row]) / scale
        slope: Floats = -(self.head.whitening.T @ (self.head.whitening @ away)) / scale
        return slope


def margin_of(head: Head, z: ArrayLike, normal: str) -> Margin:
    """Give the margin that matters: the likeliest class against good, or good against the next; z is (d,)."""
    order = [head.classes[i] for i in np.argsort(-head.logits(z), kind="stable")]
    if order[0] != normal:
        return Margin(head, order[0], normal)
    return Margin(head, normal, order[1]) if len(order) > 1 else Margin(head, None, normal)


@dataclass(frozen=True, eq=False)
class Shares:
    """A margin, shared out.

    Attributes:
        tokens: share of every token by modality, each (tokens,).
        slope: what each dimension of z counted for, (d,): a share is piece minus reference, times slope.
        constant: what the reference has.
        margin: what was shared out.
    """

    tokens: Mapping[str, Floats]
    slope: Floats
    constant: float
    margin: float

    @property
    def residual(self) -> float:
        """What shares and constant lack to the margin: rounding of float64."""
        return self.margin - self.constant - sum(float(share.sum()) for share in self.tokens.values())


def token_terms(attention: ArrayLike, values: ArrayLike) -> Floats:
    """Give what each token adds to the raw values of a block.

    Args:
        attention: (1, heads, tokens).
        values: already projected, (1, heads, tokens, dimensions of the block).

    Returns:
        Shape (tokens, dimensions of the block); its sum over the tokens is raw.

    Raises:
        ValueError: the shapes do not fit.
    """
    weights, summed = np.asarray(attention, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if summed.ndim != 4 or summed.shape[0] != 1 or weights.shape != summed.shape[:3]:
        raise ValueError(f"want attention (1, heads, tokens) and values to it, got {weights.shape} and {summed.shape}")
    terms: Floats = np.einsum("ht,htd->td", weights[0], summed[0])
    return terms


def pieces_of(blocks: Sequence[Block], terms: Pieces) -> dict[str, Floats]:
    """Scale terms of the raw values to what z is the sum of.

    Args:
        blocks: who owns which dimensions.
        terms: of each modality that is there, (tokens, dimensions of its block).

    Returns:
        The pieces of the same modalities and tokens.

    Raises:
        ValueError: a modality has no block or the wrong size, or its raw values have no length.
    """
    if strangers := terms.keys() - {block.modality for block in blocks}:
        raise ValueError(f"no block for {', '.join(sorted(strangers))}")
    pieces: dict[str, Floats] = {}
    for block in blocks:
        if block.modality in terms:
            own = terms[block.modality]
            length = float(np.linalg.norm(own.sum(axis=0)))
            if own.ndim != 2 or own.shape[1] != block.stop - block.start or not 0.0 < length < np.inf:
                raise ValueError(
                    f"{block.modality}: want terms (tokens, {block.stop - block.start}) whose sum has a length, "
                    f"got {own.shape} of length {length}"
                )
            pieces[block.modality] = own * (block.weight**0.5 / length)
    return pieces


def embedding_of(blocks: Sequence[Block], pieces: Pieces) -> Floats:
    """Give the sum of pieces, shape (d,); the block of a modality without pieces is zero."""
    z = np.zeros(blocks[-1].stop)
    for block in blocks:
        if block.modality in pieces:
            z[block.start : block.stop] = pieces[block.modality].sum(axis=0)
    return z


def mean_pieces(parts: Sequence[Pieces]) -> dict[str, Floats]:
    """Give the mean of the pieces of several parts, token by token; each modality of those that have it."""
    modalities = sorted({modality for pieces in parts for modality in pieces})
    return {m: np.mean([pieces[m] for pieces in parts if m in pieces], axis=0) for m in modalities}


def even_pieces(blocks: Sequence[Block], z: Floats, tokens: Mapping[str, int]) -> dict[str, Floats]:
    """Spread an embedding (d,) evenly over so many tokens of each modality."""
    return {
        block.modality: np.tile(z[block.start : block.stop] / tokens[block.modality], (tokens[block.modality], 1))
        for block in blocks
        if block.modality in tokens
    }


def shared_out(margin: Margin, blocks: Sequence[Block], pieces: Pieces, reference: Pieces) -> Shares:
    """Share a margin out among tokens.

    Args:
        margin: in question.
        blocks: who owns which dimensions.
        pieces: of the part, from `pieces_of`.
        reference: pieces of good parts, for the same modalities and tokens.

    Returns:
        The shares; with the constant they add up to the margin at the part's unquantised embedding.

    Raises:
        ValueError: the head looks at a modality without pieces, or the reference has other tokens.
    """
    there = np.zeros(blocks[-1].stop, dtype=bool)
    for block in blocks:
        if block.modality in pieces:
            there[block.start : block.stop] = True
            have = reference[block.modality].shape if block.modality in reference else None
            if have != pieces[block.modality].shape:
                raise ValueError(f"{block.modality}: pieces {pieces[block.modality].shape} and a reference of {have}")
    if (margin.head.dims & ~there).any():
        raise ValueError(f"the head looks at {' and '.join(margin.head.modalities)}, not all of them have pieces")
    z, z0 = (embedding_of(blocks, {m: of[m] for m in pieces}) for of in (pieces, reference))
    slope = margin.slope((z + z0) / 2.0)
    tokens: dict[str, Floats] = {
        block.modality: (pieces[block.modality] - reference[block.modality]) @ slope[block.start : block.stop]
        for block in blocks
        if block.modality in pieces
    }
    return Shares(tokens, slope, margin.at(z0), margin.at(z))
