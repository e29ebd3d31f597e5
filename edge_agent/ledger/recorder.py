"""Gives each item that is recorded its own answer: remembers who waits for which receipt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from edge_agent.ledger.items import Item, Receipt
from edge_agent.runtime.clock import Clock

Then = Callable[[Receipt], None]


RECEIPT_TIMEOUT_S: Final = 10.0
"""How long a program waits for the disk before it is told that the disk fails."""


class Offers(Protocol):
    """Who writes: the ledger writer."""

    def offer(self, item: Item) -> bool:
        """Take an item without blocking; False when it cannot be taken."""


class Recorder:
    """Records items and hands each receipt to whoever offered the item. Safe from any thread.

    Args:
        post: has a call run where receipts are wanted, on the loop thread or at once.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Item, Then]] = {}
        self._writer: Offers | None = None

    def write_to(self, writer: Offers) -> None:
        """Name the writer, whose receipts go to `deliver`."""
        self._writer = writer

    def offer(self, item: Item, then: Then | None = None) -> bool:
        """Record `item`; `then` hears its receipt, once. False when the writer cannot take it."""
        if self._writer is None:
            return False
        if then is not None:
            with self._lock:
                self._waiting[id(item)] = (item, then)
        accepted = self._writer.offer(item)
        if not accepted:
            with self._lock:
                self._waiting.pop(id(item), None)
        return accepted

    def commit(self, item: Item, clock: Clock) -> Receipt | None:
        """Record `item` and wait for its receipt; not on the thread that receipts are posted to.

        Args:
            item: what is recorded.
            clock: does the waiting.

        Returns:
            The receipt; None where the writer cannot take the item, or does not answer in time.
        """
        answered = threading.Event()
        receipts: list[Receipt] = []

        def hear(receipt: Receipt) -> None:
            receipts.append(receipt)
            answered.set()

        if self.offer(item, hear):
            clock.wait(answered, clock.now() + RECEIPT_TIMEOUT_S)
        return next(iter(receipts), None)

    def deliver(self, receipt: Receipt) -> None:
        """Take a receipt from the writer, on its thread."""
        with self._lock:
            _, then = self._waiting.pop(id(receipt.item), (None, None))
        if then is not None:
            self._post(lambda: then(receipt))
