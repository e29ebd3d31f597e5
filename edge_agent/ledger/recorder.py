"""Gives each item that is recorded its own answer: remembers who waits for which receipt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from edge_agent.ledger.items import Item, Receipt

Then = Callable[[Receipt], None]


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

    def deliver(self, receipt: Receipt) -> None:
        """Take a receipt from the writer, on its thread."""
        with self._lock:
            _, then = self._waiting.pop(id(receipt.item), (None, None))
        if then is not None:
            self._post(lambda: then(receipt))
