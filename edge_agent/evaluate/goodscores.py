"""How unlike good parts a picture is: by its regions and as a whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.evaluate.figures import Floats
from edge_agent.evaluate.goodtokens import Folder, Looked
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
