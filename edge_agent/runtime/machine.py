"""What the machine says of itself and of this process: processor, cores, memory."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
from pathlib import Path


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


def page_faults() -> int:
    """Give how many pages the kernel has given this process without reading a disk (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def give_back_memory() -> None:
    """Give freed memory back to the system, where its C library can (malloc_trim(3)); a compiler leaves much behind."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
