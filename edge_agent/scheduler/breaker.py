"""When a device is used: not after it failed, until it has been tried again beside the line and was right.

A value that is told what happened and when; it tries nothing itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edge_agent.runtime.budget import RestartBudget


class Breaker(StrEnum):
    """What may go through."""

    CLOSED = "closed"  #: everything
    OPEN = "open"  #: nothing
    HALF_OPEN = "half_open"  #: a trial, nothing else


class Happening(StrEnum):
    """What a breaker is told."""

    FAILED = "failed"
    TRIED = "tried"  #: a trial begins
    PASSED = "passed"  #: a trial went well


NEXT: Final[dict[tuple[Breaker, Happening], Breaker]] = {
    (Breaker.CLOSED, Happening.FAILED): Breaker.OPEN,
    (Breaker.CLOSED, Happening.PASSED): Breaker.CLOSED,
    (Breaker.OPEN, Happening.FAILED): Breaker.OPEN,
    (Breaker.OPEN, Happening.TRIED): Breaker.HALF_OPEN,
    (Breaker.HALF_OPEN, Happening.FAILED): Breaker.OPEN,
    (Breaker.HALF_OPEN, Happening.PASSED): Breaker.CLOSED,
}
"""Every transition; a closed breaker lets a trial through like anything else."""


@dataclass
class DeviceBreaker:
    """The breaker of one device.

    Attributes:
        device: as `runtime/kind`.
        state: what may go through.
        reason: why it opened last; "" where it never did.
        failed_s: when it opened last after it was closed [s, host monotonic].
        opened: how often it has.
        trial_at_s: when it is to be tried again [s, host monotonic]; infinite where nothing is to be tried.
    """

    device: str
    state: Breaker = Breaker.CLOSED
    reason: str = ""
    failed_s: float = -math.inf
    opened: int = 0
    trial_at_s: float = math.inf
    _budget: RestartBudget = field(default_factory=RestartBudget.for_ever)

    def tell(self, happening: Happening, now: float, reason: str = "") -> bool:
        """Hear what happened; say whether the state is another one now.

        Args:
            happening: what.
            now: host monotonic time [s].
            reason: of a failure.

        Returns:
            Whether the state has changed.

        Raises:
            ValueError: a trial of a breaker that is not open.
        """
        if (self.state, happening) not in NEXT:
            raise ValueError(f"{happening} in state {self.state} of {self.device}")
        before, self.state = self.state, NEXT[self.state, happening]
        if happening is Happening.FAILED:
            self.reason = reason
            if before is not Breaker.OPEN:
                if before is Breaker.CLOSED:
                    self.opened, self.failed_s = self.opened + 1, now
                delay_s = self._budget.delay_s(now)
                self.trial_at_s = now + (0.0 if delay_s is None else delay_s)
        else:
            self.trial_at_s = math.inf
        return self.state is not before
