"""What a processor is called: what was measured or proven on one must not pass for that of another."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from edge_agent.runtime import machine
from edge_agent.runtime.machine import WALK_EVERY_S, MemoryGauge, processor
from edge_agent.testing.clock import ManualClock

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


def test_memory_is_what_is_resident_less_what_was_shared_when_the_process_was_walked_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resident, walked = iter([100.0, 103.0, 108.0, 109.0, 200.0, 190.0]), iter([90.0, 106.0, 180.0])
    monkeypatch.setattr(machine, "_resident_mb", lambda: next(resident))
    monkeypatch.setattr(machine, "pss_mb", lambda: next(walked))
    clock = ManualClock()
    gauge = MemoryGauge(clock)

    read = [gauge.read_mb(), gauge.read_mb()]
    clock.advance(WALK_EVERY_S)
    read += [gauge.read_mb(), gauge.read_mb()]
    read += [gauge.read_mb(), gauge.read_mb()]  # it has grown by more than a tenth
    assert read == [90.0, 93.0, 106.0, 107.0, 180.0, 170.0]


@pytest.mark.parametrize("silent", ["_resident_mb", "pss_mb"])
def test_where_the_system_does_not_say_memory_is_unknown(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, silent, lambda: None)
    assert MemoryGauge(ManualClock()).read_mb() is None


def test_memory_of_this_process_is_read_without_walking_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no proc(5) here")
    walks: list[None] = []
    monkeypatch.setattr(machine, "pss_mb", lambda: (walks.append(None), 40.0)[1])
    monkeypatch.setattr(machine, "WALK_AFTER", 10.0)
    gauge = MemoryGauge(ManualClock())
    first = gauge.read_mb()
    with mmap.mmap(-1, 64_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1  # of pages that nobody wrote to none is there
        second = gauge.read_mb()
    assert first is not None and second is not None
    assert 50 < second - first < 90 and len(walks) == 1
