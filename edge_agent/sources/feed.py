"""The thread that delivers simulated or recorded parts: gets them ready ahead of time and lets go of what is due.

A thin shell around `Schedule`; what a part consists of is its supply's affair. It never judges what it delivers.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from edge_agent.errors import Unavailable
from edge_agent.records import Frame
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.sources.count import TriggerCount
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.sources.schedule import Material, Schedule
from edge_agent.sources.source import FeedStats, Item, Position

CLOSE_WAIT_S: Final = 2.0
"""Longer than it takes to make any part ready [s]."""

MAILBOX_ITEMS: Final = 64
"""Items that may wait for the station: more than a second at 20 parts/s, about 15 MB of pictures."""


class Supply(Protocol):
    """Where a feed gets its parts from."""

    @property
    def name(self) -> str:
        """What the source is called in status and events."""

    @property
    def counts_anew(self) -> bool:
        """Whether each run is a series of its own; otherwise the count of the run before goes on."""

    @property
    def unusable(self) -> int:
        """Files or pieces that could not be used so far."""

    def open(self, first: int) -> None:
        """Get ready to give parts from number `first` of the series; may raise `ConfigError` or `Unavailable`."""

    def take(self) -> Material | None:
        """Give the next part; None when there are no more. On the feed's thread, which must not be kept waiting."""


class Feed:
    """A `Source` made of a supply and a schedule, with one thread from `open` to `close`.

    Args:
        supply: gives the parts.
        count: numbers them; its file must belong to this source alone.
        clock: tells the time and waits.
        health: looks at every picture before it is delivered, while the window is still being recorded.
        poke: called from the feed's thread after each item, and when it has ended; must not block.
    """

    def __init__(
        self,
        supply: Supply,
        count: TriggerCount,
        clock: Clock,
        health: ImageHealth,
        poke: Callable[[], None] | None = None,
    ) -> None:
        self.name = supply.name
        self.items = Mailbox[Item](MAILBOX_ITEMS, Overflow.DROP_OLDEST, poke)
        self._supply = supply
        self._count = count
        self._clock = clock
        self._health = health
        self._poke = poke
        self._schedule = Schedule(count)
        self._limit = math.inf
        self._answers: deque[int] = deque()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._finished = False
        self._failure: Exception | None = None

    def open(self) -> Position:
        """Start delivering; say how far the count had come before this start.

        Returns:
            The last position of the run before; number 0 where there was none.

        Raises:
            ConfigError: the supply is not usable.
            Unavailable: the count or the supply cannot be opened now.
        """
        self.close()
        if self._thread is not None:
            raise Unavailable(
                f"{self.name} still hangs in what it was reading", hint="check the disk or the mount of the recording"
            )
        found = self._count.open()
        self._supply.open(found.number + 1)
        if self._supply.counts_anew and found.number:
            self._count.begin()
        self._schedule = Schedule(self._count)
        self._schedule.limit = self._limit
        self._answers.clear()
        self._stopping = self._finished = False
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=self.name)
        self._thread.start()
        return found

    def take(self) -> list[Item]:
        """Give what was delivered since the last time, oldest first."""
        return self.items.take_all()

    def position(self) -> Position:
        """Give the count as it stands."""
        return self._count.position()

    def answered(self, number: int) -> None:
        """Hear that a part was answered. Safe from any thread."""
        self._answers.append(number)
        self._wake.set()

    def hold(self, after: int) -> None:
        """Announce no more than `after` parts of a run until `release`: the line stands still. Before `open`."""
        self._limit = after

    def release(self) -> None:
        """Let the line go on, for good; a paced line makes up for the time it stood. Safe from any thread."""
        self._limit = self._schedule.limit = math.inf
        self._wake.set()

    def finished(self) -> bool:
        """Say whether the last item was delivered."""
        return self._finished

    def check(self) -> None:
        """Raise what ended the feed's thread before its time, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stats(self) -> FeedStats:
        """Say what was done since `open`. Safe from any thread."""
        return FeedStats(self._schedule.triggers, self._schedule.late, self._count.unsaved, self._supply.unusable)

    def close(self) -> None:
        """Stop delivering and release everything; what was delivered can still be taken.

        Waits `CLOSE_WAIT_S` at most: a supply that hangs in a file system is left behind, and `join` says so.
        """
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WAIT_S)
            if self._thread.is_alive():
                return
            self._thread = None
        self._count.close()

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the thread to end; say whether it has."""
        if self._thread is None:
            return True
        self._thread.join(max(0.0, until - self._clock.now()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping and not self._schedule.finished():
                self._turn()
            self._finished = self._schedule.finished()
        except Exception as error:  # the thread's boundary: handed to whoever asks for the position
            self._failure = error
        if self._poke is not None:
            self._poke()

    def _turn(self) -> None:
        self._wake.clear()
        while self._answers:
            self._schedule.answered(self._answers.popleft())
        for item in self._schedule.step(self._clock.now()):
            self.items.offer(self._looked_at(item) if isinstance(item, Frame) else item)
        if self._schedule.wants(self._clock.now()):
            part = self._supply.take()
            if part is None:
                self._schedule.end()
            else:
                self._schedule.add(part)
        elif not self._schedule.finished():
            self._clock.wait(self._wake, self._schedule.next_wake_s())

    def _looked_at(self, frame: Frame) -> Frame:
        return replace(frame, faults=self._health.check(frame.image))
