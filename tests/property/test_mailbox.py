import hypothesis.strategies as st
import pytest
from hypothesis import given

from edge_agent.runtime.mailbox import Mailbox, Overflow

CLOSE, TAKE_ALL = "close", "take_all"
script_steps = st.lists(st.one_of(st.integers(), st.sampled_from([CLOSE, TAKE_ALL]), st.tuples(st.integers(0, 3))))


def nothing_vanishes(box: Mailbox[int], script: list[object]) -> None:
    """Run `script` on `box` and claim what must hold after each of its steps."""
    accepted: list[int] = []
    got: list[int] = []
    for item in script:
        match item:
            case "close":
                box.close()
            case "take_all":
                got += box.take_all()
            case (int(most),):
                taken = box.take(most)
                assert len(taken) <= most
                got += taken
            case int(number):
                accepted += [number] if box.offer(number) else []
        stats = box.stats()

        assert stats.put == stats.taken + stats.dropped + stats.refused + stats.waiting
        assert stats.waiting <= stats.high_water <= stats.capacity
        assert stats.taken == len(got)
        assert len(accepted) == stats.put - stats.refused
    remaining = iter(accepted)
    assert all(number in remaining for number in got), "something came out of order, or out of nowhere"


@given(st.integers(1, 5), st.sampled_from(Overflow), script_steps)
def test_nothing_vanishes_uncounted(capacity: int, overflow: Overflow, script: list[object]) -> None:
    nothing_vanishes(Mailbox[int](capacity, overflow), script)


class ForgetsToCount(Mailbox[int]):
    def offer(self, item: int) -> bool:
        if len(self._items) == self._capacity:
            self._items.popleft()
        return super().offer(item)


class NewestFirst(Mailbox[int]):
    def take_all(self) -> list[int]:
        return super().take_all()[::-1]


class NoBound(Mailbox[int]):
    def _accept(self, item: int) -> bool:
        self._put += 1
        self._items.append(item)
        self._high_water = max(self._high_water, len(self._items))
        return True


@pytest.mark.parametrize("wrong", [ForgetsToCount, NewestFirst, NoBound])
def test_the_property_has_teeth(wrong: type[Mailbox[int]]) -> None:
    with pytest.raises(AssertionError):
        nothing_vanishes(wrong(2, Overflow.REFUSE), [1, 2, 3, "take_all", 4, "take_all"])


@given(st.integers(1, 5), st.lists(st.integers(), min_size=1))
def test_a_full_mailbox_of_live_data_keeps_the_newest(capacity: int, items: list[int]) -> None:
    box = Mailbox[int](capacity, Overflow.DROP_OLDEST)

    assert all(box.offer(item) for item in items)
    assert box.take_all() == items[-capacity:]


@given(st.integers(1, 5), st.lists(st.integers(), min_size=1))
def test_a_full_mailbox_of_commands_keeps_the_first_and_says_no_to_the_rest(capacity: int, items: list[int]) -> None:
    box = Mailbox[int](capacity, Overflow.REFUSE)

    assert [box.offer(item) for item in items] == [i < capacity for i in range(len(items))]
    assert box.take_all() == items[:capacity]
