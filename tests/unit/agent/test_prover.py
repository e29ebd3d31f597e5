"""The prover: how often it asks for a golden vector, what a start left first, and that it never asks twice at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scripted_lanes import Scripted

from edge_agent.agent.prover import PERIOD_S, RETRY_S, Prover
from edge_agent.errors import DeviceFault
from edge_agent.records import Embedding


@dataclass
class Held:
    """What a lane holds: encoders with golden vectors that are left to be proven."""

    name: str
    unproven: int = 0
    wrong: bool = False
    asked: list[int] = field(default_factory=list)

    def prove_one(self) -> Embedding:
        self.asked.append(self.unproven)
        if self.wrong:
            raise DeviceFault("golden vector 0 comes out 3 away from the desk's", device=self.name)
        self.unproven = max(0, self.unproven - 1)
        return Embedding((), frozenset())  # type: ignore[arg-type]


class Bench:
    """A prover beside scripted lanes."""

    def __init__(self, *held: Held) -> None:
        self.held = {each.name: each for each in held}
        self.poked: list[str] = []
        self.lanes = Scripted(tuple(self.held), loads=self.held.__getitem__)
        self.prover = Prover(self.lanes.dispatcher, self.poked.append)

    def step(self, now: float) -> float:
        self.lanes.clock.advance_to(now)
        self.lanes.step()
        return self.prover.step(now)


def test_one_vector_is_proven_every_period_and_never_two_at_once() -> None:
    held = Held("a/x")
    bench = Bench(held)
    bench.lanes.ready()
    for now in (1.0, 2.0, 1.0 + PERIOD_S, 2.0 + 2 * PERIOD_S):
        assert bench.prover.step(now) == (1.0 + PERIOD_S if now < PERIOD_S else now + PERIOD_S)
    assert bench.lanes.dispatcher.status(0.0).background == 0  # the first one runs, and nothing waits
    bench.lanes.end("a/x")
    bench.prover.step(3.0 + 3 * PERIOD_S)
    bench.lanes.end("a/x")

    assert held.asked == [0, 0]
    assert (bench.prover.passed, bench.poked) == (2, [])


def test_before_a_device_is_ready_nothing_waits_for_it_and_it_is_asked_for_soon() -> None:
    bench = Bench(Held("a/x"))
    assert bench.prover.step(1.0) == 1.0 + RETRY_S
    bench.lanes.ready()
    assert bench.lanes.on("a/x") == ""
    bench.step(1.0 + RETRY_S)

    assert bench.lanes.hands["a/x"].task is not None


def all_that_is_left_is_proven_at_once(kind: type[Prover]) -> bool:
    held = Held("a/x", unproven=4)
    bench = Bench(held)
    bench.prover = kind(bench.lanes.dispatcher, bench.poked.append)
    bench.lanes.ready()
    bench.step(1.0)
    for _ in range(10):
        if bench.lanes.hands["a/x"].task is None:
            break
        bench.lanes.end("a/x", after_s=0.02)
        bench.prover.step(bench.lanes.clock.now())
    return held.asked == [4, 3, 2, 1] and bench.poked == ["prover"] * 3 and bench.lanes.clock.now() < 1.2


class Pauses(Prover):
    """Wrong: after each vector it pauses, whatever is left."""

    def _proven(self, result: Any, at_s: float) -> None:
        self._left = 0
        super()._proven(result, at_s)


def test_what_a_start_left_is_proven_without_a_pause_and_whoever_pauses_is_noticed() -> None:
    assert all_that_is_left_is_proven_at_once(Prover)
    assert not all_that_is_left_is_proven_at_once(Pauses)


def test_a_part_comes_before_what_is_left() -> None:
    bench = Bench(Held("a/x", unproven=4))
    bench.lanes.ready()
    bench.step(1.0)
    bench.lanes.job("part", 0.5)
    bench.lanes.end("a/x")
    bench.prover.step(bench.lanes.clock.now())

    assert bench.lanes.on("a/x") == "part"


def test_a_device_that_gives_other_numbers_is_used_no_more_and_the_next_is_proven() -> None:
    bench = Bench(Held("a/x", wrong=True), Held("b/y"))
    bench.lanes.ready()
    bench.step(1.0)
    bench.lanes.end("a/x")
    bench.lanes.end("b/y")

    assert bench.lanes.dispatcher.status(bench.lanes.clock.now()).in_use == "b/y"
    assert ("warning", "device_failed") in [(severity, kind) for severity, kind, _, _ in bench.lanes.noted]
