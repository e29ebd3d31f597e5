"""What is kept back for disk and output: as much as they take, and never more than a share of what is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inspection.deadline import DISK_S, OUTPUT_LEAST_S, OUTPUT_S, Deadline

TIMES = st.floats(min_value=0.0, max_value=1e6)


def test_a_part_with_time_keeps_back_what_disk_and_output_take_on_a_busy_machine() -> None:
    deadline = Deadline.of(at_s=0.25, complete_s=0.15)
    assert (deadline.at_s, deadline.decide_s, deadline.act_s) == (0.25, 0.25 - DISK_S, 0.25 - OUTPUT_S)


def test_of_twenty_milliseconds_two_thirds_are_for_judging() -> None:
    deadline = Deadline.of(at_s=0.1, complete_s=0.08)
    assert deadline.decide_s == pytest.approx(0.08 + 0.02 * 2 / 3)
    assert deadline.act_s == pytest.approx(0.1 - 0.02 / 4)


@pytest.mark.parametrize("complete_s", [0.998, 1.0, 2.0])
def test_however_little_is_left_the_output_is_told_in_time(complete_s: float) -> None:
    assert Deadline.of(1.0, complete_s) == Deadline(1.0, 1.0 - OUTPUT_LEAST_S, 1.0 - OUTPUT_LEAST_S)


@given(at_s=TIMES, complete_s=TIMES)
def test_it_is_decided_before_it_is_told_and_told_before_the_deadline(at_s: float, complete_s: float) -> None:
    deadline = Deadline.of(at_s, complete_s)
    assert at_s - DISK_S <= deadline.decide_s <= deadline.act_s <= at_s - OUTPUT_LEAST_S
    if complete_s < at_s - 2 * OUTPUT_LEAST_S:
        assert complete_s < deadline.decide_s
