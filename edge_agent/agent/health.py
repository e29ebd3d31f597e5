"""Looks at the whole station every two seconds: feeds the watchdog's stages and records what has become wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from edge_agent.agent.status import Status, Trouble
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.machine import MemoryGauge
from edge_agent.scheduler.account import DispatchCounts

PERIOD_S: Final = 2.0
"""Often enough that nobody waits for bad news, seldom enough to cost nothing."""

AGAIN_S: Final = 60.0
"""How long a trouble that keeps counting is not recorded anew [s]: its events must not fill the ledger."""


class Health:
    """Turns the status into events and into progress of the watched stages. A component.

    Attributes:
        troubles: what was wrong when it was looked last.

    Args:
        status: asks the station how it is.
        found: hears of each trouble when it begins, and again when its count has grown.
        progressed: hears that a stage has made progress at a time [s, host monotonic].
    """

    name = "health"

    def __init__(
        self,
        status: Callable[[], Status],
        found: Callable[[Trouble], None],
        progressed: Callable[[str, float], None],
    ) -> None:
        self.troubles: Sequence[Trouble] = ()
        self._status = status
        self._found = found
        self._progressed = progressed
        self._noted: dict[str, tuple[int, float]] = {}  # of each trouble: its count, and when it was noted
        self._counts: dict[str, int] = {}
        self._summary = "starting"
        self._began_s: float | None = None

    def step(self, now: float) -> float:
        """Look once; not before the station has had time to start."""
        self._progressed("loop", now)
        self._began_s = now if self._began_s is None else self._began_s
        if now < self._began_s + PERIOD_S:
            return self._began_s + PERIOD_S
        status = self._status()
        self.troubles = status.troubles
        self._note(status.troubles, now)
        dispatch, commits = status.dispatch, status.mailboxes["commits"]
        self._follow("dispatcher", not dispatch.ready or not dispatch.urgent, _answered(dispatch.counts), now)
        self._follow("ledger", not commits.waiting, commits.taken, now)
        worst = status.troubles[0].message if status.troubles else "no trouble"
        self._summary = f"{status.number} triggers, {status.in_flight} in flight, {worst}"
        return now + PERIOD_S

    def summary(self) -> str:
        """Give one line for `systemctl status`."""
        return self._summary

    def _note(self, troubles: Sequence[Trouble], now: float) -> None:
        noted = self._noted
        self._noted = {}
        for trouble in troubles:
            count, noted_s = noted.get(trouble.kind, (-1, -math.inf))
            if trouble.count > count and now >= noted_s + AGAIN_S:
                self._found(trouble)
                count, noted_s = trouble.count, now
            self._noted[trouble.kind] = count, noted_s

    def _follow(self, stage: str, idle: bool, count: int, now: float) -> None:
        if idle or count != self._counts.get(stage):
            self._progressed(stage, now)
        self._counts[stage] = count


class Memory:
    """Knows how much memory the process takes. A component.

    It is read in the background, because the kernel walks through the whole process for it now and then: milliseconds
    in which no part could be answered.

    Args:
        background: reads it.
        gauge: how.
    """

    name = "memory"
    PERIOD_S: Final = 10.0

    def __init__(self, background: Background, gauge: MemoryGauge) -> None:
        self.mb: float | None = None  #: proportional set size [MB]; None before it was read, or where nobody says
        self._background, self._gauge = background, gauge
        self._due_s = -math.inf
        self._waiting = False

    def step(self, now: float) -> float:
        """Have it read where it is time for that."""
        if now >= self._due_s:
            self._due_s = now + self.PERIOD_S
            self._waiting = self._waiting or self._background.submit(Chore(self._gauge.read_mb, self._read))
        return self._due_s

    def _read(self, mb: float | None) -> None:
        self.mb, self._waiting = mb, False


class EndOfLine:
    """Ends the run when a source that ends has ended and everything was answered. A component.

    Args:
        is_done: nothing more will come.
        stop: ends the run.
    """

    name = "end"
    PERIOD_S: Final = 0.1

    def __init__(self, is_done: Callable[[], bool], stop: Callable[[], None]) -> None:
        self._is_done = is_done
        self._stop = stop

    def step(self, now: float) -> float:
        """Look once."""
        if self._is_done():
            self._stop()
        return now + self.PERIOD_S


def _answered(counts: DispatchCounts) -> int:
    return counts.done + counts.too_late + counts.faulted
