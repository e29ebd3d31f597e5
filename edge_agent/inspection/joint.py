"""One number of several: how unusual a part is in one thing and another, as held-out good parts weigh them. Pure.

A small defect is far from good in a few regions and drowns in the embedding of the whole part; another texture
altogether may have no single region that is far, but its embedding is. So each score becomes a likelihood ratio
(`decision`), and their average is one again, because an average of e-values is an e-value. Where it ranks among the
averages of held-out parts is the p-value; those are weighed by the others only, as a part that is judged is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.inspection.decision import likelihood_ratio
from edge_agent.inspection.ring import Ring
from models import Knowledge

Floats = NDArray[np.float64]

ASIDE: Final = 5
"""One lot in so many, the most unusual, is set aside. Measured on solar cells: with none, one strange module of eight
puts the limit where no defect is found any more; with a third, the next module is stopped as without lots."""


@dataclass(frozen=True, eq=False)
class Lot:
    """Held-out parts that were taught at one time.

    Attributes:
        which: of the held-out parts they are, (n,), bool.
        others: what is known without what was learned of their lot.
    """

    which: NDArray[np.bool_]
    others: Knowledge


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Good parts that took no part in fitting.

    Attributes:
        rows: their embeddings, shape (n, d), int16.
        anomaly: how unlike other good parts their picture and their window are, shape (n, 2); NaN where nobody knows.
        lots: those that are held against the other lots, as a part of a lot never shown will be.
    """

    rows: NDArray[np.int16]
    anomaly: Floats
    lots: tuple[Lot, ...] = ()

    @classmethod
    def of(cls, rows: NDArray[np.int16], anomaly: Floats | None = None) -> HeldOut:
        """Give held-out parts; without `anomaly`, nothing but their embeddings is known."""
        return cls(rows, np.full((len(rows), 2), np.nan) if anomaly is None else anomaly)


class Joint:
    """Weighs several scores of parts together.

    Args:
        held_out: scores of held-out good parts, shape (n, scores), n >= 1; a higher one is more unusual.
    """

    def __init__(self, held_out: Floats) -> None:
        self.held_out = held_out
        self._rings = [Ring(column) for column in held_out.T]
        self._own = _mean([likelihood_ratio(ring.own()) for ring in self._rings])
        self._ranks = self._rings[0] if self._alone else Ring(np.log(self._own))

    def __len__(self) -> int:
        return len(self.held_out)

    @property
    def own(self) -> Floats:
        """The likelihood ratio of each held-out part, as the others weigh it, (n,)."""
        return self._own

    @property
    def own_p_value(self) -> Floats:
        """The conformal p-value that each held-out part would have among all of them, itself among these, (n,)."""
        return self._ranks.p_value(self.held_out[:, 0] if self._alone else np.log(self._own))

    def ratio(self, scores: Floats) -> Floats:
        """Give how much more probable a defective part is to be so unusual than a good one, (m, scores) to (m,)."""
        return _mean([likelihood_ratio(r.chance(column)) for r, column in zip(self._rings, scores.T, strict=True)])

    def p_value(self, scores: Floats, ratio: Floats) -> Floats:
        """Give the conformal p-value of being good, (m, scores) to (m,); `ratio` is that of the same scores."""
        return self._ranks.p_value(scores[:, 0] if self._alone else np.log(ratio))

    @property
    def _alone(self) -> bool:
        """One score needs no weighing, and ranks by itself exactly."""
        return len(self._rings) == 1


def set_aside(lots: int) -> int:
    """Say how many of so many lots set no limit because no other is as unusual."""
    return lots // ASIDE


def usual(scores: Floats, lots: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Say which held-out parts set the limit: all but those of the lots that are set aside.

    Args:
        scores: of held-out parts, held against the other lots, shape (n, scores); a higher one is more unusual.
        lots: which parts are of each lot, (n,) each.

    Returns:
        Shape (n,). A lot is as unusual as its middle part, by the mean of where that ranks in each score.
    """
    kept = np.ones(len(scores), bool)
    there = [which for which in lots if which.any()]
    if count := set_aside(len(there)):
        ranks = np.mean([np.searchsorted(np.sort(column), column) for column in scores.T], axis=0)
        for number in np.argsort([-np.median(ranks[which]) for which in there], kind="stable")[:count]:
            kept &= ~there[number]
    return kept


def sizes_of(kept: NDArray[np.bool_], lots: Sequence[NDArray[np.bool_]]) -> tuple[int, ...]:
    """Say of each lot that is there how many parts set the limit, by what `usual` gave of these lots."""
    return tuple(int((kept & which).sum()) for which in lots if which.any())


def _mean(ratios: Sequence[Floats]) -> Floats:
    mean: Floats = np.mean(ratios, axis=0)
    return mean
