"""Parts that wait are judged together by OpenVINO on a lane's own thread, and come out as the desk has them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np

from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.inspection.encoders import Encoders
from edge_agent.inspection.inspected import Perceiving, perceive_together
from edge_agent.records import Embedding, Pair
from edge_agent.runtime.clock import SystemClock
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import Job
from edge_agent.scheduler.way import Way
from models.bundle import shipped_bundle
from models.embedding import dequantise

CPU = Spot(DeviceName("openvino", "cpu"), 1)
TABLE_S = {2: 1e-4, 4: 1.2e-4}
"""As if this CPU gained by batches."""

PARTS = 8
WITHIN_S = 120.0


def pair(number: int) -> Pair:
    rng = np.random.default_rng(number)
    image = rng.integers(0, 255, (200, 300, 3), np.uint8)
    samples = rng.normal(0.0, 5.0, (3000, 3)).astype(np.float32)
    given: Any = SimpleNamespace(
        frame=SimpleNamespace(image=image, faults=()),
        window=SimpleNamespace(samples=samples, rate_hz=26_667.0, faults=()),
        degraded=(),
    )
    return given


def test_parts_that_wait_are_computed_together_and_come_out_as_they_do_alone() -> None:
    bundle, clock = load_bundle(shipped_bundle("castings")), SystemClock()
    batches = [{part.role: CPU._replace(pieces=size) for part in bundle.manifest.judging} for size in TABLE_S]
    judge: Any = SimpleNamespace(look=lambda embedding: embedding)
    pairs = [pair(number) for number in range(PARTS)]

    def load() -> Encoders:
        encoders = Encoders(lambda bundle: Encoder.at_spots(bundle, CPU, batches=batches), lambda: True)
        encoders.load([bundle])
        return encoders

    held: list[Encoders] = []

    def prove_one(encoders: Encoders) -> int:
        held.append(encoders)
        encoders.of(bundle).encode(pairs[0].frame.image, None)  # type: ignore[union-attr]
        return 1

    way = Way[Encoders](
        "cpu",
        frozenset({"openvino/cpu"}),
        load,
        prove_one,
        lambda encoders: "openvino/cpu",
        prove_together=Encoders.prove_together,
        batches_s=lambda encoders, digest: {n: TABLE_S[n] for n in encoders.sizes.get(digest, ())},
    )
    poked = threading.Event()
    dispatcher = Dispatcher[Encoders, Embedding]([way], clock, lambda name: poked.set(), WITHIN_S)
    answers: dict[int, Embedding | EdgeAgentError] = {}

    def turn(enough: Any) -> None:
        until = clock.now() + WITHIN_S
        while not enough() and clock.now() < until:
            dispatcher.step(clock.now())
            clock.wait(poked, clock.now() + 0.05)
            poked.clear()

    dispatcher.open()
    turn(lambda: dispatcher.ready)
    for number, given in enumerate(pairs):
        job = Job[Encoders, Embedding](
            Perceiving(judge, bundle, given),
            lambda result, at_s, number=number: answers.__setitem__(number, result),
            clock.now() + WITHIN_S,
            None,
            bundle.digest,
            perceive_together,
        )
        assert dispatcher.submit(job)
    turn(lambda: len(answers) == PARTS)
    dispatcher.close()
    dispatcher.join(clock.now() + WITHIN_S)

    assert (dispatcher.counts.done, dispatcher.counts.together, dispatcher.counts.parted) == (PARTS, 6, 0)
    encoder = held[0].of(bundle)
    for number, given in enumerate(pairs):
        made = answers[number]
        assert isinstance(made, Embedding)
        alone = perceive_together(held[0], [Perceiving(judge, bundle, given)])[0]
        off = np.linalg.norm(dequantise(made.q) - dequantise(alone.q))
        assert off <= bundle.manifest.golden.tolerance
    encoder.close()
