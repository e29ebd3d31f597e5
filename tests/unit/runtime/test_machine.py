"""What a processor is called: what was measured or proven on one must not pass for that of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.runtime.machine import processor

INTEL = "processor\t: 0\nmodel name\t: Some CPU @ 2.80GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 2.80GHz\n"
ARM = "processor\t: {}\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {}\n\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (INTEL, "2 x Some CPU @ 2.80GHz"),
        ("".join(ARM.format(n, "0xd0b") for n in range(4)), "4 x 0x41 0xd0b"),
        ("".join(ARM.format(n, "0xd08") for n in range(4)), "4 x 0x41 0xd08"),
    ],
)
def test_processors_are_told_apart_also_where_they_have_no_name(
    cpuinfo: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", lambda self: cpuinfo)
        assert processor() == name
