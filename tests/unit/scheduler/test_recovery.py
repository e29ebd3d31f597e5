"""How lanes come back: what is tried, what is loaded anew, what is never held on to, and what takes nobody along."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from scripted_lanes import Scripted

from edge_agent.errors import DeviceFault
from edge_agent.scheduler.bank import STUCK
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import CannotRun
from edge_agent.scheduler.lane import LOAD_TIMEOUT_S, PASSED_OVER, PASSED_OVER_MOST

TWO = ("a/x", "b/y")


def in_use(bench: Scripted) -> str:
    return bench.dispatcher.status(bench.clock.now()).in_use


def states(bench: Scripted) -> dict[str, str]:
    lanes = bench.dispatcher.status(bench.clock.now()).lanes
    return {device: state for lane in lanes for device, state in lane.breakers.items()}


def test_a_job_that_one_lane_cannot_do_is_done_by_the_next_and_the_first_stays_in_use() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 0.5)
    bench.end("a/x", CannotRun("another bundle does not fit this device"))
    bench.end("b/y", after_s=0.01)

    assert bench.words() == ["a on b/y"]
    assert in_use(bench) == "a/x"
    assert set(states(bench).values()) == {"closed"}


def test_a_job_that_no_lane_can_do_hears_why_and_no_device_is_to_blame() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 0.5)
    bench.end("a/x", CannotRun("no"))
    bench.end("b/y", CannotRun("no"))

    assert bench.words() == ["a: CannotRun"]
    assert in_use(bench) == "a/x"
    assert [said for _, kind, said, _ in bench.noted if kind == "cannot_run"] == ["a/x: no", "b/y: no"]


def test_loading_inside_a_job_may_take_as_long_as_a_load_before_it_counts_as_a_hang() -> None:
    bench = Scripted(timeout_s=0.5).ready()
    bench.loading = True
    hand = bench.hands["a/x"]
    bench.job("a", 100.0)
    bench.wait(LOAD_TIMEOUT_S - 1.0)
    assert not hand.abandoned
    bench.wait(2.0)

    assert hand.abandoned


def test_a_trial_may_take_as_long_as_a_load() -> None:
    bench = Scripted(TWO, timeout_s=0.3).ready()
    bench.job("a", 5.0)
    bench.end("a/x", DeviceFault("hiccup"))
    bench.end("b/y")
    bench.wait(0.6)
    assert bench.on("a/x") == "try"
    bench.wait(5.0)

    assert bench.on("a/x") == "try"


class Model:
    """Something that takes memory."""


def test_what_was_loaded_in_vain_is_let_go_each_time() -> None:
    loaded: list[weakref.ref[Model]] = []

    def made(name: str) -> Model:
        model = Model()
        loaded.append(weakref.ref(model))
        return model

    def proof(held: Any) -> None:
        raise DeviceFault("other numbers than the desk")

    bench = Scripted(loads=made, proof=proof)
    for _ in range(20):
        while not bench.on("a/x"):
            bench.wait(1.0)
        bench.end("a/x")
    gc.collect()

    assert len(loaded) == 20
    assert sum(model() is not None for model in loaded) == 0


def test_what_hung_and_ended_at_last_is_let_go() -> None:
    loaded: list[weakref.ref[Model]] = []

    def made(name: str) -> Model:
        model = Model()
        loaded.append(weakref.ref(model))
        return model

    bench = Scripted(loads=made, timeout_s=0.5).ready()
    bench.job("a", 5.0)
    hanging = bench.hands["a/x"]
    bench.wait(0.6)
    assert hanging.abandoned
    hanging.end()
    bench.wait(1.0)
    bench.end("a/x")  # the load
    del hanging
    gc.collect()

    assert [model() is not None for model in loaded] == [False, True]


def test_a_device_that_fails_its_trial_is_loaded_anew() -> None:
    bench = Scripted(TWO).ready()
    bench.job("a", 5.0)
    bench.end("a/x", DeviceFault("context lost"))
    bench.end("b/y")
    bench.wait(0.6)
    assert bench.on("a/x") == "try"
    bench.end("a/x", DeviceFault("context lost"))
    while not bench.on("a/x"):
        bench.wait(0.5)

    assert bench.on("a/x") == "load"
    bench.end("a/x")
    assert in_use(bench) == "a/x"


def test_a_device_that_hangs_at_every_load_leaves_two_threads_and_not_one_a_minute() -> None:
    bench = Scripted()
    hands = set()
    for _ in range(600):
        hands.add(bench.hands["a/x"])
        bench.wait(10.0)

    assert sum(hand.task is not None for hand in hands) <= STUCK


def test_one_slow_part_does_not_put_the_station_in_a_hurry_for_ever() -> None:
    bench = Scripted(pace_s=0.010).ready()
    for number in range(50):
        bench.job(f"{number}", 0.1, hurried=True)
        bench.end("a/x", after_s=0.2 if number == 25 else 0.01)
    bench.answers.clear()
    for number in range(100):
        bench.job(f"{number}", 0.1, hurried=True)
        bench.end("a/x", after_s=0.01)

    assert bench.words()[0] == "0 in a hurry on a/x"
    assert bench.words()[-1] == "99 on a/x"


def test_a_job_that_comes_too_late_costs_nobody_what_is_known() -> None:
    bench = Scripted(pace_s=0.030).ready()
    for number in range(20):
        bench.job(f"{number}", 0.5)
        bench.end("a/x", after_s=0.03)
    bench.clock.advance(1.0)
    blocked = bench.made("late", bench.clock.now() + 0.01)
    bench.job("before", 0.5)
    bench.end("a/x", after_s=0.03)
    bench.dispatcher.submit(blocked)

    assert bench.dispatcher.status(bench.clock.now()).lanes[0].p50_ms > 0.0


def test_a_hiccup_of_the_stand_in_while_the_other_device_is_dead_is_shown_to_be_over_by_the_stand_in_itself() -> None:
    bench = Scripted(("both", "one"), devices={"both": ("a/x", "b/y"), "one": ("b/y",)}).ready()
    bench.job("1", 5.0)
    bench.end("both", DeviceFault("dead", device="a/x"))
    bench.end("one")
    bench.job("2", 5.0)
    bench.end("one", DeviceFault("hiccup", device="b/y"))
    for _ in range(100):
        bench.wait(0.1)
        if bench.on("both"):
            bench.end("both", DeviceFault("dead", device="a/x"))
        if bench.on("one"):
            bench.end("one")

    assert in_use(bench) == "one"


def test_a_stand_in_that_cannot_load_does_not_take_the_lane_in_use_along() -> None:
    bench = Scripted(("both", "one"), devices={"both": ("a/x", "b/y"), "one": ("b/y",)})
    bench.end("both")
    for _ in range(200):
        if bench.on("one"):
            bench.end("one", DeviceFault("cannot load", device="b/y"))
        assert in_use(bench) == "both"
        bench.wait(0.5)


def test_what_runs_when_the_lanes_are_closed_hears_that_it_will_not_be_done() -> None:
    bench = Scripted().ready()
    for name in ("runs", "waits"):
        bench.job(name, 0.9)
    bench.job("piece")
    bench.dispatcher.close()

    assert sorted(bench.words()) == ["piece: Unavailable", "runs: Unavailable", "waits: Unavailable"]


def comes_back_when_it_is_quick_again(kind: type[Dispatcher[Any, Any]]) -> bool:
    """The first lane was slow once; it is proven again beside the line, and used again, whatever else it does."""
    bench = Scripted(TWO, pace_s=0.3, kind=kind)
    bench.end("a/x")
    bench.pace_s = 0.01
    bench.end("b/y")
    given: list[str] = []
    for number in range(2 * PASSED_OVER):
        bench.job(f"{number}", 0.1)
        given += [name for name in TWO if bench.on(name) == f"{number}"]
        end_all(bench)
        if number % 10 == 0:
            bench.job("piece")
            while bench.on("a/x") != "piece":
                bench.wait(0.1)
            end_all(bench)
    return given == ["b/y"] * PASSED_OVER + ["a/x"] * PASSED_OVER and bench.dispatcher.counts.done == 2 * PASSED_OVER


def end_all(bench: Scripted) -> None:
    for name in TWO:
        if bench.on(name):
            bench.end(name, after_s=0.005)


def test_a_lane_that_was_too_slow_comes_back_when_it_is_quick_again() -> None:
    assert comes_back_when_it_is_quick_again(Dispatcher)


class NeverDoubts(Dispatcher[Any, Any]):
    """Wrong: what was slow once is slow for ever."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._bank.chose = lambda *heard: None  # type: ignore[method-assign]


class CountsPieces(Dispatcher[Any, Any]):
    """Wrong: a piece of background work counts as if the lane had had a part."""

    def _give(self, lane: Any, tickets: Any, now: float, *, hurried: bool = False) -> None:
        super()._give(lane, tickets, now, hurried=hurried)
        lane.passed_over = 0


@pytest.mark.parametrize("wrong", [NeverDoubts, CountsPieces])
def test_whoever_never_looks_again_at_a_slow_lane_is_noticed(wrong: type[Dispatcher[Any, Any]]) -> None:
    assert not comes_back_when_it_is_quick_again(wrong)


def looks_ever_more_seldom(kind: type[Dispatcher[Any, Any]]) -> bool:
    """A lane that stays slow is proven after 64 parts, 128 more, 256 more, and so on."""
    bench = Scripted(TWO, pace_s=0.3, kind=kind)
    bench.end("a/x")
    bench.pace_s = 0.01
    bench.end("b/y")
    bench.pace_s = 0.3
    waited, tries = 0, []
    for number in range(500):
        bench.job(f"{number}", 0.1)
        waited += 1
        bench.end("b/y", after_s=0.005)
        if bench.on("a/x"):
            tries.append(waited)
            waited = 0
            bench.end("a/x")
    return tries == [64, 128, 256]


def test_a_lane_that_stays_slow_is_proven_ever_more_seldom() -> None:
    assert looks_ever_more_seldom(Dispatcher)


def test_it_is_never_given_up() -> None:
    bench = Scripted().ready()
    (lane,) = bench.dispatcher._bank.lanes
    waits = []
    for number in range(13_000):
        lane.pass_over(bench.clock.now())
        if bench.on("a/x"):
            waits.append(number - sum(waits) + 1)
            bench.hands["a/x"].end()
            bench.step()

    assert waits == [64, 128, 256, 512, 1024, 2048, PASSED_OVER_MOST, PASSED_OVER_MOST]


class KeepsTrying(Dispatcher[Any, Any]):
    """Wrong: every 64 parts, all golden vectors are run on a lane that is slow for ever."""

    def _hear(self, answer: Any, now: float) -> None:
        super()._hear(answer, now)
        answer.job.lane.doubted_at = PASSED_OVER


def test_whoever_proves_a_slow_lane_again_and_again_is_noticed() -> None:
    assert not looks_ever_more_seldom(KeepsTrying)


@pytest.mark.parametrize(("took_s", "waits"), [((0.005, 0.3), PASSED_OVER), ((0.3,), 2 * PASSED_OVER)])
def test_a_lane_that_did_a_part_in_time_is_looked_at_as_soon_as_at_first(took_s: Sequence[float], waits: int) -> None:
    bench = Scripted(TWO, pace_s=0.3)
    bench.end("a/x")
    bench.pace_s = 0.01
    bench.end("b/y")

    def passed_over() -> int:
        for number in range(10 * PASSED_OVER):
            if bench.on("a/x") == "try":
                return number
            bench.job(f"{number}", 0.1)
            bench.end("b/y", after_s=0.005)
        raise AssertionError("it is never proven")

    assert passed_over() == PASSED_OVER
    bench.end("a/x")  # its proof is quick
    for each_s in took_s:
        bench.job("a", 0.1)
        bench.end("a/x", after_s=each_s)

    assert passed_over() == waits


def test_no_part_waits_for_a_lane_that_is_proven_again() -> None:
    bench = Scripted(TWO, pace_s=0.3)
    bench.end("a/x")
    bench.pace_s = 0.01
    bench.end("b/y")
    for number in range(PASSED_OVER):
        bench.job(f"{number}", 0.1)
        bench.end("b/y", after_s=0.005)
    assert bench.on("a/x") == "try"
    bench.job("next", 0.1)
    assert bench.on("b/y") == "next"


def test_a_lane_that_was_slow_before_this_start_comes_back_when_its_proof_is_quick() -> None:
    bench = Scripted(TWO, pace_s=0.01, before={"a/x": 0.3}).ready()
    given: list[str] = []
    for number in range(PASSED_OVER + 10):
        bench.job(f"{number}", 0.1)
        given += [name for name in TWO if bench.on(name) == f"{number}"]
        end_all(bench)

    assert given == ["b/y"] * PASSED_OVER + ["a/x"] * 10


def test_what_a_lane_took_is_kept_over_a_failure() -> None:
    bench = Scripted(TWO, pace_s=0.01).ready()
    for number in range(5):
        bench.job(f"{number}", 0.9)
        bench.end("a/x", after_s=0.08)
    bench.job("a", 5.0)
    bench.end("a/x", DeviceFault("hiccup", device="a/x"))
    bench.wait(0.6)
    bench.end("a/x")

    assert bench.dispatcher.status(bench.clock.now()).lanes[0].p99_ms == pytest.approx(80.0)


def said_of(bench: Scripted) -> list[str]:
    return [said for _, kind, said, _ in bench.noted if kind == "not_together"]


def test_what_is_not_done_together_though_it_was_measured_to_gain_is_said_once() -> None:
    bench = Scripted(TWO, complaints=["4 parts are not"])
    bench.ready()
    bench.job("a", 0.5)
    bench.end("a/x", DeviceFault("unplugged", device="a/x"))
    bench.wait(20.0)
    bench.end("a/x")  # it is loaded again

    assert said_of(bench) == ["a/x: 4 parts are not", "b/y: 4 parts are not"]


def test_a_batch_that_fails_while_parts_are_judged_is_said_with_the_reason() -> None:
    bench = Scripted(pace_s=0.010, batches_s={2: 0.012}).ready()
    for name in "abc":
        bench.job(name, 0.5)
    bench.end("a/x")
    assert bench.on("a/x") == "b and c"
    bench.end("a/x", DeviceFault("out of memory"))

    assert said_of(bench) == ["a/x: 2 parts are not done together any more: out of memory"]
    assert bench.on("a/x") == "b"


def test_of_what_was_loaded_for_a_part_it_is_said_with_the_next_piece() -> None:
    bench = Scripted().ready()
    bench.complaints = ["2 parts are not"]
    bench.job("part", 0.5)
    bench.end("a/x")
    assert said_of(bench) == []
    bench.job("piece")
    bench.end("a/x")

    assert said_of(bench) == ["a/x: 2 parts are not"]
