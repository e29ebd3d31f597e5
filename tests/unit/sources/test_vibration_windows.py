"""Windows out of a sensor that never stops: the right samples, the right times, and never a filled gap."""

import numpy as np
import pytest

from edge_agent.records import VibrationWindow
from edge_agent.sources.vibration import SensorBlock, WindowCutter

RATE_HZ = 27_200.0
NOMINAL_HZ = 26_667.0
BLOCK = 256
WINDOW_S = 0.080
UNCERTAINTY_S = 0.0003


def raw(first: int, n: int) -> np.ndarray:
    """Each sample says its own number."""
    number = np.arange(first, first + n)
    return np.stack([number % 30_000, number % 1000, -(number % 77)], axis=1).astype(np.int16)


def block(index: int, start_s: float = 100.0, **changes: object) -> SensorBlock:
    first = index * BLOCK
    given = {"first_sample": first, "raw": raw(first, BLOCK), "start_s": start_s + first / RATE_HZ}
    return SensorBlock(**{**given, "uncertainty_s": UNCERTAINTY_S, **changes})


def cutter() -> WindowCutter:
    return WindowCutter(WINDOW_S, 16.0, NOMINAL_HZ)


def fed(cut: WindowCutter, blocks: list[SensorBlock], now: float = 101.0) -> list[VibrationWindow]:
    windows = []
    for one in blocks:
        cut.add(one)
        windows += cut.take(now)
    return windows


def test_a_window_begins_with_the_first_sample_after_its_trigger_and_lasts_as_long_as_asked() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(20)])
    cut.want(100.1)

    (window,) = fed(cut, [block(i) for i in range(20, 40)])

    first = int(np.ceil(0.1 * RATE_HZ))
    scale = 16.0 * 9.80665 / 32_768
    assert 0 <= len(window.samples) - WINDOW_S * RATE_HZ < 1.01
    np.testing.assert_allclose(window.samples, raw(first, len(window.samples)) * scale, rtol=1e-6)
    assert window.start_s == pytest.approx(100.0 + first / RATE_HZ, abs=1e-6)
    assert window.start_s >= 100.1
    assert window.uncertainty_s == UNCERTAINTY_S
    assert not window.gap


def test_the_rate_is_the_measured_one_not_the_promised_one() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(4)])
    assert cut.rate_hz is None

    fed(cut, [block(i) for i in range(4, 60)])

    assert cut.rate_hz == pytest.approx(RATE_HZ, rel=1e-6)


def test_a_window_comes_as_soon_as_its_last_sample_is_there_and_not_before() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(10)])
    cut.want(100.05)
    last = (int(np.ceil(0.05 * RATE_HZ)) + int(np.ceil(WINDOW_S * RATE_HZ)) - 1) // BLOCK

    assert fed(cut, [block(i) for i in range(10, last)]) == []
    assert len(fed(cut, [block(last)])) == 1


def test_triggers_that_overlap_each_get_their_own_window() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(10)])
    for trigger_s in (100.10, 100.13, 100.16):
        cut.want(trigger_s)

    windows = fed(cut, [block(i) for i in range(10, 40)])

    assert [round(window.start_s, 3) for window in windows] == [100.1, 100.13, 100.16]


@pytest.mark.parametrize(
    "damaged",
    [
        [block(i) for i in range(30) if i != 12],
        [block(i, usable=i != 12) for i in range(30)],
    ],
    ids=["a block was lost", "the sensor failed"],
)
def test_a_window_with_a_gap_is_marked_and_never_filled(damaged: list[SensorBlock]) -> None:
    cut = cutter()
    cut.want(100.1)
    (window,) = fed(cut, damaged)

    assert window.gap
    assert len(window.samples) == 0


def test_a_gap_beside_a_window_does_it_no_harm() -> None:
    cut = cutter()
    cut.want(100.1)

    (window,) = fed(cut, [block(i) for i in range(40) if i not in (5, 25)])

    assert not window.gap


def test_a_trigger_before_the_first_sample_has_a_gap() -> None:
    cut = cutter()
    cut.want(99.99)

    (window,) = fed(cut, [block(i) for i in range(30)])

    assert window.gap


def test_what_never_becomes_complete_is_counted_and_holds_nobody_up() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(10)])
    cut.want(100.1)
    assert list(cut.take(100.5)) == []

    assert list(cut.take(101.2)) == []
    assert cut.unfinished == 1
    cut.want(101.0)
    cut.clear()
    assert cut.unfinished == 2


def test_old_samples_are_let_go() -> None:
    cut = cutter()
    fed(cut, [block(i) for i in range(2000)])

    assert len(cut._blocks) * BLOCK / RATE_HZ < 2.1


def test_a_window_may_be_longer_than_what_is_kept_beside_it() -> None:
    cut = WindowCutter(3.0, 16.0, NOMINAL_HZ)
    cut.want(100.1)
    (window,) = fed(cut, [block(i) for i in range(400)])

    assert not window.gap
    assert len(window.samples) == pytest.approx(3.0 * RATE_HZ, abs=2)


def test_blocks_that_last_for_seconds_still_give_windows_across_them_and_a_rate() -> None:
    cut = WindowCutter(1.0, 16.0, 100.0)
    slow = [SensorBlock(i * 256, raw(i * 256, 256), 100.0 + i * 2.56, UNCERTAINTY_S) for i in range(12)]
    cut.want(104.6)
    windows = fed(cut, slow[:4])
    fed(cut, slow[4:])

    assert [window.gap for window in windows] == [False]
    assert cut.rate_hz == pytest.approx(100.0)


def forgotten_without_a_block(kind: type[WindowCutter]) -> int:
    cut = kind(WINDOW_S, 16.0, NOMINAL_HZ)
    for part in range(1000):
        cut.want(100.0 + 0.1 * part)
    return cut.unfinished


def test_triggers_of_a_sensor_that_says_nothing_any_more_are_forgotten_and_counted() -> None:
    assert 1000 - forgotten_without_a_block(WindowCutter) <= 12


def test_a_cutter_that_waits_for_ever_would_be_found_out() -> None:
    class Patient(WindowCutter):
        def want(self, trigger_s):
            self._wanted.append(trigger_s)

    assert forgotten_without_a_block(Patient) == 0


def test_a_window_with_a_sample_at_full_scale_is_clipped() -> None:
    cut = cutter()
    loud = block(11).raw.copy()
    loud[3, 1] = 32_767
    cut.want(100.1)
    (window,) = fed(cut, [block(i, **({"raw": loud} if i == 11 else {})) for i in range(30)])

    assert window.faults == ("clipped",)
    assert cut.clipped == 1


def test_a_cutter_that_fills_gaps_is_noticed() -> None:
    class Filling(WindowCutter):
        def _samples(self, first, after):
            whole = super()._samples(first, after)
            return np.zeros((after - first, 3), np.int16) if whole is None else whole

    cut = Filling(WINDOW_S, 16.0, NOMINAL_HZ)
    cut.want(100.1)
    (window,) = fed(cut, [block(i) for i in range(30) if i != 12])

    assert not window.gap  # what the tests above would reject
