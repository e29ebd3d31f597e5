"""Whether this processor cuts off sums of 8-bit products, so that quantised models need the slower exact way.

An x86 processor without VNNI multiplies unsigned by signed bytes and adds two products in 16 bits (VPMADDUBSW), where
the sum may not fit and is cut off: oneDNN developer guide, "Nuances of int8 computations". Measured on one without
(AMD EPYC of 2021), both runtimes: the shipped bundles' embeddings came out 0.07 to 0.21 away from the desk's at the
median, and 0.013 to 0.019 away in the exact way, which took 1.0 to 1.6 times as long.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Final

EXACT: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Flags of x86 processors whose instructions add 8-bit products in 32 bits."""

X86: Final = frozenset({"x86_64", "AMD64", "i686"})


@cache
def saturates() -> bool:
    """Say whether this machine's processor cuts off; one that does not tell is taken for one that does."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpuinfo = ""
    return saturates_with(platform.machine(), cpuinfo)


def saturates_with(machine: str, cpuinfo: str) -> bool:
    """Say whether a processor cuts off.

    Args:
        machine: its architecture, as uname(1) names it.
        cpuinfo: what the kernel says of it (proc(5), cpuinfo).

    Returns:
        Whether sums of 8-bit products may be cut off.
    """
    flags = next((line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.startswith("flags")), [])
    return machine in X86 and not EXACT.intersection(flags)
