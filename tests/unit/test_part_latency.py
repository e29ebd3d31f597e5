"""What each hop of some parts took, from their times."""

from __future__ import annotations

import numpy as np

from edge_agent.ledger.latency import HOPS, MOMENTS, Latency, latencies_of

NEVER = np.nan


def times_s(*, acted: float) -> list[float]:
    """Of a part that takes 10 ms for each hop before it is acted on."""
    return [5.0, 5.01, 5.02, 5.03, 5.04, acted]


def test_a_part_that_has_not_come_so_far_does_not_count_where_it_has_not() -> None:
    found = {latency.hop: latency for latency in latencies_of(np.array([times_s(acted=NEVER), times_s(acted=5.06)]))}

    assert list(found) == [f"{start}-{end}" for start, end in HOPS]
    assert (found["paired-committed"].parts, round(found["paired-committed"].p50_ms, 6)) == (2, 30.0)
    assert (found["committed-acted"].parts, round(found["committed-acted"].max_ms, 6)) == (1, 20.0)


def test_a_hop_that_no_part_has_is_left_out() -> None:
    assert not any(latency.hop.endswith("acted") for latency in latencies_of(np.array([times_s(acted=NEVER)])))
    assert latencies_of(np.empty((0, len(MOMENTS)))) == []


def test_the_slowest_part_of_a_hundred_is_the_longest_and_hardly_what_99_stay_below() -> None:
    times = np.array([times_s(acted=5.05)] * 99 + [times_s(acted=6.04)])
    (acted,) = (latency for latency in latencies_of(times) if latency.hop == "committed-acted")

    assert isinstance(acted, Latency)
    assert acted.p50_ms < 11.0 < acted.p99_ms < 500.0 < acted.max_ms
