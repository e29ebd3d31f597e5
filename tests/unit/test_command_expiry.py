"""Whether it is too late for a command, whatever the clocks say."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.journal.expiry import AHEAD_S, Moment, age_after_restart, counted_utc, too_late

UTC = 1_764_500_000.0
TIMES = st.floats(0.0, 1e10)


def late(issued: float = UTC, ttl_s: float = 30.0, **known: float) -> bool:
    given_ = {"utc": UTC, "synchronised": True, "age_s": 0.0, **known}
    return bool(too_late(issued, ttl_s, Moment(**given_)))  # type: ignore[arg-type]


def test_with_a_clock_that_is_right_that_clock_says() -> None:
    assert not late(UTC - 30.0)
    assert late(UTC - 30.1)
    assert not late(UTC + AHEAD_S)
    assert late(UTC + AHEAD_S + 1.0)


def test_with_any_other_clock_it_is_how_long_ago_it_came() -> None:
    for months in (-12, 12):
        issued = UTC + months * 30 * 86_400
        assert not late(issued, synchronised=False, age_s=29.9)
        assert late(issued, synchronised=False, age_s=30.1)


def test_what_waited_here_too_long_is_late_on_any_clock() -> None:
    assert late(UTC, age_s=31.0)


def test_what_ran_out_before_a_newer_one_was_asked_is_old() -> None:
    assert late(UTC, synchronised=False, newest_utc=UTC + 30.1)
    assert not late(UTC, synchronised=False, newest_utc=UTC + 29.9)  # they overtake each other on the way


def test_a_right_clock_is_believed_more_than_one_that_was_wrong_when_a_newer_one_was_asked() -> None:
    assert not late(UTC, newest_utc=UTC + 1e9)


@given(TIMES, TIMES, st.floats(0.001, 1e5), st.floats(0.0, 1e5))
def test_without_a_right_clock_the_clock_plays_no_part(utc: float, issued: float, ttl_s: float, age: float) -> None:
    assert late(issued, ttl_s, utc=utc, synchronised=False, age_s=age) == (age > ttl_s)


def test_after_a_restart_the_age_is_by_the_wall_clock_or_unknown() -> None:
    assert age_after_restart(UTC, UTC + 5.0) == 5.0
    assert age_after_restart(UTC, UTC - 1.0) == math.inf


@given(TIMES, TIMES, st.floats(0.001, 1e5), st.floats(0.0, 1e5))
def test_one_clock_that_is_ahead_makes_nothing_old(true: float, ahead_s: float, ttl_s: float, later_s: float) -> None:
    """The asker's, and then the station's; what is asked later with a right clock is not late."""
    for newest in (counted_utc(true + ahead_s, true), counted_utc(true, true + ahead_s)):
        assert not late(true + later_s, ttl_s, synchronised=False, newest_utc=newest)


def test_to_believe_whoever_asks_would_make_all_that_follows_old() -> None:
    assert late(UTC, synchronised=False, newest_utc=UTC + 1e9)
    assert not late(UTC, synchronised=False, newest_utc=counted_utc(UTC + 1e9, UTC))


def test_what_was_asked_before_the_ledger_was_begun_is_old_by_a_right_clock() -> None:
    """Whether it was done is in the ledger that was set aside."""
    assert late(UTC - 20.0, begun_utc=UTC - 10.0)
    assert not late(UTC - 5.0, begun_utc=UTC - 10.0)
    assert not late(UTC - 20.0, begun_utc=UTC + 10.0)  # begun while the clock was wrong
    assert not late(UTC - 20.0, synchronised=False, begun_utc=UTC - 10.0)
