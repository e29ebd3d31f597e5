"""How the ledger behaves on a good disk and on a failing one. No thread, no SQL: it is stepped, and tells a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.ledger.backlog import Backlog
from edge_agent.ledger.batch import Batch, Written
from edge_agent.ledger.files import DiskFull
from edge_agent.ledger.items import Committed, Item, Receipt, Rejected
from edge_agent.ledger.retention import Trimmed
from edge_agent.records import Event, Part
from edge_agent.runtime.clock import Clock

FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 10.0
"""Bounds of the wait before a failing disk is tried again [s]; it doubles in between."""

CHECKPOINT_EVERY: Final = 200
"""Transactions between two checkpoints: some 2 MB of log."""


TRIM_LOOK_S: Final = 1.0
"""How often the size is looked at [s]."""

FREED_AGAIN_S: Final = 60.0
"""How often it is said that pictures made room [s]."""

TRIM_AGAIN_S: Final = 0.1
"""How long commits go first before more is deleted [s]."""


class BatchStore(Protocol):
    """Where batches go; `store.Store` is the real one.

    Attributes:
        begun_utc: when the database was begun; 0 before it was opened [s since the epoch].
    """

    begun_utc: float

    def open(self) -> None:
        """Open, where it is not."""

    def close(self) -> None:
        """Close; never raises."""

    def set_aside(self, utc: float) -> Path:
        """Move a damaged database out of the way."""

    def write(self, batch: Batch) -> Written:
        """Write a batch, durably."""

    def checkpoint(self) -> None:
        """Do the housekeeping that no commit should wait for."""

    def trim(self, max_bytes: int, utc: float) -> Trimmed | None:
        """Delete some of what is too much."""


@dataclass(frozen=True)
class LedgerStatus:
    """The ledger, for people.

    Attributes:
        failing_since_utc: since when the disk fails [s since the epoch]; None while it does not.
        reason: what it fails with, "" while it does not.
        waiting: parts that wait for the disk.
        undeclared: triggers that wait to be declared as misses.
        committed: parts on the disk, since the start.
        declared: misses on the disk, since the start; but for those that came as parts.
        transactions: commits since the start.
        duplicates: parts that were refused because their trigger had an answer.
        unrecordable: items that broke a rule of their table.
        lost: parts that gave up their place in the backlog and became misses.
        events_dropped: events that gave up their place.
        updates_dropped: late fields (action, picture, times) that gave up their place.
        damaged: where the last damaged database is kept, "" without one.
        begun_utc: when the present one was begun [s since the epoch].
        trimmed: parts that were deleted because the ledger was too large, since the start.
        untold: parts of these that the console did not have.
    """

    failing_since_utc: float | None = None
    reason: str = ""
    waiting: int = 0
    undeclared: int = 0
    committed: int = 0
    declared: int = 0
    transactions: int = 0
    duplicates: int = 0
    unrecordable: int = 0
    lost: int = 0
    events_dropped: int = 0
    updates_dropped: int = 0
    damaged: str = ""
    begun_utc: float = 0.0
    trimmed: int = 0
    untold: int = 0


class Committer:
    """Commits what waits in groups, and keeps it while the disk fails. One thread.

    Args:
        store: where batches go.
        clock: tells the time.
        capacity: parts that wait for a failing disk at most.
        make_room: frees some space on a full disk and returns the bytes; 0 when there is nothing to free.
        max_bytes: what the database may use; None without a limit [bytes].
    """

    def __init__(
        self,
        store: BatchStore,
        clock: Clock,
        capacity: int,
        make_room: Callable[[], int] = lambda: 0,
        max_bytes: int | None = None,
    ) -> None:
        self._store, self._clock, self._make_room = store, clock, make_room
        self._backlog = Backlog(capacity)
        self._failing_since_utc: float | None = None
        self._reason = ""
        self._delay_s = FIRST_RETRY_S
        self._retry_s = float("-inf")
        self._committed = self._declared = self._transactions = self._checkpointed = 0
        self._duplicates = self._unrecordable = 0
        self._damaged = ""
        self._max_bytes = max_bytes
        self._trim_s = float("-inf")
        self._trims = False
        self._trimmed = self._untold = 0
        self._freed, self._freed_told_s = 0, float("-inf")

    def open(self) -> None:
        """Open the store; a damaged database is kept aside and a new one begun. Raises what cannot be cured."""
        try:
            self._store.open()
        except StateDamaged as error:
            self._set_aside(error)
            self._store.open()

    def step(self, items: Iterable[Item] = ()) -> list[Receipt]:
        """Take `items` in, and commit what is due, in at most one transaction.

        Args:
            items: what is new, in order.

        Returns:
            What became certain, one receipt for each item that is owed one.
        """
        now = self._clock.now()
        receipts: list[Receipt] = [lost for item in items if (lost := self._backlog.add(item, now))]
        if max(self._backlog.due_s(), self._retry_s) <= now:
            receipts += self._commit()
        return receipts

    def tidy(self) -> None:
        """Checkpoint the store and bound its size; called when the receipts are out, so that no part waits for it."""
        self._tell_freed(self._clock.now())
        try:
            if self._transactions - self._checkpointed >= CHECKPOINT_EVERY:
                self._checkpointed = self._transactions
                self._store.checkpoint()
            if self._max_bytes is not None and self._clock.now() >= self._trim_s and self._failing_since_utc is None:
                self._trim(self._max_bytes)
        except (StateDamaged, Unavailable) as error:
            self._failed(error)

    def next_wake_s(self) -> float:
        """When `step` has something to do, if nothing new comes [s, host monotonic]."""
        due_s = max(self._backlog.due_s(), self._retry_s)
        return min(due_s, self._trim_s) if self._trims else due_s

    def finish(self) -> list[Receipt]:
        """Commit everything that waits, without patience; what cannot be is rejected. Then close."""
        receipts: list[Receipt] = []
        while self._backlog.due_s() < float("inf"):
            before = self._transactions
            receipts += self._commit()
            if self._transactions == before:
                break
        self.close()
        return receipts + self._backlog.give_up()

    def close(self) -> None:
        """Close the store as it is; safe twice."""
        self._store.close()

    def status(self) -> LedgerStatus:
        """Say how the ledger is."""
        backlog = self._backlog
        return LedgerStatus(
            failing_since_utc=self._failing_since_utc,
            reason=self._reason,
            waiting=backlog.waiting,
            undeclared=backlog.undeclared,
            committed=self._committed,
            declared=self._declared,
            transactions=self._transactions,
            duplicates=self._duplicates,
            unrecordable=self._unrecordable,
            lost=backlog.lost,
            events_dropped=backlog.events_dropped,
            updates_dropped=backlog.updates_dropped,
            damaged=self._damaged,
            begun_utc=self._store.begun_utc,
            trimmed=self._trimmed,
            untold=self._untold,
        )

    def _commit(self) -> list[Receipt]:
        batch = self._backlog.batch(self._clock.utc())
        try:
            self.open()
            written = self._store.write(batch)
        except StateDamaged as error:
            self._failed(error)
            self._try_to_set_aside(error)
            return []
        except (Unavailable, ConfigError) as error:
            freed = self._make_room() if isinstance(error, DiskFull) else 0
            if freed:
                self._made_room(freed)
            else:
                self._failed(error)
            return []
        receipts = self._backlog.settle(batch, written, self._clock.now())
        self._recovered()
        self._transactions += 1
        self._declared += written.declared
        self._committed += sum(isinstance(r, Committed) and isinstance(r.item, Part) for r in receipts)
        self._report(receipts, [str(error) for error in written.refused])
        return receipts

    def _trim(self, max_bytes: int) -> None:
        trimmed = self._store.trim(max_bytes, self._clock.utc())
        self._trims = trimmed is not None
        self._trim_s = self._clock.now() + (TRIM_AGAIN_S if self._trims else TRIM_LOOK_S)
        if trimmed is None:
            return
        self._trimmed += trimmed.parts
        self._untold += trimmed.untold
        if trimmed.is_new:
            message = f"the ledger is larger than {max_bytes / 1e6:.0f} MB: the oldest parts go, untold as they are"
            self._note("warning", "quota", message)

    def _failed(self, error: StateDamaged | Unavailable | ConfigError) -> None:
        self._store.close()
        self._backlog.failed()
        if self._failing_since_utc is None:
            self._failing_since_utc = self._clock.utc()
            self._note("error", "disk_failed", f"the ledger cannot be written: {error.message}")
        self._reason = error.message
        self._trims = False
        self._retry_s = self._clock.now() + self._delay_s
        self._delay_s = min(2.0 * self._delay_s, LAST_RETRY_S)

    def _made_room(self, freed: int) -> None:
        """Write again at once what pictures made room for; say so once a minute, with all that went since."""
        self._store.close()
        self._backlog.failed()
        now = self._retry_s = self._clock.now()
        self._freed += freed
        self._tell_freed(now)

    def _tell_freed(self, now: float) -> None:
        if self._freed and now >= self._freed_told_s + FREED_AGAIN_S:
            message = f"the disk is full: {self._freed / 1e6:.1f} MB of kept pictures and windows made room for answers"
            self._note("warning", "made_room", message, freed_bytes=self._freed)
            self._freed, self._freed_told_s = 0, now

    def _recovered(self) -> None:
        self._delay_s, self._retry_s = FIRST_RETRY_S, float("-inf")
        if self._failing_since_utc is not None:
            seconds = self._clock.utc() - self._failing_since_utc
            message = f"the ledger can be written again, after {seconds:.1f} s"
            self._failing_since_utc, self._reason = None, ""
            self._note("info", "disk_back", message, lost=self._backlog.lost)

    def _try_to_set_aside(self, damage: StateDamaged) -> None:
        try:
            self._set_aside(damage)
        except (Unavailable, ConfigError) as error:
            self._reason = error.message

    def _set_aside(self, damage: StateDamaged) -> None:
        self._damaged = str(self._store.set_aside(self._clock.utc()))
        message = f"{damage.message}; it is kept as {self._damaged} and a new ledger was begun"
        self._note("error", "ledger_damaged", message, kept=self._damaged)

    def _report(self, receipts: list[Receipt], refused: list[str]) -> None:
        rejected = [receipt for receipt in receipts if isinstance(receipt, Rejected)]
        duplicates = [receipt.reason for receipt in rejected if receipt.cause == "duplicate"]
        unrecordable = [receipt.reason for receipt in rejected if receipt.cause == "unrecordable"] + refused
        self._duplicates += len(duplicates)
        self._unrecordable += len(unrecordable)
        for kind, reasons in (("duplicate", duplicates), ("unrecordable", unrecordable)):
            if reasons:
                self._note("warning", kind, f"{len(reasons)} not recorded, the first: {reasons[0]}")

    def _note(self, severity: str, kind: str, message: str, **data: object) -> None:
        event = Event(self._clock.utc(), severity, "ledger", kind, message, data)
        self._backlog.add(event, self._clock.now())
