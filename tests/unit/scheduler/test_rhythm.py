"""When background work may begin beside parts that come regularly, irregularly, or not at all."""

from __future__ import annotations

import pytest
from scripted_lanes import Scripted

from edge_agent.scheduler.latency import Recent
from edge_agent.scheduler.rhythm import HUNGRY_S, TRICKLE_S, Rhythm


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
    assert Rhythm().may_begin_at_s(5.0, taking(0.04), 0.04) == 5.0


def test_where_a_part_can_wait_for_it_it_may_at_once() -> None:
    assert line(0.05, slack_s=0.2).may_begin_at_s(100.03, taking(0.04), 0.04) == 100.03


def test_where_it_is_over_before_the_next_part_it_may_at_once() -> None:
    assert line(0.10, slack_s=0.07).may_begin_at_s(100.05, taking(0.04), 0.04) == 100.05


def test_where_a_part_is_expected_meanwhile_it_waits_for_a_gap_but_not_for_long() -> None:
    rhythm = line(0.05, slack_s=0.2)
    rhythm.expected_s = 100.06
    assert rhythm.may_begin_at_s(100.01, taking(0.04), 0.04) == 100.01
    assert rhythm.may_begin_at_s(100.03, taking(0.04), 0.04) == pytest.approx(100.0 + HUNGRY_S)
    assert rhythm.may_begin_at_s(100.0 + 2 * HUNGRY_S, taking(0.04), 0.04) == 100.0 + 2 * HUNGRY_S


def test_a_part_that_does_not_come_when_it_is_expected_holds_nothing_up_for_ever() -> None:
    rhythm = line(0.05, slack_s=0.07)
    rhythm.expected_s = 100.1
    assert rhythm.may_begin_at_s(101.5, taking(0.04), 0.04) == 101.5


def test_where_it_would_make_a_part_late_it_waits_but_not_for_ever() -> None:
    at_s = line(0.05, slack_s=0.07).may_begin_at_s(100.03, taking(0.04), 0.04)

    assert at_s == pytest.approx(100.0 + TRICKLE_S)


def test_when_the_parts_have_stopped_coming_it_goes_on() -> None:
    rhythm = line(0.05, slack_s=0.07)
    rhythm.began(105.0)

    assert rhythm.may_begin_at_s(105.1, taking(0.04), 0.04) == 105.1


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
