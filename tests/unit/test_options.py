"""What is typed as a number is one that can be used, or is refused with what may be typed."""

from __future__ import annotations

import argparse

import pytest

from edge_agent.console.options import seconds
from edge_agent.terminal.options import FAST, count, minutes, rate, rate_or_fast


def test_a_count_is_written_in_plain_digits() -> None:
    assert (count("0"), count("12")) == (0, 12)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "two", "٣"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number is needed"):
        count(text)


def test_the_limits_themselves_are_taken() -> None:
    assert (minutes("0.05"), minutes("100000")) == (0.05, 100_000.0)
    assert (rate("0.1"), rate("50"), rate_or_fast(FAST)) == (0.1, 50.0, FAST)
    assert (seconds("0.1"), seconds("86400")) == (0.1, 86_400.0)


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-1", "0", "1e9"])
@pytest.mark.parametrize(
    ("read", "said"),
    [
        (minutes, "between 0.05 and 100000 minutes"),
        (rate, "between 0.1 and 50 parts per second"),
        (seconds, "between 0.1 and 86400 seconds"),
    ],
)
def test_what_is_no_number_between_them_is_refused_with_them(read: object, said: str, text: str) -> None:
    assert callable(read)
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        read(text)
