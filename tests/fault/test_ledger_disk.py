"""A disk that really refuses: no room for the database, then for its log, then room again."""

import subprocess
import sys
import textwrap
from pathlib import Path

from ledger_parts import SERIES, part

from edge_agent.ledger import Committed, Reader, Receipt
from edge_agent.ledger.committer import Committer
from edge_agent.ledger.store import Store
from edge_agent.records import Outcome
from edge_agent.testing.clock import ManualClock


class Small(Store):
    """A database that may not grow beyond some pages, until it may."""

    most_pages = 30

    def open(self) -> None:
        super().open()
        assert self._database is not None
        self._database.execute(f"PRAGMA max_page_count = {self.most_pages}")


def test_no_room_for_rows_costs_no_trigger(tmp_path: Path) -> None:
    clock, store = ManualClock(), Small(tmp_path / "ledger.db")
    committer = Committer(store, clock, capacity=20)
    receipts: list[Receipt] = []
    for number in range(1, 301):
        receipts += committer.step([part(number)])
        clock.advance(0.1)
    failing = committer.status()
    store.most_pages = 10_000
    for _ in range(50):
        clock.advance(1.0)
        receipts += committer.step()
    committer.finish()
    with Reader(tmp_path) as reader:
        counts, gaps, problems = reader.counts(), reader.unanswered(SERIES, 300), reader.problems()
        kinds = [event.kind for event in reversed(reader.events(99))]

    assert failing.reason.startswith("no room on the disk")
    assert failing.lost > 0
    assert counts[Outcome.MISSED] == failing.lost
    assert counts[Outcome.OK] == 300 - failing.lost == sum(isinstance(receipt, Committed) for receipt in receipts)
    assert (gaps, problems) == ([], [])
    assert kinds == ["disk_failed", "disk_back"]


CHILD = textwrap.dedent(
    """
    import resource, sys, threading
    from pathlib import Path
    from ledger_parts import part
    from edge_agent.ledger import LedgerWriter
    from edge_agent.runtime.clock import SystemClock

    clock, receipts, done = SystemClock(), [], threading.Event()
    writer = LedgerWriter(
        Path(sys.argv[1]), clock, deliver=receipts.append, on_error=lambda name, error: print(error), queue=4096
    )
    writer.open()

    def until(condition):
        give_up_at = clock.now() + 120.0
        while not condition() and clock.now() < give_up_at:
            done.wait(0.01)

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    for number in range(1, 501):
        writer.offer(part(number))
    until(lambda: writer.status().failing_since_utc is not None)
    failing = writer.status()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    until(lambda: writer.status().committed == 500)
    writer.close()
    ended = writer.join(clock.now() + 120.0)
    print(failing.failing_since_utc is not None, "cannot be used" in failing.reason, len(receipts), ended)
    """
)


def test_a_log_that_cannot_grow_is_survived_by_the_real_thread(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    with Reader(tmp_path) as reader:
        counts, gaps, problems = reader.counts(), reader.unanswered(SERIES, 500), reader.problems()

    assert (ran.stdout, ran.stderr) == ("True True 500 True\n", "")
    assert counts[Outcome.OK] == 500
    assert (gaps, problems) == ([], [])
