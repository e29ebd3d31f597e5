"""What is missing is counted: the rule of samples holds after each block, an edge is received or lost, never both."""

import numpy as np
import pytest

from firmware_bridge.account import EdgeAccount, SampleAccount
from firmware_bridge.messages import Block, Edge

N = 4


def block(seq: int, first: int, dropped: int = 0) -> Block:
    return Block(seq, first, first * 40, dropped, 0, 2500, np.zeros((N, 3), np.int16))


def edge(seq: int, glitches: int = 0) -> Edge:
    return Edge(seq, seq * 1000, 0, 1, glitches)


def test_blocks_in_order_leave_nothing_missing() -> None:
    account = SampleAccount()

    assert [account.add(block(i, i * N)) for i in range(3)] == [0, 0, 0]
    assert (account.received, account.spanned) == (12, 12)


def test_a_block_lost_on_the_wire_and_samples_dropped_before_it_are_told_apart() -> None:
    account = SampleAccount()
    account.add(block(0, 0))

    missing = account.add(block(2, 2 * N + 8, dropped=8))

    assert missing == N + 8
    assert (account.received, account.dropped, account.lost, account.blocks_lost) == (2 * N, 8, N, 1)
    assert account.received + account.dropped + account.lost == account.spanned


def test_what_was_before_the_first_block_is_no_loss() -> None:
    account = SampleAccount()

    assert account.add(block(17, 900, dropped=40)) == 0
    assert account.spanned == N


def test_a_block_that_comes_again_or_late_is_not_used() -> None:
    account = SampleAccount()
    for i in (0, 1, 1, 0):
        account.add(block(i, i * N))

    assert account.stale == 2
    assert account.spanned == 2 * N


def test_block_numbers_wrap_at_two_to_the_32() -> None:
    account = SampleAccount()
    first = N * (2**32 - 1)

    assert account.add(block(2**32 - 1, first)) == 0
    assert account.add(block(0, first + N)) == 0
    assert account.blocks_lost == account.stale == 0


@pytest.mark.parametrize(
    "lie",
    [block(1, N - 1), block(1, N + 3), block(1, N, dropped=3), block(2, 2 * N, dropped=N + 1)],
    ids=["overlaps", "jumps without a reason", "drops without a jump", "drops more than is missing"],
)
def test_numbers_that_cannot_be_true_are_counted_and_the_next_true_block_heals(lie: Block) -> None:
    account = SampleAccount()
    account.add(block(0, 0))

    assert account.add(lie) is None
    assert account.contradictory == 1
    assert account.add(block(3, 3 * N)) == 2 * N
    assert account.received + account.dropped + account.lost == account.spanned


def assert_edges_accounted(account: EdgeAccount) -> None:
    for seq in (1, 1, 2, 5, 5, 4):
        account.add(edge(seq, glitches=2))

    assert (account.received, account.lost, account.repeated) == (3, 2, 3)
    assert account.received + account.lost == account.last == 5
    assert account.glitches == 6


def test_each_edge_counts_once_and_each_gap_once() -> None:
    assert_edges_accounted(EdgeAccount())


def test_an_account_that_counts_copies_would_be_found_out() -> None:
    class Trusting(EdgeAccount):
        def add(self, edge: Edge) -> bool:
            self.received += 1
            self.last = max(self.last, edge.edge_seq)
            return True

    with pytest.raises(AssertionError):
        assert_edges_accounted(Trusting())


def test_an_edge_that_only_a_status_knows_of_is_lost_and_not_heard_later() -> None:
    account = EdgeAccount(last=6)
    account.told(8)

    assert account.lost == 2
    assert not account.add(edge(8))
    account.told(3)
    assert account.last == 8
