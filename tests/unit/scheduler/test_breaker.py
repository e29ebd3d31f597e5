"""The breaker of a device: every state and happening, and how long it waits before it tries again."""

from __future__ import annotations

import itertools
import math

import pytest

from edge_agent.scheduler.breaker import NEXT, Breaker, DeviceBreaker, Happening

EXPECTED = {
    ("closed", "failed"): "open",
    ("closed", "passed"): "closed",
    ("open", "failed"): "open",
    ("open", "tried"): "half_open",
    ("half_open", "failed"): "open",
    ("half_open", "passed"): "closed",
}


@pytest.mark.parametrize(("state", "happening"), [*itertools.product(Breaker, Happening)])
def test_each_state_and_happening(state: Breaker, happening: Happening) -> None:
    breaker = DeviceBreaker("a/x", state)

    if (state, happening) not in EXPECTED:
        with pytest.raises(ValueError, match="a/x"):
            breaker.tell(happening, 1.0, "why")
        assert breaker.state is state
    else:
        changed = breaker.tell(happening, 1.0, "why")
        assert breaker.state == EXPECTED[state, happening]
        assert changed is (breaker.state is not state)


def test_the_table_has_no_row_that_nobody_expects() -> None:
    assert {(str(state), str(what)): str(after) for (state, what), after in NEXT.items()} == EXPECTED


def test_trials_come_ever_later_until_one_passes() -> None:
    breaker, waits, now = DeviceBreaker("a/x"), [], 0.0
    for _ in range(9):
        breaker.tell(Happening.FAILED, now, "dead")
        waits.append(breaker.trial_at_s - now)
        now = breaker.trial_at_s
        breaker.tell(Happening.TRIED, now)
    breaker.tell(Happening.PASSED, now)

    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert (breaker.opened, breaker.failed_s, breaker.reason, breaker.trial_at_s) == (1, 0.0, "dead", math.inf)
    breaker.tell(Happening.FAILED, now + 100.0, "dead again")
    assert breaker.trial_at_s == now + 100.5
