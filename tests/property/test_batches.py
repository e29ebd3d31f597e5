"""Jobs are done together where a device gains by it; none is lost, repeated, or late for the sake of another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from gpu_line import Line, Modelled
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.errors import BadData, DeviceFault
from edge_agent.scheduler import choice
from edge_agent.scheduler.batch import Due, paying, places_together
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import TooLate
from edge_agent.scheduler.lane import Task

Policy = Callable[[float, Sequence[Due], int, Mapping[int, float], Due | None], range]

GPU = Modelled()
ALONE_S = GPU.takes_s(1)
ODD_S = 0.000_137
"""No deadline is met or missed by a rounding error."""

DEADLINES = st.lists(st.integers(2, 24).map(lambda n: n * ALONE_S / 2 + ODD_S), min_size=1, max_size=24)


def after(
    device: Modelled,
    deadlines_s: Sequence[float],
    kind: type[Dispatcher[Any, Any]] = Dispatcher,
    *,
    batches: bool = True,
) -> Line:
    """Give a line on which all jobs came at once, when everything is over."""
    line = Line(device, kind, batches=batches)
    for number, within_s in enumerate(deadlines_s):
        line.submit(str(number), within_s)
    line.run_until(line.clock.now() + 10.0)
    return line


def is_sound(line: Line) -> bool:
    """Each job is answered once, by its deadline where it was too late, and what is counted adds up."""
    counts = line.dispatcher.counts
    once = all(len(told) == 1 for told in line.answers.values())
    late = [
        at_s - line.deadlines_s[n] for n, told in line.answers.items() for r, at_s in told if isinstance(r, TooLate)
    ]
    added = counts.submitted == counts.done + counts.refused + counts.too_late + counts.faulted
    return once and added and all(seconds < 1e-6 for seconds in late)


def is_earliest_first(line: Line) -> bool:
    """No job was given while one waited that was due before it and that was in time after all."""
    due, kept = line.deadlines_s, line.in_time()
    return all(
        max(due[name] for name in task.members) <= min((due[n] for n in task.waiting if n in kept), default=math.inf)
        for task in line.started
    )


@settings(max_examples=150, deadline=None)
@given(DEADLINES)
def test_where_all_are_in_time_one_by_one_they_are_together_and_else_no_fewer_are(deadlines_s: list[float]) -> None:
    together, alone = after(GPU, deadlines_s), after(GPU, deadlines_s, batches=False)

    assert len(together.in_time()) >= len(alone.in_time())
    assert len(alone.in_time()) < len(deadlines_s) or together.in_time() == alone.in_time()
    assert is_sound(together)
    assert is_earliest_first(together)
    assert not alone.dispatcher.counts.together


@settings(max_examples=100, deadline=None)
@given(DEADLINES)
@example([0.9, *[0.0258] * 4])
def test_an_idle_lane_that_is_too_slow_makes_nobody_late(deadlines_s: list[float]) -> None:
    """Whoever waits for a lane that does several together is not late because another one has nothing to do."""
    line, two = Line(GPU), Line(GPU, stands_in=Modelled(each_s=0.5, sizes=()))
    for each in (line, two):
        for number, within_s in enumerate(deadlines_s):
            each.submit(str(number), within_s)
        each.run_until(each.clock.now() + 10.0)

    if len(line.in_time()) == len(deadlines_s):
        assert two.in_time() == line.in_time()
    assert is_sound(two)


FAULTS = st.dictionaries(
    st.integers(1, 4), st.sampled_from([DeviceFault("unplugged"), BadData("no picture")]), max_size=3
)
GAPS = st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.004, 0.03]), DEADLINES.map(max)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(GAPS, FAULTS, st.sets(st.integers(1, 4), max_size=2))
def test_nothing_is_lost_or_answered_twice_whatever_batches_do(
    jobs: list[tuple[float, float]], fails_on: dict[int, Exception], nan_on: set[int]
) -> None:
    line = Line(Modelled(fails_on=fails_on, nan_on=nan_on))
    for number, (gap_s, within_s) in enumerate(jobs):
        line.run_until(line.clock.now() + gap_s)
        line.submit(str(number), within_s)
    line.run_until(line.clock.now() + 10.0)

    assert is_sound(line)
    assert is_earliest_first(line)
    assert line.dispatcher.counts.faulted == 0  # each job of a batch that failed was done by itself
    assert line.dispatcher.counts.parted <= len(line.started)


@given(st.lists(st.floats(0.001, 0.3), min_size=1, max_size=12), st.integers(1, 12), st.floats(0.001, 0.02))
def test_what_a_size_costs_each_job_is_what_counts(deadlines_s: list[float], alike: int, each_s: float) -> None:
    """On a device that takes as long for each piece of a batch as for one alone, one is all that is ever taken."""
    waiting = [Due(deadline_s, each_s) for deadline_s in sorted(deadlines_s)]

    assert places_together(0.0, waiting, min(alike, len(waiting)), {n: n * each_s for n in (1, 2, 4, 8)}) == range(1)


def test_a_size_pays_where_it_is_cheaper_than_every_smaller_one() -> None:
    assert paying({1: 10.0, 2: 11.0, 4: 13.0, 8: 17.0}) == [1, 2, 4, 8]
    assert paying({1: 10.0, 2: 11.0, 4: 21.5}) == [1, 2]
    assert paying({1: 10.0, 2: 30.0, 4: 50.0}) == [1]  # four are cheaper than two, and dearer than one
    assert paying({1: 10.0, 4: 13.0}) == [1, 4]


def test_a_batch_is_of_those_that_come_first_and_no_larger_than_what_waits() -> None:
    takes_s = {size: GPU.takes_s(size) for size in (1, 2, 4, 8)}
    for count, size in ((1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (20, 8)):
        assert places_together(0.0, [Due(9.0, ALONE_S)] * count, count, takes_s) == range(size)


# Each of these is wrong, and the jobs below show it.


def ignores_its_members(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None
) -> range:
    """As many as are alike, whenever each has to be done."""
    return range(max(size for size in takes_s if size <= alike))


def ignores_those_behind(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None
) -> range:
    """Greedy: the most that are themselves in time."""
    fits = [n for n in takes_s if n <= alike and all(now + takes_s[n] <= due.deadline_s for due in waiting[:n])]
    return range(max(fits, default=1))


def pays_no_heed(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None
) -> range:
    """Batches wherever there is time, as if a CPU gained by it."""
    return places_together(now, waiting, alike, {size: 1e-6 * s for size, s in takes_s.items()} | {1: takes_s[1]})


def ignores_who_comes(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None
) -> range:
    """As if nothing came any more."""
    return places_together(now, waiting, alike, takes_s)


SLOW_CPU = Modelled(each_s=0.0, piece_s=0.011)


@pytest.mark.parametrize(
    ("wrong", "device", "deadlines_s"),
    [
        (ignores_its_members, GPU, [0.9, 0.023, 0.0235, 0.2, 0.2]),
        (pays_no_heed, SLOW_CPU, [0.9, 0.023, 0.9, 0.9, 0.9]),
    ],
)
def test_a_policy_that_makes_somebody_late_is_noticed(
    monkeypatch: pytest.MonkeyPatch, wrong: Policy, device: Modelled, deadlines_s: list[float]
) -> None:
    alone = after(device, deadlines_s, batches=False).in_time()
    assert after(device, deadlines_s).in_time() >= alone
    monkeypatch.setattr(choice, "places_together", wrong)

    assert not after(device, deadlines_s).in_time() >= alone


@pytest.mark.parametrize(("policy", "places"), [(places_together, range(1)), (ignores_those_behind, range(2))])
def test_two_are_not_done_together_where_more_behind_them_would_be_late(policy: Policy, places: range) -> None:
    """The second of them is late one by one; together four that take little are."""
    waiting = [Due(0.030, 0.020)] * 2 + [Due(0.031, 0.002)] * 4

    assert policy(0.0, waiting, 2, {1: 0.020, 2: 0.029}, None) == places


def nobody_is_left(
    now: float, waiting: Sequence[Due], alike: int, takes_s: Mapping[int, float], comes: Due | None
) -> range:
    """Never begins after the first, so that one who can hardly be in time keeps all to one by one."""
    places = places_together(now, waiting, alike, takes_s, comes)
    return range(1) if places.start else places


def recovers() -> bool:
    """After a disturbance, on a line that only batches can keep up with, the backlog is gone after a while."""
    line = Line(GPU)
    for number in range(600):
        if number == 100:
            line.disturb(0.12)
        line.submit(str(number), 0.14)
        line.run_until(line.clock.now() + 0.003)
    line.run_until(line.clock.now() + 1.0)
    return {str(number) for number in range(300, 600)} <= line.in_time()


def test_a_backlog_is_worked_off_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recovers()
    monkeypatch.setattr(choice, "places_together", nobody_is_left)

    assert not recovers()


class WaitsToFill(Dispatcher[Any, Any]):
    """Wrong: nothing is begun before a batch is full."""

    def _give_out(self, usable: Any, now: float) -> None:
        if len(self._urgent) >= 4:
            super()._give_out(usable, now)


class LosesTheRest(Dispatcher[Any, Any]):
    """Wrong: of a batch that fails only the first is done again."""

    def _part(self, lane: Any, task: Any, error: Any) -> None:
        super()._part(lane, Task(lane, task.kind, task.tickets[:1]), error)


class KeepsTrying(Dispatcher[Any, Any]):
    """Wrong: the jobs of a batch that failed are done together again."""

    def _part(self, lane: Any, task: Any, error: Any) -> None:
        super()._part(lane, task, error)
        lane._batches = True
        for ticket in task.tickets:
            ticket.alone = False


def test_a_dispatcher_that_waits_for_a_batch_to_fill_is_noticed() -> None:
    deadlines_s = [0.05, 0.05, 0.05]

    assert len(after(GPU, deadlines_s).in_time()) == 3
    assert not after(GPU, deadlines_s, WaitsToFill).in_time()


def fails_softly(kind: type[Dispatcher[Any, Any]]) -> bool:
    """Each job of a batch whose every run fails is done by itself, and the device is not given up."""
    device = Modelled(fails_on=dict.fromkeys(range(1, 9), DeviceFault("no memory")))
    line = after(device, [0.9] * 5, kind)
    counts, (lane,) = line.dispatcher.counts, line.dispatcher.status(line.clock.now()).lanes
    return (len(line.in_time()), counts.parted, counts.faulted, lane.state) == (5, 1, 0, "in use")


def test_a_batch_that_fails_costs_no_job_and_no_device() -> None:
    assert fails_softly(Dispatcher)


@pytest.mark.parametrize("wrong", [LosesTheRest, KeepsTrying])
def test_whoever_loses_a_job_of_a_batch_or_tries_it_again_and_again_is_noticed(
    wrong: type[Dispatcher[Any, Any]],
) -> None:
    assert not fails_softly(wrong)


def test_a_device_that_is_slower_together_than_its_table_says_stops_that_after_a_batch() -> None:
    line = Line(Modelled(each_s=0.0, piece_s=0.010, sizes=(4,), table_s={4: 0.012}))
    for number in range(200):
        line.submit(str(number), 5.0)
    line.run_until(line.clock.now() + 5.0)
    sizes = [len(task.members) for task in line.started]

    assert sizes[:70] == [1, 4, *[1] * 64, 4, 1, 1, 1]  # what was slow once is tried again


def test_a_size_that_was_slow_once_is_tried_again_after_many_runs_of_a_smaller_one() -> None:
    line = Line(GPU)
    line.submit("first", 5.0)
    line.disturb(0.5)
    for number in range(300):
        line.submit(str(number), 5.0)
    line.run_until(line.clock.now() + 5.0)

    assert [len(task.members) for task in line.started] == [1, 8, *[4] * 64, 8, 8, 8, 8, 4]


def test_after_bad_data_of_one_the_device_goes_on_with_batches() -> None:
    line = after(Modelled(fails_on={1: BadData("no picture")}, sizes=(4,)), [0.9] * 13)

    assert (line.dispatcher.counts.parted, line.dispatcher.counts.together) == (1, 12)
    assert len(line.in_time()) == 13


def leaves_time_for_who_comes() -> bool:
    """On a line whose parts have little time, a burst of jobs that have much is done in batches a part can wait for."""
    line = Line(GPU)
    for number in range(5):
        line.submit(f"part {number}", 0.026)
        line.run_until(line.clock.now() + 0.1)
    for number in range(9):
        line.submit(f"patient {number}", 0.9)
    line.run_until(line.clock.now() + ALONE_S + 0.001)  # the second task has just begun
    line.submit("one more", 0.026)
    line.run_until(line.clock.now() + 1.0)
    return "one more" in line.in_time() and line.dispatcher.counts.together > 0


def test_a_part_that_comes_right_after_a_batch_has_begun_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaves_time_for_who_comes()
    monkeypatch.setattr(choice, "places_together", ignores_who_comes)

    assert not leaves_time_for_who_comes()
