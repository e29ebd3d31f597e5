"""What a verdict costs on this machine in any program: one commit that the disk has, and the wakes of three threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.ledger.database import Database, open_writer
from edge_agent.runtime.clock import Clock

if TYPE_CHECKING:
    from edge_agent.ledger.driver import Schema

WAKES: Final = 3
"""From the loop to the device, back, and to the ledger."""

ROW_BYTES: Final = 800
"""About what a part takes in the ledger."""

WAKE_TIMEOUT_S: Final = 1.0
"""No thread takes that long to wake."""


def _table(schema: Schema) -> None:
    schema.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")


class Floor:
    """A ledger of one bare table, and a thread that only wakes. Belongs to the measuring thread.

    Args:
        folder: on the disk to be measured.
        clock: tells the time and waits.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._database: Database = open_writer(folder / "floor.db", [_table])
        self._woken_s = 0.0
        self._stopping = False
        self._ask, self._answer = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="floor")
        self._thread.start()

    def measure(self) -> float:
        """Commit one row and wake a thread as often as a part does; give how long that takes [s]."""
        began_s = self._clock.now()
        with self._database.transaction():
            self._database.execute("INSERT INTO rows (body) VALUES (zeroblob(?))", (ROW_BYTES,))
        spent_s = self._clock.now() - began_s
        for _ in range(WAKES):
            asked_s = self._clock.now()
            self._ask.set()
            self._clock.wait(self._answer, asked_s + WAKE_TIMEOUT_S)
            self._answer.clear()
            spent_s += self._woken_s - asked_s
        return spent_s

    def close(self) -> None:
        """End the thread and close the ledger."""
        self._stopping = True
        self._ask.set()
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        while not self._stopping:
            self._ask.wait()
            self._woken_s = self._clock.now()
            self._ask.clear()
            self._answer.set()
