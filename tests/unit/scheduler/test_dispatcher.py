"""The dispatcher: what comes first, what is refused and when, and what becomes of a job whose device fails."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from scripted_lanes import Scripted

from edge_agent.errors import BadData, ConfigError, DeviceFault, Unavailable
from edge_agent.runtime.loop import NEVER
from edge_agent.scheduler.beside import BACKGROUND, EARLY, Beside
from edge_agent.scheduler.dispatcher import URGENT, Dispatcher
from edge_agent.scheduler.job import Job, Need, Ticket
from edge_agent.scheduler.latency import WINDOW
from edge_agent.scheduler.pace import Paces
from edge_agent.scheduler.rhythm import OVERDUE_S

TWO = ("a/x", "b/y")


def the_most_urgent_comes_first(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(kind=kind).ready()
    for name, within_s in (("first", 0.9), ("later", 0.8), ("soon", 0.3), ("sooner", 0.2)):
        bench.job(name, within_s)
    for _ in range(4):
        bench.end("a/x", after_s=0.01)
    return [name for name, _, _ in bench.answers] == ["first", "sooner", "soon", "later"]


def test_the_most_urgent_comes_first() -> None:
    assert the_most_urgent_comes_first(Dispatcher)


class FirstComeFirstServed(Dispatcher[Any, Any]):
    """Wrong: in the order in which the jobs came."""

    def submit(self, job: Job[Any, Any]) -> bool:
        count = self._count = getattr(self, "_count", 0) + 1
        return super().submit(Job(job.run, job.then, 1.0 + 1e-6 * count))


def test_whoever_serves_the_first_first_is_noticed() -> None:
    assert not the_most_urgent_comes_first(FirstComeFirstServed)


def background_waits_for_parts(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(kind=kind).ready()
    for name in ("piece 1", "piece 2"):
        bench.job(name)
    bench.job("part", 0.5)
    bench.end("a/x", after_s=0.01)
    bench.end("a/x", after_s=0.01)
    return bench.words() == ["piece 1 on a/x", "part on a/x"] and bench.on("a/x") == "piece 2"


def test_a_part_waits_for_one_piece_of_background_work_at_most() -> None:
    assert background_waits_for_parts(Dispatcher)


class AllAlike(Dispatcher[Any, Any]):
    """Wrong: background work is as urgent as a part."""

    def submit(self, job: Job[Any, Any]) -> bool:
        return super().submit(Job(job.run, job.then, min(job.deadline_s, self._clock.now() + 0.1)))


def test_whoever_takes_background_work_for_urgent_is_noticed() -> None:
    assert not background_waits_for_parts(AllAlike)


def test_background_work_goes_on_whenever_no_part_waits() -> None:
    bench = Scripted().ready()
    pieces = 0
    for number in range(100):
        bench.job(f"part {number}", 0.2)
        bench.end("a/x", after_s=0.01)
        bench.job(f"piece {number}")
        bench.end("a/x", after_s=0.01)
        pieces += 1
    status = bench.dispatcher.status(bench.clock.now())

    assert (status.counts.done, status.counts.background, status.background) == (100, pieces, 0)


def test_background_work_that_gets_no_time_says_for_how_long() -> None:
    bench = Scripted().ready()
    bench.job("part", 0.2)
    bench.job("piece")
    bench.clock.advance(70.0)

    assert bench.dispatcher.status(bench.clock.now()).background_oldest_s == pytest.approx(70.0)


def test_what_an_idle_device_cannot_do_in_time_is_said_at_once_and_not_tried() -> None:
    bench = Scripted(pace_s=0.050).ready()
    bench.job("a", 0.04)

    assert bench.words() == ["a: TooLate"]
    assert bench.on("a/x") == ""


def has_its_chance(kind: type[Dispatcher[Any, Any]], before_s: float = 0.050) -> bool:
    """A part that is in time by the proof of this start is run, whatever parts took before this start."""
    bench = Scripted(pace_s=0.010, before_s=before_s, kind=kind).ready()
    bench.job("a", 0.04, hurried=True)
    return bench.on("a/x") == "a"


def test_what_parts_took_before_this_start_refuses_none_that_its_proof_says_is_in_time() -> None:
    assert has_its_chance(Dispatcher)
    assert has_its_chance(Dispatcher, before_s=0.0)


class BelievesThePast(Dispatcher[Any, Any]):
    """Wrong: a lane is taken to be as slow as before this start, whatever its proof took."""

    def _hear(self, answer: Any, now: float) -> None:
        super()._hear(answer, now)
        lane = answer.job.lane
        lane.paces.of("").durations.forget_all()
        lane.paces.of("").durations.add(lane.way.p99_s[""])


def test_whoever_loses_a_part_to_the_past_is_noticed() -> None:
    assert not has_its_chance(BelievesThePast)


def test_until_parts_were_run_the_lane_that_was_quick_before_this_start_is_the_quicker() -> None:
    bench = Scripted(("a/x", "b/y"), pace_s=0.010, before={"a/x": 0.050}).ready()
    bench.job("tight", 0.04)
    bench.job("loose", 0.2)

    assert (bench.on("a/x"), bench.on("b/y")) == ("loose", "tight")


def slow_for_one_bundle_is_slow_for_that_alone(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(kind=kind).ready()
    for bundle, took_s in (("large", 0.100), ("small", 0.010), ("large", 0.100), ("small", 0.010)):
        bench.job(f"a {bundle} one", 0.9, bundle=bundle)
        bench.end("a/x", after_s=took_s)
    bench.answers.clear()
    for bundle in ("small", "large"):
        bench.job(bundle, 0.050, bundle=bundle)
        if bench.on("a/x"):
            bench.end("a/x", after_s=0.010)
    return bench.words() == ["small on a/x", "large: TooLate"]


def test_what_parts_of_one_bundle_take_says_nothing_of_another() -> None:
    assert slow_for_one_bundle_is_slow_for_that_alone(Dispatcher)


class MixesBundles(Dispatcher[Any, Any]):
    """Wrong: one window of durations for all bundles."""

    def submit(self, job: Job[Any, Any]) -> bool:
        return super().submit(replace(job, bundle=""))


def test_whoever_mixes_the_paces_of_bundles_is_noticed() -> None:
    assert not slow_for_one_bundle_is_slow_for_that_alone(MixesBundles)


def test_no_two_lanes_have_one_name() -> None:
    with pytest.raises(AssertionError, match="told apart by their names"):
        Scripted(("a/x", "a/x"))


def test_what_waited_too_long_is_said_at_its_deadline() -> None:
    bench = Scripted(timeout_s=0.5).ready()
    bench.job("a", 0.2)
    bench.job("b", 0.1)
    bench.wait(0.15)

    assert [(name, round(at_s - 0.010, 3)) for name, _, at_s in bench.answers] == [("b", 0.1)]


def test_a_job_that_p99_gives_no_time_but_the_median_does_has_its_chance() -> None:
    bench = Scripted(pace_s=0.010).ready()
    for number, took_s in enumerate((0.01, 0.01, 0.01, 0.30)):
        bench.job(f"{number}", 1.0)
        bench.end("a/x", after_s=took_s)
    bench.job("tight", 0.1)

    assert bench.on("a/x") == "tight"


def test_what_became_too_slow_for_every_job_is_tried_again() -> None:
    bench = Scripted(pace_s=0.5).ready()
    for number in range(3):
        bench.job(f"{number}", 0.1)

    assert bench.words() == ["0: TooLate"]
    assert bench.on("a/x") == "1"


def test_the_cheaper_way_is_taken_where_it_is_in_time_and_no_other_is() -> None:
    bench = Scripted(pace_s=0.050).ready()
    bench.job("a", 0.2, hurried=True)
    bench.end("a/x", after_s=0.05)
    bench.job("b", 0.04, hurried=True)

    assert bench.on("a/x") == "b in a hurry"
    bench.end("a/x", after_s=0.02)
    assert bench.words() == ["a on a/x", "b in a hurry on a/x"]
    assert bench.dispatcher.counts.hurried == 1


def test_two_jobs_run_on_two_devices_where_one_has_no_time_for_both() -> None:
    bench = Scripted(TWO, pace_s=0.050).ready()
    bench.job("a", 0.09)
    bench.job("b", 0.09)

    assert (bench.on("a/x"), bench.on("b/y")) == ("a", "b")


def test_a_job_waits_for_the_lane_in_use_where_that_is_in_time() -> None:
    bench = Scripted(TWO, pace_s=0.010).ready()
    bench.job("a", 0.09)
    bench.job("b", 0.09)

    assert (bench.on("a/x"), bench.on("b/y")) == ("a", "")


def a_job_whose_device_fails_is_done_by_the_next(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(TWO, kind=kind).ready()
    bench.job("a", 0.2)
    bench.end("a/x", DeviceFault("unplugged", device="a/x"))
    if bench.on("b/y") != "a":
        return False
    bench.end("b/y", after_s=0.01)
    return bench.words() == ["a on b/y"]


def test_a_job_whose_device_fails_is_done_by_the_next() -> None:
    assert a_job_whose_device_fails_is_done_by_the_next(Dispatcher)


class GivesUp(Dispatcher[Any, Any]):
    """Wrong: a job is lost with its device."""

    def _pass_on(self, lane: Any, ticket: Ticket[Any, Any], error: Any, now: float) -> None:
        return


def test_whoever_loses_a_job_with_its_device_is_noticed() -> None:
    assert not a_job_whose_device_fails_is_done_by_the_next(GivesUp)


def test_a_cold_stand_in_is_loaded_when_it_is_needed_and_the_job_waits_for_it() -> None:
    bench = Scripted(TWO, warm=False).ready()
    assert "b/y" not in bench.hands
    bench.job("a", 0.9)
    bench.end("a/x", DeviceFault("unplugged"))
    assert bench.on("b/y") == "load"
    bench.end("b/y", after_s=0.3)
    bench.end("b/y", after_s=0.01)

    assert bench.words() == ["a on b/y"]
    assert [kind for _, kind, _, _ in bench.noted] == ["device_failed", "lane_changed"]


def test_where_nothing_stands_in_the_job_hears_why_at_once() -> None:
    bench = Scripted(warm=False).ready()
    for name in ("a", "b"):
        bench.job(name, 0.9)
    bench.end("a/x", DeviceFault("unplugged"))

    assert bench.words() == ["a: DeviceFault", "b: DeviceFault"]
    assert not bench.job("c", 0.9)
    assert (bench.dispatcher.counts.faulted, bench.dispatcher.counts.refused) == (2, 1)


def test_background_work_whose_device_fails_is_done_by_the_next() -> None:
    bench = Scripted(TWO).ready()
    bench.job("piece")
    bench.end("a/x", DeviceFault("unplugged"))
    bench.end("b/y", after_s=0.01)

    assert bench.words() == ["piece on b/y"]


def test_bad_data_is_the_jobs_own_fault_and_no_devices() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 0.9)
    bench.end("a/x", BadData("no picture"))

    assert bench.words() == ["a: BadData"]
    assert bench.dispatcher.status(bench.clock.now()).in_use == "a/x"


def test_a_bug_ends_the_step_with_it() -> None:
    bench = Scripted().ready()
    bench.job("a", 0.9)

    with pytest.raises(KeyError):
        bench.end("a/x", KeyError("a bug"))


def a_hang_costs_one_device_and_no_job(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(TWO, timeout_s=0.3, kind=kind).ready()
    bench.job("a", 0.2)
    hanging = bench.hands["a/x"]
    bench.wait(0.02)
    if bench.on("b/y") == "a":
        bench.end("b/y", after_s=0.01)
    bench.wait(0.3)
    hanging.end()  # it comes back at last, and nobody listens any more
    bench.step()
    return bench.words() == ["a on b/y"] and hanging.abandoned


def test_a_hang_costs_one_device_and_no_job() -> None:
    assert a_hang_costs_one_device_and_no_job(Dispatcher)


def test_parts_do_not_wait_for_a_device_that_is_silent() -> None:
    bench = Scripted(TWO, timeout_s=2.0).ready()
    bench.job("a", 0.2)
    bench.wait(0.1)
    bench.end("b/y")  # it was given to this one as well
    bench.job("b", 0.2)
    assert bench.on("b/y") == "b"
    bench.end("b/y", after_s=0.01)

    assert bench.words() == ["a on b/y", "b on b/y"]


class Patient(Dispatcher[Any, Any]):
    """Wrong: waits for ever for a device."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._timeout_s = math.inf


def test_whoever_waits_for_ever_is_noticed() -> None:
    assert not a_hang_costs_one_device_and_no_job(Patient)


def test_a_job_that_takes_far_too_long_is_rescued_by_an_idle_lane_and_the_second_answer_is_in_vain() -> None:
    bench = Scripted(TWO).ready()
    for number in range(40):
        bench.job(f"{number}", 0.5)
        bench.end("a/x", after_s=0.01)
    bench.answers.clear()
    bench.job("slow", 0.5)
    bench.wait(0.03)
    assert bench.on("b/y") == "slow"
    bench.end("b/y", after_s=0.01)
    bench.end("a/x", after_s=0.01)

    assert bench.words() == ["slow on b/y"]
    counts = bench.dispatcher.counts
    assert (counts.rescued, counts.saved, counts.in_vain) == (1, 1, 1)


def test_at_most_one_job_in_twenty_is_rescued() -> None:
    bench = Scripted(TWO).ready()
    for number in range(200):
        bench.job(f"{number}", 0.5)
        bench.wait(0.2)  # always far too long for what the proof took
        for name in TWO:
            if bench.on(name):
                bench.end(name)

    assert 0 < bench.dispatcher.counts.rescued <= 0.05 * 200 + 1
    assert bench.dispatcher.counts.done == 200


@pytest.mark.parametrize(("second_is_quicker", "most"), [(True, 81), (False, 46)])
def test_where_the_second_lane_is_hardly_ever_the_quicker_few_jobs_are_given_to_it(
    second_is_quicker: bool, most: int
) -> None:
    bench = Scripted(TWO).ready()
    for number in range(9000):
        bench.job(f"{number}", 0.5)
        if number % 110 == 109:
            bench.wait(0.1)  # far too long for what the others took
        else:
            bench.clock.advance(0.01)
        for name in reversed(TWO) if second_is_quicker else TWO:
            if bench.on(name):
                bench.end(name)
    counts = bench.dispatcher.counts

    assert counts.done == 9000
    assert most - 3 <= counts.rescued <= most
    assert counts.saved == (counts.rescued if second_is_quicker else 0)


def test_a_device_that_failed_is_tried_beside_the_line_and_used_again_when_it_passes() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 5.0)
    bench.end("a/x", DeviceFault("hiccup", device="a/x"))
    bench.end("b/y", after_s=0.01)
    bench.wait(0.6)
    assert bench.on("a/x") == "try"
    bench.job("b", 5.0)
    assert bench.on("b/y") == "b"
    bench.end("b/y", after_s=0.01)
    bench.end("a/x")
    bench.job("c", 5.0)

    assert bench.on("a/x") == "c"
    assert [kind for _, kind, _, _ in bench.noted] == ["device_failed", "lane_changed", "device_back", "lane_changed"]


def test_a_device_that_fails_its_trials_is_tried_ever_less_often_and_noted_once() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 5.0)
    bench.end("a/x", DeviceFault("other numbers", device="a/x"))
    bench.end("b/y", after_s=0.01)
    trials: list[float] = []
    for _ in range(6):
        began_s = bench.clock.now()
        while bench.on("a/x") not in ("try", "load"):
            bench.clock.advance_to(max(bench.clock.now() + 0.01, min(bench.step(), bench.clock.now() + 1.0)))
        trials.append(bench.clock.now() - began_s)
        bench.end("a/x", DeviceFault("other numbers", device="a/x"))

    assert trials == sorted(trials)
    assert trials[-1] > 5.0
    assert sum(kind == "device_failed" for _, kind, _, _ in bench.noted) == 1


def test_a_device_that_dies_at_load_leaves_the_station_to_what_stands_in() -> None:
    bench = Scripted(TWO, warm=False)
    bench.end("a/x", DeviceFault("no such device"))
    assert not bench.dispatcher.settled
    bench.end("b/y", after_s=0.3)

    assert bench.dispatcher.ready
    assert bench.job("a", 0.9)
    assert bench.on("b/y") == "a"


def test_what_a_person_must_change_ends_the_run() -> None:
    bench = Scripted(TWO)

    with pytest.raises(ConfigError):
        bench.end("a/x", ConfigError("no such bundle"))
    with pytest.raises(ConfigError):
        bench.dispatcher.open()


def test_no_more_wait_than_there_is_room_for() -> None:
    bench = Scripted().ready()
    accepted = [bench.job(f"{n}", 100.0) for n in range(URGENT + 2)]
    pieces = [bench.job(f"piece {n}") for n in range(BACKGROUND + 1)]

    assert accepted == [True] * (URGENT + 1) + [False]
    assert pieces == [True] * BACKGROUND + [False]


def test_what_is_closed_takes_nothing_and_needs_no_step() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 0.9)
    bench.dispatcher.close()

    assert not bench.job("b", 0.9)
    assert bench.step() == NEVER
    assert not bench.dispatcher.join(0.0)
    bench.hands["a/x"].end()
    assert bench.dispatcher.join(0.0)


def test_an_error_that_is_not_a_devices_counts_against_the_lane() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 0.9)
    bench.end("a/x", Unavailable("out of memory"))

    assert bench.on("b/y") == "a"


def those_with_the_same_deadline_keep_their_order(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(TWO, kind=kind).ready()
    bench.job("before", 0.9)
    for name in ("1", "2", "3", "4", "5"):  # each is looked at for the idle lane, and waits for the one in use
        bench.job(name, 0.9)
    for _ in range(6):
        bench.end("a/x", after_s=0.01)
    return [name for name, _, _ in bench.answers] == ["before", "1", "2", "3", "4", "5"]


def test_those_with_the_same_deadline_keep_their_order() -> None:
    assert those_with_the_same_deadline_keep_their_order(Dispatcher)


class PutsBack(Dispatcher[Any, Any]):
    """Wrong: what was looked at waits behind the others again."""

    def submit(self, job: Job[Any, Any]) -> bool:
        if (first := self._urgent.at(0)) is not None:
            self._urgent.take(range(1))
            self._urgent.put(first, again=True)
        return super().submit(job)


def test_whoever_puts_what_was_looked_at_behind_the_others_is_noticed() -> None:
    assert not those_with_the_same_deadline_keep_their_order(PutsBack)


def a_lane_that_failed_is_given_nothing(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(TWO, kind=kind).ready()
    bench.job("a", 0.5)
    bench.end("a/x", DeviceFault("unplugged", device="a/x"))
    bench.end("b/y", after_s=0.01)
    bench.job("b", 0.5)
    return (bench.on("a/x"), bench.on("b/y")) == ("", "b")


def test_a_lane_that_failed_is_given_nothing() -> None:
    assert a_lane_that_failed_is_given_nothing(Dispatcher)


class RemembersLanes(Dispatcher[Any, Any]):
    """Wrong: which lanes are usable is not looked up again after one has failed."""

    def _fault(self, lane: Any, task: Any, error: Any, now: float) -> None:
        before = self._bank.usable()
        super()._fault(lane, task, error, now)
        self._bank._usable = before


def test_whoever_does_not_look_again_at_the_lanes_is_noticed() -> None:
    assert not a_lane_that_failed_is_given_nothing(RemembersLanes)


def p99_after(*before: tuple[str, float]) -> tuple[float, str]:
    """Give what a lane says that jobs take [ms] after some and many quick ones of a bundle, and what runs in a gap."""
    bench = Scripted(pace_s=0.3).ready()
    for bundle, within_s in before:
        bench.job("before", within_s, bundle=bundle)
        bench.end("a/x", after_s=0.3)
    for number in range(2 * WINDOW):
        bench.job(str(number), 1.0 if number < WINDOW else 0.05, bundle="b")
        bench.end("a/x", after_s=0.005)
    bench.job("piece", bundle="b")
    (lane,) = bench.dispatcher.status(bench.clock.now()).lanes
    return lane.p99_ms, bench.on("a/x")


@pytest.mark.parametrize("before", [("", math.inf), ("other", math.inf), ("other", 1.0), ("b", 1.0)])
def test_what_a_lane_takes_is_what_its_newest_jobs_took(before: tuple[str, float]) -> None:
    """Background work, and a bundle that was used once, say nothing of it; a piece finds its time between the parts."""
    p99_ms, running = p99_after(before)

    assert p99_ms == pytest.approx(5.0)
    assert running == "piece"


def test_jobs_wait_for_the_lane_in_use_where_it_does_them_together_in_time() -> None:
    bench = Scripted(TWO, pace_s=0.050, batches_s={2: 0.055, 4: 0.060}).ready()
    bench.dispatcher._bank.lanes[1].paces.of("").durations.add(0.100)
    for number in range(5):
        bench.job(str(number), 0.140)
    assert (bench.on("a/x"), bench.on("b/y")) == ("0", "")
    bench.end("a/x", after_s=0.050)

    assert (bench.on("a/x"), bench.on("b/y")) == ("1 and 2 and 3 and 4", "")


def early_comes_between(kind: type[Dispatcher[Any, Any]]) -> bool:
    """What a part is going to need comes after parts and before background, at once where the lane is free."""
    bench = Scripted(kind=kind).ready()
    bench.job("part 1", 0.5)
    bench.job("piece")
    bench.early("picture")
    bench.job("part 2", 0.5)
    order = []
    for _ in range(4):
        order.append(bench.on("a/x"))
        bench.end("a/x", after_s=0.001)
    return order == ["part 1", "part 2", "picture", "piece"]


class OnlyWhenQuiet(Dispatcher[Any, Any]):
    """Wrong: takes early jobs for background."""

    def submit(self, job: Job[Any, Any]) -> bool:
        return super().submit(replace(job, need=None))


class AheadOfParts(Dispatcher[Any, Any]):
    """Wrong: takes early jobs for the most urgent."""

    def submit(self, job: Job[Any, Any]) -> bool:
        return super().submit(replace(job, need=None, deadline_s=0.1) if job.need else job)


def test_what_a_part_is_going_to_need_comes_after_parts_and_before_background() -> None:
    assert early_comes_between(Dispatcher)
    assert not early_comes_between(OnlyWhenQuiet)
    assert not early_comes_between(AheadOfParts)


def test_an_early_job_begins_however_little_time_the_rhythm_of_the_parts_leaves() -> None:
    bench = Scripted().ready()
    for number in range(20):
        bench.job(f"part {number}", 0.012)
        bench.end("a/x", after_s=0.01)
        bench.clock.advance(0.002)
    bench.job("piece")
    assert bench.on("a/x") == ""
    bench.early("picture")
    assert bench.on("a/x") == "picture"


def holds_up_no_part_that_is_expected_before_its_own(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(kind=kind).ready()
    now = bench.clock.now()
    bench.early("learns what pictures take")
    bench.end("a/x", after_s=0.02)
    bench.dispatcher.expect(now + 0.03)
    bench.early("of the part after the next", within_s=0.1)
    begun = [bench.on("a/x")]
    bench.job("next", 0.2)
    bench.dispatcher.expect(now + 0.12)
    bench.end("a/x", after_s=0.005)
    begun.append(bench.on("a/x"))
    return begun == ["", "of the part after the next"]


class HoldsUp(Dispatcher[Any, Any]):
    """Wrong: begins whatever is expected."""

    def expect(self, at_s: float) -> None:
        return


def test_an_early_job_holds_up_no_part_that_is_expected_before_its_own() -> None:
    assert holds_up_no_part_that_is_expected_before_its_own(Dispatcher)
    assert not holds_up_no_part_that_is_expected_before_its_own(HoldsUp)


def test_an_early_job_of_the_part_that_comes_next_begins_however_late_it_is() -> None:
    bench = Scripted(pace_s=0.02).ready()
    due_s = bench.clock.now() + 0.005
    bench.dispatcher.expect(due_s)
    bench.early("picture", within_s=0.005)
    assert bench.on("a/x") == "picture"


def test_an_early_job_can_be_withdrawn_until_a_lane_has_it_and_nobody_hears_of_it() -> None:
    bench = Scripted().ready()
    begun, waits = bench.early("begun"), bench.early("waits")
    assert begun is not None and waits is not None
    assert not bench.dispatcher.withdraw(begun)
    assert bench.dispatcher.withdraw(waits) and not bench.dispatcher.withdraw(waits)
    bench.end("a/x")

    assert bench.words() == ["begun on a/x"] and bench.on("a/x") == ""
    counts = bench.dispatcher.counts
    assert (counts.early, counts.background, counts.submitted) == (1, 0, 0)


def test_an_early_job_whose_lane_fails_is_not_done_by_another_and_is_answered() -> None:
    bench = Scripted(TWO).ready()
    bench.early("picture")
    bench.early("next")
    bench.end("a/x", DeviceFault("unplugged"))

    assert bench.words() == ["picture: DeviceFault"]
    assert bench.on("b/y") == "next"
    bench.dispatcher.close()
    assert bench.words() == ["picture: DeviceFault", "next: Unavailable"]


def test_early_jobs_are_refused_where_too_many_wait_none_works_or_parts_are_done_together() -> None:
    bench = Scripted().ready()
    assert [bench.early(f"picture {n}") is not None for n in range(EARLY + 2)] == [True] * (EARLY + 1) + [False]
    assert Scripted().early("picture") is None
    assert Scripted(batches_s={2: 0.011}).ready().early("picture") is None


def a_rest_is_not_taken_to_last_as_long_as_a_whole(kind: type[Dispatcher[Any, Any]]) -> bool:
    """Jobs of one bundle that take 3 and 30 ms are told apart, so that one of 30 ms is not begun in vain."""
    bench = Scripted(TWO, kind=kind, pace_s=0.003).ready()
    for _ in range(WINDOW):
        bench.dispatcher.submit(replace(bench.made("rest", bench.clock.now() + 0.5), pace="rest"))
        bench.end("a/x", after_s=0.003)
    for _ in range(5):
        bench.job("whole", 0.5)
        bench.end("a/x", after_s=0.03)
    bench.job("in the way", 0.5)
    bench.dispatcher.submit(replace(bench.made("rest", bench.clock.now() + 0.045), pace="rest"))
    bench.job("whole", 0.045)
    return bench.on("b/y") == "whole"


class AllOfABundleAlike(Dispatcher[Any, Any]):
    """Wrong: reckons that all jobs of a bundle take as long."""

    def submit(self, job: Job[Any, Any]) -> bool:
        return super().submit(replace(job, pace=""))


def test_the_rest_of_a_part_and_a_whole_one_are_told_apart() -> None:
    assert a_rest_is_not_taken_to_last_as_long_as_a_whole(Dispatcher)
    assert not a_rest_is_not_taken_to_last_as_long_as_a_whole(AllOfABundleAlike)


def goes_on_when_what_it_loads_anew_is_another(kind: type[Dispatcher[Any, Any]]) -> bool:
    """A bundle that is exchanged under a running station is a failed device; the one that stands in judges."""
    bench = Scripted(TWO, kind=kind).ready()
    bench.job("part 1", 0.5)
    bench.end("a/x", DeviceFault("one hiccup"))
    bench.end("b/y")
    tried = []
    try:
        for _ in range(200):
            bench.wait(0.5)
            if (kind_of := bench.on("a/x")) in ("load", "try"):
                tried.append(kind_of)
                bench.end("a/x", ConfigError("golden.npz: the manifest says otherwise"))
    except ConfigError:
        return False
    bench.job("part 2", 0.5)
    bench.end("b/y")
    return {"load"} <= set(tried) and bench.words() == ["part 1 on b/y", "part 2 on b/y"]


class EndsWhenever(Dispatcher[Any, Any]):
    """Wrong: what a person must change ends the station whenever it is found."""

    def _hear(self, answer: Any, now: float) -> None:
        self.settled = False
        super()._hear(answer, now)


def test_a_bundle_that_is_exchanged_under_a_running_station_does_not_end_it() -> None:
    assert goes_on_when_what_it_loads_anew_is_another(Dispatcher)
    assert not goes_on_when_what_it_loads_anew_is_another(EndsWhenever)


def begins_in_time_or_not_at_all(kind: type[Dispatcher[Any, Any]]) -> bool:
    """A picture that would be over too late for its own part is left to the part, which may be done in a hurry."""
    bench = Scripted(kind=kind, pace_s=0.02).ready()
    due_s = bench.clock.now() + 0.005
    bench.dispatcher.expect(due_s)
    bench.early("picture", within_s=0.005, done_s=0.017)
    return bench.on("a/x") == ""


class BeginsAnyway(Dispatcher[Any, Any]):
    """Wrong: begins whenever its part is the next."""

    def submit(self, job: Job[Any, Any]) -> bool:
        need = None if job.need is None else replace(job.need, done_s=math.inf)
        return super().submit(replace(job, need=need))


def test_an_early_job_does_not_make_its_own_part_late() -> None:
    assert begins_in_time_or_not_at_all(Dispatcher)
    assert not begins_in_time_or_not_at_all(BeginsAnyway)


def test_an_early_job_that_would_be_too_late_keeps_no_other_from_beginning() -> None:
    bench = Scripted(pace_s=0.02).ready()
    bench.early("in vain", within_s=0.005, done_s=0.017)
    bench.early("in time", within_s=0.08, done_s=0.3)
    assert bench.on("a/x") == "in time"


def begins_though_one_rest_was_slow(kind: type[Dispatcher[Any, Any]]) -> bool:
    """Of what comes after a picture the median counts: a slow one must not end early jobs for ever."""
    bench = Scripted(kind=kind, pace_s=0.025).ready()
    for rest_s in (0.005, 0.014, 0.005):
        bench.early("picture", within_s=0.08, done_s=0.093)
        if bench.on("a/x") != "picture":
            return False
        bench.end("a/x", after_s=0.02)
        bench.clock.advance(0.06)
        bench.rest("rest", 0.013)
        if bench.on("a/x") != "rest":
            return False
        bench.end("a/x", after_s=rest_s)
    return True


@pytest.mark.parametrize(
    ("pictures_s", "rests_s"),
    [((), (0.014, 0.014)), ((0.1,), ()), ((), (0.005,) * 20 + (0.014,) * 60), ((0.1,) * 5, (0.05,) * 5)],
)
def test_however_slow_it_was_for_a_while_pictures_are_begun_again(
    pictures_s: tuple[float, ...], rests_s: tuple[float, ...]
) -> None:
    bench = Scripted(pace_s=0.025).ready()
    slow = max(len(pictures_s), len(rests_s))
    for number in range(slow + 20):
        picture_s = pictures_s[number] if number < len(pictures_s) else 0.019
        rest_s = rests_s[number] if number < len(rests_s) else 0.003
        job = bench.early(f"picture {number}", within_s=0.08, done_s=0.093)
        bench.dispatcher.expect(bench.clock.now() + 0.08)
        assert job is not None
        begun = bench.on("a/x") == f"picture {number}"
        if number >= slow + 2:
            assert begun
        due_s = bench.clock.now() + 0.08
        if begun:
            bench.end("a/x", after_s=picture_s)
        bench.clock.advance_to(max(due_s, bench.clock.now()))
        bench.dispatcher.withdraw(job)
        (bench.rest if begun else bench.job)(f"part {number}", due_s + 0.013 - bench.clock.now())
        if bench.on("a/x"):
            bench.end("a/x", after_s=rest_s if begun else 0.021)
        bench.clock.advance(0.02)


def test_a_proof_beside_the_line_says_nothing_of_what_comes_after_a_picture() -> None:
    paces = Paces({})
    paces.proven(0.025, anew=False)
    assert paces.of("whole").durations.p50_s == 0.025
    assert not len(paces.after("rest").durations)
    paces.ran("rest", 1, 0.004)
    paces.proven(0.025, anew=True)
    assert not len(paces.of("rest").durations)


def test_no_piece_begins_where_the_picture_of_the_part_that_is_expected_would_have_to_wait() -> None:
    bench = Scripted(pace_s=0.04).ready()
    for number in range(20):
        bench.dispatcher.expect(bench.clock.now() + 0.08)
        if number > 5:
            bench.job(f"piece {number}")
            assert bench.on("a/x") == ""
        bench.clock.advance(0.015)
        bench.early(f"picture {number}", within_s=0.065, done_s=0.078)
        assert bench.on("a/x") == f"picture {number}"
        bench.end("a/x", after_s=0.05)
        bench.clock.advance(0.015)
        bench.dispatcher.expect(math.inf)
        bench.rest(f"rest {number}", 0.013)
        bench.end("a/x", after_s=0.005)
        while bench.on("a/x"):
            bench.end("a/x", after_s=0.05)
        bench.clock.advance(0.1)


def test_a_lane_that_is_done_with_a_picture_is_not_done_with_its_part() -> None:
    bench = Scripted().ready()
    (lane,) = bench.dispatcher._bank.lanes
    bench.job("part", 1.0)
    bench.end("a/x", after_s=0.01)
    freed_s = lane.freed_s
    assert freed_s == bench.clock.now()
    bench.early("picture", within_s=0.08)
    bench.end("a/x", after_s=0.02)
    assert lane.freed_s == freed_s
    bench.rest("rest", 0.1)
    bench.end("a/x", after_s=0.005)
    assert lane.freed_s == bench.clock.now()


def goes_on_beside_parts_that_wait_for_another_lane(kind: type[Dispatcher[Any, Any]]) -> bool:
    bench = Scripted(TWO, kind=kind).ready()
    for number in range(4):
        bench.job(f"slow {number}", 5.0)
        bench.end("a/x", after_s=0.5)
    if bench.on("b/y") or not bench.job("first", 0.12):
        return False
    bench.wait(0.01)
    bench.job("piece")
    for number in range(62):
        bench.job(f"part {number}", 0.12)
        bench.clock.advance(0.035)
        bench.step()
        if bench.on("a/x") == "piece":
            return bool(bench.on("b/y"))
        if bench.on("b/y"):
            bench.end("b/y")
    return False


def test_a_lane_that_is_passed_over_goes_on_with_background_work_while_parts_wait_for_another() -> None:
    assert goes_on_beside_parts_that_wait_for_another_lane(Dispatcher)


class AsksForTheWorst(Dispatcher[Any, Any]):
    """Wrong: begins a picture only where the slowest rest there was would still be in time."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._beside = BesideTheWorst()


class BesideTheWorst(Beside[Any, Any]):
    def _may_begin(self, need: Need, ticket: Any, lane: Any, now: float) -> bool:
        in_time = max(need.at_s, now) + lane.paces.after("rest").durations.p99_s <= need.done_s
        return in_time and super()._may_begin(need, ticket, lane, now)


class BelievesTheProof(Dispatcher[Any, Any]):
    """Wrong: takes what comes after a picture for as long as a whole part until it was run."""

    def submit(self, job: Job[Any, Any]) -> bool:
        for lane in self._bank.usable():
            lane.paces.after("rest").proven(0.025, anew=False)
            lane.paces.of("rest").goes_on = False
            lane.paces.of("rest").proven(0.025, anew=False)
            lane.paces.of("rest").goes_on = True
        return super().submit(job)


def test_a_line_that_leaves_little_has_its_pictures_begun_from_the_first_part_on() -> None:
    assert begins_though_one_rest_was_slow(Dispatcher)
    assert not begins_though_one_rest_was_slow(AsksForTheWorst)
    assert not begins_though_one_rest_was_slow(BelievesTheProof)


def test_of_early_jobs_the_one_that_is_needed_first_begins() -> None:
    bench = Scripted(pace_s=0.02).ready()
    bench.dispatcher.expect(bench.clock.now() + 0.015)
    bench.early("part 2", within_s=0.08)
    assert bench.on("a/x") == ""
    bench.early("part 1", within_s=0.015)
    assert bench.on("a/x") == "part 1"
    assert bench.begun == [("part 1", "a/x")]


def test_an_early_job_begins_when_what_was_expected_leaves_or_does_not_come() -> None:
    bench = Scripted(pace_s=0.02).ready()
    bench.dispatcher.expect(bench.clock.now() + 0.01)
    bench.early("picture", within_s=0.08)
    assert bench.on("a/x") == ""
    bench.dispatcher.expect(bench.clock.now() + 0.08)
    assert bench.on("a/x") == "picture"
    bench.end("a/x", after_s=0.02)
    bench.dispatcher.expect(bench.clock.now() + 0.01)
    bench.early("another", within_s=0.3)
    assert bench.on("a/x") == ""
    bench.wait(0.01 + 2 * OVERDUE_S)
    assert bench.on("a/x") == "another"


def test_a_rest_takes_as_long_as_a_whole_on_a_lane_that_did_not_begin_it() -> None:
    bench = Scripted(TWO, pace_s=0.02).ready()
    for _ in range(WINDOW):
        bench.dispatcher.submit(replace(bench.made("rest", bench.clock.now() + 0.5), pace="rest", paced_by="a/x"))
        bench.end("a/x", after_s=0.003)
    here, there = bench.dispatcher._bank.lanes
    ticket = Ticket(replace(bench.made("rest", 9.0), pace="rest", paced_by="a/x"), 0.0)
    anywhere = Ticket(replace(bench.made("rest", 9.0), pace="rest"), 0.0)

    assert here.alone_s(ticket) == pytest.approx(0.003)
    assert there.alone_s(ticket) == pytest.approx(0.02)
    assert here.alone_s(anywhere) == pytest.approx(0.003)
