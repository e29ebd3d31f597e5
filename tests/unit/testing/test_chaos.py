"""The bad network does to bytes what its script says: later, slower, in pieces, in order, and nothing vanishes."""

from __future__ import annotations

import random

import pytest

from edge_agent.testing.chaos.__main__ import parser, script_of
from edge_agent.testing.chaos.script import Pipe, Step


def arrivals(
    step: Step, chunks: list[bytes], until_s: float, tick_s: float = 0.01, seed: int = 1
) -> list[tuple[float, bytes]]:
    pipe = Pipe(random.Random(seed))
    for chunk in chunks:
        pipe.put(chunk, step, 0.0)
    out: list[tuple[float, bytes]] = []
    for tick in range(int(until_s / tick_s) + 1):
        while piece := pipe.take(step, tick * tick_s):
            out.append((tick * tick_s, piece))
    return out


def test_everything_arrives_later_by_the_latency() -> None:
    assert arrivals(Step(latency_s=0.2), [b"ab", b"c"], 1.0) == [(0.2, b"ab"), (0.2, b"c")]


def test_jitter_keeps_the_order_and_the_seed_keeps_the_jitter() -> None:
    chunks = [bytes([n]) for n in range(50)]
    step = Step(latency_s=0.1, jitter_s=0.2)
    first = arrivals(step, chunks, 1.0)

    assert [piece for _, piece in first] == chunks
    assert 0.1 <= first[0][0] < first[-1][0] <= 0.31
    assert arrivals(step, chunks, 1.0) == first
    assert arrivals(step, chunks, 1.0, seed=2) != first


def test_no_more_passes_than_the_bandwidth() -> None:
    arrived = arrivals(Step(bandwidth_bytes_s=1000.0), [bytes(5000)], 2.0)

    assert sum(len(piece) for _, piece in arrived) == pytest.approx(2000, abs=50)


def test_pieces_are_as_small_as_asked_and_join_to_the_whole() -> None:
    arrived = arrivals(Step(piece_bytes=1), [b"hello"], 0.1)

    assert [piece for _, piece in arrived] == [b"h", b"e", b"l", b"l", b"o"]


@pytest.mark.parametrize("kind", ["stall", "swallow"])
def test_nothing_arrives(kind: str) -> None:
    assert arrivals(Step(kind=kind), [b"hello"], 1.0) == []


def test_what_stalled_arrives_when_the_network_is_well_again_and_what_was_swallowed_never() -> None:
    for kind, later in (("stall", b"hello"), ("swallow", b"")):
        pipe = Pipe(random.Random(1))
        pipe.put(b"hello", Step(kind=kind), 0.0)
        assert pipe.take(Step(kind=kind), 1.0) == b""
        assert pipe.take(Step(), 2.0) == later


def test_a_step_that_ends_after_some_bytes_tears_a_packet() -> None:
    pipe = Pipe(random.Random(1))
    pipe.put(b"hello", Step(for_bytes=3), 0.0)

    assert pipe.take(Step(for_bytes=3), 0.0) == b"hel"


def test_the_options_become_the_script() -> None:
    options = parser().parse_args(
        ["127.0.0.1:1884", "broker:1883", "--latency", "200", "--bandwidth", "10000", "--then", "reset", "--after", "5"]
    )

    assert (options.listen, options.target) == (("127.0.0.1", 1884), ("broker", 1883))
    assert script_of(options) == (Step(latency_s=0.2, bandwidth_bytes_s=10_000.0, for_s=5.0), Step(kind="reset"))
