"""A part is waited for from when it was there, whenever its verdict was."""

from __future__ import annotations

from edge_agent.uplink.ripening import LOOK_S, RIPE_S, Ripening


def test_what_is_there_is_ripe_after_two_seconds_and_what_came_later_later() -> None:
    made = Ripening()
    made.look(0, -1.0)
    made.look(5, 0.0)
    made.look(8, 1.0)

    assert [made.upto(now) for now in (0.0, RIPE_S - 0.1, RIPE_S, 2.9, 1.0 + RIPE_S)] == [0, 0, 5, 5, 8]


def test_it_looks_now_and_then_and_keeps_few_looks() -> None:
    made = Ripening()
    now, looks = 0.0, 0
    while now < 60.0:
        if made.wants_look(now):
            made.look(int(now * 100), now)
            looks += 1
        now += 0.01

    assert 60.0 / LOOK_S / 1.1 < looks <= 60.0 / LOOK_S
    assert len(made._seen) <= RIPE_S / LOOK_S + 2
    assert 5500 <= made.upto(now) <= 5800


def test_after_a_long_time_without_a_look_what_was_there_then_is_ripe_and_nothing_else() -> None:
    made = Ripening()
    made.look(0, -1.0)
    made.look(5, 0.0)
    made.look(900, 600.0)

    assert made.upto(601.0) == 5
    assert made.upto(602.0) == 900


def test_nothing_more_becomes_known_of_what_an_earlier_life_left() -> None:
    made = Ripening()
    made.look(5, 0.0)

    assert made.upto(0.0) == 5


def test_in_another_ledger_of_this_life_parts_are_waited_for() -> None:
    made = Ripening()
    made.look(5, 0.0)
    made.forget()
    made.look(3, 10.0)

    assert [made.upto(now) for now in (10.0, 10.0 + RIPE_S)] == [0, 3]
