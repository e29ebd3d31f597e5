"""Several bundles share lanes: each where it is answered soonest, and one lane that does without each device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from edge_agent.engines import DeviceName, Spot
from edge_agent.scheduler.joint import Joint, joined
from edge_agent.scheduler.placement import Candidate, Placement

OV = Spot(DeviceName("openvino", "cpu"), 1)
OV2 = Spot(DeviceName("openvino", "cpu"), 2)
ORT = Spot(DeviceName("onnxruntime", "cpu"), 1)
GPU = Spot(DeviceName("openvino", "gpu"))


def way(image: Spot, vibration: Spot | None = None, p99_ms: float = 2.0) -> Candidate:
    return Candidate({"image": image, "vibration": vibration or image}, 1.0, p99_ms, {})


def placement(*chain: Candidate) -> Placement:
    return Placement("tiny 1", chain, chain, (), 10.0, 2)


FIRST = placement(way(OV2), way(ORT))
OTHER = placement(way(ORT), way(OV))
MIXED = placement(way(GPU, OV), way(OV), way(GPU))
SLOW = way(ORT, p99_ms=9.0)  # does without both devices of the one in use, but slowly
FALLS = placement(way(GPU, OV), SLOW, way(GPU))
ALONE = placement(way(OV))


@pytest.mark.parametrize(
    ("placements", "lanes"),
    [
        ([FIRST], [(way(OV2),), (way(ORT),)]),
        ([FIRST, FIRST], [(way(OV2), way(OV2)), (way(ORT), way(ORT))]),
        ([FIRST, OTHER], [(way(OV2), way(ORT)), (way(OV2), way(OV)), (way(ORT), way(ORT))]),
        ([MIXED], [(way(GPU, OV),), (way(GPU),), (way(OV),)]),
        ([FALLS], [(way(GPU, OV),), (way(GPU),), (SLOW,)]),
        ([FIRST, ALONE], [(way(OV2), way(OV)), (way(ORT), None)]),
        ([ALONE, FIRST], [(way(OV), way(OV2))]),
    ],
)
def test_each_bundle_runs_where_it_is_quickest_and_stays_unless_its_device_is_done_without(
    placements: list[Placement], lanes: list[Joint]
) -> None:
    found = joined(placements)

    assert found[0] == lanes[0]
    assert len(found) == len(lanes) and all(lane in found for lane in lanes)


def does_without(join: Callable[[Sequence[Placement]], tuple[Joint, ...]]) -> bool:
    """Each device that the first lane needs is missing on another lane, where the first bundle can do without it."""
    lanes = join([FIRST, OTHER])
    devices = [{device for way in lane if way is not None for device in way.devices} for lane in lanes]
    best = [placement.chain[0] for placement in (FIRST, OTHER)]
    return list(lanes[0]) == best and all(any(d not in others for others in devices[1:]) for d in devices[0])


def test_every_device_can_fail() -> None:
    assert does_without(joined)


def all_follow_the_first(placements: Sequence[Placement]) -> tuple[Joint, ...]:
    """Wrong: every bundle runs where the first does."""
    return tuple((way,) * len(placements) for way in placements[0].chain)


def chains_side_by_side(placements: Sequence[Placement]) -> tuple[Joint, ...]:
    """Wrong: the first stand-ins of all share a lane, whatever they stand in for."""
    return tuple(zip(*(placement.chain for placement in placements), strict=True))


@pytest.mark.parametrize("wrong", [all_follow_the_first, chains_side_by_side])
def test_whoever_places_by_the_first_or_joins_blindly_is_noticed(
    wrong: Callable[[Sequence[Placement]], tuple[Joint, ...]],
) -> None:
    assert not does_without(wrong)
