"""What the machine says of itself and of this process: processor, cores, memory."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
from pathlib import Path
from typing import Final

from edge_agent.runtime.clock import Clock

WALK_EVERY_S: Final = 600.0
"""A line of ten parts a second would miss 20 ms in one part in ten thousand by walks every ten seconds."""

WALK_AFTER: Final = 0.1
"""A change of what is resident by this share is looked at."""


def processor() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if names:
        return f"{len(names)} x {names[0]}"
    arm = [line.partition(":")[2].strip() for line in lines if line.startswith(("CPU implementer", "CPU part"))]
    return f"{len(arm) // 2} x {' '.join(sorted(set(arm)))}" if arm else platform.processor()


def cores() -> int:
    """Give the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pss_mb(process: int | None = None) -> float | None:
    """Give the proportional set size of a process [MB] (proc(5), smaps_rollup); None where the system does not say.

    Args:
        process: its number; None for this one.

    Returns:
        Its memory, what it shares with others divided among them.
    """
    try:
        text = Path(f"/proc/{process or 'self'}/smaps_rollup").read_text()
    except OSError:
        return None
    sizes_kb = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")]
    return sizes_kb[0] * 1024 / 1e6 if sizes_kb else None


class MemoryGauge:
    """Reads often what memory this process takes [MB].

    The kernel walks through the whole process for the proportional set size, tens of milliseconds that a core is away.
    What is shared changes slowly, so between two walks it is what is resident (proc(5), statm), which is counted all
    the time, less what the other processes had of that at the last walk.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._walk_s = -math.inf
        self._resident_mb = self._shared_mb = 0.0

    def read_mb(self) -> float | None:
        """Give the proportional set size of this process [MB]; None where the system does not say."""
        now, resident_mb = self._clock.now(), _resident_mb()
        if resident_mb is None:
            return None
        if now >= self._walk_s or abs(resident_mb - self._resident_mb) > WALK_AFTER * self._resident_mb:
            if (mb := pss_mb()) is None:
                return None
            self._walk_s, self._resident_mb, self._shared_mb = now + WALK_EVERY_S, resident_mb, resident_mb - mb
        return max(resident_mb - self._shared_mb, 0.0)


def _resident_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize() / 1e6


def page_faults() -> int:
    """Give how many pages the kernel has given this process without reading a disk (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def give_back_memory() -> None:
    """Give freed memory back to the system, where its C library can (malloc_trim(3)); a compiler leaves much behind."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
