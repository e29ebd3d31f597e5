"""When background work may begin beside parts that come regularly, irregularly, or not at all."""

from __future__ import annotations

import pytest
from scripted_lanes import Scripted

from edge_agent.scheduler.latency import Recent
from edge_agent.scheduler.rhythm import HUNGRY_S, OVERDUE_S, TRICKLE_S, Rhythm

LONG_AGO_S = 1.0
"""When a piece came that has waited since."""


def taking(seconds: float) -> Recent:
    recent = Recent()
    for _ in range(20):
        recent.add(seconds)
    return recent


def line(gap_s: float, slack_s: float, parts: int = 20) -> Rhythm:
    """Parts that come at a fixed pace; the last one at 100 s."""
    rhythm = Rhythm()
    for number in range(parts):
        rhythm.came(100.0 - gap_s * (parts - 1 - number), slack_s)
    rhythm.began(100.0)
    return rhythm


def test_without_parts_it_may_at_once() -> None:
    assert Rhythm().may_begin_at_s(5.0, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 5.0


def test_where_a_part_can_wait_for_it_it_may_at_once() -> None:
    assert line(0.05, slack_s=0.2).may_begin_at_s(100.03, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 100.03


def test_where_it_is_over_before_the_next_part_it_may_at_once() -> None:
    assert line(0.10, slack_s=0.07).may_begin_at_s(100.05, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 100.05


def test_where_a_part_is_expected_meanwhile_it_waits_for_a_gap_but_not_for_long() -> None:
    rhythm = line(0.05, slack_s=0.2)
    rhythm.expected_s = 100.06
    assert rhythm.may_begin_at_s(100.01, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 100.01
    assert rhythm.may_begin_at_s(100.03, LONG_AGO_S, 0.0, taking(0.04), 0.04) == pytest.approx(100.0 + HUNGRY_S)
    assert rhythm.may_begin_at_s(100.0 + 2 * HUNGRY_S, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 100.0 + 2 * HUNGRY_S


@pytest.mark.parametrize(("slack_s", "patience_s"), [(0.2, HUNGRY_S), (0.013, TRICKLE_S)])
def test_a_piece_that_has_just_come_waits_for_a_gap_however_long_ago_the_last_one_was(
    slack_s: float, patience_s: float
) -> None:
    rhythm = line(0.1, slack_s=slack_s)
    rhythm.began(50.0)
    rhythm.expected_s = 100.1
    assert rhythm.may_begin_at_s(100.05, 100.05, 0.0, taking(0.04), 0.01) == 100.05
    assert rhythm.may_begin_at_s(100.08, 100.08, 0.0, taking(0.04), 0.01) == pytest.approx(100.08 + patience_s)


def test_a_piece_that_never_finds_its_lane_just_freed_begins_in_the_end() -> None:
    rhythm = line(0.05, slack_s=0.013)
    rhythm.expected_s = 100.1
    until_s = rhythm.may_begin_at_s(100.07, 100.0, 99.0, taking(0.06), 0.01)
    assert until_s == pytest.approx(100.0 + TRICKLE_S)
    rhythm.came(until_s - 0.02, 0.013)
    rhythm.expected_s = until_s + 0.03
    assert until_s < rhythm.may_begin_at_s(until_s, 100.0, 99.0, taking(0.06), 0.01) <= until_s + TRICKLE_S
    assert rhythm.may_begin_at_s(until_s, 100.0, until_s - 0.001, taking(0.06), 0.01) == until_s
    rhythm.expected_s = until_s + TRICKLE_S + 0.03
    rhythm.came(until_s + TRICKLE_S - 0.02, 0.013)
    assert rhythm.may_begin_at_s(until_s + TRICKLE_S, 100.0, 99.0, taking(0.06), 0.01) == until_s + TRICKLE_S


def test_a_piece_that_has_waited_begins_where_the_part_that_is_expected_is_in_time_behind_it() -> None:
    rhythm = line(0.05, slack_s=0.013)
    until_s = 100.0 + TRICKLE_S
    rhythm.came(until_s - 0.025, 0.013)
    rhythm.expected_s = until_s + 0.025
    assert rhythm.may_begin_at_s(until_s, 100.0, 99.0, taking(0.03), 0.007) == until_s
    assert rhythm.may_begin_at_s(until_s, 100.0, 99.0, taking(0.035), 0.007) > until_s
    assert rhythm.may_begin_at_s(until_s, 100.0, 99.0, taking(0.03), 0.007, before_s=0.02) > until_s


def test_parts_that_nobody_announces_are_not_taken_to_have_stopped_before_they_are_due() -> None:
    rhythm = line(0.05, slack_s=0.027)
    until_s = 100.0 + TRICKLE_S
    rhythm.came(until_s - 0.03, 0.027)
    begins_s = rhythm.may_begin_at_s(until_s, 100.0, 99.0, taking(0.05), 0.01)
    assert begins_s == pytest.approx(until_s + 0.02 + OVERDUE_S)
    assert rhythm.may_begin_at_s(begins_s, 100.0, 99.0, taking(0.05), 0.01) == begins_s


def test_on_a_slow_line_a_piece_waits_for_the_part_that_is_on_its_way() -> None:
    rhythm = line(2.0, slack_s=0.013)
    rhythm.began(90.0)
    rhythm.expected_s = 102.0
    assert rhythm.may_begin_at_s(101.97, 101.96, 101.969, taking(0.06), 0.01) > 101.97


def test_what_is_to_be_done_first_of_the_part_that_is_expected_counts() -> None:
    rhythm = line(0.2, slack_s=0.013)
    rhythm.expected_s = 100.2
    assert rhythm.may_begin_at_s(100.125, 100.125, 0.0, taking(0.05), 0.01) == 100.125
    assert rhythm.may_begin_at_s(100.125, 100.125, 0.0, taking(0.05), 0.01, before_s=0.04) > 100.125


def test_a_single_slow_piece_in_twenty_one_does_not_count() -> None:
    pieces = taking(0.02)
    pieces.add(0.5)
    rhythm = line(0.1, slack_s=0.14)
    rhythm.expected_s = 100.1
    assert rhythm.may_begin_at_s(100.04, 100.04, 0.0, pieces, 0.03) == 100.04


def test_one_slow_piece_in_ten_is_reckoned_with() -> None:
    pieces = taking(0.02)
    for _ in range(2):
        pieces.add(0.05)
    rhythm = line(0.1, slack_s=0.013)
    rhythm.expected_s = 100.1
    assert rhythm.may_begin_at_s(100.04, 100.04, 0.0, pieces, 0.01) == 100.04
    assert rhythm.may_begin_at_s(100.06, 100.06, 0.0, pieces, 0.01) > 100.06


def test_a_part_that_does_not_come_when_it_is_expected_holds_nothing_up_for_ever() -> None:
    rhythm = line(0.05, slack_s=0.07)
    rhythm.expected_s = 100.1
    assert rhythm.may_begin_at_s(101.5, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 101.5


def test_where_it_would_make_a_part_late_it_waits_but_not_for_ever() -> None:
    at_s = line(0.05, slack_s=0.07).may_begin_at_s(100.03, LONG_AGO_S, 0.0, taking(0.04), 0.04)

    assert at_s == pytest.approx(100.0 + TRICKLE_S)


def test_when_the_parts_have_stopped_coming_it_goes_on() -> None:
    rhythm = line(0.05, slack_s=0.07)
    rhythm.began(105.0)

    assert rhythm.may_begin_at_s(105.1, LONG_AGO_S, 0.0, taking(0.04), 0.04) == 105.1


def test_a_line_that_leaves_no_time_makes_no_part_late_for_background_work_that_still_goes_on() -> None:
    bench = Scripted(pace_s=0.040).ready()
    for number in range(200):
        bench.job(f"part {number}", 0.07)
        if number == 20:
            for piece in range(10):
                bench.job(f"piece {piece}")
        due_s = bench.clock.now() + 0.05
        while bench.clock.now() < due_s:
            if bench.on("a/x"):
                bench.end("a/x", after_s=0.04)
            else:
                bench.wait(due_s - bench.clock.now())
    late = [name for name, result, _ in bench.answers if not isinstance(result, str)]
    pieces = bench.dispatcher.counts.background

    assert 5 <= pieces <= 10  # 9 s of parts
    assert len(late) <= pieces
