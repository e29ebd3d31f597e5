"""However parts come, as long as they leave a lane some time, background work goes on."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted_lanes import Scripted

from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.rhythm import TRICKLE_S

LANE = "a/x"
WITHIN_S = 0.2
MOST_USED = 0.9
"""Share of the lane's time that parts take at the most."""


class Line:
    """Parts and pieces that take what they take on one lane, in simulated time."""

    def __init__(self, kind: type[Dispatcher[Any, Any]], part_s: float, piece_s: float) -> None:
        self.bench = Scripted(pace_s=part_s, kind=kind).ready()
        self._part_s, self._piece_s = part_s, piece_s
        self.begun_s: list[float] = []
        self._seen: object = None

    def go_on(self, until_s: float) -> None:
        """Let what runs end when it does, and begin what begins, until then."""
        bench, hand = self.bench, self.bench.hands[LANE]
        while True:
            task = hand.task
            if task is None:
                wakes_s = bench.step()
                if hand.task is not None:
                    continue
                if wakes_s >= until_s:
                    break
                bench.clock.advance_to(max(wakes_s, bench.clock.now() + 1e-4))
                continue
            is_piece = bench.on(LANE).startswith("piece")
            if is_piece and task is not self._seen:
                self._seen = task
                self.begun_s.append(hand.since_s)
            ends_s = max(hand.since_s + (self._piece_s if is_piece else self._part_s), bench.clock.now())
            if ends_s > until_s:
                break
            bench.clock.advance_to(ends_s)
            bench.end(LANE)
        bench.clock.advance_to(max(until_s, bench.clock.now()))


def longest_wait_s(
    kind: type[Dispatcher[Any, Any]], gaps_s: list[float], part_s: float, piece_s: float, pieces: int
) -> tuple[float, float]:
    """Give how long no piece began while some waited, and how long that may be."""
    line = Line(kind, part_s, piece_s)
    bench = line.bench
    gaps_s = [max(gap_s, part_s / MOST_USED) for gap_s in gaps_s]
    while sum(gaps_s) < 8.0:
        gaps_s = gaps_s + gaps_s
    came_s = math.inf
    for number, gap_s in enumerate(gaps_s):
        now = bench.clock.now()
        bench.job(f"part {number}", WITHIN_S)
        if number == len(gaps_s) // 4:
            came_s = now
            for piece in range(pieces):
                bench.job(f"piece {piece}")
        bench.dispatcher.expect(now + gap_s)
        line.go_on(now + gap_s)
    times_s = [came_s, *line.begun_s, *([] if len(line.begun_s) == pieces else [bench.clock.now()])]
    waited_s = max(after - before for before, after in zip(times_s, times_s[1:], strict=False))
    # Where it would hold up a part it waits a second, then for the end of one; a part that comes holds it up once more.
    return waited_s, TRICKLE_S + 2.0 * (max(gaps_s) + part_s) + piece_s


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0.01, 0.6), min_size=4, max_size=40),
    st.floats(0.001, 0.15),
    st.floats(0.001, 0.15),
    st.integers(1, 12),
)
@example([0.05], 0.045, 0.1, 4)
@example([0.02, 0.3], 0.018, 0.15, 12)
def test_a_piece_that_waits_begins_while_parts_leave_the_lane_some_time(
    gaps_s: list[float], part_s: float, piece_s: float, pieces: int
) -> None:
    waited_s, most_s = longest_wait_s(Dispatcher, gaps_s, part_s, piece_s, pieces)
    assert waited_s <= most_s


class OnlyInGaps(Dispatcher[Any, Any]):
    """Wrong: background work waits for a gap that holds all of it, however long none comes."""

    def _dispatch(self, now: float) -> None:
        for waiting in self._beside.background:
            waiting.since_s = now  # it came only now, so that nothing is overdue
        self._beside.rhythm.began(now)
        super()._dispatch(now)


@pytest.mark.parametrize("pieces", [1, 4])
def test_whoever_lets_parts_starve_the_background_is_noticed(pieces: int) -> None:
    waited_s, most_s = longest_wait_s(OnlyInGaps, [0.05], 0.045, 0.1, pieces)
    assert waited_s > most_s
