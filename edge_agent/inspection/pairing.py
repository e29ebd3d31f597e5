"""Matches each trigger with its frame and its window on one clock: pure, fed with items, asked for pairs.

Every trigger leaves exactly once, as a pair or as a skipped number; what never found a trigger is counted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.config import PairingConfig
from edge_agent.records import Frame, Modality, Pair, Trigger, VibrationWindow
from edge_agent.sources.source import Item, Position

KEPT: Final = 8
"""Frames of each camera, and windows, that wait for a trigger: they may overtake it by a few parts, never by more."""

REMEMBERED: Final = 2 * KEPT
"""Triggers that have left and are still known: a frame that is theirs must not become that of another part."""

NOTHING: Final = np.zeros((1, 1, 3), np.uint8)
"""Stands for a picture of which only the time is still of interest."""

MAX_SKIP: Final = 100_000
"""A larger jump of the trigger number is a source that counts otherwise, not that many lost parts; it is counted."""


@dataclass
class PairingCounts:
    """What happened to items that did not simply pair."""

    triggers: int = 0
    skipped: int = 0  #: trigger numbers that never arrived
    jumps: int = 0  #: jumps of the trigger number that were too large to be lost parts
    repeated: int = 0  #: trigger numbers that arrived again
    unmatched_frames: int = 0  #: for a camera that runs freely, those between the parts
    unmatched_windows: int = 0
    late_frames: int = 0  #: frames that came when their part had left without one
    contended: int = 0  #: parts without a frame because another part, closer than two frames can be, has it
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
        camera: name of the camera whose frames are taken; "" for any.
    """

    expected: frozenset[Modality]
    deadline_s: float
    camera: str = ""

    def takes(self, frame: Frame) -> bool:
        """Whether a frame is of the right camera; one without a name is of any."""
        return not self.camera or not frame.camera or frame.camera == self.camera


@dataclass(frozen=True, eq=False)
class _Waiting:
    trigger: Trigger
    needs: Needs
    frame: Frame | None = None
    window: VibrationWindow | None = None
    gap: bool = False
    told: bool = False


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
        self._left: deque[_Waiting] = deque(maxlen=REMEMBERED)
        self._frames: dict[str, deque[Frame]] = {}
        self._windows: deque[VibrationWindow] = deque()
        self._skipped: list[Skipped] = []
        self._last: Position | None = None
        self.counts = PairingCounts()

    def begin(self, position: Position) -> None:
        """Continue a source's count: the next trigger expected is `position.number + 1`."""
        self._last = position

    def resume(self, position: Position) -> Skipped | None:
        """Continue a count after a source was away; however many triggers there were meanwhile, they are lost.

        Args:
            position: how far the source has counted; perhaps in another series than before.

        Returns:
            The triggers that never arrived; None where there are none.
        """
        last = self._last_of(position.series)
        if position.number <= last:
            return None
        self._last = position
        self.counts.skipped += position.number - last
        return Skipped(position.series, last + 1, position.number)

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
                frames = self._frames.setdefault(item.camera, deque())
                frames.append(item)
                self._match()
                if len(frames) > KEPT:
                    self._count_unmatched(frames.popleft())
            case VibrationWindow():
                self._windows.append(item)
                self._match()
                if len(self._windows) > KEPT:
                    self._windows.popleft()
                    self.counts.unmatched_windows += 1
        return True

    def take_pairs(self, now: float) -> list[Pair]:
        """Give the pairs that are complete, or have waited long enough; a complete one never waits for an older one."""
        self._match(now)
        due = [w for w in self._waiting if self._complete(w) or now >= self._limit_s(w)]
        if due:
            self._waiting = deque(w for w in self._waiting if w not in due)
            self._left.extend(map(_without_data, due))
        return [self._pair(w, now) for w in due]

    def take_early(self) -> list[tuple[Trigger, Frame, float]]:
        """Give the frames of triggers that still wait for their window, each once, and when that is due [s]."""
        early = []
        for i, waiting in enumerate(self._waiting):
            if waiting.frame is not None and not waiting.told and not self._complete(waiting):
                self._waiting[i] = replace(waiting, told=True)
                early.append((waiting.trigger, waiting.frame, self._due_s(waiting)))
        return early

    def next_pair_s(self, after_s: float) -> float:
        """Host monotonic time when the first of those that wait should be complete [s], of those due after a time."""
        return min((due_s for due_s in map(self._due_s, self._waiting) if due_s > after_s), default=math.inf)

    def take_skipped(self) -> list[Skipped]:
        """Give the trigger numbers that never arrived and are now known to be lost."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def next_wake_s(self) -> float:
        """Host monotonic time when the oldest trigger stops waiting [s]; infinite when none waits."""
        return self._limit_s(self._waiting[0]) if self._waiting else math.inf

    def _add_trigger(self, trigger: Trigger) -> bool:
        last = self._last_of(trigger.series)
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

    def _last_of(self, series: str) -> int:
        return self._last.number if self._last is not None and self._last.series == series else 0

    def _match(self, now: float = -math.inf) -> None:
        for i, waiting in enumerate(self._waiting):
            found = waiting
            if found.frame is None:
                frame = self._closest_frame(waiting)
                if frame is not None and (self._is_settled(frame, waiting) or now >= self._limit_s(waiting)):
                    self._frames[frame.camera].remove(frame)
                    found = replace(found, frame=frame)
            if found.window is None and not found.gap:
                window = self._covering_window(waiting.trigger.time_s)
                if window is not None:
                    self._windows.remove(window)
                    self.counts.gaps += window.gap
                    found = replace(found, gap=True) if window.gap else replace(found, window=window)
            if found is not waiting:
                self._waiting[i] = found

    def _closest_frame(self, waiting: _Waiting) -> Frame | None:
        near = [f for frames in self._frames.values() for f in frames if self._is_near(f, waiting)]
        near = [f for f in near if self._nearest(f) is waiting]
        return min(near, key=lambda f: abs(_off_s(f, waiting)), default=None)

    def _is_settled(self, frame: Frame, waiting: _Waiting) -> bool:
        """Say whether no frame can come any more that is closer: of a camera that runs freely, the next one may be."""
        off_s = _off_s(frame, waiting)
        return (
            not frame.shutter.free_running
            or off_s >= 0.0
            or -off_s <= frame.shutter.interval_s / 2.0
            or any(_off_s(other, waiting) >= 0.0 for other in self._frames[frame.camera])
        )

    def _is_near(self, frame: Frame, waiting: _Waiting) -> bool:
        return waiting.needs.takes(frame) and -self._before_s <= _off_s(frame, waiting) <= self._after_s

    def _nearest(self, frame: Frame) -> _Waiting | None:
        """Give the part whose frame this is, whether or not it still waits, and has one already."""
        known = (w for w in (*self._left, *self._waiting) if w.needs.takes(frame))
        return min(known, key=lambda w: abs(_off_s(frame, w)), default=None)

    def _count_unmatched(self, frame: Frame) -> None:
        owner = self._nearest(frame)
        expects = owner is not None and Modality.IMAGE in owner.needs.expected and owner.frame is None
        if owner is not None and expects and owner in self._left and self._is_near(frame, owner):
            i = self._left.index(owner)
            self._left[i] = _without_data(replace(owner, frame=frame))  # so that it counts once
            self.counts.late_frames += 1
        else:
            self.counts.unmatched_frames += 1

    def _is_contended(self, waiting: _Waiting) -> bool:
        """Say whether the one frame that there could be went to a part that is closer than two frames can be."""
        return any(
            other.frame is not None
            and waiting.needs.takes(other.frame)
            and abs(other.trigger.time_s - waiting.trigger.time_s) < other.frame.shutter.interval_s
            for other in (*self._left, *self._waiting)
        )

    def _covering_window(self, t: float) -> VibrationWindow | None:
        covering = (
            w
            for w in self._windows
            if abs(w.start_s - t) <= self._slack_s and (w.gap or w.end_s >= t + self._window_s - self._slack_s)
        )
        return min(covering, key=lambda w: abs(w.start_s - t), default=None)

    def _pair(self, waiting: _Waiting, now: float) -> Pair:
        missing: list[str] = []
        expected = waiting.needs.expected
        if waiting.frame is not None:
            missing += waiting.frame.faults
        elif Modality.IMAGE in expected:
            contended = self._is_contended(waiting)
            self.counts.contended += contended
            missing.append("contended" if contended else "no_frame")
        if waiting.window is not None:
            missing += waiting.window.faults
        elif Modality.VIBRATION in expected:
            missing.append("gap" if waiting.gap else "no_window")
        deadline_s = waiting.trigger.time_s + waiting.needs.deadline_s
        return Pair(waiting.trigger, waiting.frame, waiting.window, now, deadline_s, tuple(missing))

    def _complete(self, waiting: _Waiting) -> bool:
        expected = waiting.needs.expected
        return (Modality.IMAGE not in expected or waiting.frame is not None) and (
            Modality.VIBRATION not in expected or waiting.window is not None or waiting.gap
        )

    def _due_s(self, waiting: _Waiting) -> float:
        """Give when what is waited for should be there [s]."""
        listens = Modality.VIBRATION in waiting.needs.expected and waiting.window is None and not waiting.gap
        return waiting.trigger.time_s + (self._window_s if listens else 0.0)

    def _limit_s(self, waiting: _Waiting) -> float:
        return waiting.trigger.time_s + self._wait_s


def _off_s(frame: Frame, waiting: _Waiting) -> float:
    """How long after the moment that shows the part a frame was taken [s]; negative for before."""
    return frame.time_s - frame.shutter.delay_s - waiting.trigger.time_s


def _without_data(waiting: _Waiting) -> _Waiting:
    """Give what is to be known of a part that has left: whether it had a frame, and how that came about."""
    frame = None if waiting.frame is None else replace(waiting.frame, image=NOTHING)
    return replace(waiting, frame=frame, window=None)
