"""What every `Source` does: the same suite on the simulated line and on a recording of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.config import ImageHealthConfig, PairingConfig, ReplayConfig
from edge_agent.inspection.pairing import Needs, Pairer
from edge_agent.records import Frame, Modality, Pair, Trigger, VibrationWindow
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.count import TriggerCount, name_series
from edge_agent.sources.feed import MAILBOX_ITEMS, Feed
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.sources.recording import write_recording
from edge_agent.sources.replay import Replay
from edge_agent.sources.schedule import Material
from edge_agent.sources.simline import SimLine
from edge_agent.sources.source import Item, Source
from models.castings import CastingLine

PARTS = 5
CLOCK = SystemClock()
Build = Callable[[float | None], Feed]


@pytest.fixture(scope="module")
def line() -> CastingLine:
    return CastingLine(seed=3, defect_share=0.5)


@pytest.fixture(scope="module")
def recording(line: CastingLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "line"
    supply = SimLine(line, parts_per_s=25.0, parts=PARTS)
    supply.open(1)
    assert write_recording(folder, iter(supply.take, None)) == PARTS
    return folder


@pytest.fixture(params=["simline", "replay"])
def build(request: pytest.FixtureRequest, line: CastingLine, recording: Path, tmp_path: Path) -> Iterator[Build]:
    """Build the source with a pace [1/s], None for unpaced; all share one count; all are closed at the end."""
    built: list[Feed] = []

    def feed(parts_per_s: float | None) -> Feed:
        count = TriggerCount(tmp_path / "triggers", lambda: name_series(CLOCK.utc()))
        if request.param == "simline":
            built.append(Feed(SimLine(line, parts_per_s, PARTS), count, CLOCK, ImageHealth(ImageHealthConfig())))
        else:
            pace = ReplayConfig(str(recording), "fixed" if parts_per_s else "unpaced", parts_per_s or 5.0)
            built.append(
                Feed(
                    Replay(pace, CLOCK, lambda event: pytest.fail(event.message)),
                    count,
                    CLOCK,
                    ImageHealth(ImageHealthConfig()),
                )
            )
        return built[-1]

    yield feed
    for source in built:
        source.close()


def take_until(source: Source, enough: Callable[[list[Item]], bool], answer: bool = True) -> list[Item]:
    """Take items until there are enough or the source is finished; answer each part at once."""
    items: list[Item] = []
    give_up_s = CLOCK.now() + 120.0
    while not enough(items):
        finished = source.finished()  # asked first: what was delivered before it is taken below
        new = source.items.take_all()
        items += new
        for item in new:
            if answer and isinstance(item, Trigger):
                source.answered(item.number)
        if finished:
            return items
        assert CLOCK.now() < give_up_s
        threading.Event().wait(0.002)
    return items


def triggers(items: list[Item]) -> list[Trigger]:
    return [item for item in items if isinstance(item, Trigger)]


def everything(items: list[Item]) -> bool:
    return False


@pytest.mark.parametrize("parts_per_s", [25.0, None])
def test_every_part_is_announced_once_and_pairs_completely(build: Build, parts_per_s: float | None) -> None:
    source = build(parts_per_s)
    found = source.open()
    pairer = Pairer(PairingConfig(), lambda trigger: Needs(frozenset(Modality), 0.25))
    pairs: list[Pair] = []
    for item in take_until(source, everything):
        pairer.add(item)
        pairs += pairer.take_pairs(0.0)

    assert found.number == 0
    assert [(p.trigger.series, p.trigger.number) for p in pairs] == [(found.series, n) for n in range(1, PARTS + 1)]
    assert all(p.degraded == () and p.trigger.truth for p in pairs)
    assert source.position().number == PARTS
    assert source.items.stats().dropped == 0


def test_items_come_when_they_are_complete_and_never_before(build: Build) -> None:
    source = build(25.0)
    source.open()
    early: list[Item] = []

    def judge(items: list[Item]) -> bool:
        now = CLOCK.now()
        for item in items[len(early) :]:
            done_s = item.end_s if isinstance(item, VibrationWindow) else item.time_s
            assert done_s <= now
            early.append(item)
        return False

    items = take_until(source, judge)
    periods_s = np.diff([t.time_s for t in triggers(items)])
    np.testing.assert_allclose(periods_s, 1 / 25.0, atol=1e-6)
    frames = [item for item in items if isinstance(item, Frame)]
    assert all(0 < f.uncertainty_s <= 0.005 for f in frames)


def test_an_unpaced_source_is_never_more_than_two_answers_ahead(build: Build) -> None:
    source = build(None)
    source.open()
    seen: list[Trigger] = []
    for missing, expected in [(2, 2), (1, 3), (1, 4), (1, 5)]:
        seen += triggers(take_until(source, lambda items, n=missing: len(triggers(items)) >= n, answer=False))
        threading.Event().wait(0.05)
        assert triggers(source.items.take_all()) == []
        assert len(seen) == expected
        source.answered(seen[-2].number)


def test_a_held_source_stands_still_until_it_is_released_or_closed(build: Build) -> None:
    source = build(None)
    source.hold(3)
    source.open()
    assert len(triggers(take_until(source, lambda items: len(triggers(items)) >= 3))) == 3
    threading.Event().wait(0.1)
    assert triggers(source.items.take_all()) == []
    assert not source.finished()

    source.release()
    assert len(triggers(take_until(source, everything))) == 2
    source.close()
    source.hold(0)
    source.open()
    source.close()


def test_its_thread_ends_with_the_last_part_and_pokes(build: Build) -> None:
    source = build(None)
    poked = threading.Event()
    source._poke = poked.set
    source.open()
    take_until(source, everything)

    assert poked.wait(60.0)
    assert source.finished()


def test_close_stops_at_once_twice_and_before_open(build: Build) -> None:
    source = build(0.5)
    source.close()
    source.open()
    source.close()
    announced = source.position().number
    source.close()

    assert len(triggers(source.items.take_all())) == announced < PARTS


def test_the_next_start_tells_how_far_the_last_one_came(build: Build) -> None:
    before = build(25.0)
    before.open()
    take_until(before, lambda items: len(triggers(items)) >= 2)
    before.close()
    left = before.position()
    after = build(25.0)

    assert after.open() == left
    assert left.number >= 2
    first = triggers(take_until(after, lambda items: bool(triggers(items))))[0]
    if after.name == "simline":
        assert (first.series, first.number) == (left.series, left.number + 1)
    else:
        assert first.series != left.series
        assert first.number == 1


def test_the_same_source_opens_again(build: Build) -> None:
    source = build(25.0)
    source.open()
    take_until(source, lambda items: len(triggers(items)) >= 1)
    source.close()
    source.items.take_all()
    source.open()

    assert len(triggers(take_until(source, everything))) == PARTS


def test_a_station_that_takes_nothing_costs_the_oldest_items_and_the_count_still_knows_them(build: Build) -> None:
    source = build(50.0)
    for _ in range(MAILBOX_ITEMS // 3 // PARTS + 2):
        source.open()
        give_up_s = CLOCK.now() + 120.0
        while not source.finished():
            assert CLOCK.now() < give_up_s
            threading.Event().wait(0.005)

    stats = source.items.stats()
    assert stats.dropped == stats.put - MAILBOX_ITEMS > 0
    assert stats.put == 3 * PARTS * (MAILBOX_ITEMS // 3 // PARTS + 2)


def test_a_recording_of_the_line_gives_the_line(line: CastingLine, recording: Path) -> None:
    simulated = SimLine(line, parts_per_s=25.0, parts=PARTS)
    recorded = Replay(ReplayConfig(str(recording), "recorded"), CLOCK, lambda event: pytest.fail(event.message))
    simulated.open(1)
    recorded.open(1)

    for _ in range(PARTS):
        one, other = simulated.take(), recorded.take()
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.samples, other.samples)
        assert (one.due_s, one.frame_offset_s, one.rate_hz, one.truth) == pytest.approx(
            (other.due_s, other.frame_offset_s, other.rate_hz, other.truth)
        )
    assert simulated.take() is None
    assert recorded.take() is None


def test_the_line_goes_on_with_the_next_casting(line: CastingLine) -> None:
    supply = SimLine(line, parts_per_s=None)
    supply.open(41)
    part = supply.take()

    assert part is not None
    np.testing.assert_array_equal(part.image, line.part(41).image)


class Dark:
    """A supply whose every other picture is black."""

    name = "dark"
    counts_anew = True
    unusable = 0

    def __init__(self) -> None:
        self._given = 0

    def open(self, first: int) -> None: ...

    def take(self) -> Material | None:
        self._given += 1
        image = np.full((64, 64, 3), 90 * (self._given % 2), np.uint8)
        image[::7, ::5] += np.uint8(self._given)
        samples = np.zeros((200, 3), np.float32)
        return Material(None, image, 0.0, samples, 10_000.0, None) if self._given <= 4 else None


def test_a_frame_says_what_makes_it_unfit_to_judge_by() -> None:
    ended = threading.Event()
    limits = ImageHealthConfig(blurred_sharpness_below=0.0)
    feed = Feed(Dark(), TriggerCount(None, lambda: "a"), CLOCK, ImageHealth(limits), ended.set)
    feed.open()
    frames: list[Frame] = []
    while not feed.finished():
        ended.wait(5.0)
        ended.clear()
        items = feed.items.take_all()
        frames += [item for item in items if isinstance(item, Frame)]
        for trigger in (item for item in items if isinstance(item, Trigger)):
            feed.answered(trigger.number)
    feed.close()

    assert [frame.faults for frame in frames] == [(), ("dark",), (), ("dark",)]


def test_the_line_s_pictures_are_healthy(line: CastingLine) -> None:
    health = ImageHealth(ImageHealthConfig())

    assert [health.check(line.part(n).image) for n in range(1, 30)] == [()] * 29
