"""Callbacks from other threads, run on the loop thread: the way in for whoever has no component of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow

OTHERS: Final = 256
"""Calls at once beside receipts: a person's words, a fault."""


class Calls:
    """Runs what was posted, in order. A component.

    Args:
        poke: asks the loop to step this component.
        receipts: how many receipts the ledger can owe at once, so that none is ever refused.
    """

    name = "calls"

    def __init__(self, poke: Callable[[str], None], receipts: int) -> None:
        self._calls: Mailbox[Callable[[], None]] = Mailbox(
            receipts + OTHERS, Overflow.REFUSE, on_put=lambda: poke(self.name)
        )

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` run on the loop thread. Safe from any thread; what is refused is counted."""
        self._calls.offer(call)

    def step(self, now: float) -> float:
        """Run what was posted."""
        for call in self._calls.take_all():
            call()
        return NEVER

    def stats(self) -> MailboxStats:
        """Count what was posted."""
        return self._calls.stats()
