"""Proves the device in use while it works: one golden vector again and again, in the gaps between parts.

What a start did not prove comes first, without a pause. Then one vector after each pause: a device that slowly goes
wrong still gives finite numbers in time. What comes out differently opens the device's breaker, as any failure does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.encoders import Encoders
from edge_agent.records import Embedding
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job

PERIOD_S: Final = 10.0
"""Between two proofs [s]: a thousandth or two of the device's time."""

RETRY_S: Final = 1.0
"""Until it is tried again where no device is ready [s]."""


class Prover:
    """Has the device in use encode a golden vector every ten seconds. A component.

    Args:
        dispatcher: knows the device in use.
        poke: asks the loop to step this component.
    """

    name = "prover"

    def __init__(self, dispatcher: Dispatcher[Encoders, Embedding], poke: Callable[[str], None]) -> None:
        self._dispatcher = dispatcher
        self._poke = poke
        self._due_s = 0.0
        self._waiting = False
        self._left = 0  # what the start did not prove, as the lane's thread saw it last
        self.passed = 0  #: proofs that went well

    def step(self, now: float) -> float:
        """Submit a proof where one is due and none is on its way."""
        if now >= self._due_s:
            self._due_s = now + PERIOD_S
            if not self._waiting:
                self._waiting = self._dispatcher.submit(Job(self._prove, self._proven))
                if not self._waiting:
                    self._due_s = now + RETRY_S
        return self._due_s

    def _prove(self, encoders: Encoders) -> Embedding:
        embedding = encoders.prove_one()
        self._left = encoders.unproven
        return embedding

    def _proven(self, result: Embedding | EdgeAgentError, at_s: float) -> None:
        self._waiting = False
        self.passed += isinstance(result, Embedding)
        if isinstance(result, Embedding) and self._left:
            self._due_s = at_s
            self._poke(self.name)
