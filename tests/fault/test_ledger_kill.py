"""The process is killed at any moment: what it acknowledged is there, and every trigger has one row in the end."""

import contextlib
import random
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from ledger_parts import SERIES

from edge_agent.ledger import LedgerWriter, Reader
from edge_agent.records import Outcome
from edge_agent.runtime.clock import SystemClock

KILLS = 6
CLOCK = SystemClock()

CHILD = textwrap.dedent(
    """
    import os, sys, threading
    from pathlib import Path
    from ledger_parts import part
    from edge_agent.ledger import LedgerWriter
    from edge_agent.runtime.clock import SystemClock

    def tell(line):
        os.write(1, (line + "\\n").encode())

    pause, eager = threading.Event(), sys.argv[3] == "eager"
    writer = LedgerWriter(
        Path(sys.argv[1]),
        SystemClock(),
        deliver=lambda receipt: None if eager else tell(f"answered {receipt.item.trigger.number}"),
        on_error=lambda name, error: tell(f"error {error!r}"),
        queue=256,
    )
    writer.open()
    tell("opened 0")
    number = int(sys.argv[2])
    while True:
        number += 1
        tell(f"trigger {number}")
        writer.offer(part(number))
        if eager:
            tell(f"answered {number}")
        if number % 7 == 0:
            pause.wait(0.002)
    """
)


class Line:
    """A trigger source that goes on counting while stations are killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.answered: list[int] = []

    def run_and_kill(self, after_s: float, manner: str = "honest") -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(self.folder), str(self.count), manner],
            env={"PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "opened 0\n"
        killer = threading.Timer(after_s, child.kill)
        killer.start()
        for line in child.stdout:
            word, number = line.split()
            if word == "trigger":
                self.count = int(number)
            else:
                assert word == "answered", line
                self.answered.append(int(number))
        child.wait()
        child.stdout.close()
        killer.join()

    def check_answers(self) -> None:
        with Reader(self.folder) as reader:
            assert reader.problems() == []
            rows = {row.trigger.number for row in reader.parts() if row.verdict.outcome is Outcome.OK}
        assert set(self.answered) <= rows

    def declare(self) -> int:
        """What the next start does."""
        writer = LedgerWriter(
            self.folder, CLOCK, deliver=lambda receipt: None, on_error=lambda name, error: None, queue=8
        )
        writer.open()
        with Reader(self.folder) as reader:
            for missed in reader.unanswered(SERIES, self.count):
                writer.offer(missed)
        writer.close()
        assert writer.join(CLOCK.now() + 20.0)
        return writer.status().declared


def test_nothing_acknowledged_is_lost_and_nothing_is_uncounted(tmp_path: Path) -> None:
    line = Line(tmp_path)
    pick = random.Random(1)
    for _ in range(KILLS):
        line.run_and_kill(pick.uniform(0.01, 0.25))
        line.check_answers()
        line.declare()
    with Reader(tmp_path) as reader:
        counts = reader.counts()
        numbers = sorted(row.trigger.number for row in reader.parts())

    assert numbers == list(range(1, line.count + 1))
    assert sum(counts.values()) == line.count
    assert counts[Outcome.OK] >= len(line.answered) > 0


def test_the_check_has_teeth(tmp_path: Path) -> None:
    """A station that answers before the commit fails it, as soon as one commit is held up."""
    line = Line(tmp_path)
    line.declare()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        line.run_and_kill(0.1, "eager")
        other.execute("ROLLBACK")

    assert line.answered
    with pytest.raises(AssertionError):
        line.check_answers()
