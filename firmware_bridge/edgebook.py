"""The edges of a microcontroller: which are new, which are missing, and at which tick each came.

Pure. Their ticks outlive a session, so that a part that is on the belt when the wire breaks can still be taken off.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from firmware_bridge.account import EdgeAccount
from firmware_bridge.messages import Edge

KEPT: Final = 256
"""Edges whose tick is kept, so that a pulse can be asked for relative to them: more than fit on any belt."""
REPEAT_S: Final = 0.050
"""The second copy of an edge has come by then [s]."""


@dataclass(frozen=True)
class Moment:
    """When an edge was.

    Attributes:
        ticks: of the microcontroller's counter [ticks].
        time_s: host monotonic time [s].
    """

    ticks: int
    time_s: float


class EdgeBook:
    """The edges of one session after the other."""

    def __init__(self) -> None:
        self.account = EdgeAccount()
        self._moments: OrderedDict[int, Moment] = OrderedDict()
        self._told: tuple[float, int] | None = None

    def begin(self, edges: int) -> None:
        """Begin a session with a microcontroller that has counted `edges`; what is told before `start` was missed."""
        self.account = EdgeAccount(edges)
        self._told = None

    def start(self) -> int:
        """Begin to account for edges; give the number of the last one before."""
        self.account = EdgeAccount(self.account.last)
        return self.account.last

    def forget(self) -> None:
        """Forget all ticks, because the counter began anew."""
        self._moments.clear()

    def keep(self, edge: Edge, time_s: float) -> None:
        """Keep when an edge was [s, host monotonic]."""
        self._moments[edge.edge_seq] = Moment(edge.ticks, time_s)
        if len(self._moments) > KEPT:
            self._moments.popitem(last=False)

    def moment(self, number: int) -> Moment | None:
        """Give when an edge was; None when that is not known, or not any more."""
        return self._moments.get(number)

    def passed(self, edges: int) -> None:
        """Hear from a STATUS, before `start`, how many edges there were."""
        self.account.last = max(self.account.last, edges)

    def told(self, edges: int, now: float) -> None:
        """Hear from a STATUS how many edges there were; what has not come soon after is lost."""
        if self._told is None:
            self._told = now + REPEAT_S, edges

    def step(self, now: float) -> None:
        """Count as lost what the last STATUS told of and has not come by now."""
        if self._told is not None and now >= self._told[0]:
            self.account.told(self._told[1])
            self._told = None
