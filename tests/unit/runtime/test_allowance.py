"""So many rows in a while and no more, whatever comes; and what was left out is said."""

from __future__ import annotations

from edge_agent.runtime.allowance import Allowance


def used(allowance: Allowance, times: list[float]) -> list[int]:
    """Ask at these times; give for each row what it says was left out before it."""
    said = []
    for now in times:
        if allowance.has_room(now):
            said.append(allowance.left_out)
            allowance.use(now)
    return said


def test_so_many_in_any_period_and_the_next_says_how_many_were_left_out() -> None:
    assert used(Allowance(3, 600.0), [0.0] * 500) == [0, 0, 0]
    assert used(Allowance(3, 600.0), [0.0, 1.0, 2.0, 3.0, 600.0, 600.5, 601.0, 601.5]) == [0, 0, 0, 2, 1]


def test_what_could_not_be_written_takes_no_place() -> None:
    allowance = Allowance(1, 600.0)
    assert [allowance.has_room(0.0) for _ in range(3)] == [True] * 3
    allowance.use(0.0)
    assert [allowance.has_room(0.0), allowance.left_out] == [False, 1]
