"""Matches each trigger with its frame and its window on one clock: pure, fed with items, asked for pairs.

Every trigger leaves exactly once, as a pair or as a skipped number; what never found a trigger is counted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.config import PairingConfig
from edge_agent.records import Frame, Modality, Pair, Trigger, VibrationWindow
from edge_agent.sources.source import Item, Position

KEPT: Final = 8
"""Frames and windows that wait for a trigger: they may overtake it by a few parts, never by more."""

MAX_SKIP: Final = 100_000
"""A larger jump of the trigger number is a source that counts otherwise, not that many lost parts; it is counted."""


@dataclass
class PairingCounts:
    """What happened to items that did not simply pair."""

    triggers: int = 0
    skipped: int = 0  #: trigger numbers that never arrived
    jumps: int = 0  #: jumps of the trigger number that were too large to be lost parts
    repeated: int = 0  #: trigger numbers that arrived again
    unmatched_frames: int = 0
    unmatched_windows: int = 0
    uncertain: int = 0  #: items whose time is not known well enough
    gaps: int = 0  #: windows with missing samples


@dataclass(frozen=True)
class Skipped:
    """Trigger numbers that were lost on the way.

    Attributes:
        series: the source's count.
        first: the first of them.
        last: the last of them, included.
    """

    series: str
    first: int
    last: int


@dataclass(frozen=True)
class Needs:
    """What a part's recipe asks of its pair.

    Attributes:
        expected: the modalities that a complete part has.
        deadline_s: from the trigger to the latest answer [s].
    """

    expected: frozenset[Modality]
    deadline_s: float


@dataclass(frozen=True, eq=False)
class _Waiting:
    trigger: Trigger
    needs: Needs
    frame: Frame | None = None
    window: VibrationWindow | None = None
    gap: bool = False


class Pairer:
    """Collects triggers, frames and windows and gives out pairs.

    Args:
        limits: how far apart in time what belongs together may be.
        needs: says what a part must have, by its trigger.
    """

    def __init__(self, limits: PairingConfig, needs: Callable[[Trigger], Needs]) -> None:
        self._before_s = limits.frame_before_ms / 1e3
        self._after_s = limits.frame_after_ms / 1e3
        self._window_s = limits.window_ms / 1e3
        self._wait_s = limits.wait_ms / 1e3
        self._slack_s = limits.max_uncertainty_ms / 1e3
        self._needs = needs
        self._waiting: deque[_Waiting] = deque()
        self._frames: deque[Frame] = deque()
        self._windows: deque[VibrationWindow] = deque()
        self._skipped: list[Skipped] = []
        self._last: Position | None = None
        self.counts = PairingCounts()

    def begin(self, position: Position) -> None:
        """Continue a source's count: the next trigger expected is `position.number + 1`."""
        self._last = position

    def add(self, item: Item) -> bool:
        """Take one item from a source; frames and windows may come before or after their trigger.

        Args:
            item: what the source delivered.

        Returns:
            False for what is not used: a trigger that repeats, an item whose time is too uncertain.
        """
        match item:
            case Trigger():
                return self._add_trigger(item)
            case Frame() if item.uncertainty_s > self._slack_s:
                self.counts.uncertain += 1
                return False
            case VibrationWindow() if item.uncertainty_s > self._slack_s:
                self.counts.uncertain += 1
                return False
            case Frame():
                self._frames.append(item)
                self._match()
                if len(self._frames) > KEPT:
                    self._frames.popleft()
                    self.counts.unmatched_frames += 1
            case VibrationWindow():
                self._windows.append(item)
                self._match()
                if len(self._windows) > KEPT:
                    self._windows.popleft()
                    self.counts.unmatched_windows += 1
        return True

    def take_pairs(self, now: float) -> list[Pair]:
        """Give the pairs that are complete, or have waited long enough; a complete one never waits for an older one."""
        due = [w for w in self._waiting if self._complete(w) or now >= self._limit_s(w)]
        if due:
            self._waiting = deque(w for w in self._waiting if w not in due)
        return [self._pair(w, now) for w in due]

    def take_skipped(self) -> list[Skipped]:
        """Give the trigger numbers that never arrived and are now known to be lost."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def next_wake_s(self) -> float:
        """Host monotonic time when the oldest trigger stops waiting [s]; infinite when none waits."""
        return self._limit_s(self._waiting[0]) if self._waiting else math.inf

    def _add_trigger(self, trigger: Trigger) -> bool:
        last = self._last.number if self._last is not None and self._last.series == trigger.series else 0
        if trigger.number <= last:
            self.counts.repeated += 1
            return False
        lost = trigger.number - last - 1
        if lost > MAX_SKIP:
            self.counts.jumps += 1
        elif lost:
            self._skipped.append(Skipped(trigger.series, last + 1, trigger.number - 1))
            self.counts.skipped += lost
        self._last = Position(trigger.series, trigger.number)
        self.counts.triggers += 1
        self._waiting.append(_Waiting(trigger, self._needs(trigger)))
        self._match()
        return True

    def _match(self) -> None:
        for i, waiting in enumerate(self._waiting):
            t = waiting.trigger.time_s
            found = waiting
            if found.frame is None:
                frame = self._closest_frame(t)
                if frame is not None:
                    self._frames.remove(frame)
                    found = replace(found, frame=frame)
            if found.window is None and not found.gap:
                window = self._covering_window(t)
                if window is not None:
                    self._windows.remove(window)
                    self.counts.gaps += window.gap
                    found = replace(found, gap=True) if window.gap else replace(found, window=window)
            if found is not waiting:
                self._waiting[i] = found

    def _closest_frame(self, t: float) -> Frame | None:
        near = [f for f in self._frames if -self._before_s <= f.time_s - t <= self._after_s]
        near = [f for f in near if self._nearest_trigger(f.time_s) == t]
        return min(near, key=lambda f: abs(f.time_s - t), default=None)

    def _nearest_trigger(self, time_s: float) -> float:
        times: Sequence[float] = [w.trigger.time_s for w in self._waiting if w.frame is None]
        return min(times, key=lambda t: abs(time_s - t))

    def _covering_window(self, t: float) -> VibrationWindow | None:
        covering = (
            w
            for w in self._windows
            if abs(w.start_s - t) <= self._slack_s and w.end_s >= t + self._window_s - self._slack_s
        )
        return min(covering, key=lambda w: abs(w.start_s - t), default=None)

    def _pair(self, waiting: _Waiting, now: float) -> Pair:
        missing: list[str] = []
        expected = waiting.needs.expected
        if waiting.frame is not None:
            missing += waiting.frame.faults
        elif Modality.IMAGE in expected:
            missing.append("no_frame")
        if Modality.VIBRATION in expected and waiting.window is None:
            missing.append("gap" if waiting.gap else "no_window")
        deadline_s = waiting.trigger.time_s + waiting.needs.deadline_s
        return Pair(waiting.trigger, waiting.frame, waiting.window, now, deadline_s, tuple(missing))

    def _complete(self, waiting: _Waiting) -> bool:
        expected = waiting.needs.expected
        return (Modality.IMAGE not in expected or waiting.frame is not None) and (
            Modality.VIBRATION not in expected or waiting.window is not None or waiting.gap
        )

    def _limit_s(self, waiting: _Waiting) -> float:
        return waiting.trigger.time_s + self._wait_s
