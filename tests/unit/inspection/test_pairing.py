"""Pairing on one clock: every trigger leaves once, what is missing is said, what is too far away is not taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import PairingConfig
from edge_agent.inspection.pairing import MAX_SKIP, Needs, Pairer, Skipped
from edge_agent.records import Frame, Modality, Pair, Trigger, VibrationWindow
from edge_agent.sources.source import Position

BOTH = frozenset(Modality)
RATE_HZ = 1000.0


def pairer(expected: frozenset[Modality] = BOTH) -> Pairer:
    return Pairer(PairingConfig(), lambda trigger: Needs(expected, 0.25))


def trigger(number: int, time_s: float, series: str = "a") -> Trigger:
    return Trigger(series, number, time_s)


def frame(time_s: float, uncertainty_s: float = 0.0) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), time_s, uncertainty_s)


def window(start_s: float, *, uncertainty_s: float = 0.0, gap: bool = False, n: int = 80) -> VibrationWindow:
    return VibrationWindow(np.zeros((n, 3), np.float32), RATE_HZ, start_s, uncertainty_s, gap)


def test_a_complete_part_leaves_at_once_with_its_own_frame_and_window() -> None:
    box = pairer()
    mine, ring = frame(1.01), window(1.0)
    for item in (trigger(1, 1.0), mine, ring):
        box.add(item)

    (pair,) = box.take_pairs(1.08)

    assert (pair.frame, pair.window, pair.degraded) == (mine, ring, ())
    assert pair.deadline_s == 1.25
    assert box.take_pairs(9.0) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_items_may_come_in_any_order(order: tuple[int, ...]) -> None:
    box = pairer()
    items = (trigger(1, 1.0), frame(1.01), window(1.0))
    for i in order:
        box.add(items[i])

    assert len(box.take_pairs(1.08)) == 1


def test_what_does_not_come_is_waited_for_and_then_said() -> None:
    box = pairer()
    box.add(trigger(1, 1.0))

    assert box.take_pairs(1.149) == []
    assert box.next_wake_s() == pytest.approx(1.15)
    (pair,) = box.take_pairs(1.15)
    assert pair.degraded == ("no_frame", "no_window")


def test_a_complete_part_does_not_wait_for_an_older_one() -> None:
    box = pairer()
    for item in (trigger(1, 1.0), trigger(2, 1.1), frame(1.11), window(1.1)):
        box.add(item)

    assert [p.trigger.number for p in box.take_pairs(1.12)] == [2]


def test_a_frame_goes_to_the_nearest_trigger_only() -> None:
    box = pairer(frozenset({Modality.IMAGE}))
    for item in (trigger(1, 1.0), trigger(2, 1.08), frame(1.09)):
        box.add(item)

    assert [p.trigger.number for p in box.take_pairs(1.1)] == [2]


@pytest.mark.parametrize("offset_s", [-0.06, 0.11])
def test_a_frame_too_far_away_is_not_taken(offset_s: float) -> None:
    box = pairer(frozenset({Modality.IMAGE}))
    box.add(trigger(1, 1.0))
    box.add(frame(1.0 + offset_s))

    assert box.take_pairs(1.1) == []


def test_a_time_that_is_not_known_well_enough_is_not_used() -> None:
    box = pairer()

    assert not box.add(frame(1.0, uncertainty_s=0.006))
    assert not box.add(window(1.0, uncertainty_s=0.006))
    assert box.counts.uncertain == 2


def test_a_window_with_a_gap_is_refused_and_said() -> None:
    box = pairer()
    for item in (trigger(1, 1.0), frame(1.01), window(1.0, gap=True)):
        box.add(item)

    (pair,) = box.take_pairs(1.08)

    assert pair.window is None
    assert pair.degraded == ("gap",)


def test_a_window_that_ends_too_early_is_not_taken() -> None:
    box = pairer(frozenset({Modality.VIBRATION}))
    box.add(trigger(1, 1.0))
    box.add(window(1.0, n=60))

    assert box.take_pairs(1.1) == []


def test_lost_triggers_are_named_and_a_repeated_one_is_not_judged_twice() -> None:
    box = pairer()
    box.begin(Position("a", 3))
    assert box.add(trigger(6, 1.0))
    assert not box.add(trigger(6, 1.0))

    assert box.take_skipped() == [Skipped("a", 4, 5)]
    assert box.take_skipped() == []
    assert (box.counts.triggers, box.counts.skipped, box.counts.repeated) == (1, 2, 1)


def test_a_jump_too_large_to_be_lost_parts_is_counted() -> None:
    box = pairer()
    box.begin(Position("a", 0))
    box.add(trigger(MAX_SKIP + 2, 1.0))

    assert box.take_skipped() == []
    assert box.counts.jumps == 1


def test_what_matches_nothing_is_bounded_and_counted() -> None:
    box = pairer()
    for i in range(100):
        box.add(frame(float(i)))
        box.add(window(float(i)))

    assert (box.counts.unmatched_frames, box.counts.unmatched_windows) == (92, 92)


class ForgetfulPairer(Pairer):
    """The wrong implementation: drops what did not pair in time instead of handing it on."""

    def take_pairs(self, now: float) -> list[Pair]:
        complete = [w for w in self._waiting if self._complete(w)]
        self._waiting.clear()
        return [self._pair(w, now) for w in complete]


steps = st.lists(st.tuples(st.sampled_from("tfw"), st.floats(0.0, 0.3)), max_size=40)


def conserved(box: Pairer, script: list[tuple[str, float]]) -> bool:
    now, number, left = 0.0, 0, 0
    for kind, step_s in script:
        now += step_s
        if kind == "t":
            number += 1
            box.add(trigger(number, now))
        else:
            box.add(frame(now) if kind == "f" else window(now))
        left += len(box.take_pairs(now))
    return left + len(box.take_pairs(now + 1.0)) == number


@given(steps)
def test_every_trigger_leaves_exactly_once(script: list[tuple[str, float]]) -> None:
    assert conserved(pairer(), script)


def test_the_conservation_check_has_teeth() -> None:
    assert not conserved(ForgetfulPairer(PairingConfig(), lambda trigger: Needs(BOTH, 0.25)), [("t", 0.0), ("f", 0.01)])
