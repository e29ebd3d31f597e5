import itertools
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from edge_agent.runtime.budget import RestartBudget

pauses = st.lists(st.floats(0.0, 200.0), max_size=60)


def restarts(budget: RestartBudget, pauses_s: list[float]) -> list[float]:
    """The times at which something was restarted that fails again after each of `pauses_s`."""
    now, at = 0.0, []
    for pause_s in pauses_s:
        delay_s = budget.delay_s(now)
        if delay_s is not None:
            now += delay_s
            at.append(now)
        now += pause_s
    return at


def never_too_many(budget: RestartBudget, pauses_s: list[float]) -> None:
    assert budget.limit is not None
    at = restarts(budget, pauses_s)
    for first, one_too_many in zip(at, at[budget.limit :], strict=False):
        assert one_too_many - first > budget.quiet_s


@given(st.integers(1, 6), pauses)
def test_never_more_than_the_limit_in_any_quiet_time(limit: int, pauses_s: list[float]) -> None:
    never_too_many(RestartBudget(limit=limit), pauses_s)


class ForgivesAtOnce(RestartBudget):
    def delay_s(self, now: float) -> float | None:
        self._in_row = 0
        return super().delay_s(now)


def test_the_property_has_teeth() -> None:
    with pytest.raises(AssertionError):
        never_too_many(ForgivesAtOnce(), [0.0] * 20)


@given(pauses)
def test_for_ever_is_for_ever_with_a_delay_between_the_first_and_the_cap(pauses_s: list[float]) -> None:
    budget, now = RestartBudget.for_ever(), 0.0
    for pause_s in pauses_s:
        delay_s = budget.delay_s(now)
        assert delay_s is not None
        assert budget.first_delay_s <= delay_s <= budget.longest_delay_s
        now += delay_s + pause_s


def test_what_never_comes_back_is_tried_slower_and_slower_and_then_at_the_cap() -> None:
    budget, now = RestartBudget.for_ever(), 0.0
    delays_s = []
    for _ in range(3000):
        delay_s = budget.delay_s(now)
        assert delay_s is not None
        delays_s.append(delay_s)
        now += delay_s

    assert delays_s[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert set(delays_s[6:]) == {30.0}


def test_a_spent_budget_is_forgiven_after_a_quiet_time() -> None:
    budget = RestartBudget(limit=2, quiet_s=60.0)

    assert [budget.delay_s(0.0), budget.delay_s(1.0), budget.delay_s(2.0)] == [0.5, 1.0, None]
    assert budget.delay_s(2.0 + 60.0) is None
    assert budget.delay_s(2.0 + 60.5) == 0.5


def test_no_restart_at_all_is_a_budget_too() -> None:
    assert RestartBudget(limit=0).delay_s(0.0) is None


def test_two_rows_of_the_table_do_not_share_a_budget() -> None:
    first, second = RestartBudget(limit=1), RestartBudget(limit=1)
    first.delay_s(0.0)

    assert second.delay_s(0.0) is not None
    assert all(math.isfinite(delay) for delay in itertools.chain([first.first_delay_s, first.longest_delay_s]))
