"""A start proves all golden vectors where anything is new, and some where nothing is; none of them is ever left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wide_bundle import CPU, GPU, VECTORS, engine, load, look, wide_bundle

from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import DeviceFault, Unavailable
from edge_agent.inspection import golden, proofstamp
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.golden import GoldenProof, Sample
from edge_agent.inspection.proofstamp import ProofStamp
from edge_agent.testing.disk import FakeDisk
from models import Bundle

OF_EACH_KIND = [0, 1, 4]  # two with all, and the first without a window


class Recorded:
    """A device that gives the desk's numbers, but for some vectors, and remembers what it was asked for."""

    def __init__(self, wrong: Sequence[int] = ()) -> None:
        self.wrong = wrong
        self.broken: Sequence[int] = ()
        self.asked: list[int] = []

    def encode(self, samples: Sequence[Sample]) -> list[Any]:
        self.asked += [sample.number for sample in samples]
        if any(sample.number in self.broken for sample in samples):
            raise DeviceFault("numbers that are none")
        return [sample.want + np.float64(sample.number in self.wrong) for sample in samples]


def stamp(disk: FakeDisk, bundle: Bundle | None = None, spot: Any = CPU) -> ProofStamp:
    return ProofStamp(disk, bundle or wide_bundle(), spot)


def started(disk: FakeDisk, device: Recorded) -> GoldenProof:
    proof = GoldenProof(wide_bundle(), stamp(disk))
    proof.prove(device.encode, quick=True)
    return proof


def test_the_first_start_proves_all_and_the_next_some_of_each_kind_and_the_others_one_by_one() -> None:
    disk, device = FakeDisk(), Recorded()
    assert started(disk, device).left == 0
    assert device.asked == list(range(VECTORS))

    device.asked.clear()
    proof = started(disk, device)
    assert sorted(device.asked) == OF_EACH_KIND
    device.asked.clear()
    while proof.left:
        proof.one(device.encode)
    assert sorted(device.asked) == [at for at in range(VECTORS) if at not in OF_EACH_KIND]
    assert proof.one(device.encode)[0].number == 0  # and then the first again and again


def every_vector_is_proven_within_a_start(kind: type[GoldenProof]) -> bool:
    disk, device = FakeDisk(), Recorded()
    started(disk, device)
    device.asked.clear()
    proof = kind(wide_bundle(), stamp(disk))
    proof.prove(device.encode, quick=True)
    for _ in range(VECTORS):
        proof.one(device.encode)
    return set(device.asked) == set(range(VECTORS))


class LeavesTheRest(GoldenProof):
    """Wrong: what was not proven before the first part is not proven later either."""

    def prove(self, encode: Any, *, quick: bool = False) -> int:
        count = super().prove(encode, quick=quick)
        self._left.clear()
        return count


def test_none_is_left_out_and_whoever_leaves_some_is_noticed() -> None:
    assert every_vector_is_proven_within_a_start(GoldenProof)
    assert not every_vector_is_proven_within_a_start(LeavesTheRest)


@pytest.mark.parametrize("wrong", range(VECTORS))
def test_one_that_comes_out_differently_is_a_fault_and_the_next_start_proves_all(wrong: int) -> None:
    disk = FakeDisk()
    started(disk, Recorded())
    with pytest.raises(DeviceFault, match=f"golden vector {wrong} comes out"):
        late = started(disk, Recorded([wrong]))
        for _ in range(VECTORS):
            late.one(Recorded([wrong]).encode)
    device = Recorded()
    started(disk, device)

    assert device.asked == list(range(VECTORS))


def the_stamp_goes_whatever_fails(kind: type[GoldenProof]) -> bool:
    gone = []
    for quick in (True, False):
        disk, device = FakeDisk(), Recorded()
        started(disk, Recorded())
        device.broken = (3,)
        proof = kind(wide_bundle(), stamp(disk))
        with pytest.raises(DeviceFault, match="none"):  # noqa: PT012 (in the proof or after it)
            proof.prove(device.encode, quick=quick)
            for _ in range(VECTORS):
                proof.one(device.encode)
        gone.append(not stamp(disk).there)
    return all(gone)


class OnlyCompares(GoldenProof):
    """Wrong: only a vector that comes out differently takes the stamp away, not one that does not come out at all."""

    def _checked(self, sample: Any, encode: Any) -> Any:
        (made,) = encode([sample])
        self.compare([sample], [made])
        return made


def test_a_device_that_breaks_at_one_takes_the_stamp_away_too() -> None:
    assert the_stamp_goes_whatever_fails(GoldenProof)
    assert not the_stamp_goes_whatever_fails(OnlyCompares)


def times_a_vector_that_lacks_nothing(kind: type[Encoder], folder: Path) -> bool:
    """Whoever takes an encoder over proves it once more, and takes a part to last as long."""
    for _ in range(2):
        encoder = kind.at_spots(wide_bundle(), CPU, folder, load)
        encoder.prove(quick=True)
    left = encoder.unproven
    encoder.vouch()
    encoder.prove()
    return encoder.unproven == left > 0


class TakesTheNext(Encoder):
    """Wrong: proves what is left when it is taken over, whatever that lacks."""

    def prove(self, *, quick: bool = False) -> int:
        if self._vouched:
            self.prove_one()
            return 1
        return super().prove(quick=quick)


def test_whoever_takes_over_times_the_first_of_the_completest(tmp_path: Path) -> None:
    assert times_a_vector_that_lacks_nothing(Encoder, tmp_path / "right")
    assert not times_a_vector_that_lacks_nothing(TakesTheNext, tmp_path / "wrong")
    proof = started(FakeDisk(), device := Recorded())
    device.asked.clear()
    proof.again(device.encode)
    assert device.asked == [0]


def test_a_bundle_with_one_vector_is_proven_by_it_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = list(golden.samples_of(wide_bundle()))[:1]
    monkeypatch.setattr(golden, "samples_of", lambda bundle: iter(samples))
    disk, device = FakeDisk(), Recorded()
    for _ in range(2):
        assert started(disk, device).left == 0
    assert device.asked == [0, 0]


def test_where_a_driver_may_change_nothing_is_remembered(tmp_path: Path) -> None:
    bundle, other = wide_bundle(), CPU._replace(threads=2)
    kept = ProofStamp.beside(tmp_path, bundle, {"image": CPU, "vibration": CPU})

    assert kept is not None
    assert ProofStamp.beside(None, bundle, CPU) is None
    assert ProofStamp.beside(tmp_path, bundle, GPU) is None
    assert ProofStamp.beside(tmp_path, bundle, {"image": CPU, "vibration": other}) is None


def test_a_proof_that_failed_leaves_no_stamp() -> None:
    disk = FakeDisk()
    with pytest.raises(DeviceFault):
        started(disk, Recorded([3]))

    assert not stamp(disk).there


def test_a_lane_that_is_proven_anew_proves_all_and_takes_the_stamp_away_where_one_is_wrong() -> None:
    disk, device = FakeDisk(), Recorded()
    started(disk, device)
    proof = started(disk, device)
    device.asked.clear()
    assert (proof.prove(device.encode), proof.left) == (VECTORS, 0)
    assert device.asked == list(range(VECTORS))
    assert stamp(disk).there
    with pytest.raises(DeviceFault):
        proof.prove(Recorded([2]).encode)

    assert not stamp(disk).there


def test_another_device_bundle_runtime_processor_or_program_is_proven_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, other = FakeDisk(), Bundle(wide_bundle().folder, wide_bundle().manifest, "1" * 64)
    stamp(disk).put()

    assert stamp(disk).there
    assert not stamp(disk, spot=GPU).there
    assert not stamp(disk, spot=CPU._replace(threads=2)).there
    assert not stamp(disk, other).there
    for name in ("processor", "cores", "_version"):
        with monkeypatch.context() as patched:
            patched.setattr(proofstamp, name, lambda *asked: "another")
            assert not stamp(disk).there


def test_of_each_bundle_and_spot_one_stamp_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, other = FakeDisk(), Bundle(wide_bundle().folder, wide_bundle().manifest, "1" * 64)
    stand_in = Spot(DeviceName("onnxruntime", "cpu"), 1)
    for each in (stamp(disk), stamp(disk, other), stamp(disk, spot=stand_in)):
        each.put()
    assert all(each.there for each in (stamp(disk), stamp(disk, other), stamp(disk, spot=stand_in)))
    monkeypatch.setattr(proofstamp, "_version", lambda package: "newer")
    stamp(disk).put()

    assert len(disk.names()) == 3


class Broken(FakeDisk):
    """Fails at everything."""

    def exists(self, name: str) -> bool:
        raise Unavailable("no disk")

    def names(self, folder: str = "") -> list[str]:
        raise Unavailable("no disk")

    def remove(self, name: str) -> None:
        raise Unavailable("no disk")


def test_a_disk_that_fails_costs_time_and_nothing_else() -> None:
    device = Recorded()
    assert started(Broken(), device).left == 0
    assert device.asked == list(range(VECTORS))
    with pytest.raises(DeviceFault):
        started(Broken(), Recorded([1]))


def test_an_encoder_has_what_is_left_proven_one_by_one(tmp_path: Path) -> None:
    left = 0
    for left in (0, VECTORS - len(OF_EACH_KIND)):
        encoder = Encoder.at_spots(wide_bundle(), CPU, tmp_path, load)
        assert encoder.prove(quick=True) == VECTORS - left
        assert encoder.unproven == left
    for proven in range(1, left + 1):
        encoder.prove_one()
        assert encoder.unproven == left - proven


def test_a_lane_that_loads_for_itself_takes_the_stamp_of_another_away(tmp_path: Path) -> None:
    Encoder.at_spots(wide_bundle(), CPU, tmp_path, load).prove(quick=True)

    def turned(feed: Any) -> Any:
        return {name: -array for name, array in look(feed).items()}

    def wrong(*asked: Any) -> Any:
        return {"image": engine("image", answer=turned), "vibration": engine("vibration")}

    with pytest.raises(DeviceFault):
        Encoder.at_spots(wide_bundle(), CPU, tmp_path, wrong).prove()
    encoder = Encoder.at_spots(wide_bundle(), CPU, tmp_path, load)

    assert encoder.prove(quick=True) == VECTORS
