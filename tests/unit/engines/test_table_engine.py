"""The table engine fails when it was told to, and never otherwise."""

from collections.abc import Mapping

import numpy as np
import pytest

from edge_agent.engines.base import Array
from edge_agent.errors import DeviceFault
from edge_agent.testing.engine import TableEngine
from models.tensor import TensorSpec

X = TensorSpec("x", (2,), "float32")
Y = TensorSpec("y", (2,), "float32")
GIVEN = {"x": np.ones(2, dtype=np.float32)}


def doubled(feed: Mapping[str, Array]) -> dict[str, Array]:
    return {"y": feed["x"] * 2}


def test_faults_come_at_their_call_and_pass() -> None:
    engine = TableEngine((X,), (Y,), doubled, fail_on={2: DeviceFault("gone")}, nan_on={3})

    np.testing.assert_array_equal(engine.infer(GIVEN)["y"], [2.0, 2.0])
    with pytest.raises(DeviceFault, match="gone"):
        engine.infer(GIVEN)
    with pytest.raises(DeviceFault, match="not finite: y"):
        engine.infer(GIVEN)
    np.testing.assert_array_equal(engine.infer(GIVEN)["y"], [2.0, 2.0])
    assert engine.calls == 4


def test_each_call_is_announced_before_it_is_answered() -> None:
    announced: list[int] = []
    engine = TableEngine((X,), (Y,), doubled, fail_on={1: DeviceFault("gone")}, before=announced.append)
    with pytest.raises(DeviceFault):
        engine.infer(GIVEN)
    engine.infer(GIVEN)

    assert announced == [1, 2]


def test_a_table_that_breaks_its_own_declaration_is_a_bug_of_the_test() -> None:
    engine = TableEngine((X,), (Y,), lambda feed: {"y": feed["x"].astype(np.float64)})
    with pytest.raises(AssertionError, match="not as declared: y"):
        engine.infer(GIVEN)
