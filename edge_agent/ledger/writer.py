"""The one thread that writes the ledger: takes what was offered, lets the committer decide, hands receipts back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.ledger.committer import Committer, LedgerStatus
from edge_agent.ledger.items import Item, Misses, Receipt
from edge_agent.ledger.losses import Losses
from edge_agent.ledger.store import Store
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.records import Part
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow

BACKLOG_PARTS: Final = 2048
"""Parts kept while the disk fails: over three minutes at ten a second, some 4 MB."""


class LedgerWriter:
    """The ledger's writing side. `offer`, `status` and `mailbox` are safe from any thread.

    Args:
        state_dir: folder of the database.
        clock: tells the time.
        deliver: hears every receipt, on the writer's thread; must not block or raise (`Mailbox.offer`).
        on_error: hears the bug that ended the thread, on that thread.
        queue: items that wait for the thread at most; more are refused.
        make_room: frees space on a full disk and returns the bytes (`EvidenceStore.make_room`).
        max_bytes: what the database may use; None without a limit [bytes].
    """

    name = "ledger"

    def __init__(
        self,
        state_dir: Path,
        clock: Clock,
        *,
        deliver: Callable[[Receipt], object],
        on_error: Callable[[str, Exception], object],
        queue: int,
        make_room: Callable[[], int] = lambda: 0,
        max_bytes: int | None = None,
    ) -> None:
        self._clock, self._deliver, self._on_error = clock, deliver, on_error
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._commits = Mailbox[Item](queue, Overflow.REFUSE, on_put=self._wake.set)
        self._committer = Committer(Store(state_dir / FILE_NAME), clock, BACKLOG_PARTS, make_room, max_bytes)
        self._refused = Losses()
        self._refused_lock = threading.Lock()
        self._status = self._committer.status()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Open the database and start the thread; safe to call again.

        A damaged database is kept aside and a new one begun: `status().damaged` and an event say so.

        Raises:
            ConfigError: the state directory cannot be written, or the database is from a newer release.
            Unavailable: another process writes this ledger, or the disk fails.
        """
        if self._thread is not None:
            return
        self._committer.open()
        self._status = self._committer.status()
        self._thread = threading.Thread(target=self._run, name=self.name)
        self._thread.start()

    def offer(self, item: Item) -> bool:
        """Give the writer something to write, without ever blocking.

        Args:
            item: a part, a word, a teaching (each answered by one receipt), misses, an event, a late field.

        Returns:
            It was accepted. A part that was not has no receipt: its trigger will be declared as a miss with cause
            `disk`. Misses are never refused.
        """
        if isinstance(item, Misses):
            self._lose(item)
            return True
        accepted = self._commits.offer(item)
        if not accepted and isinstance(item, Part):
            number = item.trigger.number
            self._lose(Misses(item.trigger.series, number, number, "disk", item.recipe))
        return accepted

    def status(self) -> LedgerStatus:
        """Say how the ledger is, as of the last step of the thread."""
        return self._status

    def mailbox(self) -> MailboxStats:
        """Count what was offered."""
        return self._commits.stats()

    def close(self) -> None:
        """Ask the thread to commit what waits and to end; safe at any time."""
        self._stopping = True
        self._commits.close()
        self._wake.set()

    def join(self, until: float) -> bool:
        """Wait for the thread to end, at most until `until` [s, host monotonic]; say whether it has."""
        if self._thread is None:
            return True
        self._clock.wait(self._ended, until)
        if self._ended.is_set():
            self._thread.join()
        return self._ended.is_set()

    def _lose(self, missed: Misses) -> None:
        with self._refused_lock:
            self._refused.add(missed)
        self._wake.set()

    def _take_all(self) -> list[Item]:
        items = self._commits.take_all()
        with self._refused_lock:
            return [*items, *self._refused.take()]

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._answer(self._committer.step(self._take_all()))
                self._committer.tidy()
                self._clock.wait(self._wake, self._committer.next_wake_s())
                self._wake.clear()
            self._answer(self._committer.step(self._take_all()))
            self._answer(self._committer.finish())
        except Exception as error:  # the thread's boundary: whoever supervises hears of the bug
            self._committer.close()
            self._on_error(self.name, error)
        finally:
            self._ended.set()

    def _answer(self, receipts: list[Receipt]) -> None:
        self._status = self._committer.status()
        for receipt in receipts:
            self._deliver(receipt)
