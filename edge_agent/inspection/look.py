"""What a part's details say: how unlike good ones it is, and what its embedding is where a guide says where to look.

Some milliseconds of arithmetic on tokens; pure, and safe from any thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.records import Anomaly, Embedding
from models import Bundle
from models.bnk import Normality
from models.guide import GuidedBundle
from models.normality import Seen, picture_score, window_score
from models.tokenbank import Tokens, rounded

DIGITS: Final = 16
"""Of a digest; no station will know so many states that two of them begin with the same."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What a picture says before the rest of its part is there.

    Attributes:
        look: who looked.
        unlike: where it is unlike good ones, spreads, (rows, columns); None where nobody knows what good ones are like.
        guided: dimensions of the embedding that a guide gives; None without one.
    """

    look: Look
    unlike: NDArray[np.float64] | None = None
    guided: NDArray[np.int16] | None = None


class Look:
    """Looks at details by one state of knowledge.

    Args:
        space: what embeddings are of: a bundle, guided or not.
        normality: what good parts look and sound like in detail; None where that is not known, or not asked for.
    """

    def __init__(self, space: Bundle, normality: Normality | None) -> None:
        self._space = space if isinstance(space, GuidedBundle) else None
        self._normality = normality
        self._seen = None if normality is None else normality.seen
        guide = None if self._space is None else self._space.guide.seen
        self._one_map = guide is not None and self._seen is not None and _alike(guide, self._seen)

    @property
    def normality(self) -> str:
        """Which knowledge of good parts it goes by, as `Anomaly.normality`; "" for none."""
        return "" if self._normality is None else self._normality.digest[:DIGITS]

    def sight(self, tokens: Tokens) -> Sight:
        """Look at the tokens of a picture, (regions, width), before the rest of its part is there."""
        if self._seen is None and self._space is None:
            return Sight(self)
        small = rounded(tokens)
        unlike = None if self._seen is None else self._seen.anomaly(small)
        if self._space is None:
            return Sight(self, unlike)
        return Sight(self, unlike, self._space.looked(small, unlike if self._one_map else None))

    def at(self, embedding: Embedding, sight: Sight | None = None) -> Embedding:
        """Give the embedding of a part after a look at its details, which are dropped.

        Args:
            embedding: as it was encoded; one without details stays as it is.
            sight: of its picture, where that was looked at before; that of another look does not count.

        Returns:
            The embedding, looked at where it matters, with the anomaly of its details.
        """
        if (details := embedding.details) is None:
            return embedding
        tokens, q = details.tokens, embedding.q
        if sight is None or sight.look is not self or tokens is None:
            sight = Sight(self) if tokens is None else self.sight(tokens)
        unlike = sight.unlike
        if self._space is not None:
            q = self._space.joined(q, sight.guided)
        if self._normality is None:
            return replace(embedding, q=q, details=None)
        heard, features = self._normality.heard, details.features
        picture = None if unlike is None else picture_score(unlike)
        window = None if heard is None or features is None else window_score(heard.anomaly(features))
        return replace(embedding, q=q, details=None, anomaly=Anomaly(self.normality, picture, window))


def _alike(one: Seen, other: Seen) -> bool:
    """Say whether two are the same knowledge, so that one map does for both."""
    return (
        one.tokens.tobytes() == other.tokens.tobytes()
        and one.scale.count == other.scale.count
        and one.scale.total.tobytes() == other.scale.total.tobytes()
        and one.scale.squares.tobytes() == other.scale.squares.tobytes()
    )
