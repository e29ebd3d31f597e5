"""Whatever the disk does, and whatever arrives: each trigger has one row in the end, each item one receipt."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_parts import DAMAGED, DISK_FAILS, SERIES, MemoryStore, part

from edge_agent.errors import ConfigError
from edge_agent.ledger import Acted, Committed, Misses, Receipt, Rejected
from edge_agent.ledger.backlog import Backlog
from edge_agent.ledger.committer import Committer
from edge_agent.ledger.files import DiskFull
from edge_agent.ledger.losses import Losses
from edge_agent.records import Action, Part
from edge_agent.testing.clock import ManualClock

disk = st.lists(
    st.sampled_from(
        [None, DISK_FAILS, DiskFull("no room"), ConfigError("read-only"), (DISK_FAILS, True), (DISK_FAILS, False)]
    ),
    max_size=12,
)
steps = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([0.0, 0.1, 1.0, 20.0])), max_size=25)


def run(committer: Committer, clock: ManualClock, script: list[tuple[int, float]]) -> tuple[list[Part], list[Receipt]]:
    offered: list[Part] = []
    receipts: list[Receipt] = []
    for arriving, seconds in script:
        new = [part(len(offered) + 1 + n) for n in range(arriving)]
        offered += new
        acted = [Acted(SERIES, p.trigger.number, Action.PASS, clock.now()) for p in new]
        receipts += committer.step([*new, *acted])
        clock.advance(seconds)
    for _ in range(400):
        clock.advance(20.0)
        receipts += committer.step()
    return offered, receipts + committer.finish()


def check(offered: list[Part], receipts: list[Receipt], store: MemoryStore) -> None:
    assert Counter(id(receipt.item) for receipt in receipts) == Counter(id(item) for item in offered)
    assert set(store.rows) == {(SERIES, item.trigger.number) for item in offered}
    for receipt in receipts:
        row = store.rows[SERIES, receipt.item.trigger.number]
        if isinstance(receipt, Committed):
            assert (row, receipt.id) == ("OK", store.ids[SERIES, receipt.item.trigger.number])
        else:
            assert receipt.cause == "disk"
            assert row in ("MISSED disk", "OK")  # OK: the disk had it, though it said otherwise


@given(disk, steps, st.integers(1, 8))
def test_conservation(faults: list[object], script: list[tuple[int, float]], capacity: int) -> None:
    clock, store = ManualClock(), MemoryStore(faults)
    committer = Committer(store, clock, capacity)
    offered, receipts = run(committer, clock, script)

    check(offered, receipts, store)
    status = committer.status()
    assert (status.waiting, status.undeclared, status.failing_since_utc) == (0, 0, None)
    assert status.committed + status.lost == len(offered)
    assert not store.is_open


class Forgetful(Backlog):
    """Wrong: what gives up its place is dropped without being remembered."""

    def _declare(self, part: Part, cause: str) -> None:
        pass


def test_the_conservation_test_has_teeth() -> None:
    clock, store = ManualClock(), MemoryStore([DISK_FAILS] * 3)
    committer = Committer(store, clock, capacity=2)
    committer._backlog = Forgetful(2)

    with pytest.raises(AssertionError):
        check(*run(committer, clock, [(5, 0.1)]), store)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10), st.sampled_from(["disk", "restart"]))), st.integers(1, 9)
)
def test_losses_give_back_exactly_what_was_lost(added: list[tuple[int, int, str]], most: int) -> None:
    losses, expected, given_back = Losses(), Counter(), Counter()
    for first, extra, cause in added:
        losses.add(Misses(SERIES, first, first + extra, cause))
        expected.update((number, cause) for number in range(first, first + extra + 1))
    while head := losses.head(most):
        size = sum(missed.last - missed.first + 1 for missed in head)
        assert size == min(most, len(losses))
        given_back.update((n, missed.cause) for missed in head for n in range(missed.first, missed.last + 1))
        losses.settle(head)

    assert given_back == expected
    assert len(losses) == 0


def test_a_long_failure_takes_no_memory() -> None:
    losses = Losses()
    for number in range(1, 100_001):
        losses.add(Misses(SERIES, number, number, "disk"))

    assert losses.take() == [Misses(SERIES, 1, 100_000, "disk")]


@given(st.lists(st.sampled_from([DAMAGED, DISK_FAILS, None]), max_size=8), steps)
def test_damage_costs_the_file_but_never_the_thread(faults: list[object], script: list[tuple[int, float]]) -> None:
    clock, store = ManualClock(), MemoryStore(faults)
    committer = Committer(store, clock, capacity=1000)
    offered, receipts = run(committer, clock, script)

    assert len(receipts) == len(offered)
    assert not any(isinstance(receipt, Rejected) for receipt in receipts)
    assert bool(store.aside) == (committer.status().damaged != "")
