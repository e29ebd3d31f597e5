"""Which processors cut off sums of 8-bit products."""

from __future__ import annotations

import pytest

from models.saturation import saturates_with

MILAN = "model name\t: AMD EPYC\nflags\t\t: fpu sse2 avx avx2 fma vaes\n"
ALDER = "model name\t: Intel N100\nflags\t\t: fpu sse2 avx avx2 fma avx_vnni\n"
ICE = "flags\t\t: fpu avx2 avx512f avx512_vnni\n"
ARM = "Features\t: fp asimd asimddp\n"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "cut_off"),
    [
        ("x86_64", MILAN, True),
        ("x86_64", ALDER, False),
        ("x86_64", ICE, False),
        ("aarch64", ARM, False),
        ("x86_64", "", True),
        ("aarch64", "", False),
    ],
)
def test_x86_without_vnni_cuts_off(machine: str, cpuinfo: str, cut_off: bool) -> None:
    assert saturates_with(machine, cpuinfo) is cut_off
