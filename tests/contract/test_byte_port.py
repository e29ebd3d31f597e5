"""The byte port: one suite for the serial device and for the wire in memory; no call waits for the other end."""

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from firmware_bridge.errors import PortLost
from firmware_bridge.port import Port, SerialPort
from firmware_bridge.sim.loopback import LoopbackPort, loopback

SOON_S = 30.0
"""Half of what a wait would take that nothing ends [s]."""
"""An upper bound for what should take no time at all."""


@dataclass
class Rig:
    """A port and what is at its other end."""

    port: Port
    say: Callable[[bytes], None]
    hear: Callable[[], bytes]
    vanish: Callable[[], None]


@contextlib.contextmanager
def on_a_pty() -> Iterator[Rig]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    port = SerialPort(os.ttyname(slave), 2_000_000)
    os.close(slave)
    ends = [master]

    def hear() -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(master, 65_536)
        return b""

    try:
        yield Rig(
            port, lambda data: _all_of(lambda rest: os.write(master, rest), data), hear, lambda: os.close(ends.pop())
        )
    finally:
        port.close()
        for end in ends:
            os.close(end)


def _all_of(write: Callable[[bytes], int], data: bytes) -> None:
    while data:
        data = data[write(data) :]


@contextlib.contextmanager
def in_memory(kind: type[LoopbackPort] = LoopbackPort) -> Iterator[Rig]:
    port, other = loopback()
    port.__class__ = kind
    yield Rig(port, lambda data: _all_of(other.write, data), other.read, other.close)
    port.close()


@pytest.fixture(params=[on_a_pty, in_memory], ids=["serial port on a pty", "loopback"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with request.param() as rig:
        yield rig


def read_until(read: Callable[[], bytes], n: int) -> bytes:
    data, give_up_at = b"", time.monotonic() + SOON_S
    while len(data) < n and time.monotonic() < give_up_at:
        data += read()
    return data


def test_reading_what_has_not_come_gives_nothing_at_once(rig: Rig) -> None:
    assert rig.port.read() == b""


def test_every_byte_value_comes_through_both_ways_unchanged(rig: Rig) -> None:
    every = bytes(range(256)) * 4

    rig.say(every)
    assert rig.port.write(every) == len(every)

    assert read_until(rig.port.read, len(every)) == every
    assert read_until(rig.hear, len(every)) == every


def fill(rig: Rig) -> int:
    """Write until nothing fits; give how much did."""
    written = 0
    for _ in range(1000):
        n = rig.port.write(b"x" * 1000)
        written += n
        if n == 0:
            break
    return written


def assert_full_means_zero(rig: Rig) -> None:
    written = fill(rig)

    assert rig.port.write(b"x") == 0
    assert len(read_until(rig.hear, written)) == written


def test_a_reader_that_does_not_read_holds_nobody_up_and_loses_nothing(rig: Rig) -> None:
    assert_full_means_zero(rig)


def test_a_port_that_says_it_wrote_what_it_dropped_would_be_found_out() -> None:
    class Boastful(LoopbackPort):
        def write(self, data: bytes) -> int:
            super().write(data)
            return len(data)

    with in_memory(Boastful) as rig, pytest.raises(AssertionError):
        assert_full_means_zero(rig)


def waited_s(rig: Rig, timeout_s: float, to_write: bool = False) -> float:
    begun = time.monotonic()
    rig.port.wait(timeout_s, to_write)
    return time.monotonic() - begun


def test_waiting_ends_when_time_is_over(rig: Rig) -> None:
    assert 0.02 <= waited_s(rig, 0.03) < SOON_S
    assert waited_s(rig, -1.0) < SOON_S


def test_waiting_ends_with_bytes_that_come(rig: Rig) -> None:
    threading.Timer(0.02, rig.say, [b"a"]).start()

    assert waited_s(rig, 60.0) < SOON_S
    assert rig.port.read() == b"a"


def test_waiting_ends_when_woken_even_if_that_was_before(rig: Rig) -> None:
    rig.port.wake()
    assert waited_s(rig, 60.0) < SOON_S

    threading.Timer(0.02, rig.port.wake).start()
    assert waited_s(rig, 60.0) < SOON_S
    assert waited_s(rig, 0.03) >= 0.02


def test_waiting_to_write_ends_when_something_fits(rig: Rig) -> None:
    assert waited_s(rig, 60.0, to_write=True) < SOON_S

    written = fill(rig)
    assert waited_s(rig, 0.03, to_write=True) >= 0.02
    assert read_until(rig.hear, written)
    assert waited_s(rig, 60.0, to_write=True) < SOON_S


def test_being_woken_very_often_blocks_nobody(rig: Rig) -> None:
    for _ in range(70_000):
        rig.port.wake()

    assert waited_s(rig, 60.0) < SOON_S


def test_a_device_that_vanishes_ends_a_wait_and_is_said_to_be_lost(rig: Rig) -> None:
    threading.Timer(0.02, rig.vanish).start()

    with contextlib.suppress(PortLost):
        assert waited_s(rig, 60.0) < SOON_S
    with pytest.raises(PortLost):
        rig.port.read()
    with pytest.raises(PortLost):
        rig.port.write(b"a")


def test_closing_twice_and_waking_what_is_closed_does_nothing(rig: Rig) -> None:
    rig.port.close()
    with open(os.devnull) as other:  # takes the descriptor that has become free  # noqa: PTH123
        rig.port.close()
        rig.port.wake()

        assert os.fstat(other.fileno())


def test_a_port_with_output_that_nobody_reads_closes_at_once(rig: Rig) -> None:
    fill(rig)
    begun = time.monotonic()

    rig.port.close()

    assert time.monotonic() - begun < SOON_S
