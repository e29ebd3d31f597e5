"""A bounded hand-over between two threads, with a named policy for when it is full and a count of everything.

It holds items and nothing else: who is woken by one (a loop, a worker) is told by whoever builds the mailbox.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar, assert_never

T = TypeVar("T")


class Overflow(Enum):
    """What a full mailbox does with one item more."""

    DROP_OLDEST = auto()  #: live data: the newest is the useful one
    REFUSE = auto()  #: commands and jobs: the sender must hear "no"


@dataclass(frozen=True)
class MailboxStats:
    """What became of every item: `put == taken + dropped + refused + waiting`, at any moment.

    Attributes:
        capacity: items that may wait at once.
        put: items offered.
        taken: items handed over.
        dropped: items thrown away for a newer one.
        refused: items not accepted, because the mailbox was full or closed.
        waiting: items in it now.
        high_water: the most that ever waited at once.
    """

    capacity: int
    put: int
    taken: int
    dropped: int
    refused: int
    waiting: int
    high_water: int


class Mailbox(Generic[T]):
    """A bounded queue. Every method is safe from any thread; only `wait` blocks.

    Args:
        capacity: items that may wait at once, at least 1.
        overflow: what happens to one item more.
        on_put: called after each accepted item, on the sender's thread and outside the lock (`loop.poke`).
    """

    def __init__(self, capacity: int, overflow: Overflow, on_put: Callable[[], None] | None = None) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least 1 item, not {capacity}")
        self._capacity = capacity
        self._overflow = overflow
        self._on_put = on_put
        self._items: deque[T] = deque()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._put = self._taken = self._dropped = self._refused = self._high_water = 0

    def offer(self, item: T) -> bool:
        """Put `item` in without ever blocking; say whether it was accepted."""
        with self._lock:
            accepted = self._accept(item)
        if accepted and self._on_put is not None:
            self._on_put()
        return accepted

    def take_all(self) -> list[T]:
        """Take whatever waits, oldest first; an empty list when nothing does."""
        return self.take(self._capacity)

    def take(self, most: int) -> list[T]:
        """Take at most `most` items, oldest first; an empty list when nothing waits."""
        with self._lock:
            items = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._taken += len(items)
            return items

    def wait(self) -> bool:
        """Block until something waits (True), or until the mailbox is closed and empty (False).

        Where several threads take, another may be faster: what is taken after True may still be nothing.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return bool(self._items)

    def close(self) -> None:
        """Refuse everything from now on; what waits can still be taken, and `wait` no longer blocks."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stats(self) -> MailboxStats:
        """Count every item by what became of it."""
        with self._lock:
            return MailboxStats(
                capacity=self._capacity,
                put=self._put,
                taken=self._taken,
                dropped=self._dropped,
                refused=self._refused,
                waiting=len(self._items),
                high_water=self._high_water,
            )

    def _accept(self, item: T) -> bool:
        self._put += 1
        if self._closed:
            self._refused += 1
            return False
        if len(self._items) == self._capacity:
            match self._overflow:
                case Overflow.DROP_OLDEST:
                    self._items.popleft()
                    self._dropped += 1
                case Overflow.REFUSE:
                    self._refused += 1
                    return False
                case _:
                    assert_never(self._overflow)
        self._items.append(item)
        self._high_water = max(self._high_water, len(self._items))
        self._changed.notify()
        return True
