"""How unlike good parts a picture is: by its regions, as a whole, and by both in one number. Pure.

A small defect is far from good in a few regions and drowns in the embedding of the whole picture; a picture of
something else altogether may have no single region that is far, but its embedding is. Both together are what a
station would do with them: each score becomes how much more probable a defective part is to have it than a good one
(`inspection.decision`), and these ratios are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.evaluate.figures import Floats
from edge_agent.evaluate.goodtokens import Folder, Looked
from edge_agent.inspection.decision import likelihood_ratio
from edge_agent.inspection.ring import Ring
from models import Knowledge
from models.embedding import dequantise
from models.normality import Seen, picture_score

REGIONS: Final = 0
DISTANCE: Final = 1
SCORES: Final = 2
"""Columns of scores: the most unusual regions, and the distance of the embedding."""

FEWEST_HELD_OUT: Final = 2
"""So that each has another one to be compared with."""


class Known:
    """What some good pictures look like.

    Args:
        folder: where they are.
        learned: their names.
    """

    def __init__(self, folder: Folder, learned: Sequence[str]) -> None:
        bundle = folder.bundle
        good = [folder.pictures[bundle.normal][name] for name in learned]
        self._seen = Seen.of(np.stack([one.tokens for one in good]), folder.grid)
        knowledge = Knowledge.empty("evaluate", bundle.digest, bundle.blocks)
        for one in good:
            knowledge = knowledge.learn(bundle.normal, one.q[np.newaxis])
        self._head = knowledge.head(bundle.prior(), ["image"], bundle.normal)

    def anomaly(self, picture: Looked) -> Floats:
        """Give the anomaly map, (rows, columns)."""
        return self._seen.anomaly(picture.tokens)

    def scores(self, picture: Looked, anomaly: Floats) -> Floats:
        """Give both scores of a picture whose anomaly map is known, shape (SCORES,)."""
        return np.array([picture_score(anomaly), float(self._head.distances(dequantise(picture.q))[0])])


class Joint:
    """Makes one number of both scores, as held-out good pictures weigh them.

    Args:
        held_out: scores of those, (n, SCORES), n is `FEWEST_HELD_OUT` or more.
    """

    def __init__(self, held_out: Floats) -> None:
        self.held_out = held_out
        self._rings = [Ring(column) for column in held_out.T]

    def score(self, scores: Floats) -> Floats:
        """Give the logarithm of the mean likelihood ratio of pictures with these scores, (m, SCORES) to (m,)."""
        return _joined(self._rings, scores)

    def own(self) -> Floats:
        """Give the same of the held-out pictures, each as the others weigh it, (n,); they are like any other then."""
        others = [[Ring(np.delete(column, i)) for column in self.held_out.T] for i in range(len(self.held_out))]
        each = [_joined(rings, row[np.newaxis]) for rings, row in zip(others, self.held_out, strict=True)]
        return np.concatenate(each)


def _joined(rings: Sequence[Ring], scores: Floats) -> NDArray[np.float64]:
    ratios = [likelihood_ratio(ring.chance(column)) for ring, column in zip(rings, scores.T, strict=True)]
    joined: Floats = np.log(np.mean(ratios, axis=0))
    return joined
