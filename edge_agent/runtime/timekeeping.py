"""Whether the wall clock can be believed: the kernel knows if something keeps it right (adjtimex(2))."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final

TIME_ERROR: Final = 5
"""What adjtimex returns while nothing keeps the clock right; the kernel says so again whenever the clock is set."""

_TIMEX_BYTES: Final = 512
"""More than `struct timex` takes on any platform; with `modes` = 0 it is only filled in."""


def adjtimex() -> int:
    """Ask the kernel for the state of the clock; -1 where it may not be asked."""
    return int(_libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def synchronised(ask: Callable[[], int] = adjtimex) -> bool | None:
    """Say whether something, such as chrony or systemd-timesyncd, keeps the wall clock right.

    Args:
        ask: gives the state of the clock.

    Returns:
        Whether it does; None where the kernel may not be asked, which is a fault of how the program was started.
    """
    state = ask()
    return None if state < 0 else state < TIME_ERROR


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
