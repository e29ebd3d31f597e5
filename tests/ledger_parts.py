"""Parts, a store in memory and a disk fault to hand to the ledger's tests."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger.batch import Batch, Duplicate, Written
from edge_agent.ledger.retention import Trimmed
from edge_agent.records import Anomaly, Embedding, Modality, Outcome, Part, Times, Trigger, Verdict

SERIES = "sim-1"


def part(number: int, series: str = SERIES, outcome: Outcome = Outcome.OK, utc: float = 1_700_000_000.0) -> Part:
    """A part as the station commits it."""
    t = 10.0 + number
    return Part(
        trigger=Trigger(series, number, t, truth="good"),
        verdict=Verdict(outcome, "good", 0.9, 0.5, 3.5, "", ()),
        times=Times(t, t + 0.03, t + 0.08, t + 0.09, t + 0.091),
        recipe="default",
        knowledge="ab" * 32,
        embedding=Embedding(np.arange(128, dtype=np.int16), frozenset(Modality), anomaly=Anomaly("cd" * 8, 3.25, None)),
        decided_utc=utc + number,
    )


def missed(number: int, series: str = SERIES) -> Part:
    """A trigger that the loop itself declares as a miss."""
    return Part(Trigger(series, number, math.nan), Verdict(Outcome.MISSED, cause="late"), Times(math.nan), "default")


class MemoryStore:
    """Rows in a dictionary, and a script of what the disk does at each write.

    A script entry is an error to raise, or a pair (error, True) for a write that reached the disk all the same.
    """

    def __init__(self, script: list[object] | None = None) -> None:
        self.script = list(script or [])
        self.rows: dict[tuple[str, int], str] = {}
        self.ids: dict[tuple[str, int], int] = {}
        self.batches: list[Batch] = []
        self.is_open = False
        self.begun_utc = 0.0
        self.trims: list[Trimmed] = []
        self.aside: list[float] = []
        self.checkpoints: list[int] = []  #: how many batches there were at each of them

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def set_aside(self, utc: float) -> Path:
        self.aside.append(utc)
        self.rows.clear()
        return Path("/state/ledger.db.damaged")

    def write(self, batch: Batch) -> Written:
        assert self.is_open
        error, durable = None, True
        if self.script:
            entry = self.script.pop(0)
            error, durable = entry if isinstance(entry, tuple) else (entry, entry is None)
        if durable:
            written = self._write(batch)
        if error is not None:
            raise error
        return written

    def trim(self, max_bytes: int, utc: float) -> Trimmed | None:
        assert self.is_open
        return self.trims.pop(0) if self.trims else None

    def checkpoint(self) -> None:
        assert self.is_open
        if self.script:
            raise self.script.pop(0)
        self.checkpoints.append(len(self.batches))

    def _write(self, batch: Batch) -> Written:
        self.batches.append(batch)
        rows: list[int | BadData] = []
        for item in batch.items:
            if not isinstance(item, Part):
                rows.append(len(rows) + 1)
                continue
            key = (item.trigger.series, item.trigger.number)
            if math.isinf(item.decided_utc):
                rows.append(BadData("unrecordable"))
            elif key not in self.rows:
                self.rows[key] = item.verdict.outcome.value
                self.ids[key] = len(self.ids) + 1
                rows.append(self.ids[key])
            elif batch.again and self.rows[key] == item.verdict.outcome.value:
                rows.append(self.ids[key])
            else:
                rows.append(Duplicate("twice"))
        declared = 0
        for miss in batch.misses:
            for number in range(miss.first, miss.last + 1):
                declared += (miss.series, number) not in self.rows
                self.rows.setdefault((miss.series, number), f"MISSED {miss.cause}")
        return Written(rows, (), declared)


DISK_FAILS = Unavailable("the disk reports a fault")
DAMAGED = StateDamaged("the file is damaged")
