"""The picture of a part is encoded while its vibration is still felt: less is left when the pair is complete."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.begun import Begun
from edge_agent.inspection.encoders import Encoders
from edge_agent.inspection.judge import Judge
from edge_agent.inspection.look import Sight
from edge_agent.records import Embedding
from edge_agent.scheduler.job import Job, Need
from models import Bundle

NOTHING: Final = Embedding(np.zeros(0, np.int16), frozenset())
"""What the job gives: what it made is taken from it by whoever encodes the rest."""


class Early:
    """One picture on its way.

    Attributes:
        bundle: encodes it.
        lane: name of the lane that has it, or had it; "" where none has.
        failed: it came to nothing, so that the picture is encoded with the rest.
        begun: what the lane made of it, as far as it has; who reads it on another lane's thread cannot use it.
        sight: what a look at its details said.

    Args:
        bundle: encodes it.
        judge: looks at its details.
        image: BGR, (height, width, 3), uint8.
    """

    def __init__(self, bundle: Bundle, judge: Judge, image: NDArray[np.uint8]) -> None:
        self.bundle = bundle
        self.failed = False
        self.lane = ""
        self._image = image
        self._judge = judge
        self.begun: Begun | None = None
        self.sight: Sight | None = None

    def job(self, at_s: float, done_s: float) -> Job[Encoders, Embedding]:
        """Give what the dispatcher is to have done.

        Args:
            at_s: when the rest is going to be there [s, host monotonic].
            done_s: when the part must be done [s, host monotonic].

        Returns:
            An early job.
        """
        need = Need(at_s, done_s, self._began, self.rest)
        return Job(self._begin, self._ended, bundle=self.bundle.digest, pace=f"{self.bundle.digest} picture", need=need)

    @property
    def rest(self) -> str:
        """What jobs take as long as encoding the rest does."""
        return f"{self.bundle.digest} rest"

    def _began(self, lane: str) -> None:
        self.lane = lane

    def _begin(self, encoders: Encoders) -> Embedding:
        begun = encoders.of(self.bundle).begin(self._image)
        if begun.tokens is not None:
            self.sight = self._judge.sight(begun.tokens)
        self.begun = begun
        return NOTHING

    def _ended(self, result: Embedding | EdgeAgentError, at_s: float) -> None:
        self.failed = isinstance(result, EdgeAgentError)
