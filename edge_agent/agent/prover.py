"""Proves the device in use while it works: one golden vector again and again, in the gaps between parts.

A device that slowly goes wrong still gives finite numbers in time. What comes out differently from the desk opens the
device's breaker, as any failure does.
"""

from __future__ import annotations

from typing import Final

from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.encoders import Encoders
from edge_agent.records import Embedding
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job

PERIOD_S: Final = 10.0
"""Between two proofs [s]: a thousandth or two of the device's time."""


class Prover:
    """Has the device in use encode a golden vector every ten seconds. A component.

    Args:
        dispatcher: knows the device in use.
    """

    name = "prover"

    def __init__(self, dispatcher: Dispatcher[Encoders, Embedding]) -> None:
        self._dispatcher = dispatcher
        self._due_s = 0.0
        self._waiting = False
        self.passed = 0  #: proofs that went well

    def step(self, now: float) -> float:
        """Submit a proof where one is due and none is on its way."""
        if now >= self._due_s:
            self._due_s = now + PERIOD_S
            if not self._waiting:
                self._waiting = self._dispatcher.submit(Job(Encoders.prove_one, self._proven))
        return self._due_s

    def _proven(self, result: Embedding | EdgeAgentError, at_s: float) -> None:
        self._waiting = False
        self.passed += isinstance(result, Embedding)
