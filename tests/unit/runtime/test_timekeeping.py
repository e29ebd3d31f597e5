"""The kernel is believed about the clock, and a kernel that may not be asked has not said no."""

from __future__ import annotations

import pytest

from edge_agent.runtime.timekeeping import TIME_ERROR, synchronised


@pytest.mark.parametrize(
    ("state", "said"), [(0, True), (1, True), (TIME_ERROR - 1, True), (TIME_ERROR, False), (-1, None)]
)
def test_what_the_kernel_says_of_the_clock(state: int, said: bool | None) -> None:
    assert synchronised(lambda: state) is said


def test_here_it_may_be_asked() -> None:
    assert synchronised() is not None
