"""How unusual a score is among held-out good parts: exactly, as far as they reach, and beyond them by a model.

Pure arithmetic on scores of which a larger one is worse; it knows no parts and decides nothing.

**Exactly.** Held-out good parts took no part in fitting, so that a further good part is exchangeable with them, and its
rank among them is uniform. Hence the split-conformal p-value (Vovk, Gammerman and Shafer, Algorithmic Learning in a
Random World, 2005, ch. 2): of good parts at most a share alpha gets a p-value of alpha or less, whatever the bundle,
the head and the distribution. It holds on average over lots of n held-out parts, and only while the line makes the
parts that it made then. No p-value is below 1 / (n + 1), so that n parts cannot promise a smaller share than that.

**Beyond them** somebody has to say whether a part lies a little or far outside. Scores of good parts are taken to thin
out exponentially beyond where the last quarter of them begins (peaks over a threshold, Pickands, Annals of Statistics
3, 1975). How fast is known from the k parts of that quarter alone, and that is not forgotten: were k + 1 excesses
exponential, one of them over the mean of the others would have an F distribution with 2 and 2 k degrees of freedom,
so that a part lies beyond an excess x with probability (1 + x / (sum of the k excesses))^-k. With few held-out parts
this falls slowly, and nothing is far enough outside to be certain; with many it is nearly the exponential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TAIL_OF: Final = 4
"""The tail is the last one in so many. Measured: probabilities were best from a third and a quarter, with 40 to 400
held-out parts of either bundle."""

SMALLEST: Final = 1e-300
"""No probability is taken as smaller; float64 ends soon after."""


class Ring:
    """Scores of held-out good parts.

    Args:
        scores: shape (n,), n >= 1, in any order.
    """

    def __init__(self, scores: Floats) -> None:
        order = np.argsort(scores, kind="stable")
        self._scores = np.asarray(scores, np.float64)[order]
        self._rank = np.argsort(order)
        self._tail = -(-len(scores) // TAIL_OF)
        self._start, self._excess = np.inf, 0.0
        if self._tail < len(scores):
            self._start = float(self._scores[-self._tail - 1])
            self._excess = float((self._scores[-self._tail :] - self._start).sum())

    def __len__(self) -> int:
        return len(self._scores)

    def p_value(self, score: ArrayLike) -> Floats:
        """Give the conformal p-value of being good: (1 + held-out parts with at least this score) / (n + 1)."""
        at_least = len(self) - np.searchsorted(self._scores, score, side="left")
        p: Floats = (1.0 + at_least) / (len(self) + 1)
        return p

    def chance(self, score: ArrayLike) -> Floats:
        """Give the probability that a good part has at least this score: the p-value, and in the tail the model."""
        p = self.p_value(score)
        beyond = np.maximum(np.asarray(score, np.float64) - self._start, 0.0)
        return _modelled(p, beyond, self._excess, self._tail, len(self))

    def own(self) -> Floats:
        """Give the same for each held-out part, as the others weigh it.

        So it is like any other good part, which no ring knows. As the ring itself weighs them, none of them would lie
        farther out than all, and what is ranked among them would seem so too often.

        Returns:
            Shape (n,), in the order given; 1 where there is no other part.
        """
        return self._sorted_own()[self._rank]

    def _sorted_own(self) -> Floats:
        scores, n = self._scores, len(self)
        if n == 1:
            return np.ones(1)
        at_least = n - np.searchsorted(scores, scores, side="left")
        p = at_least / n
        tail = -(-(n - 1) // TAIL_OF)
        if tail >= n - 1:
            return p
        last = scores[n - tail - 1 :]  # one more than the others' tail, which lacks whichever of these is asked about
        starts = np.full(n, last[0])
        starts[n - tail - 1 :] = scores[n - tail - 2]
        excesses = np.full(n, (last[1:] - last[0]).sum())
        excesses[n - tail - 1 :] = _sums_of_others(last - scores[n - tail - 2])
        return _modelled(p, np.maximum(scores - starts, 0.0), excesses, tail, n - 1)


def _sums_of_others(values: Floats) -> Floats:
    """Give for each value the sum of all others, so that a large one takes nothing from small ones by rounding."""
    before = np.concatenate([[0.0], np.cumsum(values[:-1])])
    after = np.concatenate([np.cumsum(values[:0:-1])[::-1], [0.0]])
    total: Floats = before + after
    return total


def _modelled(p: Floats, beyond: Floats, excess: ArrayLike, tail: int, held_out: int) -> Floats:
    """Give p-values, and where scores lie `beyond` the start of the tail what the model says instead."""
    excess = np.asarray(excess, np.float64)
    known = (beyond > 0.0) & (excess > 0.0)
    of = np.where(known, excess, 1.0)
    share = (tail + 1) / (held_out + 1)
    modelled = share * np.exp(-tail * (np.log(of + np.where(known, beyond, 0.0)) - np.log(of)))
    chance: Floats = np.where(known, np.maximum(modelled, SMALLEST), p)
    return chance


def promised(held_out: int, asked: float) -> float:
    """Give the share of good parts that is found not normal, on average over lots of held-out parts.

    Args:
        held_out: how many there are.
        asked: the share that may be.

    Returns:
        At most `asked`, or 1 / (held_out + 1) where that is more: fewer cannot be promised.
    """
    near = int(asked * (held_out + 1))  # rounding may have put the product just below or above a whole number
    lowest = max(rank for rank in (near - 1, near, near + 1) if rank / (held_out + 1) <= asked)
    return max(lowest, 1) / (held_out + 1)


def of_another_lot(possible: float, held_out: int, sizes: Sequence[int]) -> float:
    """Give the share of good parts of a lot never shown that may be found not normal at most, on average over lots.

    The next lot is exchangeable with those that are known, not with their parts. So let each of them in turn be the one
    that was never shown, and see the part that lies least far out of all that do then. Its own lot may lie out as a
    whole, and so may each that is set aside. Of the others no more parts lie beyond it than the limit lets pass,
    `possible * (held_out + 1)`; these are the most lots where they are all of the smallest lots (after the p-value over
    lots of Dunn, Wasserman and Ramdas, Distribution-free prediction sets for two-layer hierarchical models, JASA 118,
    2023).

    Args:
        possible: share of the held-out parts that may be found not normal.
        held_out: how many parts set the limit.
        sizes: how many of these are of each lot, 0 for one that is set aside.

    Returns:
        The share.
    """
    left, lots_out = possible * (held_out + 1), 1.0
    for size in sorted(sizes):
        of_lot = min(float(size), left)
        lots_out += of_lot / size if size else 1.0
        left -= of_lot
    return lots_out / (len(sizes) + 1)
