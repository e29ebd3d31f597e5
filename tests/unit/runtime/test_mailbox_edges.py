import pytest

from edge_agent.runtime.mailbox import Mailbox, Overflow


def test_every_accepted_item_is_announced_and_no_other() -> None:
    pokes: list[str] = []
    box = Mailbox[int](2, Overflow.REFUSE, on_put=lambda: pokes.append("poke"))

    assert [box.offer(i) for i in range(4)] == [True, True, False, False]
    assert pokes == ["poke", "poke"]


def test_the_announcement_comes_outside_the_lock() -> None:
    seen: list[int] = []
    box: Mailbox[int] = Mailbox(2, Overflow.REFUSE, on_put=lambda: seen.extend(box.take_all()))
    box.offer(7)  # taking inside the lock would never return

    assert seen == [7]


def test_a_closed_mailbox_gives_what_it_has_and_takes_nothing() -> None:
    box = Mailbox[int](2, Overflow.DROP_OLDEST)
    box.offer(1)
    box.close()

    assert not box.offer(2)
    assert box.wait()
    assert box.take_all() == [1]
    assert not box.wait()
    assert box.stats().refused == 1


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_mailbox_without_room_is_a_bug(capacity: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox[int](capacity, Overflow.REFUSE)
