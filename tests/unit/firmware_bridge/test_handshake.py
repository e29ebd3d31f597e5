"""The transition table can be walked: every state is reached, and every state gets home."""

import pytest

from firmware_bridge.handshake import NEXT, State, Turn

Table = dict[tuple[State, Turn], State]


def reached(table: Table, start: State) -> set[State]:
    found, look = {start}, [start]
    while look:
        state = look.pop()
        new = {after for (before, _), after in table.items() if before is state} - found
        found |= new
        look += new
    return found


def assert_walkable(table: Table) -> None:
    assert reached(table, State.CLOSED) == set(State)
    assert all(State.CLOSED in reached(table, state) for state in State)
    assert all(State.UP in reached(table, state) for state in State)


def test_every_state_is_reached_and_gets_home_and_up_again() -> None:
    assert_walkable(NEXT)


def test_a_table_with_a_dead_end_would_be_found_out() -> None:
    with pytest.raises(AssertionError):
        assert_walkable({turn: after for turn, after in NEXT.items() if turn[0] is not State.SYNCING})


def test_every_open_session_can_end_in_one_turn() -> None:
    assert all(NEXT[state, Turn.ENDED] is State.CLOSED for state in State if state is not State.CLOSED)


def test_a_restart_of_the_microcontroller_leads_back_to_the_greeting_from_everywhere_behind_it() -> None:
    behind = set(State) - {State.CLOSED, State.GREETING}

    assert {state for state, turn in NEXT if turn is Turn.REBOOTED} == behind
    assert all(NEXT[state, Turn.REBOOTED] is State.GREETING for state in behind)


def test_every_turn_is_used() -> None:
    assert {turn for _, turn in NEXT} == set(Turn)
