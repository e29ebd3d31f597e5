"""What a bench under load makes of what it has seen: slope of memory, histogram, faults."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.bench.chaos import Chaos, Chaotic, Fault
from edge_agent.bench.chart import BAR, draw_histogram, draw_memory
from edge_agent.bench.loads import Remembering
from edge_agent.bench.stressreport import slope_of
from edge_agent.errors import DeviceFault
from edge_agent.testing.engine import TableEngine
from models.tensor import TensorSpec

PORT = (TensorSpec("x", (1,), "float32"),)


def test_the_slope_of_memory_that_grows_steadily_is_found_exactly() -> None:
    slope = slope_of([(parts, 100.0 + 0.001 * parts) for parts in range(0, 10_001, 100)])

    assert slope is not None
    assert slope.per_100k_mb == pytest.approx(100.0)
    assert slope.error_mb == pytest.approx(0.0, abs=1e-6)
    assert (slope.start_mb, slope.end_mb) == (pytest.approx(102.0), pytest.approx(110.0))


def test_what_fills_in_the_first_fifth_is_no_slope() -> None:
    slope = slope_of([(parts, min(parts, 2_000) / 10) for parts in range(0, 10_001, 100)])

    assert slope is not None
    assert slope.per_100k_mb == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("looks", [[], [(1, 2.0)], [(5, 1.0), (5, 1.0), (5, 1.0)]])
def test_there_is_no_slope_of_too_little(looks: list[tuple[int, float]]) -> None:
    assert slope_of(looks) is None


def test_a_histogram_has_a_bar_where_the_values_are_and_none_elsewhere() -> None:
    picture = draw_histogram([10.0] * 100, "title", {"limit": 20.0})
    columns = np.flatnonzero((picture == np.array(BAR, np.uint8)).all(axis=2).any(axis=0))

    assert picture.shape == (420, 960, 3)
    assert len(columns) < 12
    assert 70 + 870 * 10 / 21 - 12 < columns.mean() < 70 + 870 * 10 / 21 + 12


class Table(Chaos):
    """Chaos that the test decides."""

    fault: Fault | None = None

    def next(self) -> Fault | None:
        return self.fault


def test_a_faulty_device_goes_wrong_in_the_way_it_is_told() -> None:
    chaos = Table(1, 0)
    table = TableEngine(PORT, PORT, lambda feed: feed)
    engine = Chaotic(table, chaos, "openvino/cpu")
    feed = {"x": np.ones(1, np.float32)}

    assert engine.infer(feed) == feed
    chaos.fault = Fault.SLOW
    engine.infer(feed)
    assert table.calls == 3
    chaos.fault = Fault.NAN
    with pytest.raises(DeviceFault) as raised:
        engine.infer(feed)
    assert raised.value.device == "openvino/cpu"


def test_faults_are_as_frequent_as_asked_and_counted() -> None:
    chaos = Chaos(one_in=10, seed=3)
    wrong = sum(chaos.next() is not None for _ in range(10_000))

    assert 900 < wrong < 1_100
    assert sum(chaos.counts.values()) == wrong
    assert set(chaos.counts) == {Fault.HANG, Fault.NAN, Fault.SLOW}


def test_memory_is_drawn_from_nothing_up() -> None:
    picture = draw_memory([(0, 100.0), (1000, 100.0)], "PSS")
    rows = np.flatnonzero((picture == np.array(BAR, np.uint8)).all(axis=2).any(axis=1))

    assert rows.min() > 50
    assert abs(rows.mean() - (370 - 320 / 1.1)) < 3


def test_what_was_asked_before_is_answered_from_the_table_with_an_array_of_its_own() -> None:
    table = TableEngine(PORT, PORT, lambda feed: {"x": feed["x"] + 1})
    engine = Remembering(table)
    first = engine.infer({"x": np.ones(1, np.float32)})
    first["x"][:] = 7.0

    assert engine.infer({"x": np.ones(1, np.float32)})["x"] == 2.0
    assert engine.infer({"x": np.zeros(1, np.float32)})["x"] == 1.0
    assert table.calls == 2
