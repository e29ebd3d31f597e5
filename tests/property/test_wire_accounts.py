"""Any script of blocks, edges and answers: what is missing is counted, and nothing is ever reported twice."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.account import EdgeAccount, SampleAccount
from firmware_bridge.messages import Block, Edge, RejectAck, RejectDone
from firmware_bridge.reject import RejectBook, RejectReport

steps = st.sampled_from(["arrives", "arrives", "arrives", "lost", "dropped", "twice", "late"])


def blocks(script: list[tuple[str, int]]) -> tuple[list[Block], int]:
    """Give the blocks that arrive, and how many samples there were in all up to the last of them."""
    said: list[Block] = []
    seq = first = dropped = 0
    late: Block | None = None
    for step, n in script:
        if step == "dropped":
            dropped += n
            first += n
            continue
        block = Block(seq, first, first, dropped, 0, 0, np.zeros((n, 3), np.int16))
        seq, first, dropped = seq + 1, first + n, 0
        if step == "late":
            late = block
            continue
        said += [] if step == "lost" else [block] * (2 if step == "twice" else 1)
        if late is not None and step != "lost":
            said.append(late)
            late = None
    return said, max((b.first_sample + len(b.samples) for b in said), default=0)


def assert_accounted(script: list[tuple[str, int]], kind: type[SampleAccount] = SampleAccount) -> None:
    account = kind()
    said, last = blocks(script)
    for block in said:
        account.add(block)
        assert account.received + account.dropped + account.lost == account.spanned

    assert account.contradictory == 0
    assert account.first_sample is None or account.spanned == last - account.first_sample


@given(st.lists(st.tuples(steps, st.integers(1, 50)), max_size=40))
def test_received_dropped_and_lost_samples_add_up_after_every_block(script: list[tuple[str, int]]) -> None:
    assert_accounted(script)


def test_an_account_that_believes_only_the_microcontroller_would_be_found_out() -> None:
    class Trusting(SampleAccount):
        def add(self, block: Block) -> int | None:
            missing = super().add(block)
            self.lost = 0
            return missing

    with pytest.raises(AssertionError):
        assert_accounted([("arrives", 4), ("lost", 4), ("arrives", 4)], Trusting)


u8, u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))


@given(
    st.lists(
        st.builds(
            Block, u32, u64, u64, u32, u8, st.just(0), st.integers(1, 5).map(lambda n: np.zeros((n, 3), np.int16))
        )
    )
)
def test_blocks_that_lie_never_break_the_rule(said: list[Block]) -> None:
    account = SampleAccount()
    for block in said:
        account.add(block)
        assert account.received + account.dropped + account.lost == account.spanned
        assert min(account.received, account.dropped, account.lost) >= 0
    assert account.blocks + account.stale + account.contradictory == len(said)


@given(st.integers(0, 100), st.lists(st.tuples(st.booleans(), st.integers(0, 300))))
def test_each_edge_is_received_or_lost_and_never_both(last: int, script: list[tuple[bool, int]]) -> None:
    account = EdgeAccount(last)
    new = []
    for is_edge, number in script:
        if not is_edge:
            account.told(number)
        elif account.add(Edge(number, 0, 0, 1, 0)):
            new.append(number)

        assert account.received + account.lost == account.last - last
    assert new == sorted(set(new))


actions = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("ack"), st.integers(0, 12), st.integers(0, 9)),
    st.tuples(st.just("done"), st.integers(0, 12), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(1, 500), st.booleans()),
    st.tuples(st.just("strand"), st.integers(0, 5), st.booleans()),
    st.tuples(st.sampled_from(("armed", "broken", "rebooted", "abandoned")), st.just(0), st.booleans()),
)


def reports_of(script: list[tuple[str, int, int]], kind: type[RejectBook] = RejectBook) -> tuple[Counter, Counter, int]:
    """Give how often each tick was asked for and reported, and how many pulses are open. A tick stands for a pulse."""
    takes = [True]
    book = kind(lambda message, now: takes[0])
    now = 0.0
    asked: Counter[int] = Counter()
    reports: list[RejectReport | None] = []
    for tick, (action, number, other) in enumerate(script):
        takes[0] = bool(other)
        match action:
            case "ask":
                asked[tick] += 1
                reports.append(book.ask(number, tick, 1000, 0, now, now + 0.2))
            case "ack":
                reports += book.answered(RejectAck(number, other), now)
            case "done":
                reports += book.done(RejectDone(number, tick))
            case "wait":
                now += number / 1e3
                reports += book.step(now)
            case "strand":
                asked[tick] += 1
                reports.append(book.strand(number, tick, 1000, 0, now, now + 0.2))
            case "armed":
                reports += book.armed(now)
            case "broken":
                reports += book.broken(now)
            case "rebooted":
                reports += book.rebooted()
            case "abandoned":
                reports += book.abandoned()
    return asked, Counter(report.fire_ticks for report in reports if report is not None), book.waiting


def assert_reported_once(script: list[tuple[str, int, int]], kind: type[RejectBook] = RejectBook) -> None:
    asked, reported, waiting = reports_of(script, kind)

    assert reported <= asked
    assert reported.total() + waiting == asked.total()


@given(st.lists(actions, max_size=60))
def test_nothing_that_was_asked_for_is_reported_twice_or_forgotten(script: list[tuple[str, int, int]]) -> None:
    assert_reported_once(script)


@given(st.lists(actions, max_size=30))
def test_silence_settles_everything(script: list[tuple[str, int, int]]) -> None:
    _, _, waiting = reports_of([*script, *[("wait", 500, 1)] * 6])

    assert waiting == 0


def test_a_book_that_keeps_what_is_done_would_be_found_out() -> None:
    class Forgetful(RejectBook):
        def done(self, answer: RejectDone):
            kept = dict(self._open)
            yield from super().done(answer)
            self._open = kept

    with pytest.raises(AssertionError):
        assert_reported_once([("ask", 1, 1), ("done", 1, 0), ("done", 1, 0)], Forgetful)
