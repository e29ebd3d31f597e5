"""Parts side by side on two threads give what they give one after the other, and only where that is surely quicker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from wide_bundle import CPU, GPU, engine, load, wide_bundle

from edge_agent.engines import Engine, Spot
from edge_agent.engines.second import SecondThread, is_quicker
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encode import Encoder
from edge_agent.scheduler import trial
from edge_agent.scheduler.trial import Request, words_of
from models import Bundle
from models.flow import Flow, Flown, Tensors

WAIT_S = 60.0
SPOTS = {"image": GPU, "vibration": CPU}

Run = Callable[[Flow, Tensors, Callable[[str, Tensors], Tensors]], Flown]


def sources() -> dict[str, Any]:
    return {name: rows[0] for name, rows in wide_bundle().golden().sources.items()}


def engines(**before: Callable[[int], None]) -> dict[str, Engine]:
    return {role: engine(role, before=before.get(role, lambda call: None)) for role in SPOTS}


def meet(run: Run, within_s: float) -> bool:
    """Say whether both parts are at it at the same time."""
    both = threading.Barrier(2)
    made = engines(image=lambda call: both.wait(within_s) and None, vibration=lambda call: both.wait(within_s) and None)
    try:
        run(Flow(wide_bundle().manifest), sources(), lambda role, feed: made[role].infer(feed))
    except threading.BrokenBarrierError:
        return False
    return True


def test_both_parts_compute_at_the_same_time() -> None:
    second = SecondThread()
    try:
        assert meet(second.run, WAIT_S)
    finally:
        second.close()


def test_whoever_runs_one_after_the_other_is_noticed() -> None:
    assert not meet(Flow.run, 0.1)


def test_an_encoder_gives_the_same_side_by_side() -> None:
    encoders = [Encoder.at_spots(wide_bundle(), SPOTS, load=load, beside=beside) for beside in (False, True)]
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
    samples = rng.normal(size=(2000, 3)).astype(np.float32)
    for given in ((image, samples), (image, None), (None, samples)):
        alone, beside = (encoder.encode(*given, 20_000.0).q.tolist() for encoder in encoders)
        assert alone == beside
    for encoder in encoders:
        assert encoder.prove() == 5
        encoder.close()


@pytest.mark.parametrize("wrong", list(SPOTS))
def test_what_one_part_raises_is_heard_when_the_other_is_over(wrong: str) -> None:
    (other,) = SPOTS.keys() - {wrong}
    over: list[str] = []

    def takes_its_time(call: int) -> None:
        time.sleep(0.05)
        over.append(other)

    made = {wrong: engine(wrong, fail_on={1: DeviceFault("unplugged")})}
    made[other] = engine(other, before=takes_its_time)
    second = SecondThread()
    with pytest.raises(DeviceFault, match="unplugged"):
        second.run(Flow(wide_bundle().manifest), sources(), lambda role, feed: made[role].infer(feed))
    second.close()

    assert over == [other]


@pytest.mark.parametrize("hangs", list(SPOTS))
def test_a_part_that_hangs_holds_up_the_piece_as_it_does_alone(hangs: str) -> None:
    goes_on = threading.Event()
    made = engines(**{hangs: lambda call: goes_on.wait(WAIT_S) and None})
    second = SecondThread()
    piece = threading.Thread(
        target=lambda: second.run(Flow(wide_bundle().manifest), sources(), lambda role, feed: made[role].infer(feed))
    )
    piece.start()
    piece.join(0.1)
    hung = piece.is_alive()
    goes_on.set()
    piece.join(WAIT_S)
    second.close()

    assert hung and not piece.is_alive()


def tried(
    monkeypatch: pytest.MonkeyPatch, gpu_s: float, cpu_s: float, ways: Sequence[Mapping[str, Spot]]
) -> list[bool]:
    """Have ways tried on devices that sleep; say which of them are to run side by side."""

    def sleeping(bundle: Any, spots: Any, parts: Any, cache: Any = None) -> dict[str, Engine]:
        takes_s = {GPU.device: gpu_s, CPU.device: cpu_s}
        return {
            part.role: engine(part.role, before=lambda call, role=part.role: time.sleep(takes_s[spots[role].device]))
            for part in parts
        }

    monkeypatch.setattr(trial, "load_engines", sleeping)
    monkeypatch.setattr(Bundle, "load", lambda folder: wide_bundle())
    asked = tuple({role: words_of(spot) for role, spot in way.items()} for way in ways)
    answers = list(trial.answers(Request("", (), asked, 40)))
    assert [answer.name for answer in answers] == [str(at) for at in range(len(ways))]
    return [answer.beside for answer in answers]


def test_a_picture_on_a_gpu_and_a_window_on_the_cpu_are_measured_to_be_quicker_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tried(monkeypatch, 0.020, 0.020, [SPOTS]) == [True]


def test_what_computes_on_one_device_is_not_tried_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tried(monkeypatch, 0.001, 0.001, [dict.fromkeys(SPOTS, CPU)]) == [False]


def middling(beside_ms: Sequence[float], alone_ms: Sequence[float]) -> bool:
    """Wrong: believes the medians, whatever they are worth."""
    return float(np.median(beside_ms)) < float(np.median(alone_ms))


def believes_noise(judge: Callable[[Sequence[float], Sequence[float]], bool]) -> int:
    """Say how many of a thousand measurements of nothing but noise it takes for a gain."""
    rng = np.random.default_rng(1)
    return sum(judge(list(rng.gamma(9.0, 3.0, 100)), list(rng.gamma(9.0, 3.0, 100))) for _ in range(1000))


def test_noise_is_no_gain() -> None:
    assert believes_noise(is_quicker) <= 10
    assert believes_noise(middling) > 400


def test_what_saves_a_tenth_is_seen_through_noise() -> None:
    rng = np.random.default_rng(2)
    alone = rng.normal(20.0, 1.0, 100)

    assert is_quicker(list(0.85 * alone + rng.normal(0.0, 1.0, 100)), list(alone))
    assert not is_quicker(list(0.98 * alone), list(alone))  # surely quicker, and not worth it
    assert not is_quicker([1.0], [9.0])  # one run says nothing
