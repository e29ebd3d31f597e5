"""The prover: how often it asks for a golden vector, and that it never asks twice at once."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_lanes import Scripted

from edge_agent.agent.prover import PERIOD_S, Prover
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encoders import Encoders


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the lanes whose encoder proved one vector."""
    lanes: list[str] = []
    monkeypatch.setattr(Encoders, "prove_one", lambda held: lanes.append(held) or held)
    return lanes


def test_one_vector_is_proven_every_period_and_never_two_at_once(asked: list[str]) -> None:
    bench = Scripted().ready()
    prover = Prover(bench.dispatcher)
    for now in (1.0, 2.0, 1.0 + PERIOD_S, 2.0 + 2 * PERIOD_S):
        assert prover.step(now) == (1.0 + PERIOD_S if now < PERIOD_S else now + PERIOD_S)
    assert bench.dispatcher.status(0.0).background == 0  # the first one runs, and nothing waits
    bench.end("a/x")
    prover.step(3.0 + 3 * PERIOD_S)
    bench.end("a/x")

    assert asked == ["a/x", "a/x"]


def test_before_a_device_is_ready_nothing_waits_for_it(asked: list[str]) -> None:
    bench = Scripted()
    Prover(bench.dispatcher).step(1.0)
    bench.ready()

    assert bench.on("a/x") == ""


def test_a_device_that_gives_other_numbers_is_used_no_more_and_the_next_is_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(held: Any) -> Any:
        if held == "a/x":
            raise DeviceFault("golden vector 0 comes out 3 away from the desk's", device="a/x")
        return held

    monkeypatch.setattr(Encoders, "prove_one", wrong)
    bench = Scripted(("a/x", "b/y")).ready()
    Prover(bench.dispatcher).step(1.0)
    bench.end("a/x")
    bench.end("b/y")

    assert bench.dispatcher.status(bench.clock.now()).in_use == "b/y"
    assert ("warning", "device_failed") in [(severity, kind) for severity, kind, _, _ in bench.noted]
