"""The timetable knows what parts take: measured at first, lived since, stored when that changed, said when it left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import StateDamaged, Unavailable
from edge_agent.runtime.background import Chore
from edge_agent.scheduler.drift import differs, left, merged
from edge_agent.scheduler.latency import WINDOW, Timing
from edge_agent.scheduler.lived import Lived
from edge_agent.scheduler.tablefile import MOST_BUNDLES, TABLE_FILE, Record, fingerprint, load_records, save_records
from edge_agent.scheduler.timetable import LOOK_S, STORE_S, Timetable
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.disk import FakeDisk, power_cuts

CPU = Spot(DeviceName("openvino", "cpu"), 1)
ORT = Spot(DeviceName("onnxruntime", "cpu"), 1)
SPOTS = {"image": CPU, "vibration": CPU}
FIRST = (
    Timing("image", CPU, 20.0, 30.0, 100),
    Timing("vibration", CPU, 0.2, 0.3, 100),
    Timing("image", ORT, 40, 50, 9),
)


class Bundle:
    digest = "d" * 64
    name = "tiny"


class Bench:
    """A timetable on a disk in memory, whose chores are done at once."""

    def __init__(
        self, disk: FakeDisk | None = None, kind: type[Timetable] = Timetable, *, by_measuring: bool = True
    ) -> None:
        self.clock = ManualClock()
        self.disk = disk or FakeDisk()
        self.noted: list[str] = []
        self.stored = 0
        self.timetable = kind(self.disk, self.clock, self.do, lambda s, kind, said, data: self.noted.append(kind))
        self.timetable.open({Bundle.digest: ("tiny", SPOTS)}, by_measuring=by_measuring)

    def do(self, chore: Chore) -> bool:
        self.stored += 1
        try:
            found = chore.run()
        except Unavailable as error:
            found = error
        chore.then(found)
        return True

    def run(self, image_ms: float, minutes: int, per_minute: int = 240) -> None:
        """Run parts for some minutes."""
        bundle: Any = Bundle()
        for _ in range(minutes):
            for _ in range(per_minute):
                self.timetable.ran(bundle, "image", CPU, image_ms / 1e3)
                self.timetable.ran(bundle, "vibration", CPU, 0.0002)
            self.clock.advance(LOOK_S)
            assert self.timetable.step(self.clock.now()) == self.clock.now() + LOOK_S

    def record(self) -> Record:
        """Read what the next start will find."""
        return load_records(self.disk, fingerprint())[0].get(Bundle.digest, Record())


def measured(record: Record | None = None) -> FakeDisk:
    disk = FakeDisk()
    save_records(disk, fingerprint(), {Bundle.digest: record or Record(FIRST)})
    return disk


def test_what_is_measured_and_what_ran_stand_side_by_side() -> None:
    bench = Bench(measured())
    assert bench.timetable.rows() == ()
    bench.run(25.0, minutes=1)
    image, vibration = bench.timetable.rows()

    assert (image.bundle, image.role, image.spot, image.runs) == ("tiny", "image", "openvino/cpu × 1", 240)
    assert (image.first_p50_ms, image.first_p99_ms) == (20.0, 30.0)
    assert (image.p50_ms, image.p99_ms) == (pytest.approx(25.0), pytest.approx(25.0))
    assert vibration.first_p99_ms == 0.3


def test_what_runs_is_stored_and_the_next_start_expects_it() -> None:
    bench = Bench()
    assert bench.timetable.p99_s(Bundle.digest, SPOTS) == 0.0
    bench.run(25.0, minutes=11)
    later = Bench(bench.disk)

    assert bench.stored == 1
    assert later.timetable.p99_s(Bundle.digest, SPOTS) == pytest.approx(0.0252)
    (image, _) = later.timetable.rows()
    assert (image.p99_ms, image.runs, image.first_p99_ms) == (pytest.approx(25.0), 0, None)


def keeps_an_hour_at_a_stop(kind: type[Timetable]) -> bool:
    bench = Bench(kind=kind)
    bench.run(25.0, minutes=3)
    assert bench.record() == Record()
    bench.timetable.close()
    return Bench(bench.disk).timetable.p99_s(Bundle.digest, SPOTS) == pytest.approx(0.0252)


def test_what_ran_is_stored_at_a_clean_stop() -> None:
    assert keeps_an_hour_at_a_stop(Timetable)


class EndsSilently(Timetable):
    """Wrong: what ran since it was stored the last time is forgotten."""

    def close(self) -> None:
        return


def test_whoever_forgets_what_ran_at_a_stop_is_noticed() -> None:
    assert not keeps_an_hour_at_a_stop(EndsSilently)


def test_a_stop_writes_nothing_that_has_not_changed_and_minds_no_disk_that_fails() -> None:
    bench = Bench()
    bench.run(25.0, minutes=11)
    bench.disk.remove(TABLE_FILE)
    bench.timetable.close()
    assert not bench.disk.exists(TABLE_FILE)
    failing = Bench()
    failing.run(25.0, minutes=3)
    failing.disk.full = True
    failing.timetable.close()

    assert not failing.disk.exists(TABLE_FILE)


def test_before_anything_ran_the_next_start_expects_what_was_measured() -> None:
    assert Bench(measured()).timetable.p99_s(Bundle.digest, SPOTS) == pytest.approx(0.0303)


def test_it_is_stored_seldom_and_only_when_it_changed() -> None:
    bench = Bench()
    bench.run(25.0, minutes=60)
    assert bench.stored == 1
    bench.run(26.0, minutes=30)
    assert bench.stored == 1
    bench.run(50.0, minutes=5)
    assert bench.stored == 2
    bench.run(25.0, minutes=5)
    assert bench.stored == 2  # it was stored less than ten minutes ago
    bench.run(25.0, minutes=int(STORE_S / LOOK_S))
    assert bench.stored == 3


def a_slow_drift_is_stored(kind: type[Timetable]) -> bool:
    bench = Bench(kind=kind)
    for step in range(40):
        bench.run(25.0 * 1.02**step, minutes=11, per_minute=20)
    lived = bench.record().lived
    return bool(lived) and lived[0].p50_ms > 25.0 * 1.02**30


class ComparesWithTheLast(Timetable):
    """Wrong: what ran is compared with the last look and not with what is stored."""

    def step(self, now: float) -> float:
        wake = super().step(now)
        self._stored = dict(self._records)
        return wake


def test_a_slow_drift_is_stored_and_whoever_compares_with_the_last_look_is_noticed() -> None:
    assert a_slow_drift_is_stored(Timetable)
    assert not a_slow_drift_is_stored(ComparesWithTheLast)


def said(image_ms: Iterable[tuple[float, int]], kind: type[Timetable] = Timetable) -> tuple[list[str], Record]:
    bench = Bench(measured(), kind)
    for ms, minutes in image_ms:
        bench.run(ms, minutes)
    return bench.noted, bench.record()


@pytest.mark.parametrize("image_ms", [80.0, 10.0])
def test_a_placement_that_left_its_table_says_so_once_and_is_measured_anew_at_the_next_start(image_ms: float) -> None:
    noted, record = said([(25.0, 5), (image_ms, 20), (25.0, 5), (image_ms, 20)])

    assert noted == ["placement_outgrown"]
    assert "30.3 ms were measured" in record.anew
    assert record.left_ms == pytest.approx(image_ms + 0.2)


def a_busy_minute_says_nothing(kind: type[Timetable]) -> bool:
    return said([(25.0, 5), (80.0, 2), (25.0, 5), (80.0, 2), (25.0, 5)], kind)[0] == []


class CountsLooks(Timetable):
    """Wrong: looks are counted, though a window remembers a busy minute for many of them on a slow line."""

    def step(self, now: float) -> float:
        self._apart = {digest: (windows, -WINDOW) for digest, (windows, _) in self._apart.items()}
        return super().step(now)


def test_a_busy_minute_says_nothing_and_whoever_counts_looks_is_noticed() -> None:
    assert a_busy_minute_says_nothing(Timetable)
    assert not a_busy_minute_says_nothing(CountsLooks)


def test_what_was_measured_anew_and_is_as_slow_as_before_is_not_measured_again_and_again() -> None:
    bench = Bench(measured(Record(FIRST, left_ms=80.0)))
    bench.run(85.0, minutes=30)
    assert bench.noted == []
    bench.run(200.0, minutes=10)
    assert bench.noted == ["placement_outgrown"]


@pytest.mark.parametrize(
    ("now", "spots", "found"),
    [
        ({"image": 70.0, "vibration": 0.3}, SPOTS, (30.3, 70.3)),
        ({"image": 70.0}, SPOTS, (30.0, 70.0)),
        ({"image": 50.0, "vibration": 3.0}, SPOTS, None),  # the small part alone says nothing
        ({"image": 10.0, "vibration": 0.3}, SPOTS, (30.3, 10.3)),
        ({"image": 70.0}, {"image": ORT}, None),  # it does not run there
        ({}, SPOTS, None),
    ],
)
def test_the_whole_placement_is_compared(
    now: Mapping[str, float], spots: Mapping[str, Spot], found: tuple[float, float] | None
) -> None:
    lived = [Timing(role, CPU, p99_ms, p99_ms, WINDOW) for role, p99_ms in now.items()]

    assert left(Record(FIRST), lived, spots) == (None if found is None else pytest.approx(found))
    few = [Timing(row.role, row.spot, row.p50_ms, row.p99_ms, WINDOW - 1) for row in lived]
    assert left(Record(FIRST), few, spots) is None
    assert left(Record(), lived, spots) is None


def test_the_newer_row_counts_and_a_small_change_is_none() -> None:
    before = (Timing("image", CPU, 20.0, 30.0, 500), Timing("image", ORT, 40.0, 50.0, 500))
    now = (Timing("image", CPU, 24.0, 36.0, 900),)

    assert merged(before, now) == (now[0], before[1])
    assert not differs(before, now)
    assert differs(before, [Timing("image", CPU, 26.0, 30.0, 900)])
    assert differs(before, [Timing("image", CPU, 20.0, 38.0, 900)])
    assert differs((), now)


def test_a_change_of_pace_shows_within_one_window() -> None:
    lived = Lived()
    for took_s in [0.010] * 2 * WINDOW + [0.030] * WINDOW:
        lived.ran("d", "image", CPU, took_s)
    (row,) = lived.rows()["d"]

    assert (row.p50_ms, row.p99_ms, row.runs) == (pytest.approx(30.0), pytest.approx(30.0), 3 * WINDOW)


def test_a_full_disk_is_said_once_and_the_station_goes_on() -> None:
    bench = Bench()
    bench.disk.full = True
    bundle: Any = Bundle()
    for minute in range(60):
        for _ in range(600):
            bench.timetable.ran(bundle, "image", CPU, 0.025 * 1.1**minute)
        bench.clock.advance(LOOK_S)
        bench.timetable.step(bench.clock.now())
    assert bench.noted == ["timetable_unsaved"]


def survives_a_disk_that_fails_once(kind: type[Timetable]) -> bool:
    """What was outgrown is measured anew at the next start, though the disk was full when that was to be stored."""
    bench = Bench(measured(), kind)
    bench.run(25.0, minutes=5)
    bench.disk.full = True
    bench.run(80.0, minutes=20)
    assert sorted(bench.noted) == ["placement_outgrown", "timetable_unsaved"]
    assert 2 <= bench.stored <= 3  # a disk that fails is tried every ten minutes
    bench.disk.full = False
    bench.run(80.0, minutes=11)
    return bool(bench.record().anew)


def test_what_could_not_be_stored_is_stored_later() -> None:
    assert survives_a_disk_that_fails_once(Timetable)


class StoresOnce(Timetable):
    """Wrong: what was handed over to be stored counts as stored."""

    def _store(self, now: float) -> None:
        super()._store(now)
        self._stored = dict(self._records)


def test_whoever_takes_what_was_handed_over_for_stored_is_noticed() -> None:
    assert not survives_a_disk_that_fails_once(StoresOnce)


def test_nothing_is_stored_while_it_is_being_stored() -> None:
    bench = Bench()
    chores: list[Chore] = []
    bench.timetable._submit = lambda chore: not chores.append(chore)  # type: ignore[func-returns-value]
    for ms in (25.0, 80.0):
        bench.run(ms, minutes=11)
    assert len(chores) == 1
    bench.do(chores[0])
    bench.run(80.0, minutes=1)

    assert len(chores) == 2


def counts_what_runs(kind: type[Timetable]) -> bool:
    """A lane that no longer runs, after one slow window, is not called outgrown for what its stand-in runs."""
    bench = Bench(measured(), kind)
    bundle: Any = Bundle()
    bench.run(25.0, minutes=5)
    bench.run(80.0, minutes=3)
    for _ in range(20):
        for _ in range(240):
            for role in SPOTS:
                bench.timetable.ran(bundle, role, ORT, 0.030)
            bench.timetable.ran(bundle, "vibration", CPU, 0.0002)  # of parts that were judged in a hurry
        bench.timetable.step(bench.clock.now())
    return not bench.noted


def test_only_new_runs_of_the_placement_itself_tell_that_it_was_outgrown() -> None:
    assert counts_what_runs(Timetable)


class CountsAll(Timetable):
    """Wrong: whatever ran counts as a new window of every part."""

    def _looked(self, digest: str, rows: Sequence[Timing]) -> Record:
        runs = max(row.runs for row in rows)
        return super()._looked(digest, [replace(row, runs=runs) for row in rows])


def test_whoever_counts_what_the_stand_in_runs_is_noticed() -> None:
    assert not counts_what_runs(CountsAll)


@pytest.mark.parametrize(("by_measuring", "noted"), [(True, ["placement_outgrown"]), (False, [])])
def test_what_a_person_chose_is_not_outgrown_though_it_was_measured_once(by_measuring: bool, noted: list[str]) -> None:
    bench = Bench(measured(), by_measuring=by_measuring)
    bench.run(80.0, minutes=10)

    assert bench.noted == noted
    assert bool(bench.record().anew) is by_measuring


def test_a_damaged_file_is_said_and_everything_begins_anew() -> None:
    disk = FakeDisk({TABLE_FILE: b"{"})
    with pytest.raises(StateDamaged):
        load_records(disk, fingerprint())
    bench = Bench(disk)

    assert bench.noted == ["timetable_damaged"]
    bench.run(25.0, minutes=11)
    assert bench.record().lived


def test_the_file_is_the_old_one_or_the_new_one_after_a_power_cut() -> None:
    old, new = {"a": Record(FIRST)}, {"a": Record(FIRST, FIRST[:1], 70.0, "slower")}
    disk = FakeDisk()
    save_records(disk, fingerprint(), old)
    for files in power_cuts({TABLE_FILE: disk.read(TABLE_FILE)}, lambda cut: save_records(cut, fingerprint(), new)):
        assert load_records(FakeDisk(files), fingerprint())[0] in (old, new)


def test_only_the_newest_bundles_are_remembered() -> None:
    disk = FakeDisk()
    save_records(disk, fingerprint(), {str(n): Record(FIRST) for n in range(MOST_BUNDLES + 3)})

    assert list(load_records(disk, fingerprint())[0]) == [str(n) for n in range(3, MOST_BUNDLES + 3)]
