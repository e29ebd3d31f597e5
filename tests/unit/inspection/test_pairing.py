"""Pairing on one clock: every trigger leaves once, what is missing is said, what is too far away is not taken."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import PairingConfig
from edge_agent.inspection.pairing import MAX_SKIP, Needs, Pairer, Skipped
from edge_agent.records import Frame, Modality, Pair, Shutter, Trigger, VibrationWindow
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


def test_a_window_of_which_nothing_is_left_says_gap_at_once() -> None:
    box = pairer()
    for item in (trigger(1, 1.0), frame(1.01), window(1.0, gap=True, n=0)):
        box.add(item)

    (pair,) = box.take_pairs(1.08)

    assert pair.degraded == ("gap",)


def test_what_makes_a_window_unfit_is_said() -> None:
    box = pairer()
    for item in (trigger(1, 1.0), frame(1.01), replace(window(1.0), faults=("clipped",))):
        box.add(item)

    (pair,) = box.take_pairs(1.08)

    assert pair.degraded == ("clipped",)


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


IMAGE = frozenset({Modality.IMAGE})
FPS30 = Shutter(free_running=True, interval_s=1 / 30)


def seen(time_s: float, shutter: Shutter = FPS30, camera: str = "front") -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), time_s, camera=camera, shutter=shutter)


def times_of(pairs: list[Pair]) -> dict[int, float | None]:
    return {p.trigger.number: None if p.frame is None else p.frame.time_s for p in pairs}


def closest_of_a_free_camera(kind: type[Pairer]) -> None:
    box = kind(PairingConfig(), lambda trigger: Needs(IMAGE, 0.25))
    for item in (seen(0.98), trigger(1, 1.0)):
        box.add(item)
    assert box.take_pairs(1.001) == []  # the next picture may be closer
    box.add(seen(1.0133))

    assert times_of(box.take_pairs(1.02)) == {1: 1.0133}


def test_of_a_camera_that_runs_freely_the_closest_picture_is_waited_for() -> None:
    closest_of_a_free_camera(Pairer)


class Hasty(Pairer):
    """The wrong implementation: takes the first picture that is near enough."""

    def _is_settled(self, *_: object) -> bool:
        return True


def test_the_test_of_the_closest_picture_has_teeth() -> None:
    with pytest.raises(AssertionError):
        closest_of_a_free_camera(Hasty)


def test_a_picture_that_no_other_can_be_closer_than_is_taken_at_once() -> None:
    box = pairer(IMAGE)
    for item in (seen(0.99), trigger(1, 1.0)):
        box.add(item)

    assert times_of(box.take_pairs(1.001)) == {1: 0.99}


def test_where_the_camera_stops_the_last_picture_near_enough_is_taken_in_the_end() -> None:
    box = pairer(IMAGE)
    for item in (seen(0.96), trigger(1, 1.0)):
        box.add(item)

    assert box.take_pairs(1.149) == []
    assert times_of(box.take_pairs(1.15)) == {1: 0.96}


def test_the_part_is_looked_for_where_it_will_be_in_front_of_the_camera() -> None:
    box = pairer(IMAGE)
    for item in (trigger(1, 1.0), *(seen(1.0 + i / 30, Shutter(True, 1 / 30, 0.080)) for i in range(4))):
        box.add(item)

    assert times_of(box.take_pairs(1.11)) == {1: pytest.approx(1.0667, abs=1e-3)}


def test_only_the_pictures_of_the_recipe_s_camera_are_taken() -> None:
    box = Pairer(PairingConfig(), lambda trigger: Needs(IMAGE, 0.25, "side"))
    for item in (trigger(1, 1.0), seen(1.001), seen(1.002, Shutter(), "side")):
        box.add(item)

    assert times_of(box.take_pairs(1.01)) == {1: 1.002}


def test_pictures_without_a_camera_s_name_are_of_any() -> None:
    box = Pairer(PairingConfig(), lambda trigger: Needs(IMAGE, 0.25, "side"))
    for item in (trigger(1, 1.0), frame(1.001)):
        box.add(item)

    assert times_of(box.take_pairs(1.01)) == {1: 1.001}


def test_two_cameras_do_not_crowd_each_other_out() -> None:
    box = Pairer(PairingConfig(), lambda trigger: Needs(IMAGE, 0.25, "side"))
    box.add(seen(1.001, Shutter(), "side"))
    for i in range(100):
        box.add(seen(0.9 + i / 1000))
    box.add(trigger(1, 1.0))

    assert times_of(box.take_pairs(1.01)) == {1: 1.001}
    assert box.counts.unmatched_frames == 92


def late_frame_is_nobody_else_s(kind: type[Pairer]) -> Pairer:
    box = kind(PairingConfig(), lambda trigger: Needs(IMAGE, 0.25))
    fired = Shutter(interval_s=0.02)
    box.add(trigger(1, 1.0))
    assert [p.degraded for p in box.take_pairs(1.15)] == [("no_frame",)]
    box.add(trigger(2, 1.05))
    box.add(seen(1.01, fired))  # of the first part, which has left; near enough to the second one

    assert times_of(box.take_pairs(1.19)) == {}
    box.add(seen(1.06, fired))
    assert times_of(box.take_pairs(1.19)) == {2: 1.06}
    return box


def test_a_late_frame_is_counted_and_becomes_nobody_else_s() -> None:
    box = late_frame_is_nobody_else_s(Pairer)
    for i in range(8):
        box.add(seen(2.0 + i))

    assert (box.counts.late_frames, box.counts.unmatched_frames) == (1, 0)


class ForgetsWhoLeft(Pairer):
    """The wrong implementation: a frame goes to the nearest part that still waits."""

    def take_pairs(self, now: float) -> list[Pair]:
        pairs = super().take_pairs(now)
        self._left.clear()
        return pairs


def test_the_test_of_late_frames_has_teeth() -> None:
    with pytest.raises(AssertionError):
        late_frame_is_nobody_else_s(ForgetsWhoLeft)


def test_what_has_left_holds_no_pictures() -> None:
    box = pairer(IMAGE)
    for i in range(40):
        box.add(trigger(i + 1, float(i)))
        box.add(Frame(np.zeros((100, 100, 3), np.uint8), float(i)))
        box.take_pairs(float(i))

    assert len(box._left) == 16
    assert sum(w.frame.image.nbytes for w in box._left if w.frame is not None) < 100


@pytest.mark.parametrize(("apart_s", "word"), [(0.010, "contended"), (0.040, "no_frame")])
def test_two_triggers_closer_than_a_frame_are_said_to_contend_for_it(apart_s: float, word: str) -> None:
    box = pairer(IMAGE)
    for item in (trigger(1, 1.0), trigger(2, 1.0 + apart_s), seen(1.001, Shutter(interval_s=1 / 30))):
        box.add(item)
    first, second = sorted(box.take_pairs(1.3), key=lambda p: p.trigger.number)

    assert (first.degraded, second.degraded) == ((), (word,))
    assert box.counts.contended == (word == "contended")


@pytest.mark.parametrize("free_running", [True, False])
@given(
    gaps_ms=st.lists(st.integers(70, 400), min_size=1, max_size=12),
    arrives_ms=st.integers(0, 30),
    phase=st.floats(0.0, 1.0),
)
def test_either_camera_gives_each_part_the_picture_of_its_own(
    free_running: bool, gaps_ms: list[int], arrives_ms: int, phase: float
) -> None:
    """Of a free camera the closest, within half an interval; of a triggered one that which its trigger fired."""
    interval_s, delay_s = 1 / 30, 0.015
    shutter = Shutter(free_running, interval_s, delay_s)
    edges = np.cumsum(gaps_ms) / 1e3
    taken = edges + delay_s + 0.002
    if free_running:
        taken = (np.arange(edges[-1] / interval_s + 6) + phase) * interval_s
    items = [(t, trigger(i + 1, t)) for i, t in enumerate(edges)]
    items += [(t + arrives_ms / 1e3, seen(t, shutter)) for t in taken]
    box, got = pairer(IMAGE), {}
    for now, item in sorted(items, key=lambda arrival: arrival[0]):
        box.add(item)
        got |= times_of(box.take_pairs(now))
    got |= times_of(box.take_pairs(edges[-1] + 10.0))

    assert len(got) == len(edges)
    for i, edge in enumerate(edges):
        assert got[i + 1] is not None
        assert abs(got[i + 1] - edge - delay_s) <= (interval_s / 2 + 1e-9 if free_running else 0.0021)


def resumed(kind: type[Pairer] = Pairer) -> list[Skipped]:
    box = kind(PairingConfig(), lambda trigger: Needs(BOTH, 0.25))
    box.begin(Position("a", 10))
    box.add(trigger(11, 1.0))
    lost = [box.resume(Position("a", 11)), box.resume(Position("a", 500_000)), box.resume(Position("b", 2))]
    box.add(trigger(4, 2.0, "b"))
    return [*(one for one in lost if one is not None), *box.take_skipped()]


def test_whatever_passed_while_a_source_was_away_is_lost_at_once_in_this_series_and_the_next() -> None:
    assert resumed() == [Skipped("a", 12, 500_000), Skipped("b", 1, 2), Skipped("b", 3, 3)]


def test_a_pairer_that_waits_for_the_next_trigger_would_be_found_out() -> None:
    class Waits(Pairer):
        def resume(self, position):
            return None

    assert Skipped("a", 12, 500_000) not in resumed(Waits)


def told_early(kind: type[Pairer], items: list[Trigger | Frame | VibrationWindow]) -> bool:
    """A frame that is told before its part is complete is told once, and is the one that the part gets."""
    box = kind(PairingConfig(), lambda trigger: Needs(BOTH, 0.25))
    early: dict[int, Frame] = {}
    pairs: list[Pair] = []
    for item in items:
        box.add(item)
        pairs += box.take_pairs(0.0)
        for told, frame, _ in box.take_early():
            if told.number in early or any(pair.trigger is told for pair in pairs):
                return False
            early[told.number] = frame
    pairs += box.take_pairs(math.inf)
    got = {pair.trigger.number: pair.frame for pair in pairs}
    return len(early) > 0 and all(got[number] is frame for number, frame in early.items())


LINE = [item for n in range(1, 4) for item in (trigger(n, n / 10), frame(n / 10 + 0.01))]
FREE = Shutter(free_running=True, interval_s=0.04)
RUNNING = [
    item
    for n in range(1, 4)
    for item in (
        trigger(n, n / 10),
        *(replace(frame(n / 10 + off_s), shutter=FREE) for off_s in (-0.03, 0.01)),
        window(n / 10),
    )
]


class TellsWhatIsNear(Pairer):
    """Wrong: tells the nearest frame so far, though a nearer one may come."""

    def take_early(self) -> list[tuple[Trigger, Frame, float]]:
        near = [(w.trigger, self._closest_frame(w), 0.0) for w in self._waiting if w.window is None and not w.told]
        told = [(who, frame, due_s) for who, frame, due_s in near if frame is not None] + super().take_early()
        self._waiting = type(self._waiting)(
            replace(w, told=w.told or any(w.trigger is t for t, *_ in told)) for w in self._waiting
        )
        return told


@pytest.mark.parametrize("items", [LINE, RUNNING])
def test_a_frame_is_told_before_its_window_comes_and_stays_that_of_its_part(
    items: list[Trigger | Frame | VibrationWindow],
) -> None:
    assert told_early(Pairer, items)


def test_a_frame_that_may_still_be_another_parts_is_not_told() -> None:
    assert not told_early(TellsWhatIsNear, RUNNING)


def test_what_is_complete_or_needs_no_window_is_not_told_early() -> None:
    box = pairer()
    for item in (trigger(1, 1.0), window(1.0), frame(1.01)):
        box.add(item)
    assert box.take_early() == []
    box = pairer(frozenset({Modality.IMAGE}))
    for item in (trigger(1, 1.0), frame(1.01)):
        box.add(item)
    assert box.take_early() == []


def test_a_pair_is_due_when_its_window_should_have_ended_and_at_once_where_only_the_frame_is_missing() -> None:
    box = pairer()
    assert box.next_pair_s(-math.inf) == math.inf
    for item in (trigger(1, 1.0), frame(1.01), trigger(2, 1.05), window(1.05)):
        box.add(item)
    assert box.next_pair_s(-math.inf) == pytest.approx(1.05)
    assert [due_s for *_, due_s in box.take_early()] == [pytest.approx(1.08)]
    box.add(frame(1.06))
    assert len(box.take_pairs(1.06)) == 1
    assert box.next_pair_s(-math.inf) == pytest.approx(1.08)
