"""What is measured on this machine: the shipped bundle is placed, kept, and measured anew where something changed."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edge_agent import ResourceAllocator, cli
from edge_agent.bench import placing
from edge_agent.config import SHIPPED_BUNDLES, EngineConfig
from edge_agent.engines import DeviceName, Spot, openvino_engine
from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.runtime.disk import RealDisk
from edge_agent.scheduler import allocator, measuring
from edge_agent.scheduler.latency import Timing, Whole
from edge_agent.scheduler.placement import Candidate, Placement
from edge_agent.scheduler.tablefile import MOST_BYTES, TABLE_FILE, Record, fingerprint, load_records, save_records
from models import Bundle

CPU = Spot(DeviceName("openvino", "cpu"), 1)
ROWS = (
    Timing("image", CPU, 5.0, 9.0, 100),
    Timing("vibration", CPU, error="no such layer"),
    Timing("image", CPU._replace(pieces=4), 15.0, 19.0, 100),
)
GPU = Spot(DeviceName("openvino", "gpu"))
HERE = {CPU.device: "Xeon"}
WAYS = (Whole({"image": CPU}, 5.0, 9.0, beside=True), Whole({"image": CPU, "vibration": GPU}, error="it hangs"))
KNOWN = {
    "a" * 64: Record(ROWS),
    "b" * 64: Record(ROWS, ROWS[:1], 70.0, "it became slower", WAYS, {**HERE, GPU.device: "Arc 1.2"}),
}


@pytest.fixture(scope="module")
def castings() -> Bundle:
    return Bundle.load(SHIPPED_BUNDLES / "castings")


@functools.cache
def measured_once(digest: str, folder: Path, spots: tuple[Spot, ...]) -> list[Timing]:
    """Measure for real, and say of what ran that it took 5 ms: how quick this machine is, is no matter of a test."""
    rows = measuring.measure_parts(Bundle.load(folder), spots, runs=2)
    return [row if row.error else replace(row, p50_ms=4.0, p99_ms=5.0) for row in rows]


@pytest.fixture
def measured_at_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no spot of a bundle twice."""
    monkeypatch.setattr(
        allocator, "measure_parts", lambda bundle, spots, **more: measured_once(bundle.digest, bundle.folder, spots)
    )


@pytest.mark.usefixtures("measured_at_one_pace")
def test_the_call_that_everybody_knows_works_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(allocator, "RUNS", 5)
    placement = ResourceAllocator({"cpu_ratio": 0.3, "gpu_ratio": 0.6, "npu_fallback": True}).optimize()

    assert set(placement.spots) == {"image", "vibration"}
    assert placement.chain[0].measured_p99_ms is not None
    assert "in use" in placement.explain()
    assert len({c.devices for c in placement.chain}) >= 2  # onnxruntime stands in for OpenVINO, or the other way round
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("measured_at_one_pace")
def test_a_stations_bundle_is_placed_within_its_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(allocator, "RUNS", 3)
    station = tmp_path / "station.toml"
    station.write_text('recipe.bundle = "castings"\nengine = { runtime = "auto", cpu_ratio = 0.3, parts_per_s = 12 }\n')

    assert cli.main(["bench", "--placement", "-c", str(station), "--json"], lambda make: 0) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bundle"].startswith("castings ") and found["parts_per_s"] == 12.0
    assert {row["role"] for row in found["timings"]} == {"image", "vibration", "fusion"}
    refused = [c for c in found["candidates"] if c["load"]["cpu"] > 0.3]
    assert refused == [] or all("30 % allowed" in c["not_allowed"] for c in refused)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["station.toml"]


@pytest.mark.usefixtures("measured_at_one_pace")
def test_what_was_measured_is_kept_and_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "RUNS", 3)
    first = ResourceAllocator({}, folder=tmp_path).optimize()
    assert first.anew == "nothing was measured yet" and not first.failed
    monkeypatch.setattr(allocator, "measure_parts", None)
    monkeypatch.setattr(allocator, "measure_ways", None)
    again = ResourceAllocator({}, folder=tmp_path).optimize()

    assert again == replace(first, anew="")


@dataclass
class Bench:
    """A machine whose devices are what one says, and where every part takes as long as its device says."""

    folder: Path
    bundle: Bundle
    devices: dict[DeviceName, str]
    measured: list[DeviceName] = field(default_factory=list)
    ran: int = 0
    broken: tuple[DeviceName, ...] = ()

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(allocator, "devices_here", lambda **more: (self.devices, "" if self.devices else "it died"))
        monkeypatch.setattr(allocator, "measure_parts", self.parts)
        monkeypatch.setattr(allocator, "measure_ways", self.ways)

    def parts(self, bundle: Bundle, spots: Sequence[Spot], **more: object) -> list[Timing]:
        self.measured.append(spots[0].device)
        took_ms = 2.0 if spots[0].device.kind == "gpu" else 5.0
        return [Timing(part.role, spot, took_ms, took_ms, 9) for spot in spots for part in bundle.manifest.judging]

    def ways(self, bundle: Bundle, ways: Sequence[Mapping[str, Spot]], **more: object) -> list[Whole]:
        self.ran += 1
        devices = [{spot.device for spot in way.values()} for way in ways]
        return [
            Whole(way, error="it hangs")
            if there & set(self.broken)
            else Whole(way, 4.0 if GPU.device in there else 9.0)
            for way, there in zip(ways, devices, strict=True)
        ]

    def placed(self) -> Placement:
        self.measured.clear()
        return ResourceAllocator({}, bundle=self.bundle, folder=self.folder).optimize()


@pytest.fixture
def bench(tmp_path: Path, castings: Bundle, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path, castings, HERE | {GPU.device: "Arc, driver 1"})
    bench.patch(monkeypatch)
    return bench


def used(placement: Placement) -> set[DeviceName]:
    return {spot.device for spot in placement.spots.values()}


def test_a_device_that_is_gone_is_done_without_and_not_measured_when_it_is_back(bench: Bench) -> None:
    there = dict(bench.devices)
    assert used(bench.placed()) == {GPU.device}
    bench.devices = HERE
    without = bench.placed()
    assert used(without) == {CPU.device} and not bench.measured
    assert "there is no openvino/gpu here any more" in without.explain()
    bench.devices = there
    assert used(bench.placed()) == {GPU.device} and not bench.measured


def test_a_device_that_is_new_or_has_another_driver_is_measured_and_no_other(bench: Bench) -> None:
    there, bench.devices = bench.devices, HERE
    assert used(bench.placed()) == {CPU.device}
    bench.devices = there
    found = bench.placed()
    assert used(found) == {GPU.device} and set(bench.measured) == {GPU.device}
    assert found.anew == "openvino/gpu is new here, or its driver"
    bench.devices = HERE | {GPU.device: "Arc, driver 2"}
    assert bench.placed().anew == found.anew and set(bench.measured) == {GPU.device}
    assert not bench.placed().anew and not bench.measured


def test_a_device_that_was_away_while_all_was_measured_anew_is_measured_when_it_is_back(bench: Bench) -> None:
    there = dict(bench.devices)
    bench.placed()
    disk, here = RealDisk(bench.folder), fingerprint()
    outgrown = replace(load_records(disk, here)[0][bench.bundle.digest], anew="slower")
    save_records(disk, here, {bench.bundle.digest: outgrown})
    bench.devices = HERE
    assert bench.placed().anew == "slower" and set(bench.measured) == {CPU.device}
    bench.devices = there
    assert used(bench.placed()) == {GPU.device} and set(bench.measured) == {GPU.device}


def test_whole_ways_are_run_once_and_again_where_there_is_another(bench: Bench) -> None:
    bench.placed()
    bench.placed()
    assert bench.ran == 1
    bench.devices = HERE
    bench.placed()
    bench.placed()
    assert bench.ran == 1  # what is left was run in turn with the others
    bench.devices = HERE | {DeviceName("onnxruntime", "cuda"): ""}
    bench.placed()
    assert bench.ran == 2


def test_a_way_that_does_not_run_as_a_whole_is_not_taken_and_said(bench: Bench) -> None:
    bench.broken = (GPU.device,)
    placement = bench.placed()
    assert used(placement) == {CPU.device} and ": it hangs" in placement.explain()
    bench.placed()
    assert bench.ran == 1  # a device that hangs does not cost a minute at every start
    bench.devices, bench.broken = HERE, (CPU.device,)
    bench.folder = bench.folder / "other"
    bench.folder.mkdir()
    with pytest.raises(Unavailable, match="does not run as a whole: openvino/cpu"):
        bench.placed()
    bench.broken = ()
    assert used(bench.placed()) == {CPU.device}


def test_drivers_that_do_not_answer_for_once_cost_no_start(bench: Bench) -> None:
    first = bench.placed()
    bench.devices = {}
    assert used(bench.placed()) == used(first)
    bench.folder = bench.folder / "other"
    bench.folder.mkdir()
    with pytest.raises(Unavailable, match="no device was found: it died"):
        bench.placed()


def test_a_driver_that_says_nothing_of_itself_hides_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        available_devices = ("CPU", "NPU")

        def get_property(self, name: str, key: str) -> object:
            if name == "NPU":
                raise RuntimeError("the driver is too old")
            return ("FULL_DEVICE_NAME",) if key == "SUPPORTED_PROPERTIES" else "Xeon"

    monkeypatch.setattr(openvino_engine.openvino, "Core", Core)
    assert openvino_engine.kinds() == ("cpu", "npu")
    found = openvino_engine.descriptions()
    assert found["cpu"] == "Xeon" and "the driver is too old" in found["npu"]


def test_the_devices_of_this_machine_are_found_beside_the_program_with_what_they_are() -> None:
    found, trouble = measuring.devices_here()
    assert not trouble and {CPU.device, DeviceName("onnxruntime", "cpu")} <= set(found)
    assert found[CPU.device] and "onnxruntime" not in str(found[CPU.device])


def test_of_whole_ways_the_one_that_cannot_run_costs_the_others_nothing(castings: Bundle) -> None:
    ways = [{part.role: spot for part in castings.manifest.judging} for spot in (GPU, CPU)]
    broken, whole = measuring.measure_ways(castings, ways, runs=2)

    assert "OpenVINO finds no device gpu" in broken.error
    assert not whole.error and whole.p99_ms >= whole.p50_ms > 0.0


def test_a_way_whose_driver_dies_is_the_only_one_that_is_lost(
    monkeypatch: pytest.MonkeyPatch, castings: Bundle, tmp_path: Path
) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{DIES_ON_GPU}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    ways = [{"image": GPU}, {"image": CPU}]
    broken, whole = measuring.measure_ways(castings, ways, runs=2)

    assert broken.error == "its driver died (signal 11)" and (whole.error, whole.p99_ms) == ("", 9.0)


DIES_ON_GPU = """
import json, os, signal, sys
ways = json.load(sys.stdin)["ways"]
if any("gpu" in way["image"] for way in ways):
    os.kill(os.getpid(), signal.SIGSEGV)
print(json.dumps({"name": "0", "spot": ["openvino", "cpu", 1], "p50_ms": 5.0, "p99_ms": 9.0, "runs": 2}))
"""


def test_a_table_of_another_machine_or_program_does_not_count(tmp_path: Path) -> None:
    disk, here = RealDisk(tmp_path), fingerprint()
    assert load_records(disk, here) == ({}, "nothing was measured yet")
    save_records(disk, here, KNOWN)
    assert load_records(disk, here) == (KNOWN, "")
    for key in here:
        records, why = load_records(disk, here | {key: "another"})
        assert not records and why.startswith(f"measured with other things: {key}")
    before_batches = {"version": 3, "machine": here, "bundles": {}}  # complete, but for whole ways and devices
    for old in ({"version": 1, "rows": []}, before_batches):
        body = json.dumps(old).encode()
        digest = hashlib.sha256(body).hexdigest()
        disk.write(TABLE_FILE, b'{"sha256":"%s","body":%s}' % (digest.encode(), body))
        assert load_records(disk, here) == ({}, "measured by another version of the program")


def test_each_bundle_has_its_own_rows_and_what_was_outgrown_is_measured_anew(bench: Bench) -> None:
    disk, here = RealDisk(bench.folder), fingerprint()
    bench.devices = HERE
    outgrown = Record(ROWS, left_ms=70.0, anew="slower", ways=WAYS, devices=HERE)
    complete = bench.parts(bench.bundle, [CPU])
    bench.measured.clear()
    save_records(disk, here, {"other": Record(ROWS[:1]), bench.bundle.digest: replace(outgrown, first=tuple(complete))})

    def measured(again: bool = True) -> str:
        return ResourceAllocator({}, bundle=bench.bundle, folder=bench.folder).optimize(again=again).anew

    assert (measured(again=False), bench.measured) == ("", [])
    assert load_records(disk, here)[0][bench.bundle.digest].anew == "slower"
    assert measured() == "slower"
    devices = len(bench.measured)
    assert devices and (measured(), len(bench.measured)) == ("", devices)
    records, _ = load_records(disk, here)
    assert records["other"] == Record(ROWS[:1])
    kept = records[bench.bundle.digest]
    assert (kept.left_ms, kept.anew, dict(kept.devices)) == (70.0, "", HERE) and WAYS[0] not in kept.ways


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_station_measured_and_took_since_is_shown_beside_a_new_measurement(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    castings: Bundle,
    as_json: bool,
) -> None:
    way = Candidate({"image": CPU}, 5.0, 9.0, {})
    found = Placement("castings 1", (way,), (way,), ROWS, 10.0, 2)
    monkeypatch.setattr(ResourceAllocator, "optimize", lambda allocator, *more, **named: found)
    lived = (Timing("image", CPU, 6.0, 11.0, 900),)
    save_records(RealDisk(tmp_path), fingerprint(), {castings.digest: Record(ROWS, lived)})

    assert placing.run_placing("castings", tmp_path, EngineConfig(), as_json=as_json) == 0
    out = capsys.readouterr().out
    if as_json:
        (times,) = json.loads(out)["part_times"]
        assert [row["error"] for row in json.loads(out)["timings"]] == ["", "no such layer", ""]
        assert (times["first_p99_ms"], times["p99_ms"], times["spot"]) == (9.0, 11.0, "openvino/cpu × 1")
    else:
        assert "image on openvino/cpu × 1: p50 6.00 ms, p99 11.00 ms, measured at first 5.00 and 9.00 ms" in out
        assert "image on openvino/cpu × 1: p50 5.00 ms, p99 9.00 ms\n" in out
        placing.run_placing("castings", tmp_path / "nowhere", EngineConfig(), as_json=False)
        assert "nothing was measured yet" in capsys.readouterr().out


def test_what_is_read_of_a_station_from_outside_says_nothing_of_runs_since_a_start(
    tmp_path: Path, castings: Bundle
) -> None:
    lived = (Timing("image", CPU, 6.0, 11.0, 900),)
    save_records(RealDisk(tmp_path), fingerprint(), {castings.digest: Record(ROWS, lived)})
    (image,), _ = placing._lived_in(tmp_path, "castings")

    assert (image.runs, image.p99_ms, image.first_p99_ms) == (0, 11.0, 9.0)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "deep", "large", "other"])
def test_a_damaged_table_is_said_and_never_believed(tmp_path: Path, damage: str) -> None:
    disk, here = RealDisk(tmp_path), fingerprint()
    save_records(disk, here, KNOWN)
    text = disk.read(TABLE_FILE)
    disk.write(
        TABLE_FILE,
        {
            "cut": text[:-20],
            "flip": text.replace(b"5.0", b"1.0"),
            "empty": b"",
            "deep": b"[" * 100_000,
            "large": text.ljust(MOST_BYTES + 1),
            "other": json.dumps({"sha256": "", "body": {}, "more": 1}).encode(),
        }[damage],
    )
    with pytest.raises(StateDamaged, match=r"latency\.json"):
        load_records(disk, here)


def test_batches_are_measured_apart_on_what_is_no_cpu_or_where_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, castings: Bundle
) -> None:
    asked: list[tuple[Spot, ...]] = []
    there = HERE | {GPU.device: "", DeviceName("onnxruntime", "cuda"): ""}
    monkeypatch.setattr(allocator, "devices_here", lambda **more: (there, ""))
    monkeypatch.setattr(allocator, "measure_parts", lambda bundle, spots, **more: asked.append(spots) or ROWS)

    def batches(shared: bool) -> list[tuple[Spot, ...]]:
        asked.clear()
        ResourceAllocator({}, bundle=castings, batches=shared)._measured(lambda *done: None, True)
        return [spots for spots in asked if spots[0].pieces > 1]

    wide = tuple(GPU._replace(pieces=size) for size in (2, 4, 8))
    assert batches(False) == [wide]
    *on_cpu, on_gpu = batches(True)  # apart for each number of threads
    assert on_gpu == wide
    assert [[spot.pieces for spot in each] for each in on_cpu] == [[2, 4, 8]] * len(on_cpu)
    assert {spot.device for each in on_cpu for spot in each} == {CPU.device}


def test_a_part_is_tried_for_one_piece_and_for_two_together(castings: Bundle) -> None:
    rows = measuring.measure_parts(castings, [CPU, CPU._replace(pieces=2)], runs=2)

    assert [(row.role, row.spot.pieces) for row in rows if not row.error] == [
        (role, pieces) for pieces in (1, 2) for role in ("image", "vibration", "fusion")
    ]


def test_a_device_that_is_not_there_is_a_row_with_its_reason(castings: Bundle) -> None:
    rows = measuring.measure_parts(castings, [Spot(DeviceName("openvino", "npu"))], runs=1)

    assert [row.role for row in rows] == ["image", "vibration", "fusion"]
    assert all("OpenVINO finds no device npu" in row.error for row in rows)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its driver died (signal 11)"),
        ("import time; time.sleep(60)", "did not answer within 1 s"),
        ("import sys; sys.exit('the driver is too old')", "the driver is too old"),
        ("pass", "the trial ended without an answer"),
    ],
)
def test_a_driver_that_dies_or_hangs_costs_its_own_rows_only(
    monkeypatch: pytest.MonkeyPatch, castings: Bundle, tmp_path: Path, program: str, reason: str
) -> None:
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    rows = measuring.measure_parts(castings, [CPU], runs=1, timeout_s=1.0)

    assert {row.error for row in rows} == {reason}


@pytest.mark.parametrize(
    "wrong",
    [
        {"bundle": "nope"},
        {"parts_per_s": 0.0},
        {"parts_per_s": float("nan")},
        {"parts_per_s": float("inf")},
        {"parts_per_s": "ten"},
        {"parts_per_s": True},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        ResourceAllocator({}, **wrong)  # type: ignore[arg-type]
    assert caught.value.hint


def test_whoever_waits_for_a_trial_hears_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, castings: Bundle, tmp_path: Path
) -> None:
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import time; time.sleep(60)"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(measuring, "WAIT_S", 0.05)
    heard: list[str] = []
    rows = measuring.measure_parts(castings, [CPU], runs=1, timeout_s=0.3, waits=lambda: heard.append("goes on"))

    assert len(heard) == 6
    assert {row.error for row in rows} == {"did not answer within 0.3 s"}


def test_what_a_trial_said_before_it_hung_counts_however_often_one_waited(
    monkeypatch: pytest.MonkeyPatch, castings: Bundle, tmp_path: Path
) -> None:
    line = '{"name":"image","spot":["openvino","cpu",1],"p50_ms":5.0,"p99_ms":9.0,"runs":100}'
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho '{line}'\nsleep 0.2\nprintf '{line[:20]}'\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setattr(measuring, "WAIT_S", 0.1)
    image, *others = measuring.measure_parts(castings, [CPU], runs=1, timeout_s=0.5)

    assert image == ROWS[0]
    assert {row.error for row in others} == {"did not answer within 0.5 s"}
