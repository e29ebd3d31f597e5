"""The bridge on a real pty, in real time: cables are pulled, microcontrollers reset, hosts killed and stopped."""

import itertools
import os
import pty
import secrets
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_bridge.bridge import Bridge, Down, Pulse
from firmware_bridge.errors import McuFault, PortLost, PortRefused
from firmware_bridge.heard import Armed, Arrival, Lapsed, Rebooted, Samples, Up
from firmware_bridge.messages import Config
from firmware_bridge.port import SerialPort
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import Session
from firmware_bridge.sim.belt import Belt, humming
from firmware_bridge.sim.mcu import Mcu
from firmware_bridge.sim.outputs import Outputs
from firmware_bridge.sim.stand import Stand
from firmware_bridge.sim.wire import NOISY_USB
from tests.wire_host import CONFIG

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SOON_S = 60.0
HEALED_S = 5.0
"""Longest that the bridge waits in all until it is at a device again that was away for a moment [s]."""
LEASE_S = CONFIG.lease_ms / 1e3
LONG_LEASE = replace(CONFIG, lease_ms=10_000)
"""For what is not about the lease: a machine that stands still lets a short one lapse."""


def wait_for(what: Callable[[], object], within_s: float = SOON_S) -> None:
    """Wait until something is so."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() < begun + within_s
        threading.Event().wait(0.005)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(
        tmp_path / "sensor",
        lambda number, ticks: Mcu(1000 + number, sensor=humming, start_ticks=ticks),
        time.monotonic,
        Belt(10.0),
        drift_ppm=35.0,
    )
    stand.start()
    yield stand
    stand.close()
    assert stand.failure is None


class Host:
    """A bridge in this process, and what it heard."""

    def __init__(self, path: Path, config: Config) -> None:
        self.heard: list[object] = []
        session = Session(config, lambda: secrets.randbits(64))
        self.bridge = Bridge(lambda: SerialPort(str(path), 2_000_000), session, time.monotonic, self.heard.append)

    def of(self, kind: type) -> list:
        return [heard for heard in list(self.heard) if isinstance(heard, kind)]


@contextmanager
def hosting(stand: Stand, config: Config = CONFIG) -> Iterator[Host]:
    host = Host(stand._link, config)
    host.bridge.start()
    try:
        wait_for(lambda: host.bridge.up)
        yield host
    finally:
        host.bridge.stop()
        assert host.bridge.join(SOON_S)
        assert host.bridge.failure is None


def test_samples_edges_and_pulses_go_over_a_noisy_wire_and_every_time_is_within_its_uncertainty(stand: Stand) -> None:
    stand.to_host.faults = stand.to_mcu.faults = NOISY_USB
    with hosting(stand, LONG_LEASE) as host:
        asked = 0
        while len(host.of(RejectReport)) < 10:
            host.bridge.hold(time.monotonic())
            arrivals = host.of(Arrival)
            if not host.bridge.session.lease.armed:
                asked = len(arrivals)  # nobody asks for those
            for arrival in arrivals[asked:]:
                assert host.bridge.pulse(Pulse(arrival.edge.edge_seq, 1.2, 1000, 0)) is None
            asked = len(arrivals)
            threading.Event().wait(0.005)
        account = host.bridge.session.samples

    reports = host.of(RejectReport)[:10]  # the rest was still open when the bridge was stopped
    assert {report.fate for report in reports} == {Fate.DONE}
    assert all(report.actual_ticks == report.fire_ticks for report in reports)
    arrivals = host.of(Arrival)
    assert all(abs(stand.ticks(a.time_s) - a.edge.ticks) <= a.uncertainty_s * 1e6 for a in arrivals)
    assert {a.edge.ticks for a in arrivals} <= set(stand._line.parts)
    assert account.lost == 0
    assert account.received + account.dropped == account.spanned > 0
    assert len(host.of(Samples)) == account.blocks


def test_a_cable_that_is_pulled_and_plugged_in_again_heals_under_another_name(stand: Stand) -> None:
    with hosting(stand) as host:
        name = stand._link.readlink()
        edges = host.bridge.session.edges.last
        stand.pull()
        wait_for(lambda: host.of(Down))
        placeholders = [pty.openpty()]
        while os.ttyname(placeholders[-1][1]) != str(name) and len(placeholders) < 16:
            placeholders.append(pty.openpty())  # until one takes the name of before
        try:
            threading.Event().wait(0.3)
            stand.plug_in()
            wait_for(lambda: host.bridge.up and host.bridge.error is None)
        finally:
            for end in itertools.chain(*placeholders):
                os.close(end)

        assert stand._link.readlink() != name
        assert sum(down.retry_s for down in host.of(Down)) < HEALED_S
        assert isinstance(host.of(Down)[0].error, PortLost)
        first, second = host.of(Up)
        assert first.series == second.series
        assert second.edges >= edges


def test_a_microcontroller_that_is_reset_comes_up_as_another_count(stand: Stand) -> None:
    with hosting(stand) as host:
        stand.reset()
        wait_for(lambda: len(host.of(Up)) == 2)

        assert len(host.of(Rebooted)) == 1
        assert [up.series for up in host.of(Up)] == [f"{1001:016x}", f"{1002:016x}"]
        assert sum(down.retry_s for down in host.of(Down)) < HEALED_S


@contextmanager
def child_host(stand: Stand) -> Iterator[subprocess.Popen]:
    """A host as a process, armed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.wire_host", str(stand._link)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for(lambda: stand.mcu.outputs.armed)
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


class Listening(Outputs):
    """Remembers when the host was heard last."""

    heard_ticks = 0

    def extend(self, lease_ticks: int, ticks: int) -> bool:
        self.heard_ticks = ticks
        return super().extend(lease_ticks, ticks)


def assert_safe_in_time(stand: Stand, outputs: Listening, within_s: float = SOON_S) -> None:
    """See that the outputs go to their safe level within a lease from the last word of a host that says no more."""
    wait_for(lambda: outputs.lapsed, within_s)
    with stand._lock:  # the turn that drives the outputs has ended
        last = [change for change in outputs.changes if change.output == 0][-1]

    assert last.level == CONFIG.safe_levels & 1
    assert 0 < outputs.heard_ticks < last.ticks <= outputs.heard_ticks + LEASE_S * 1e6


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_outputs_of_a_host_that_is_killed_or_stopped_are_safe_within_the_lease(
    stand: Stand, how: signal.Signals
) -> None:
    outputs = stand.mcu.outputs
    outputs.__class__ = Listening
    with child_host(stand) as child:
        wait_for(lambda: outputs.heard_ticks)
        child.send_signal(how)
        assert_safe_in_time(stand, outputs)

        if how is signal.SIGSTOP:
            threading.Event().wait(0.2)
            assert not stand.mcu.outputs.armed
            child.send_signal(signal.SIGCONT)
            wait_for(lambda: stand.mcu.outputs.armed)


def test_outputs_that_nobody_lets_go_would_be_found_out(stand: Stand) -> None:
    outputs = stand.mcu.outputs
    outputs.__class__ = type("Clinging", (Listening,), {"extend": lambda *_: True})
    with child_host(stand) as child:
        outputs._lease_end = 2**62
        child.kill()

        with pytest.raises(AssertionError):
            assert_safe_in_time(stand, outputs, 3.0 * LEASE_S)


def test_a_device_that_is_in_use_names_itself_and_how_to_find_who_has_it(stand: Stand) -> None:
    with hosting(stand), pytest.raises(PortLost, match="another program has it open") as caught:
        SerialPort(str(stand._link), 115_200)

    assert caught.value.message.startswith(str(stand._link))
    assert f"fuser {stand._link}" in caught.value.hint


@pytest.mark.parametrize("what", ["/dev/null", "a file", "a folder"])
def test_what_is_no_serial_device_is_refused(tmp_path: Path, what: str) -> None:
    path = {"/dev/null": Path("/dev/null"), "a file": tmp_path / "file", "a folder": tmp_path}[what]
    if what == "a file":
        path.write_bytes(b"")

    with pytest.raises(PortRefused, match="not a usable serial device") as caught:
        SerialPort(str(path), 115_200)

    assert "/dev/serial/by-id" in caught.value.hint


def test_a_device_that_is_not_there_may_come(tmp_path: Path) -> None:
    with pytest.raises(PortLost, match="there is no such device"):
        SerialPort(str(tmp_path / "missing"), 115_200)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every device")
def test_a_device_that_this_user_may_not_open_says_which_group_may(stand: Stand) -> None:
    stand._link.resolve().chmod(0)

    with pytest.raises(PortRefused, match="may not open") as caught:
        SerialPort(str(stand._link), 115_200)

    assert "dialout" in caught.value.hint


def test_garbage_as_at_a_wrong_baud_rate_is_said_to_be_that() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    host = Host(Path(os.ttyname(slave)), CONFIG)
    host.bridge.start()
    try:
        while not host.of(Down):
            os.write(master, secrets.token_bytes(200))
            threading.Event().wait(0.05)
    finally:
        host.bridge.stop()
        assert host.bridge.join(SOON_S)
        os.close(master)
        os.close(slave)

    (down,) = host.of(Down)
    assert isinstance(down.error, McuFault)
    assert "not this protocol" in down.error.message
    assert "source.wire.baud" in down.error.hint


def test_a_lease_lapses_when_the_loop_stands_still_and_is_begun_again_when_it_turns(stand: Stand) -> None:
    with hosting(stand) as host:
        wait_for(lambda: host.bridge.hold(time.monotonic()) or host.of(Armed))
        wait_for(lambda: host.of(Lapsed))
        wait_for(lambda: host.bridge.hold(time.monotonic()) or len(host.of(Armed)) == 2)
