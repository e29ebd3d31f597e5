"""Each bundle runs where it was placed, on every lane; what cannot run there says so, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent import placed
from edge_agent.config import Config
from edge_agent.engines import DeviceName, Spot
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.runtime.background import Chore
from edge_agent.scheduler.job import CannotRun
from edge_agent.scheduler.latency import Timing
from edge_agent.scheduler.placement import Candidate, Placement
from edge_agent.scheduler.tablefile import Record, fingerprint, save_records
from edge_agent.scheduler.timetable import Timetable
from edge_agent.scheduler.together import Batch
from edge_agent.scheduler.way import Way
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.disk import FakeDisk

OV, ORT = Spot(DeviceName("openvino", "cpu"), 2), Spot(DeviceName("onnxruntime", "cpu"), 1)


class Part:
    role = "image"


class Manifest:
    judging = (Part(),)


class Bundle:
    manifest = Manifest()

    def __init__(self, name: str, *chain: Spot, digest: str = "", anew: str = "new here") -> None:
        self.name, self.digest, self.anew = name, digest or f"digest of {name}", anew
        self.chain = tuple(Candidate({"image": spot}, 1.0, 2.0, {}) for spot in chain)


class Allocator:
    """Places each bundle as it says itself."""

    def __init__(self, shares: object, *, bundle: Bundle, parts_per_s: float, folder: Path) -> None:
        self._bundle = bundle

    def optimize(self, progress: Callable[[int, int], None], *, again: bool) -> Placement:
        for step in range(3):
            progress(step, 3)
        anew = "" if self._bundle.anew == "slower" and not again else self._bundle.anew
        return Placement(self._bundle.name, self._bundle.chain, self._bundle.chain, (), 10.0, 2, anew)


class Loaded:
    """An encoder that only knows where it was loaded."""

    def __init__(self, bundle: Bundle, spots: dict[str, Spot], sizes: frozenset[int], beside: bool) -> None:
        self.at = f"{bundle.name} on {spots['image']}" + " beside" * beside
        self.sizes = sizes

    @classmethod
    def at_spots(
        cls, bundle: Bundle, spots: dict[str, Spot], cache: Path, load: object, batches: list[Any], *, beside: bool
    ) -> Loaded:
        return cls(bundle, spots, frozenset(each["image"].pieces for each in batches), beside)

    def prove(self) -> int:
        return 1

    def prove_together(self) -> frozenset[int]:
        return self.sizes - {4}  # four come out wrong

    @property
    def complaints(self) -> list[str]:
        return [f"not {size}" for size in self.sizes - {2}]

    def close(self) -> None: ...


def ways(
    monkeypatch: pytest.MonkeyPatch, bundles: list[Any], runtime: str = "auto", disk: FakeDisk | None = None
) -> tuple[list[Way[Encoders]], list[str]]:
    monkeypatch.setattr(placed, "ResourceAllocator", Allocator)
    monkeypatch.setattr(placed, "Encoder", Loaded)
    monkeypatch.setattr(placed, "pss_mb", lambda: 0.0)

    def never(chore: Chore) -> bool:
        raise AssertionError("nothing ran yet")

    said: list[str] = []
    left_s: list[float] = []
    config: Any = Config.defaults(Path()).engine
    config = type(config)(runtime=runtime)
    timetable = Timetable(disk or FakeDisk(), ManualClock(), never, lambda *noted: None)
    found = placed.ways_of(bundles, config, Path(), Evictions(), timetable, said=said.append, extend=left_s.append)
    assert left_s == [placed.STEP_S] * (4 * len(bundles) if runtime == "auto" else 0)
    return found, said


def where(way: Way[Encoders], bundle: Any) -> str:
    encoder: Any = way.load().of(bundle)
    return str(encoder.at)


def test_each_bundle_runs_where_it_was_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = Bundle("first", OV, ORT), Bundle("other", ORT, OV)
    (best, *rest), said = ways(monkeypatch, [first, other])

    assert best.name == "first: openvino/cpu × 2; other: onnxruntime/cpu × 1"
    assert best.devices == {"openvino/cpu", "onnxruntime/cpu"}
    assert [where(best, first), where(best, other)] == ["first on openvino/cpu × 2", "other on onnxruntime/cpu × 1"]
    assert [way.name for way in rest] == ["openvino/cpu × 2", "onnxruntime/cpu × 1"]
    assert said == [
        "first runs on openvino/cpu × 2; measured now: new here",
        "other runs on onnxruntime/cpu × 1; measured now: new here",
    ]


def test_what_nothing_stands_in_for_cannot_run_on_the_stand_in_and_the_others_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = Bundle("first", OV, ORT), Bundle("other", OV)
    (_, stand_in), _ = ways(monkeypatch, [first, other])

    assert stand_in.name == "first: onnxruntime/cpu × 1; other: nowhere"
    assert where(stand_in, first) == "first on onnxruntime/cpu × 1"
    with pytest.raises(CannotRun, match="stands in for"):
        where(stand_in, other)


def test_as_configured_all_run_at_one_spot_and_the_other_runtime_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = [Bundle("first", ORT), Bundle("other", ORT)]
    found, said = ways(monkeypatch, bundles, "openvino")

    assert [way.name for way in found] == ["openvino/cpu × 1", "onnxruntime/cpu × 1"]
    assert not said


def test_a_lane_knows_what_each_of_its_bundles_took_before_this_start(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = Bundle("first", OV, ORT), Bundle("other", OV, ORT)
    disk = FakeDisk()
    rows = (Timing("image", OV, 20.0, 30.0, 100), Timing("image", ORT, 50.0, 60.0, 100))
    slow = (Timing("image", OV, 200.0, 450.0, 900),)
    save_records(disk, fingerprint(), {first.digest: Record(rows), other.digest: Record(rows, slow)})
    (best, stand_in), _ = ways(monkeypatch, [first, other], disk=disk)

    assert best.p99_s == {first.digest: pytest.approx(0.030), other.digest: pytest.approx(0.450)}
    assert stand_in.p99_s == {first.digest: pytest.approx(0.060), other.digest: pytest.approx(0.060)}


def test_what_was_measured_to_gain_reaches_the_lane_as_far_as_it_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Spot(DeviceName("openvino", "gpu"))
    batches = {size: Batch({"image": gpu._replace(pieces=size)}, 1.0, 3.0 + size) for size in (2, 4)}
    first = Bundle("first", gpu, OV)
    first.chain = (replace(first.chain[0], batches=batches, beside=True), first.chain[1])
    (best, stand_in), said = ways(monkeypatch, [first])
    encoders = best.load()
    assert best.batches_s(encoders, first.digest) == {}
    best.prove_together(encoders)

    assert best.batches_s(encoders, first.digest) == {2: pytest.approx(0.005)}
    assert best.complaints(encoders) == ["not 4"]
    assert encoders.of(first).at.endswith("beside")  # type: ignore[arg-type, attr-defined]
    assert said == ["first runs on openvino/gpu, side by side, up to 4 together; measured now: new here"]
    other = stand_in.load()
    stand_in.prove_together(other)
    assert stand_in.batches_s(other, first.digest) == {}


def test_two_bundles_of_one_name_are_told_apart_and_no_lane_is_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = Bundle("tiny", OV, ORT, digest="0123456789"), Bundle("tiny", OV, digest="abcdef0123")
    (best, stand_in), _ = ways(monkeypatch, [first, other])

    assert best.name == "openvino/cpu × 2"
    assert stand_in.name == "tiny 01234567: onnxruntime/cpu × 1; tiny abcdef01: nowhere"


def test_of_the_bundles_that_were_outgrown_each_start_measures_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = [Bundle(name, OV, ORT, anew=anew) for name, anew in (("a", ""), ("b", "slower"), ("c", "slower"))]
    _, said = ways(monkeypatch, [*bundles, Bundle("d", OV, ORT)])

    assert [text.partition("; ")[::2] for text in said] == [
        ("a runs on openvino/cpu × 2", ""),
        ("b runs on openvino/cpu × 2", "measured now: slower"),
        ("c runs on openvino/cpu × 2", ""),
        ("d runs on openvino/cpu × 2", "measured now: new here"),
    ]


@pytest.mark.parametrize(
    ("taken_mb", "grows_mb", "fits"),
    [(100.0, 0.0, True), (130.0, 0.0, True), (131.0, 0.0, False), (110.0, 25.0, False)],
)
def test_what_stands_in_has_room_beside_what_the_station_is_going_to_take(
    taken_mb: float, grows_mb: float, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placed, "pss_mb", lambda: taken_mb)
    config = Config.defaults(Path()).engine

    assert placed.has_room(type(config)(memory_mb=200), grows_mb) is fits


def test_what_stands_by_leaves_room_for_a_line_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    config = type(Config.defaults(Path()).engine)(memory_mb=200)
    fits = []
    for taken_mb in (130.0 - placed.GROWS_MB, 131.0 - placed.GROWS_MB):
        monkeypatch.setattr(placed, "pss_mb", lambda taken_mb=taken_mb: taken_mb)
        fits.append(placed.may_stand_by(config))

    assert placed.GROWS_MB > 0.0 and fits == [True, False]
