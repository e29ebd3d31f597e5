"""The one loop that steps every component: it does all the waiting, and measures who is slow.

A component is `step(now) -> next wake`. It never sleeps and never blocks; what would block belongs to a
`Worker`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.runtime.clock import Clock

NEVER: Final = math.inf
"""The next wake of a component that only wants to be stepped when it is poked [s]."""

STEP_BUDGET_S: Final = 0.005
"""The longest a step should take [s]: every component waits for it, and a part passes through several."""


class Component(Protocol):
    """Something the loop keeps going."""

    @property
    def name(self) -> str:
        """One word, unique in the loop."""

    def step(self, now: float) -> float:
        """Do what is due at `now` [s, host monotonic] and return when to be stepped again, or `NEVER`."""


@dataclass(frozen=True)
class StepTimes:
    """How long one component's steps took.

    Attributes:
        name: the component.
        steps: how often it was stepped.
        worst_s: its longest step [s].
        over_budget: steps longer than the loop's budget.
        raised: steps that ended with an exception.
        parked: it is not being stepped at present.
    """

    name: str
    steps: int
    worst_s: float
    over_budget: int
    raised: int
    parked: bool


@dataclass
class _Seat:
    component: Component
    due: float = -math.inf
    steps: int = 0
    worst_s: float = 0.0
    over_budget: int = 0
    raised: int = 0


class Loop:
    """Calls every component when it is due or was poked. One thread; runs once.

    A component that raises is parked (no longer stepped) and handed to `on_error`. Where there is no
    `on_error` the exception ends the loop, as a bug should.

    Args:
        clock: tells the time and waits.
        budget_s: steps longer than this are counted [s].
    """

    def __init__(self, clock: Clock, budget_s: float = STEP_BUDGET_S) -> None:
        self.on_error: Callable[[str, Exception], None] | None = None
        self._clock = clock
        self._budget_s = budget_s
        self._seats: dict[str, _Seat] = {}
        self._poked: set[str] = set()
        self._parked: set[str] = set()
        self._wake = threading.Event()
        self._stopping = False

    def add(self, component: Component) -> None:
        """Give `component` a seat; it is due at once. Loop thread, or before the loop runs."""
        if component.name in self._seats:
            raise ValueError(f"the loop already has a component named {component.name!r}")
        self._seats[component.name] = _Seat(component)

    def run(self) -> None:
        """Step what is due and wait, until `stop` is called."""
        due = -math.inf
        while not self._stopping:  # looked at between clearing the wake-up and waiting, so no stop is lost
            self._clock.wait(self._wake, until=due)
            due = self.run_once()

    def run_once(self) -> float:
        """Step whatever is due; return when the next component is due [s, host monotonic]."""
        self._wake.clear()  # before looking: a poke from now on ends the coming wait
        now = self._clock.now()
        for name, seat in list(self._seats.items()):
            if self._stopping:
                break
            if name not in self._parked and (seat.due <= now or name in self._poked):
                self._poked.discard(name)  # before stepping: a poke from now on asks for another step
                now = self._step(name, seat, now)
        return min((seat.due for name, seat in self._seats.items() if name not in self._parked), default=NEVER)

    def poke(self, name: str) -> None:
        """Ask for `name` to be stepped now. Safe from any thread; a name without a seat raises `KeyError`."""
        if name not in self._seats:
            raise KeyError(f"the loop has no component named {name!r}")
        self._poked.add(name)
        self._wake.set()

    def park(self, name: str) -> None:
        """Do not step `name`, not even poked, until it is resumed. Safe from any thread, seat or no seat."""
        self._parked.add(name)

    def resume(self, name: str) -> None:
        """Step `name` again, and at once. Safe from any thread, seat or no seat."""
        self._parked.discard(name)
        if name in self._seats:
            self.poke(name)

    def stop(self) -> None:
        """Let `run` return after the step it is in. Safe from any thread, but not inside a signal handler."""
        self._stopping = True
        self._wake.set()

    def report(self) -> tuple[StepTimes, ...]:
        """How long every component's steps took, in the order they were added. Safe from any thread."""
        return tuple(
            StepTimes(name, seat.steps, seat.worst_s, seat.over_budget, seat.raised, name in self._parked)
            for name, seat in list(self._seats.items())
        )

    def slowest(self) -> StepTimes | None:
        """The component with the longest step so far; None in an empty loop. Safe from any thread."""
        return max(self.report(), key=lambda times: times.worst_s, default=None)

    def _step(self, name: str, seat: _Seat, now: float) -> float:
        try:
            seat.due = seat.component.step(now)
            if math.isnan(seat.due):
                raise ValueError(f"{name} returned NaN as its next wake")
        except Exception as error:  # the loop's boundary: the component is parked, `on_error` decides
            if self.on_error is None:
                raise
            seat.raised += 1
            self.park(name)
            self.on_error(name, error)
        ended = self._clock.now()
        seat.steps += 1
        seat.worst_s = max(seat.worst_s, ended - now)
        seat.over_budget += ended - now > self._budget_s
        return ended
