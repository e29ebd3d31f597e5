"""What the console says that it has is what it has: any order, any duplicate, any hole."""

import random
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.ranges import MAX_SPANS, Ranges, Span
from edge_agent.errors import BadData

spans = st.builds(lambda first, length: Span(first, first + length), st.integers(1, 60), st.integers(0, 12))


def by_hand(told: list[Span]) -> set[int]:
    return {number for first, last in told for number in range(first, last + 1)}


@given(st.lists(spans, max_size=25))
def test_it_holds_exactly_what_was_put_in(told: list[Span]) -> None:
    ranges, numbers = Ranges(told), by_hand(told)

    assert by_hand(list(ranges.spans)) == numbers
    assert {number for number in range(100) if number in ranges} == numbers
    assert ranges.upto == next(number for number in range(200) if number + 1 not in numbers)
    assert ranges.highest == max(numbers, default=0)
    assert by_hand(list(ranges.holes())) == set(range(1, ranges.highest + 1)) - numbers


@given(st.lists(spans, max_size=25), st.integers(0, 90))
def test_what_is_missing_up_to_a_number_and_what_is_there_are_all_of_them(told: list[Span], upto: int) -> None:
    missing = Ranges(told).missing(upto)

    assert by_hand(list(missing)) == set(range(1, upto + 1)) - by_hand(told)
    assert all(before.last < after.first for before, after in zip(missing, missing[1:], strict=False))


@given(st.lists(spans, max_size=25))
def test_its_spans_are_as_few_as_can_be(told: list[Span]) -> None:
    found = Ranges(told).spans

    assert all(before.last + 1 < after.first for before, after in zip(found, found[1:], strict=False))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.randoms(use_true_random=False), st.data())
def test_a_chain_told_in_any_order_and_more_than_once_has_no_hole(
    steps: list[int], order: random.Random, data: st.DataObject
) -> None:
    numbers = [sum(steps[: i + 1]) for i in range(len(steps))]
    chain = [Span(prev + 1, seq) for prev, seq in zip([0, *numbers], numbers, strict=False)]
    told = [*chain, *data.draw(st.lists(st.sampled_from(chain)))]
    order.shuffle(told)

    assert Ranges(told).spans == (Span(1, numbers[-1]),)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=40), st.data())
def test_a_chain_ends_where_a_message_is_missing(steps: list[int], data: st.DataObject) -> None:
    numbers = [sum(steps[: i + 1]) for i in range(len(steps))]
    chain = [Span(prev + 1, seq) for prev, seq in zip([0, *numbers], numbers, strict=False)]
    lost = data.draw(st.integers(0, len(chain) - 1))
    ranges = Ranges(span for i, span in enumerate(chain) if i != lost)

    assert ranges.upto == (numbers[lost - 1] if lost else 0)


class HighestWins(Ranges):
    """Wrong: takes the highest number for the end of what is there without a hole."""

    @property
    def upto(self) -> int:
        return self.highest


class TouchIsNotMerged(Ranges):
    """Wrong: only overlapping spans become one, so that a chain never grows together."""

    def add(self, span: Span) -> None:
        at = bisect_left(self._firsts, span.first)
        self._firsts.insert(at, span.first)
        self._lasts.insert(at, span.last)


@pytest.mark.parametrize("wrong", [HighestWins, TouchIsNotMerged])
def test_the_properties_have_teeth(wrong: type[Ranges]) -> None:
    told = [Span(1, 2), Span(3, 3), Span(6, 6)]

    assert Ranges(told).upto == 3
    assert wrong(told).upto != 3


def test_a_station_that_leaves_holes_without_end_does_not_fill_the_memory() -> None:
    ranges = Ranges(Span(number, number) for number in range(1, 2 * MAX_SPANS, 2))

    with pytest.raises(BadData, match="holes"):
        ranges.add(Span(3 * MAX_SPANS, 3 * MAX_SPANS))
    ranges.add(Span(2, 2))
    assert len(ranges.spans) == MAX_SPANS - 1
    assert ranges.upto == 3
