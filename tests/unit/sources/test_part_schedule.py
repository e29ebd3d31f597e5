"""When items are delivered: at their own times, overlapping, late but never shifted; or as they are answered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.records import Frame, Trigger, VibrationWindow
from edge_agent.sources.schedule import AHEAD, ANSWER_LIMIT_S, LATE_S, READOUT_S, SPACING_S, Material, Schedule
from edge_agent.sources.source import Item, Position

IMAGE = np.zeros((2, 2, 3), np.uint8)
SAMPLES = np.zeros((80, 3), np.float32)
START_S = 100.0


class Counter:
    """Counts in memory."""

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> Position:
        self.number += 1
        return Position("a", self.number)


def part(due_s: float | None, image: bool = True, samples: bool = True) -> Material:
    return Material(due_s, IMAGE if image else None, 0.010, SAMPLES if samples else None, 1000.0, "good")


def paced(parts_per_s: float, parts: int) -> Schedule:
    schedule = Schedule(Counter())
    for i in range(parts):
        schedule.add(part(i / parts_per_s))
    schedule.end()
    return schedule


def run(schedule: Schedule, until: float = np.inf) -> list[tuple[float, Item]]:
    """Step whenever something is due; give what came with the time it came."""
    now, seen = START_S, []
    while not schedule.finished() and now <= until:
        seen += [(now, item) for item in schedule.step(now)]
        now = max(now, schedule.next_wake_s())
    return seen


def test_a_part_comes_in_three_pieces_each_when_it_is_complete() -> None:
    (t0, trigger), (t1, frame), (t2, window) = run(paced(5.0, 1))

    assert trigger == Trigger("a", 1, START_S, "good")
    assert isinstance(frame, Frame)
    assert isinstance(window, VibrationWindow)
    assert (frame.time_s, window.start_s) == (START_S + 0.010, START_S)
    assert [t0, t1, t2] == pytest.approx([START_S, START_S + 0.010 + READOUT_S, START_S + 0.080])


def test_parts_closer_than_a_window_overlap() -> None:
    seen = run(paced(50.0, 100))

    triggers = [item.time_s for _, item in seen if isinstance(item, Trigger)]
    assert triggers == pytest.approx([START_S + i / 50.0 for i in range(100)])
    assert [t for t, _ in seen] == sorted(t for t, _ in seen)
    first_window = next(i for i, (_, item) in enumerate(seen) if isinstance(item, VibrationWindow))
    assert sum(isinstance(item, Trigger) for _, item in seen[:first_window]) >= 4


@given(st.lists(st.floats(0.0, 0.5), max_size=30), st.sampled_from([5.0, 20.0, 50.0]))
def test_a_host_that_wakes_late_shifts_nothing_and_loses_nothing(naps_s: list[float], parts_per_s: float) -> None:
    schedule, now, seen = paced(parts_per_s, 12), START_S, []
    for nap_s in [0.0, *naps_s, 60.0]:
        now += nap_s
        seen += schedule.step(now)

    times = [item.time_s for item in seen if isinstance(item, Trigger)]
    assert times == pytest.approx([START_S + i / parts_per_s for i in range(12)])
    assert [item.number for item in seen if isinstance(item, Trigger)] == list(range(1, 13))
    assert len(seen) == 36
    assert schedule.finished()


class SlippingSchedule(Schedule):
    """The wrong way: whatever comes late is given the time at which it comes."""

    def _announce(self, part: Material, begin_s: float, now: float) -> None:
        super()._announce(part, now, now)


def test_slipping_would_be_caught() -> None:
    schedule = SlippingSchedule(Counter())
    schedule.add(part(0.0))
    schedule.add(part(0.2))
    schedule.step(START_S)

    times = [item.time_s for item in schedule.step(START_S + 1.0) if isinstance(item, Trigger)]
    assert times != pytest.approx([START_S + 0.2])


def test_what_comes_late_is_counted() -> None:
    schedule = paced(5.0, 2)
    schedule.step(START_S)
    schedule.step(START_S + 0.015 + LATE_S / 2)
    assert schedule.late == 0

    schedule.step(START_S + 10.0)
    assert schedule.late == 4  # the first part's window and all of the second
    assert schedule.triggers == 2


def test_the_number_is_counted_before_the_trigger_is_let_go() -> None:
    counter = Counter()
    schedule = Schedule(counter)
    schedule.add(part(0.0))

    for item in schedule.step(START_S):
        assert isinstance(item, Trigger)
        assert counter.number == item.number


def unpaced(parts: int, **missing: bool) -> Schedule:
    schedule = Schedule(Counter())
    for _ in range(parts):
        schedule.add(part(None, **missing))
    schedule.end()
    return schedule


def test_unpaced_parts_wait_for_answers() -> None:
    schedule = unpaced(4)

    assert [type(item) for item in schedule.step(START_S)] == [Trigger, Frame, VibrationWindow]
    assert schedule.next_wake_s() == pytest.approx(START_S + SPACING_S)
    assert len(schedule.step(START_S + 0.01)) == 3
    assert schedule.step(START_S + 1.0) == []  # two are unanswered
    schedule.answered(2)
    assert schedule.next_wake_s() <= START_S + 1.0
    assert len(schedule.step(START_S + 1.0)) == 3
    assert schedule.step(START_S + 1.0) == []


def test_no_time_of_an_unpaced_part_is_in_the_future_and_all_are_consistent() -> None:
    schedule, now, triggers = unpaced(20), START_S, []
    while not schedule.finished():
        items = schedule.step(now)
        for item in items:
            match item:
                case Trigger():
                    triggers.append(item.time_s)
                    schedule.answered(item.number)
                case Frame():
                    assert item.time_s == pytest.approx(triggers[-1] + 0.010)
                case VibrationWindow():
                    assert item.start_s == triggers[-1]
                    assert item.end_s == pytest.approx(now)
        ended_s, now = now, max(now, schedule.next_wake_s())

    assert min(np.diff(triggers)) >= SPACING_S * (1 - 1e-6)
    assert ended_s - START_S == pytest.approx(19 * SPACING_S)


def test_an_answer_that_never_comes_does_not_stop_an_unpaced_source() -> None:
    seen = run(unpaced(6))

    times = [t - START_S for t, item in seen if isinstance(item, Trigger)]
    assert len(times) == 6
    assert times[2] == pytest.approx(ANSWER_LIMIT_S)


def test_answers_nobody_waits_for_change_nothing() -> None:
    schedule = unpaced(3)
    schedule.answered(7)
    schedule.step(START_S)
    schedule.step(START_S + 0.01)
    schedule.answered(7)

    assert schedule.step(START_S + 0.02) == []


@pytest.mark.parametrize(("image", "samples"), [(True, False), (False, True), (False, False)])
def test_what_a_part_lacks_is_not_delivered(image: bool, samples: bool) -> None:
    kinds = {type(item) for _, item in run(only_part(part(0.0, image, samples)))}

    assert kinds == {Trigger} | ({Frame} if image else set()) | ({VibrationWindow} if samples else set())


def only_part(only: Material) -> Schedule:
    schedule = Schedule(Counter())
    schedule.add(only)
    schedule.end()
    return schedule


def test_parts_are_wanted_ahead_but_not_when_something_is_due() -> None:
    schedule = Schedule(Counter())
    assert schedule.wants(START_S)
    schedule.add(part(0.0))
    schedule.step(START_S)
    assert schedule.wants(START_S)  # nothing is ready: better late than never
    schedule.add(part(0.2))
    assert not schedule.wants(START_S + 0.010)  # the frame is due in 5 ms
    schedule.step(START_S + 0.016)
    assert schedule.wants(START_S + 0.020)
    for _ in range(AHEAD - 1):
        schedule.add(part(0.4))
    assert not schedule.wants(START_S + 0.020)
    schedule.step(START_S + 10.0)
    schedule.end()
    assert not schedule.wants(START_S + 10.0)


def test_it_is_finished_after_the_last_window_and_not_before() -> None:
    schedule = paced(5.0, 1)
    assert not schedule.finished()
    schedule.step(START_S)
    schedule.step(START_S + 0.079)
    assert not schedule.finished()
    schedule.step(START_S + 0.081)
    assert schedule.finished()


def test_a_source_without_parts_is_finished_at_once() -> None:
    schedule = Schedule(Counter())
    schedule.end()

    assert schedule.finished()
    assert schedule.next_wake_s() == np.inf


@pytest.mark.parametrize("schedule", [paced(5.0, 4), unpaced(4)])
def test_a_held_line_announces_what_it_may_and_all_of_it(schedule: Schedule) -> None:
    """Holding back the parts, in place of their announcement, would also hold those that are ready before them."""
    schedule.limit = 3
    now = START_S
    held: list[Item] = []
    while now < np.inf:
        held += schedule.step(now)
        for number in range(1, schedule.triggers + 1):
            schedule.answered(number)
        now = max(now, schedule.next_wake_s())

    assert [item.number for item in held if isinstance(item, Trigger)] == [1, 2, 3]
    assert len(held) == 9
    assert not schedule.finished()
    schedule.limit = np.inf
    assert len(schedule.step(START_S + 10.0)) == 3
    assert schedule.finished()
