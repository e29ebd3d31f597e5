"""A watched engine gives what the engine behind it gives, and says where it computes and how long that took."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_agent.engines import DeviceName, Engine, Spot
from edge_agent.engines.watched import WARM_UP, watched
from edge_agent.errors import DeviceFault
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.engine import TableEngine
from models.tensor import TensorSpec

X, Y = TensorSpec("x", (1, 2), "float32"), TensorSpec("y", (1, 2), "float32")
CPU, GPU = Spot(DeviceName("openvino", "cpu"), 1), Spot(DeviceName("openvino", "gpu"))
FEED = {"x": np.ones((1, 2), np.float32)}


class Bench:
    def __init__(self, spots: Any, fail_on: dict[int, Exception] | None = None) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[Any, ...]] = []
        self.engine = TableEngine(
            (X,), (Y,), lambda feed: {"y": feed["x"] * 2}, fail_on=fail_on, before=lambda call: self.compute()
        )
        load = watched(
            lambda bundle, spots, parts, cache: {"image": self.engine},
            self.clock,
            lambda spot: self.told.append(("at", spot)),
            lambda spot: self.told.append(("ended at", spot)),
            lambda bundle, role, spot, took_s: self.told.append((bundle.name, role, spot, round(took_s, 6))),
        )
        bundle: Any = SimpleNamespace(name="tiny")
        self.watching: Engine = load(bundle, spots, (), Path())["image"]

    def compute(self) -> None:
        self.told.append(("computes",))
        self.clock.advance(0.005)


@pytest.mark.parametrize("spots", [GPU, {"image": GPU, "vibration": CPU}])
def test_it_says_where_before_it_computes_and_how_long_after_it_is_warm(spots: Any) -> None:
    bench = Bench(spots)
    for _ in range(WARM_UP + 1):
        np.testing.assert_array_equal(bench.watching.infer(FEED)["y"], [[2.0, 2.0]])

    run = [("at", GPU), ("computes",), ("ended at", GPU)]
    assert bench.told == run * (WARM_UP + 1) + [("tiny", "image", GPU, 0.005)]


def test_what_failed_took_no_time() -> None:
    bench = Bench(GPU, {WARM_UP + 1: DeviceFault("unplugged")})
    for _ in range(WARM_UP):
        bench.watching.infer(FEED)
    with pytest.raises(DeviceFault):
        bench.watching.infer(FEED)

    assert bench.told[-3:] == [("at", GPU), ("computes",), ("ended at", GPU)]


def test_it_declares_and_closes_what_is_behind_it() -> None:
    bench = Bench(GPU)
    assert (bench.watching.inputs, bench.watching.outputs) == ((X,), (Y,))
    bench.watching.close()
    bench.watching.close()

    assert bench.engine.closed
