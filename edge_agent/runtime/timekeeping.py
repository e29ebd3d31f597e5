"""Whether the wall clock can be believed: the kernel knows if something keeps it right (adjtimex(2))."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

TIME_ERROR: Final = 5
"""What adjtimex returns while nothing keeps the clock right; the kernel says so again whenever the clock is set."""

_TIMEX_BYTES: Final = 512
"""More than `struct timex` takes on any platform; with `modes` = 0 it is only filled in."""


def is_synchronised() -> bool:
    """Say whether something, such as chrony or systemd-timesyncd, keeps the wall clock right."""
    state = int(_libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return 0 <= state < TIME_ERROR


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
