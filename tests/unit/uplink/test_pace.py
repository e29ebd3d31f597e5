"""How much passes: a burst after a rest, the rate in the long run, and a wait that is exactly long enough."""

from __future__ import annotations

import pytest

from edge_agent.uplink.pace import TokenBucket


def passed(bucket: TokenBucket, now: float) -> int:
    count = 0
    while bucket.take(now):
        count += 1
    return count


def test_a_burst_passes_at_once_and_then_the_rate() -> None:
    bucket = TokenBucket(rate_per_s=512.0, burst=100)

    assert passed(bucket, 0.0) == 100
    assert [passed(bucket, tick / 64.0) for tick in range(1, 65)] == [8] * 64


def test_a_long_rest_gives_no_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=500.0, burst=100)
    passed(bucket, 0.0)

    assert passed(bucket, 3600.0) == 100


def test_after_the_wait_that_it_names_one_passes_and_just_before_none() -> None:
    bucket = TokenBucket(rate_per_s=4.0, burst=1)
    passed(bucket, 10.0)
    wait_s = bucket.wait_s(10.0)

    assert wait_s == pytest.approx(0.25)
    assert not bucket.take(10.0 + 0.9 * wait_s)
    assert bucket.take(10.0 + wait_s)


def test_who_has_something_does_not_wait() -> None:
    assert TokenBucket(rate_per_s=1.0, burst=2).wait_s(5.0) == 0.0
