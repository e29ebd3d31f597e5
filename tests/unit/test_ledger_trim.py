"""When the oldest parts go: now and then, quickly while there is too much, and not while the disk fails."""

from __future__ import annotations

from ledger_parts import DISK_FAILS, MemoryStore, part

from edge_agent.ledger.backlog import ASIDES, Backlog
from edge_agent.ledger.committer import TRIM_AGAIN_S, TRIM_LOOK_S, Committer
from edge_agent.ledger.items import Mark, Reached, SetAside
from edge_agent.ledger.retention import Trimmed
from edge_agent.testing.clock import ManualClock


def committer(store: MemoryStore, clock: ManualClock) -> Committer:
    made = Committer(store, clock, 100, max_bytes=10**6)
    made.step([part(1)])
    return made


def test_more_goes_soon_while_there_is_too_much_and_then_one_looks_now_and_then() -> None:
    store, clock = MemoryStore(), ManualClock()
    store.trims = [Trimmed(100), Trimmed(100, 60, is_new=True)]
    ledger = committer(store, clock)
    ledger.tidy()
    assert ledger.next_wake_s() == clock.now() + TRIM_AGAIN_S
    ledger.tidy()
    assert ledger.status().trimmed == 100
    clock.advance(TRIM_AGAIN_S)
    ledger.tidy()
    clock.advance(TRIM_AGAIN_S)
    ledger.tidy()

    assert (ledger.status().trimmed, ledger.status().untold) == (200, 60)
    assert ledger.next_wake_s() > clock.now() + TRIM_AGAIN_S  # only the event about it waits
    store.trims = [Trimmed(100)]
    clock.advance(TRIM_LOOK_S)
    ledger.tidy()
    assert ledger.status().trimmed == 300


def test_a_gap_is_an_event_when_it_begins() -> None:
    store, clock = MemoryStore(), ManualClock()
    store.trims = [Trimmed(100, 100, is_new=True), Trimmed(100, 100)]
    ledger = committer(store, clock)
    for _ in range(2):
        ledger.tidy()
        clock.advance(1.0)
        ledger.step()

    assert [event.kind for batch in store.batches for event in batch.events] == ["quota"]


def test_nothing_goes_while_the_disk_fails() -> None:
    store, clock = MemoryStore([DISK_FAILS]), ManualClock()
    store.trims = [Trimmed(100)]
    ledger = committer(store, clock)
    ledger.tidy()

    assert ledger.status().trimmed == 0


def test_a_ledger_without_a_limit_keeps_everything() -> None:
    store, clock = MemoryStore(), ManualClock()
    store.trims = [Trimmed(100)]
    ledger = Committer(store, clock, 100)
    ledger.step([part(1)])
    ledger.tidy()

    assert ledger.status().trimmed == 0


def test_how_far_the_console_is_rides_with_the_next_commit_newest_first() -> None:
    backlog = Backlog(10)
    backlog.add(Reached("ab", {"part": 5}, 1), 0.0)
    backlog.add(Reached("ab", {"part": 7}, 2), 0.1)
    for value in ("old", "new"):
        backlog.add(Mark("subscriptions", value), 0.2)

    assert backlog.due_s() == 0.5
    assert backlog.batch(0.0).told == Reached("ab", {"part": 7}, 2)
    assert backlog.batch(0.0).marks == {"subscriptions": "new"}


def test_what_is_set_aside_waits_in_a_queue_with_an_end() -> None:
    backlog = Backlog(10)
    for number in range(ASIDES + 3):
        backlog.add(SetAside("ab", "part", number, number, "unsendable", 0.0), 0.0)

    assert [aside.last for aside in backlog.batch(0.0).asides] == list(range(3, ASIDES + 3))
    assert backlog.updates_dropped == 3
