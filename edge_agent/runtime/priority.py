"""What a process says to the scheduler about itself: it computes only when nobody else wants to.

A station in another process on the same machine then loses no time to it. It is said before threads are made, which
inherit it.
"""

from __future__ import annotations

import contextlib
import os


def run_when_idle() -> None:
    """Have this process compute only when a core has nothing else to do, where the platform can and allows it."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):  # a container may forbid it; then it is one process among others
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
