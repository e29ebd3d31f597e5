"""What waits for the disk: bounded, in order, nothing dropped uncounted. Pure; knows neither disk nor clock."""

from __future__ import annotations

from collections import deque
from typing import Final, assert_never

from edge_agent.ledger.batch import Batch, Duplicate, Late, Written
from edge_agent.ledger.items import (
    Acted,
    Committed,
    Item,
    Mark,
    Misses,
    Pictured,
    Reached,
    Receipt,
    Receipted,
    Rejected,
    SetAside,
)
from edge_agent.ledger.losses import Losses
from edge_agent.ledger.spoken import Accepted, Answered, Audited, Spoken, Teaching, Told, Word
from edge_agent.records import Event, Gated, Part

LAZY_S: Final = 0.5
"""How long what needs no receipt may wait for a commit to ride with [s]: as much as a kill may take of it."""

BATCH_PARTS: Final = 256
"""Parts in one transaction at most: 10 ms of inserts, so that the first of them is not kept waiting."""

BATCH_MISSES: Final = 1000
"""Declared misses in one transaction at most: 10 ms of inserts."""

WORDS: Final = 64
"""Words, teachings and commands that wait at most; nobody asks faster than they are answered."""

EVENTS: Final = 256
"""Events that wait at most; the oldest goes first, counted."""

ASIDES: Final = 64
"""Facts set aside that wait at most; the oldest goes first: it is tried again after the next start."""


class Backlog:
    """Items on their way to the disk. One thread.

    A part that finds the backlog full makes the oldest one give up its place: that one's trigger is remembered
    and declared as a miss when the disk is back. A word that finds it full is rejected, for a person to hear.

    Attributes:
        lost: parts that gave up their place.
        events_dropped: events that gave up their place.
        updates_dropped: late fields that gave up their place.

    Args:
        capacity: parts that wait at most.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._parts: deque[Part] = deque()
        self._words: deque[Spoken] = deque()
        self._events: deque[Event] = deque()
        self._late: dict[tuple[str, int], Late] = {}
        self._told: Reached | None = None
        self._marks: dict[str, str] = {}
        self._asides: deque[SetAside] = deque()
        self._losses = Losses()
        self._lazy_since_s: float | None = None
        self._again = False
        self.lost = self.events_dropped = self.updates_dropped = 0

    @property
    def waiting(self) -> int:
        """Parts that wait."""
        return len(self._parts)

    @property
    def undeclared(self) -> int:
        """Triggers that wait to be declared as misses."""
        return len(self._losses)

    def add(self, item: Item, now: float) -> Rejected | None:
        """Let an item wait.

        Args:
            item: what to write.
            now: host monotonic time [s].

        Returns:
            What had to give up its place for it, and was owed a receipt.
        """
        match item:
            case Part():
                self._parts.append(item)
                return self._lose_oldest() if len(self._parts) > self._capacity else None
            case Word() | Teaching() | Accepted() | Answered() | Told() | Audited():
                if len(self._words) == WORDS:
                    return Rejected(item, "disk", "the ledger waits for its disk: see `edge-agent status`")
                self._words.append(item)
            case Misses():
                self._losses.add(item)
            case Event():
                self._lazy_since_s = now if self._lazy_since_s is None else self._lazy_since_s
                self._events.append(item)
                if len(self._events) > EVENTS:
                    self._events.popleft()
                    self.events_dropped += 1
            case Reached() | Mark() | SetAside():
                self._remember(item, now)
            case Acted():
                late = self._late_fields(item.series, item.number, now)
                late.action, late.acted_s = item.action, item.acted_s
                late.committed_late = item.committed_late
            case Gated():
                late = self._late_fields(item.series, item.number, now)
                late.gate, late.gate_off_us = item.gate, item.off_us
            case Pictured():
                self._late_fields(item.series, item.number, now).picture = item.picture
            case _:
                assert_never(item)
        return None

    def due_s(self) -> float:
        """When the next transaction is due [s, host monotonic]: -inf for at once, +inf for never."""
        if self._parts or self._words or self._losses:
            return float("-inf")
        return float("inf") if self._lazy_since_s is None else self._lazy_since_s + LAZY_S

    def batch(self, utc: float) -> Batch:
        """Give what goes into the next transaction; it stays here until `settle`.

        Args:
            utc: wall time for the misses [s since the epoch].

        Returns:
            The batch; late fields only when no part has to wait, for they may belong to one.
        """
        parts = [self._parts[index] for index in range(min(BATCH_PARTS, len(self._parts)))]
        return Batch(
            items=[*parts, *self._words],
            misses=self._losses.head(BATCH_MISSES),
            events=list(self._events),
            late=list(self._late.items()) if len(parts) == len(self._parts) else [],
            utc=utc,
            again=self._again,
            told=self._told,
            marks=dict(self._marks),
            asides=list(self._asides),
        )

    def failed(self) -> None:
        """Remember that a transaction has failed, so that the next may find rows of its own."""
        self._again = True

    def settle(self, batch: Batch, written: Written, now: float) -> list[Receipt]:
        """Forget what is on the disk.

        Args:
            batch: what `batch` gave; nothing was added since.
            written: what the disk made of it.
            now: host monotonic time after the commit [s].

        Returns:
            A receipt for each of the batch's items.
        """
        self._losses.settle(batch.misses)
        self._events.clear()
        self._asides.clear()
        self._marks.clear()
        self._told = None
        for key, _ in batch.late:
            del self._late[key]
        self._lazy_since_s = now if self._late else None
        receipts = [self._receipt(item, row, now) for item, row in zip(batch.items, written.rows, strict=True)]
        self._again = self._again and bool(self._parts)
        return receipts

    def give_up(self) -> list[Receipt]:
        """Reject whatever still waits, at the end; the next start finds the gaps."""
        left: list[Receipted] = [*self._parts, *self._words]
        self._parts.clear()
        self._words.clear()
        return [Rejected(item, "disk", "the station stopped before the disk came back") for item in left]

    def _remember(self, item: Reached | Mark | SetAside, now: float) -> None:
        self._lazy_since_s = now if self._lazy_since_s is None else self._lazy_since_s
        if isinstance(item, Reached):
            self._told = item
            return
        if isinstance(item, Mark):
            self._marks[item.name] = item.value
            return
        self._asides.append(item)
        if len(self._asides) > ASIDES:
            self._asides.popleft()
            self.updates_dropped += 1

    def _receipt(self, item: Receipted, row: object, now: float) -> Receipt:
        if isinstance(item, Part):
            self._parts.popleft()
        else:
            self._words.popleft()
        if isinstance(row, int):
            if isinstance(item, Part):
                self._late_fields(item.trigger.series, item.trigger.number, now).committed_s = now
            return Committed(item, row, now)
        if isinstance(row, Duplicate):
            return Rejected(item, "duplicate", str(row))
        if isinstance(item, Part):
            self._declare(item, "unrecordable")
        return Rejected(item, "unrecordable", str(row))

    def _lose_oldest(self) -> Rejected:
        part = self._parts.popleft()
        self.lost += 1
        self._declare(part, "disk")
        return Rejected(part, "disk", "the ledger's disk has failed for longer than the backlog could hold")

    def _declare(self, part: Part, cause: str) -> None:
        trigger = part.trigger
        self._late.pop((trigger.series, trigger.number), None)
        if trigger.number >= 1:
            self._losses.add(Misses(trigger.series, trigger.number, trigger.number, cause, part.recipe))

    def _late_fields(self, series: str, number: int, now: float) -> Late:
        key = (series, number)
        if key not in self._late:
            if len(self._late) == 2 * self._capacity:
                self._late.pop(next(iter(self._late)))
                self.updates_dropped += 1
            self._late[key] = Late()
        self._lazy_since_s = now if self._lazy_since_s is None else self._lazy_since_s
        return self._late[key]
