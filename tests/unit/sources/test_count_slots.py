"""The slots of the trigger count: a write that is cut anywhere leaves the old number or the new one."""

from __future__ import annotations

import pytest

from edge_agent.sources.count import SLOT_BYTES, TriggerCount, encode_slot, name_series, newest_slot
from edge_agent.sources.source import Position

OLD, NEW = (41, Position("6564-a1b2", 40)), (42, Position("6564-a1b2", 41))


def written(place: int, slot: bytes, cut_at: int) -> bytes:
    """Give both slots after `OLD` is whole and the write of `slot` at `place` stopped after `cut_at` bytes."""
    before = bytearray(2 * SLOT_BYTES)
    at = OLD[0] % 2 * SLOT_BYTES
    before[at : at + SLOT_BYTES] = encode_slot(*OLD)
    before[place * SLOT_BYTES : place * SLOT_BYTES + cut_at] = slot[:cut_at]
    return bytes(before)


@pytest.mark.parametrize("cut_at", range(SLOT_BYTES + 1))
def test_a_cut_write_leaves_the_old_number_or_the_new(cut_at: int) -> None:
    found = newest_slot(written(NEW[0] % 2, encode_slot(*NEW), cut_at))

    assert found == (NEW if cut_at == SLOT_BYTES else OLD)


def test_writing_over_the_only_copy_would_lose_it() -> None:
    """The wrong way, one slot for all numbers, fails the same sweep."""
    lost = [cut for cut in range(SLOT_BYTES) if newest_slot(written(OLD[0] % 2, encode_slot(*NEW), cut)) is None]

    assert lost


@pytest.mark.parametrize("at", range(SLOT_BYTES))
def test_each_damaged_byte_is_noticed(at: int) -> None:
    data = bytearray(encode_slot(*OLD))
    data[at] ^= 1

    assert newest_slot(bytes(data)) is None


@pytest.mark.parametrize("data", [b"", b"\0", bytes(2 * SLOT_BYTES), b"hello" * 40])
def test_nothing_is_found_in_what_is_no_count(data: bytes) -> None:
    assert newest_slot(data) is None


def test_a_series_that_does_not_fit_is_refused_and_not_shortened() -> None:
    with pytest.raises(ValueError, match="at most 16"):
        encode_slot(1, Position("a" * 17, 0))


def test_a_count_without_a_file_counts() -> None:
    names = iter(["first", "second"])
    count = TriggerCount(None, lambda: next(names))

    assert count.open() == Position("first", 0)
    assert [count.advance().number for _ in range(3)] == [1, 2, 3]
    assert count.open() == Position("first", 3)
    assert count.begin() == Position("second", 0)
    assert count.position() == Position("second", 0)


def test_series_of_the_same_second_differ() -> None:
    names = {name_series(1_700_000_000.0) for _ in range(20)}

    assert len(names) > 15
    assert all(name.startswith("6553f100-") and len(name) <= 16 for name in names)
