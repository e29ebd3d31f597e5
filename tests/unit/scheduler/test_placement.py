"""Placement is arithmetic on a table: the quickest that is allowed, what stands in for it, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import ConfigError
from edge_agent.scheduler.latency import LatencyTable, Timing
from edge_agent.scheduler.placement import Candidate, Placement, candidates, choose, worth_running
from edge_agent.scheduler.shares import Shares

CPU = Spot(DeviceName("openvino", "cpu"), 1)
CPU2 = Spot(DeviceName("openvino", "cpu"), 2)
ORT = Spot(DeviceName("onnxruntime", "cpu"), 1)
GPU = Spot(DeviceName("openvino", "gpu"))
NPU = Spot(DeviceName("openvino", "npu"))
ROLES = ("image", "vibration")


def table(**rows: dict[Spot, float | str]) -> LatencyTable:
    return LatencyTable(
        Timing(role, spot, error=took) if isinstance(took, str) else Timing(role, spot, took, 2.0 * took, 100)
        for role, spots in rows.items()
        for spot, took in spots.items()
    )


WHOLE = Shares()


def placed(times: LatencyTable, shares: Shares = WHOLE, parts_per_s: float = 10.0) -> Placement:
    looked_at = candidates(ROLES, times, shares, 4, parts_per_s)
    return choose("tiny 1", looked_at, times, shares, 4, parts_per_s)


STATION = {
    "image": {CPU: 8.0, CPU2: 5.0, GPU: 3.0, NPU: 2.0},
    "vibration": {CPU: 0.2, CPU2: 0.2, GPU: 1.0, NPU: "LSTM cannot be compiled"},
}


def test_each_part_goes_where_it_is_quickest_and_a_cpu_stands_in_for_the_npu() -> None:
    placement = placed(table(**STATION))

    assert dict(placement.spots) == {"image": NPU, "vibration": CPU}
    assert [fallback.devices for fallback in placement.fallbacks] == [
        {NPU.device, GPU.device},
        {GPU.device, CPU.device},
    ]
    for device in placement.chain[0].devices:
        assert any(device not in fallback.devices for fallback in placement.fallbacks)


@pytest.mark.parametrize(
    ("shares", "image"),
    [
        (Shares(), NPU),
        (Shares(cpu_ratio=0.0), NPU),  # the vibration goes to the GPU then
        (Shares(cpu_ratio=0.0, gpu_ratio=0.3), NPU),
        (Shares(gpu_ratio=0.0), NPU),
    ],
)
def test_a_share_of_nothing_keeps_inference_off_a_device(shares: Shares, image: Spot) -> None:
    placement = placed(table(**STATION), shares)

    assert placement.spots["image"] == image
    used = {device.kind for candidate in placement.chain for device in candidate.devices}
    assert used.isdisjoint(kind for kind in ("cpu", "gpu") if not shares.allowed(kind))


def test_the_load_is_the_time_at_the_lines_rate_over_all_cores() -> None:
    placement = placed(table(image={CPU2: 10.0}, vibration={CPU: 1.0}), Shares(cpu_ratio=0.3), parts_per_s=20.0)

    assert placement.chain[0].load == pytest.approx({"cpu": 20 * (0.010 * 2 / 4 + 0.001 * 1 / 4)})


def test_what_fits_no_share_is_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(ConfigError, match=r"no placement of tiny 1 fits .* needs 11 % of the cpu") as caught:
        placed(table(image={CPU: 40.0}, vibration={CPU: 3.0}), Shares(cpu_ratio=0.1))
    assert "cpu_ratio" in caught.value.hint


def test_a_part_that_runs_nowhere_is_named_with_every_reason() -> None:
    with pytest.raises(ConfigError, match=r"no device can run part vibration .*openvino/npu: no LSTM"):
        placed(table(image={CPU: 1.0}, vibration={NPU: "no LSTM", CPU: "driver died"}))


def test_without_fallback_a_part_that_the_npu_cannot_run_is_an_error_and_nothing_stands_in_for_it() -> None:
    with pytest.raises(ConfigError, match="part vibration cannot run on openvino/npu: LSTM") as caught:
        placed(table(**STATION), Shares(npu_fallback=False))
    assert "npu_fallback" in caught.value.hint

    placement = placed(table(image={NPU: 1.0, CPU: 9.0}, vibration={NPU: 1.0, CPU: 9.0}), Shares(npu_fallback=False))
    assert placement.spots == {"image": NPU, "vibration": NPU}
    assert not placement.fallbacks and "nothing stands in" in placement.explain()


def test_what_is_as_quick_needs_no_second_runtime() -> None:
    placement = placed(table(image={CPU: 5.0, ORT: 9.0}, vibration={CPU: 0.20, ORT: 0.19}))

    assert placement.chain[0].devices == {CPU.device}
    assert placement.fallbacks[0].devices == {ORT.device}


def test_what_was_measured_as_a_whole_counts_more_than_what_is_predicted() -> None:
    times = table(image={CPU: 5.0, GPU: 4.0}, vibration={CPU: 1.0, GPU: 1.0})
    looked_at = candidates(ROLES, times, Shares(), 4, 10.0)
    slow_together = {frozenset({GPU.device}): 50.0, frozenset({CPU.device}): 12.0}
    measured = [
        replace(c, measured_p50_ms=1.0, measured_p99_ms=slow_together.get(c.devices, 40.0))
        for c in worth_running(looked_at)
    ]
    placement = choose("tiny 1", measured, times, Shares(), 4, 10.0)

    assert placement.chain[0].devices == {CPU.device}
    assert {c.devices for c in measured} == {c.devices for c in looked_at}


def with_batches(times: LatencyTable, **rows: dict[int, float | str]) -> LatencyTable:
    """Add what a role takes on the GPU for so many pieces together."""
    more = table(**{r: {GPU._replace(pieces=n): took for n, took in each.items()} for r, each in rows.items()})
    return LatencyTable((*times.timings, *more.timings))


@pytest.mark.parametrize(
    ("rows", "batches"),
    [
        ({"image": {2: 3.5, 4: 4.5}}, {2: 2 * (3.5 + 0.4), 4: 2 * (4.5 + 0.8)}),
        ({"image": {2: 6.0, 4: 12.0}}, {}),  # as long as one by one
        ({"image": {2: 3.5, 4: "no memory"}}, {2: 2 * (3.5 + 0.4)}),
        ({"image": {4: 4.5}, "vibration": {4: 0.3}}, {4: 2 * (4.5 + 0.8)}),  # that on the GPU is no row of the CPU's
        ({}, {}),
    ],
)
def test_batches_are_those_that_pay_and_the_other_parts_run_for_each(
    rows: dict[str, dict[int, float | str]], batches: dict[int, float]
) -> None:
    placement = placed(with_batches(table(image={GPU: 3.0, CPU: 30.0}, vibration={CPU: 0.2}), **rows))

    assert dict(placement.spots) == {"image": GPU, "vibration": CPU}
    assert {size: batch.p99_ms for size, batch in placement.chain[0].batches.items()} == pytest.approx(batches)
    for size, batch in placement.chain[0].batches.items():
        assert dict(batch.spots) == {"image": GPU._replace(pieces=size)}
    assert not any(candidate.batches for candidate in placement.chain[1:])


def test_a_disturbance_that_a_long_run_bears_better_is_no_gain() -> None:
    one, four = Timing("image", CPU, 30.0, 90.0, 100), Timing("image", CPU._replace(pieces=4), 119.0, 190.0, 30)
    (found,) = candidates(("image",), LatencyTable((one, four)), Shares(), 4, 10.0)

    assert not found.batches


def test_an_npu_that_computes_no_batch_is_no_error_without_fallback() -> None:
    times = table(image={NPU: 2.0, CPU: 8.0}, vibration={CPU: 0.2, NPU: 0.1})
    stuck = Timing("image", NPU._replace(pieces=4), error="no such shape")

    assert placed(LatencyTable((*times.timings, stuck)), Shares(npu_fallback=False)).spots["image"] == NPU


def test_the_explanation_shows_predicted_and_measured_times_and_what_failed() -> None:
    placement = placed(table(**STATION))
    run = replace(placement.chain[0], measured_p50_ms=2.5, measured_p99_ms=4.5)
    shown = Placement(
        "tiny 1", (run, *placement.fallbacks), (run, *placement.candidates[1:]), placement.failed, 10.0, 4
    )
    lines = shown.explain(most=3).splitlines()

    assert lines[0] == "tiny 1 at 10 parts/s on 4 cores"
    assert lines[2].startswith("in use") and "2.50 / 4.50" in lines[2] and "image openvino/npu" in lines[2]
    assert "cannot run: vibration on openvino/npu: LSTM cannot be compiled" in lines
    assert sum(line.startswith("stands in") for line in lines) == len(placement.fallbacks)


@pytest.mark.parametrize(
    ("ratios", "reason"),
    [
        ({"cpu_ratio": -0.1}, "cpu_ratio must be a number from 0 to 1, not -0.1"),
        ({"gpu_ratio": 1.5}, "gpu_ratio must be"),
        ({"cpu_ratio": float("nan")}, "cpu_ratio must be"),
        ({"cpu_ratio": True}, "cpu_ratio must be"),
        ({"cpu_ratio": "0.3"}, "cpu_ratio must be"),
        ({"npu_fallback": 1}, "npu_fallback must be true or false"),
        ({"cpu_ratio": 0, "gpu_ratio": 0}, "both 0"),
        ({"cpu_ration": 0.3}, "no share called 'cpu_ration'"),
        ({7: 0.3}, "no share called 7"),
        (None, "must be a mapping, not None"),
        (0.3, "must be a mapping, not 0.3"),
        ([("cpu_ratio", 0.3)], "must be a mapping"),
    ],
)
def test_ratios_that_make_no_sense_are_refused_by_name(ratios: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        Shares.of(ratios)
    assert caught.value.hint


def test_a_mistyped_share_is_guessed() -> None:
    with pytest.raises(ConfigError) as caught:
        Shares.of({"cpu_ration": 0.3})
    assert caught.value.hint == "did you mean cpu_ratio?"


def test_a_candidate_says_one_spot_where_all_parts_share_it() -> None:
    assert str(Candidate({"image": CPU, "vibration": CPU}, 1, 1, {})) == "openvino/cpu × 1"
    assert (
        str(Candidate({"image": NPU, "vibration": CPU}, 1, 1, {})) == "image openvino/npu, vibration openvino/cpu × 1"
    )
