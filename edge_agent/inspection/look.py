"""What a part's details say: how unlike good ones it is, and what its embedding is where a guide says where to look.

Some milliseconds of arithmetic on tokens; pure, and safe from any thread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edge_agent.records import Anomaly, Embedding
from models import Bundle
from models.bnk import Normality
from models.guide import GuidedBundle
from models.normality import Seen, picture_score, window_score
from models.tokenbank import rounded

DIGITS: Final = 16
"""Of a digest; no station will know so many states that two of them begin with the same."""


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

    def at(self, embedding: Embedding) -> Embedding:
        """Give the embedding of a part after a look at its details, which are dropped.

        Args:
            embedding: as it was encoded; one without details stays as it is.

        Returns:
            The embedding, looked at where it matters, with the anomaly of its details.
        """
        if (details := embedding.details) is None:
            return embedding
        tokens, q = details.tokens, embedding.q
        if tokens is not None and (self._seen is not None or self._space is not None):
            tokens = rounded(tokens)
        unlike = None if self._seen is None or tokens is None else self._seen.anomaly(tokens)
        if self._space is not None:
            q = self._space.extended(q, tokens, unlike if self._one_map else None)
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
