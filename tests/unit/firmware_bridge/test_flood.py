"""The flood gate: what the samples need passes, four times that and 64 KiB more within a second does not."""

import pytest

from firmware_bridge.errors import McuFault
from firmware_bridge.flood import FloodGate

LIMIT = 4 * 6 * 26_667 + 65_536


def test_the_full_rate_passes_for_ever() -> None:
    gate = FloodGate(26_667)

    for ms in range(5000):
        gate.add(165, 10.0 + ms / 1e3)


def test_what_gathered_while_the_host_stood_still_passes() -> None:
    gate = FloodGate(26_667)

    gate.add(3 * 165_000, 10.0)


def test_a_flood_is_a_fault_with_its_limit_and_a_hint() -> None:
    gate = FloodGate(26_667)
    gate.add(LIMIT, 10.0)

    with pytest.raises(McuFault, match=str(LIMIT)) as caught:
        gate.add(1, 10.999)

    assert "source.wire.port" in caught.value.hint


def test_every_second_is_counted_anew() -> None:
    gate = FloodGate(26_667)
    gate.add(LIMIT, 10.0)

    gate.add(LIMIT, 11.0)


def test_a_slow_sensor_may_say_something_too() -> None:
    FloodGate(1).add(65_536, 10.0)
