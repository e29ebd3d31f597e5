"""What the ledger does on a failing disk, stepped by hand: no thread, no file, no waiting."""

from dataclasses import replace

from ledger_parts import DAMAGED, DISK_FAILS, SERIES, MemoryStore, missed, part

from edge_agent.ledger import Acted, Committed, Misses, Pictured, Receipt, Rejected, Word, WordKind
from edge_agent.ledger.backlog import BATCH_PARTS, EVENTS, LAZY_S, WORDS
from edge_agent.ledger.batch import Batch, Late, Written
from edge_agent.ledger.committer import CHECKPOINT_EVERY, FIRST_RETRY_S, LAST_RETRY_S, Committer
from edge_agent.ledger.files import DiskFull
from edge_agent.records import Action, Event, Part
from edge_agent.testing.clock import ManualClock

FULL = DiskFull("no room on the disk")


def word(label: str = "pit") -> Word:
    return Word(1, WordKind.CORRECT, label, 5.0)


def event(number: int = 0) -> Event:
    return Event(float(number), "info", "camera", "dark_picture", "it is dark")


def kinds(store: MemoryStore) -> list[str]:
    return [written.kind for batch in store.batches for written in batch.events]


def step_until(committer: Committer, clock: ManualClock, until: float) -> list[Receipt]:
    receipts: list[Receipt] = []
    while (due := committer.next_wake_s()) <= until:
        clock.advance_to(max(due, clock.now()))
        receipts += committer.step()
    clock.advance_to(until)
    return receipts


def test_everything_that_waits_is_one_transaction() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    committer.open()
    items = [part(1), part(2), word(), event(), Misses(SERIES, 7, 9, "restart")]
    receipts = committer.step(items)

    assert len(store.batches) == 1
    assert [receipt.item for receipt in receipts] == items[:3]
    assert all(isinstance(receipt, Committed) and receipt.committed_s == clock.now() for receipt in receipts)


def test_a_receipt_comes_only_after_the_disk_has_it() -> None:
    class Slow(MemoryStore):
        def write(self, batch: Batch) -> Written:
            clock.advance(0.25)
            return super().write(batch)

    clock = ManualClock()
    committer = Committer(Slow(), clock, 10)
    (receipt,) = committer.step([part(1)])

    assert isinstance(receipt, Committed)
    assert receipt.committed_s == 0.25


def test_what_needs_no_receipt_rides_along_but_not_for_ever() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    committer.step([event(), Acted(SERIES, 1, Action.REJECT, 3.0), Pictured(SERIES, 1, "ab")])
    waits = len(store.batches)
    step_until(committer, clock, LAZY_S)

    assert waits == 0
    assert len(store.batches) == 1
    assert store.batches[0].late == [((SERIES, 1), Late(None, 3.0, Action.REJECT, False, "ab"))]


def test_the_time_of_the_commit_is_filled_in_by_the_next_one() -> None:
    clock, store = ManualClock(5.0), MemoryStore()
    committer = Committer(store, clock, 10)
    committer.step([part(1)])
    clock.advance(0.1)
    committer.step([part(2), Acted(SERIES, 1, Action.PASS, 5.05)])

    assert store.batches[1].late == [((SERIES, 1), Late(5.0, 5.05, Action.PASS))]


def test_late_fields_wait_until_their_part_has_a_row() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 2 * BATCH_PARTS)
    many = [part(number) for number in range(1, BATCH_PARTS + 2)]
    committer.step([*many, Acted(SERIES, BATCH_PARTS + 1, Action.PASS, 1.0)])
    committer.step()

    assert [len(batch.items) for batch in store.batches] == [BATCH_PARTS, 1]
    assert store.batches[0].late == []
    assert dict(store.batches[1].late)[SERIES, BATCH_PARTS + 1].action is Action.PASS


def test_a_checkpoint_is_never_in_the_way_of_a_receipt_and_comes_once_in_a_while() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    for number in range(1, 2 * CHECKPOINT_EVERY + 1):
        committer.step([part(number)])
        assert len(store.checkpoints) == (number - 1) // CHECKPOINT_EVERY
        committer.tidy()

    assert store.checkpoints == [CHECKPOINT_EVERY, 2 * CHECKPOINT_EVERY]


def test_a_checkpoint_that_fails_is_a_failing_disk_and_costs_no_part() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    for number in range(1, CHECKPOINT_EVERY + 1):
        committer.step([part(number)])
    store.script = [DISK_FAILS]
    committer.tidy()
    status = committer.status()
    committer.step([part(CHECKPOINT_EVERY + 1)])
    step_until(committer, clock, LAST_RETRY_S)

    assert status.reason and status.failing_since_utc is not None
    assert committer.status().failing_since_utc is None
    assert committer.status().committed == CHECKPOINT_EVERY + 1


def test_a_failing_disk_is_tried_again_ever_more_rarely() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS] * 10)
    committer = Committer(store, clock, 10)
    committer.step([part(1)])
    waits = []
    while store.script:
        waits.append(committer.next_wake_s() - clock.now())
        clock.advance_to(committer.next_wake_s())
        committer.step()

    assert waits[:5] == [FIRST_RETRY_S * 2**n for n in range(5)]
    assert max(waits) == waits[-1] == LAST_RETRY_S


def test_a_failing_disk_is_not_hammered_by_new_parts() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS] * 10)
    committer = Committer(store, clock, 10)
    for number in range(1, 6):
        committer.step([part(number)])

    assert len(store.script) == 9
    assert not store.is_open


def test_a_failure_is_said_at_once_and_kept_for_later() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS, DISK_FAILS])
    committer = Committer(store, clock, 10)
    committer.step([part(1)])
    failing = committer.status()
    receipts = step_until(committer, clock, 10.0)

    assert (failing.failing_since_utc, failing.reason, failing.waiting) == (clock.utc() - 10.0, DISK_FAILS.message, 1)
    assert isinstance(receipts[0], Committed)
    assert (committer.status().failing_since_utc, committer.status().reason) == (None, "")
    assert kinds(store) == ["disk_failed", "disk_back"]


def test_what_does_not_fit_is_declared_when_the_disk_is_back() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS])
    committer = Committer(store, clock, 3)
    receipts = committer.step([part(number) for number in range(1, 8)])
    failing = committer.status()
    receipts += step_until(committer, clock, 10.0)

    assert [(r.item.trigger.number, r.cause) for r in receipts if isinstance(r, Rejected)] == [
        (number, "disk") for number in range(1, 5)
    ]
    assert (failing.lost, failing.undeclared, failing.waiting) == (4, 4, 3)
    assert {number: row for (_, number), row in store.rows.items()} == {
        **dict.fromkeys(range(1, 5), "MISSED disk"),
        **dict.fromkeys(range(5, 8), "OK"),
    }
    assert (committer.status().declared, committer.status().undeclared) == (4, 0)


def test_a_long_range_of_misses_does_not_hold_up_the_parts() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    committer.step([Misses(SERIES, 1, 5000, "restart")])
    (receipt,) = committer.step([part(6000)])

    assert isinstance(receipt, Committed)
    assert committer.status().undeclared == 3000
    step_until(committer, clock, 1.0)
    assert committer.status().declared == 5000


def test_a_trigger_answered_twice_is_counted_and_reported() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    receipts = committer.step([part(1), part(1), part(2), missed(2)])
    step_until(committer, clock, 1.0)

    assert [getattr(receipt, "cause", "") for receipt in receipts] == ["", "duplicate", "", "duplicate"]
    assert committer.status().duplicates == 2
    assert kinds(store) == ["duplicate"]


def test_a_part_that_no_row_can_hold_becomes_a_miss() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    (receipt,) = committer.step([replace(part(1), decided_utc=float("inf"))])
    step_until(committer, clock, 1.0)

    assert isinstance(receipt, Rejected)
    assert store.rows == {(SERIES, 1): "MISSED unrecordable"}
    assert kinds(store) == ["unrecordable"]


def test_a_commit_that_failed_after_it_reached_the_disk_is_not_a_duplicate() -> None:
    clock, store = ManualClock(), MemoryStore([(DISK_FAILS, True)])
    committer = Committer(store, clock, 10)
    committer.step([part(1), part(2)])
    receipts = step_until(committer, clock, 10.0)

    assert [type(receipt) for receipt in receipts] == [Committed, Committed]
    assert committer.status().duplicates == 0


def test_a_full_disk_is_tried_at_once_when_pictures_made_room() -> None:
    clock, store = ManualClock(), MemoryStore([FULL, FULL, FULL])
    freed = [1 << 20, 1 << 20, 0]
    committer = Committer(store, clock, 10, make_room=lambda: freed.pop(0))
    committer.step([part(1)])
    receipts = committer.step() + committer.step()

    assert receipts == []
    assert freed == []
    assert committer.next_wake_s() > clock.now()
    assert step_until(committer, clock, 10.0) != []
    assert kinds(store) == ["made_room", "disk_failed", "disk_back"]


def test_a_full_disk_that_pictures_make_room_on_is_said_once_a_minute_and_is_no_failing_one() -> None:
    clock, store = ManualClock(), MemoryStore([FULL, None, FULL, None, FULL, None])
    committer = Committer(store, clock, 10, make_room=lambda: 1_500_000)
    for number, wait_s in ((1, 0.0), (2, 1.0), (3, 60.0), (4, 0.0)):
        clock.advance(wait_s)
        committer.step([part(number)])
        assert committer.status().failing_since_utc is None
        committer.step()
    step_until(committer, clock, clock.now() + 10.0)

    assert kinds(store) == ["made_room", "made_room"]
    told = [event for batch in store.batches for event in batch.events]
    assert [event.data["freed_bytes"] for event in told] == [1_500_000, 3_000_000]


def test_what_went_after_it_was_said_is_said_too_though_the_disk_has_room_again() -> None:
    clock, store = ManualClock(), MemoryStore([FULL, None, FULL])
    committer = Committer(store, clock, 10, make_room=lambda: 1_500_000)
    for number in (1, 2):
        committer.step([part(number)])
        committer.step()
    clock.advance(61.0)
    committer.tidy()
    step_until(committer, clock, clock.now() + 10.0)

    told = [event.data["freed_bytes"] for batch in store.batches for event in batch.events]
    assert told == [1_500_000, 1_500_000]


def test_other_faults_cost_no_pictures() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS])
    committer = Committer(store, clock, 10, make_room=lambda: 1 / 0)
    committer.step([part(1)])

    assert committer.status().reason == DISK_FAILS.message


def test_a_damaged_database_is_kept_and_the_part_goes_into_the_new_one() -> None:
    clock, store = ManualClock(), MemoryStore([None, DAMAGED])
    committer = Committer(store, clock, 10)
    committer.step([part(1)])
    committer.step([part(2)])
    receipts = step_until(committer, clock, 10.0)

    assert [receipt.item.trigger.number for receipt in receipts if isinstance(receipt.item, Part)] == [2]
    assert store.aside == [clock.utc() - 10.0]
    assert committer.status().damaged == "/state/ledger.db.damaged"
    assert kinds(store) == ["disk_failed", "ledger_damaged", "disk_back"]


def test_words_are_refused_rather_than_dropped() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS])
    committer = Committer(store, clock, 10)
    refused = committer.step([word(f"class-{number}") for number in range(WORDS + 1)])

    assert [(type(receipt), receipt.item.label) for receipt in refused if isinstance(receipt.item, Word)] == [
        (Rejected, f"class-{WORDS}")
    ]
    assert len(step_until(committer, clock, 10.0)) == WORDS


def test_events_give_up_their_place_counted() -> None:
    committer = Committer(MemoryStore([DISK_FAILS]), ManualClock(), 10)
    committer.step([part(1)])
    committer.step([event(number) for number in range(EVENTS + 9)])

    assert committer.status().events_dropped == 10


def test_late_fields_of_a_long_failure_are_bounded_and_counted() -> None:
    committer = Committer(MemoryStore([DISK_FAILS]), ManualClock(), 10)
    committer.step([part(1)])
    committer.step([Pictured(SERIES, number, "ab") for number in range(100, 200)])

    assert committer.status().updates_dropped == 80


def test_the_end_does_not_wait_for_what_may_ride_along() -> None:
    clock, store = ManualClock(), MemoryStore()
    committer = Committer(store, clock, 10)
    committer.step([part(1), event()])
    committer.step([Acted(SERIES, 1, Action.PASS, 1.0)])
    committer.finish()

    assert store.batches[-1].late == [((SERIES, 1), Late(0.0, 1.0, Action.PASS))]
    assert not store.is_open


def test_the_end_on_a_failing_disk_answers_everyone() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS] * 99)
    committer = Committer(store, clock, 10)
    items = [part(1), part(2), word()]
    committer.step(items)
    receipts = committer.finish()

    assert [(type(receipt), receipt.item) for receipt in receipts] == [(Rejected, item) for item in items]
    assert len(store.script) == 97
