"""A clock by which every step of long work takes longer than a part may, so that each is a part of its own."""

from __future__ import annotations

from edge_agent.runtime.steps import PART_S
from edge_agent.testing.clock import ManualClock


class StepwiseClock(ManualClock):
    """Moves by `PART_S` whenever it is looked at."""

    def now(self) -> float:
        """Host monotonic time [s]."""
        self.advance(PART_S)
        return super().now()
