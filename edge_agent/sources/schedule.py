"""When the items of simulated or recorded parts are delivered: a heap of what is due, stepped with the time.

Pure but for the count it is given, which it advances before it lets go of a trigger. It has no thread and no clock.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.records import Frame, Trigger, VibrationWindow
from edge_agent.sources.source import Item, Position

READOUT_S: Final = 0.005
"""From mid-exposure until the picture has arrived: half an exposure, read-out, transfer [s]."""
FRAME_UNCERTAINTY_S: Final = 0.001
"""Half width of the interval mid-exposure is known to [s]: an exposure of 2 ms."""
WINDOW_UNCERTAINTY_S: Final = 0.0002
"""Half width of the interval the first sample's time is known to [s]: a few sample periods."""
LATE_S: Final = 0.020
"""An item delivered this much after it was due counts as late [s]; a busy host wakes a thread within it."""
AHEAD: Final = 2
"""Parts kept ready before they are due: enough to hide one slow part, few enough to need no memory."""
PREPARE_S: Final = 0.010
"""Time it may take to make one part ready [s]; it is not begun when something else is due before."""
UNANSWERED: Final = 2
"""Parts an unpaced source may be ahead of the answers: one being judged, one waiting for it."""
SPACING_S: Final = 0.005
"""Least distance between the triggers of an unpaced source [s]; closer ones could not be told apart by time."""
ANSWER_LIMIT_S: Final = 2.0
"""An unpaced source stops waiting for an answer after this long [s], eight times the usual deadline."""


@dataclass(frozen=True, eq=False)
class Material:
    """One part before it has a number; times count from its trigger.

    Attributes:
        due_s: when its trigger is due, from the start of the run [s]; None: as soon as the station is ready.
        image: BGR, shape (height, width, 3), uint8; None without a picture.
        frame_offset_s: mid-exposure after the trigger [s].
        samples: acceleration [m/s^2], shape (n, 3), float32; None without vibration.
        rate_hz: sample rate [Hz]; 0 without vibration.
        truth: class slug, where it is known.
        recipe: name of the recipe that it is to be judged by; "": the one in use.
    """

    due_s: float | None
    image: NDArray[np.uint8] | None
    frame_offset_s: float
    samples: NDArray[np.float32] | None
    rate_hz: float
    truth: str | None
    recipe: str = ""

    def items(self, trigger: Trigger) -> Iterable[tuple[float, Item]]:
        """Give what the part delivers with the host monotonic time when each is complete [s].

        Args:
            trigger: the edge that announces the part.

        Yields:
            Due time and item: the trigger first, then the frame and the window where there are such.
        """
        t = trigger.time_s
        yield t, trigger
        if self.image is not None:
            frame = Frame(self.image, t + self.frame_offset_s, FRAME_UNCERTAINTY_S)
            yield frame.time_s + READOUT_S, frame
        if self.samples is not None:
            window = VibrationWindow(self.samples, self.rate_hz, t, WINDOW_UNCERTAINTY_S)
            yield window.end_s, window

    @property
    def span_s(self) -> float:
        """From the trigger until the last item is complete [s]."""
        frame_s = 0.0 if self.image is None else self.frame_offset_s + READOUT_S
        window_s = 0.0 if self.samples is None else len(self.samples) / self.rate_hz
        return max(0.0, frame_s, window_s)


class Count(Protocol):
    """Counts triggers."""

    def advance(self) -> Position:
        """Count one trigger and give its series and number."""


class Schedule:
    """Turns parts that are ready into items that are due.

    A paced part's trigger is due at its own time, however late the host is: lateness is counted, never passed on to
    the parts behind it. An unpaced part is let go when fewer than `UNANSWERED` wait for an answer; all its items
    come at once, and its times lie so far back that none is in the future.

    Args:
        count: numbers the triggers.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._ready: deque[Material] = deque()
        self._due: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._start_s: float | None = None
        self._last_trigger_s = -math.inf
        self._unanswered: dict[int, float] = {}
        self._ended = False
        self.triggers = 0  #: parts announced
        self.late = 0  #: items delivered more than `LATE_S` after they were due
        self.limit = math.inf  #: parts after which nothing more is announced, until it is raised

    def add(self, part: Material) -> None:
        """Put one more part behind those that are ready."""
        self._ready.append(part)

    def end(self) -> None:
        """Say that no more parts will be added."""
        self._ended = True

    def wants(self, now: float) -> bool:
        """Say whether one more part should be made ready now: none is, or there is time before something is due."""
        if self._ended or len(self._ready) >= AHEAD:
            return False
        return not self._ready or self.next_wake_s() > now + PREPARE_S

    def finished(self) -> bool:
        """Say whether nothing is left and nothing will come."""
        return self._ended and not self._ready and not self._due

    def answered(self, number: int) -> None:
        """Hear that a part was answered; an unknown number changes nothing."""
        self._unanswered.pop(number, None)

    def step(self, now: float) -> list[Item]:
        """Give the items that are due, oldest first.

        Args:
            now: host monotonic time [s].

        Returns:
            The items, each exactly once.
        """
        if self._ready and self._start_s is None:
            self._start_s = now
        while (begin_s := self._begin_s()) <= now:
            self._announce(self._ready.popleft(), begin_s, now)
        items: list[Item] = []
        while self._due and self._due[0][0] <= now:
            due_s, _, item = heapq.heappop(self._due)
            self.late += now - due_s > LATE_S
            items.append(item)
        return items

    def next_wake_s(self) -> float:
        """Give the host monotonic time when `step` has something to do [s]; infinite when only new parts help."""
        return min(self._due[0][0] if self._due else math.inf, self._begin_s())

    def _begin_s(self) -> float:
        """Give when the next ready part is to be announced [s]; infinite without one."""
        if not self._ready or self.triggers >= self.limit:
            return math.inf
        part = self._ready[0]
        if self._start_s is None:
            return -math.inf
        if part.due_s is not None:
            return self._start_s + part.due_s
        told_apart_s = self._last_trigger_s + SPACING_S + part.span_s
        if len(self._unanswered) < UNANSWERED:
            return told_apart_s
        return max(told_apart_s, min(self._unanswered.values()) + ANSWER_LIMIT_S)

    def _announce(self, part: Material, begin_s: float, now: float) -> None:
        position = self._count.advance()
        self.triggers += 1
        if part.due_s is None:
            begin_s = now - part.span_s
            self._unanswered[position.number] = now
            if len(self._unanswered) > UNANSWERED:
                del self._unanswered[min(self._unanswered)]
        self._last_trigger_s = begin_s
        trigger = Trigger(position.series, position.number, begin_s, part.truth, part.recipe)
        for due_s, item in part.items(trigger):
            heapq.heappush(self._due, (now if part.due_s is None else due_s, next(self._order), item))
