"""The writer's thread, on a real database: what it promises to whoever offers."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_parts import SERIES, part

from edge_agent.errors import Unavailable
from edge_agent.ledger import (
    Acted,
    Committed,
    LedgerStatus,
    LedgerWriter,
    Misses,
    Pictured,
    Reader,
    Receipt,
    Rejected,
    Word,
    WordKind,
)
from edge_agent.records import Action, Event, Gated, Outcome
from edge_agent.runtime.clock import SystemClock

PATIENCE_S = 20.0
CLOCK = SystemClock()


class Desk:
    """Where receipts arrive; can be made to keep the writer's thread waiting."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.errors: list[tuple[str, Exception]] = []
        self.open = threading.Event()
        self.open.set()
        self.arrived = threading.Condition()

    def deliver(self, receipt: Receipt) -> None:
        self.open.wait(PATIENCE_S)
        with self.arrived:
            self.receipts.append(receipt)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.receipts) >= count, PATIENCE_S)


@pytest.fixture
def desk() -> Desk:
    return Desk()


Make = Callable[..., LedgerWriter]


@pytest.fixture
def make(tmp_path: Path, desk: Desk) -> Iterator[Make]:
    made: list[LedgerWriter] = []

    def make(queue: int = 64, deliver: Callable[[Receipt], object] = desk.deliver) -> LedgerWriter:
        writer = LedgerWriter(
            tmp_path,
            CLOCK,
            deliver=deliver,
            on_error=lambda name, error: desk.errors.append((name, error)),
            queue=queue,
        )
        made.append(writer)
        return writer

    yield make
    desk.open.set()
    for writer in made:
        writer.close()
        assert writer.join(CLOCK.now() + PATIENCE_S)


def ended(writer: LedgerWriter) -> LedgerStatus:
    writer.close()
    assert writer.join(CLOCK.now() + PATIENCE_S)
    return writer.status()


def test_a_receipt_means_that_other_processes_see_the_row(make: Make, desk: Desk, tmp_path: Path) -> None:
    writer = make()
    writer.open()
    item = part(1)
    writer.offer(item)
    desk.wait_for(1)
    (receipt,) = desk.receipts
    with Reader(tmp_path) as reader:
        (found,) = reader.parts_of(SERIES, [1])

    assert isinstance(receipt, Committed)
    assert receipt.item is item
    assert found.id == receipt.id


def test_what_was_offered_is_written_before_the_end(make: Make, desk: Desk, tmp_path: Path) -> None:
    writer = make()
    writer.open()
    writer.offer(part(1))
    writer.offer(Acted(SERIES, 1, Action.REJECT, 99.0, committed_late=True))
    writer.offer(Gated(SERIES, 1, "done", 12.5))
    writer.offer(Pictured(SERIES, 1, "ab" * 32))
    writer.offer(Event(1.0, "info", "camera", "dark_picture", "it is dark"))
    writer.offer(Misses(SERIES, 2, 3000, "restart"))
    status = ended(writer)
    with Reader(tmp_path) as reader:
        kept, counts, events = reader.part(1), reader.counts(), reader.events(9)

    assert (kept.action, kept.times.acted_s, kept.picture) == (Action.REJECT, 99.0, "ab" * 32)
    assert (kept.gate, kept.gate_off_us) == ("done", 12.5)
    assert kept.committed_late
    assert kept.times.committed_s == desk.receipts[0].committed_s
    assert counts[Outcome.MISSED] == status.declared == 2999
    assert [event.kind for event in events] == ["dark_picture"]


def test_parts_that_wait_are_committed_as_a_group(make: Make, desk: Desk) -> None:
    writer = make()
    writer.open()
    desk.open.clear()
    for number in range(1, 51):
        assert writer.offer(part(number))
    desk.open.set()
    desk.wait_for(50)
    status = ended(writer)

    assert status.committed == 50
    assert status.transactions <= 4  # one for the first, one for the rest, and what rode along


def test_a_part_that_is_refused_becomes_a_miss(make: Make, desk: Desk, tmp_path: Path) -> None:
    writer = make(queue=2)
    writer.open()
    desk.open.clear()
    accepted = [writer.offer(part(number)) for number in range(1, 30)]
    desk.open.set()
    status = ended(writer)
    with Reader(tmp_path) as reader:
        counts, gaps = reader.counts(), reader.unanswered(SERIES, 29)
        causes = {found.verdict.cause for found in reader.recent(99, [Outcome.MISSED])}

    refused = accepted.count(False)
    assert refused == writer.mailbox().refused > 0
    assert (counts[Outcome.OK], counts[Outcome.MISSED]) == (29 - refused, refused)
    assert len(desk.receipts) == status.committed == 29 - refused
    assert causes == {"disk"}
    assert gaps == []


def test_words_are_answered(make: Make, desk: Desk) -> None:
    writer = make()
    writer.open()
    writer.offer(part(1))
    writer.offer(Word(1, WordKind.CORRECT, "pit", 5.0))
    writer.offer(Word(77, WordKind.CORRECT, "pit", 5.0))
    desk.wait_for(3)

    assert [type(receipt) for receipt in desk.receipts] == [Committed, Committed, Rejected]
    assert getattr(desk.receipts[2], "reason", "") == "there is no part 77"


def test_after_the_end_nothing_is_accepted(make: Make, desk: Desk) -> None:
    writer = make()
    writer.open()
    ended(writer)

    assert not writer.offer(part(1))
    assert desk.receipts == []


def test_opening_can_be_tried_again(make: Make, desk: Desk) -> None:
    first, second = make(), make()
    first.open()
    with pytest.raises(Unavailable, match="another process writes"):
        second.open()
    assert second.join(CLOCK.now())
    ended(first)
    second.open()
    second.open()
    second.offer(part(1))
    desk.wait_for(1)


def test_a_damaged_ledger_is_kept_aside_and_said(make: Make, desk: Desk, tmp_path: Path) -> None:
    first = make()
    first.open()
    ended(first)
    damaged = b"damaged" * 1000
    (tmp_path / "ledger.db").write_bytes(damaged)
    writer = make()
    writer.open()
    writer.offer(part(1))
    desk.wait_for(1)
    status = ended(writer)
    with Reader(tmp_path) as reader:
        events = reader.events(9)

    assert Path(status.damaged).read_bytes() == damaged
    assert [(event.severity, event.kind) for event in events] == [("error", "ledger_damaged")]
    assert isinstance(desk.receipts[0], Committed)


def test_a_bug_is_reported_and_ends_the_thread_without_holding_the_ledger(make: Make, desk: Desk) -> None:
    def broken(receipt: Receipt) -> None:
        raise KeyError("gain")

    writer = make(deliver=broken)
    writer.open()
    writer.offer(part(1))
    assert writer.join(CLOCK.now() + PATIENCE_S)
    heir = make()
    heir.open()

    assert [(name, type(error)) for name, error in desk.errors] == [("ledger", KeyError)]
