"""Whatever devices do, each job that was accepted is answered once, and what is counted adds up."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_lanes import Scripted

from edge_agent.errors import BadData, DeviceFault
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Ticket, TooLate

NAMES = ("a/x", "b/y", "c/z")
ENDS = {"well": None, "bad": BadData("no picture"), "fault": DeviceFault("unplugged"), "nan": DeviceFault("NaN")}
TIMEOUT_S = 0.5

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("part"), st.sampled_from([0.02, 0.1, 0.17]), st.booleans()),
        st.tuples(st.just("piece")),
        st.tuples(st.just("early"), st.booleans(), st.sampled_from([0.0, 0.01, 0.05, math.inf])),
        st.tuples(st.just("expect"), st.sampled_from([-0.05, 0.0, 0.01, 0.06, math.inf])),
        st.tuples(st.just("end"), st.sampled_from(NAMES), st.sampled_from(list(ENDS))),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.005, 0.02, 0.1, 0.7])),
    ),
    max_size=60,
)


class Told:
    """What was accepted, and what was heard of it."""

    def __init__(self, lanes: int, warm: bool, kind: type[Dispatcher[Any, Any]], batches: bool) -> None:
        batches_s = {2: 0.011, 4: 0.013} if batches else {}
        self.bench = Scripted(NAMES[:lanes], timeout_s=TIMEOUT_S, warm=warm, kind=kind, batches_s=batches_s)
        self.accepted: dict[str, float] = {}

    def do(self, action: tuple[Any, ...]) -> None:
        bench = self.bench
        match action:
            case ("part", within_s, hurried):
                self.submit(f"part {len(self.accepted)}", within_s, hurried)
            case ("piece",):
                self.submit(f"piece {len(self.accepted)}", math.inf, False)
            case ("expect", within_s):
                bench.dispatcher.expect(bench.clock.now() + within_s)
            case ("early", withdrawn, within_s):
                name = f"early {len(self.accepted)}"
                job = bench.early(name, within_s, within_s + 0.15)
                if job is not None and not (withdrawn and bench.dispatcher.withdraw(job)):
                    self.accepted[name] = math.inf
            case ("end", name, how) if bench.on(name):
                bench.end(name, ENDS[how])
            case ("wait", seconds):
                bench.wait(seconds)

    def submit(self, name: str, within_s: float, hurried: bool) -> None:
        if self.bench.job(name, within_s, hurried=hurried):
            self.accepted[name] = self.bench.clock.now() + within_s

    def drain(self) -> None:
        """From now on every device works; so long as anything is on its way, let time go by."""
        for _ in range(400):
            if len(self.bench.answers) >= len(self.accepted):
                return
            for name in self.bench.names:
                if self.bench.on(name):
                    self.bench.end(name)
            self.bench.wait(0.01)


def is_conserved(
    lanes: int, warm: bool, actions: list[tuple[Any, ...]], kind: type[Dispatcher[Any, Any]], batches: bool = False
) -> bool:
    told = Told(lanes, warm, kind, batches)
    for action in actions:
        told.do(action)
    told.drain()
    counts = told.bench.dispatcher.counts
    heard = Counter(name for name, _, _ in told.bench.answers)
    late = [
        at_s - told.accepted[name]
        for name, result, at_s in told.bench.answers
        if isinstance(result, TooLate) and name in told.accepted
    ]
    return (
        set(told.accepted) <= set(heard)
        and set(heard.values()) <= {1}
        and counts.submitted == counts.done + counts.refused + counts.too_late + counts.faulted
        and all(seconds < 1e-3 for seconds in late)
    )


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.booleans(), ACTIONS, st.booleans())
def test_each_job_is_answered_once_whatever_devices_do(
    lanes: int, warm: bool, actions: list[tuple[Any, ...]], batches: bool
) -> None:
    assert is_conserved(lanes, warm, actions, Dispatcher, batches)


class Forgets(Dispatcher[Any, Any]):
    """Wrong: what runs on a device that fails is forgotten."""

    def _pass_on(self, lane: Any, ticket: Ticket[Any, Any], error: Any, now: float) -> None:
        return


class AnswersTwice(Dispatcher[Any, Any]):
    """Wrong: a job that was answered is answered again."""

    def _end(self, ticket: Ticket[Any, Any], lane: Any, result: Any, at_s: float) -> None:
        ticket.answered = False
        super()._end(ticket, lane, result, at_s)


FAULT = [("end", "a/x", "well"), ("part", 0.17, False), ("end", "a/x", "fault")]
SILENT = [("end", "a/x", "well"), ("end", "b/y", "well"), ("part", 0.17, False), ("wait", 0.1)]


@pytest.mark.parametrize(
    ("kind", "lanes", "actions"),
    [(Forgets, 1, FAULT), (AnswersTwice, 2, [*SILENT, ("end", "b/y", "well"), ("end", "a/x", "well")])],
)
def test_whoever_loses_or_repeats_a_job_is_noticed(
    kind: type[Dispatcher[Any, Any]], lanes: int, actions: list[tuple[Any, ...]]
) -> None:
    assert not is_conserved(lanes, True, actions, kind)
    assert is_conserved(lanes, True, actions, Dispatcher)


@given(st.lists(st.floats(1.0, 100.0), min_size=1, max_size=40))
def test_what_waits_is_done_by_its_deadline_and_then_in_the_order_in_which_it_came(deadlines_s: list[float]) -> None:
    bench = Scripted(pace_s=1e-6).ready()
    bench.job("before", 0.5)
    for number, deadline_s in enumerate(deadlines_s):
        bench.dispatcher.submit(bench.made(str(number), deadline_s))
    for _ in range(len(deadlines_s) + 1):
        bench.end("a/x")

    done = [int(name) for name, _, _ in bench.answers[1:]]
    assert done == sorted(range(len(deadlines_s)), key=deadlines_s.__getitem__)
