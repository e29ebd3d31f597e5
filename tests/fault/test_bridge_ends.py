"""The bridge's thread over a wire in memory: of every pulse it takes there is one report, however the session ends."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from firmware_bridge.bridge import COMMANDS, Bridge, Down, Pulse
from firmware_bridge.errors import McuFault, PortLost
from firmware_bridge.handshake import State
from firmware_bridge.heard import Armed, Arrival, Up
from firmware_bridge.port import Port
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import Session
from firmware_bridge.sim.loopback import LoopbackPort, loopback
from firmware_bridge.sim.mcu import Mcu
from tests.scripted_mcu import CONFIG

SOON_S = 60.0


class Rig:
    """A bridge on a thread, and what it heard."""

    def __init__(self, open_port: Callable[[], Port], kind: type[Bridge] = Bridge) -> None:
        ids = itertools.count(1)
        self.heard: list[object] = []
        self.bridge = kind(open_port, Session(CONFIG, lambda: next(ids)), time.monotonic, self.heard.append)

    def of(self, kind: type) -> list:
        return [heard for heard in list(self.heard) if isinstance(heard, kind)]

    def wait_for(self, what: Callable[[], object]) -> None:
        give_up_at = time.monotonic() + SOON_S
        while not what():
            assert time.monotonic() < give_up_at, self.heard[-5:]
            threading.Event().wait(0.005)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.bridge.start()
        try:
            yield
        finally:
            self.bridge.stop()
            assert self.bridge.join(SOON_S)


def nobody() -> Port:
    raise PortLost("the device is gone")


def pulse(number: int) -> Pulse:
    return Pulse(number, 0.5, 5000, 0)


class Bench:
    """A simulated microcontroller at the other end of a wire in memory."""

    def __init__(self) -> None:
        self.mcu = Mcu(7)
        self.port: LoopbackPort | None = None
        self.begun_s = time.monotonic()
        self.reads = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def open(self) -> Port:
        mine, self.port = loopback()
        return mine

    def __enter__(self) -> "Bench":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        level, waiting = 0, b""
        for turn in itertools.count():
            if self._stop.wait(0.001):
                return
            ticks = round((time.monotonic() - self.begun_s) * 1e6)
            if turn % 50 == 0:
                level ^= 1
                self.mcu.set_trigger(level, ticks)
            self.mcu.step(ticks)
            if self.port is None:
                continue
            try:
                if self.reads:
                    self.mcu.receive(self.port.read(), ticks)
                waiting += self.mcu.take_output()
                waiting = waiting[self.port.write(waiting) :]
            except PortLost:
                self.port, waiting = None, b""


def reported_while_nobody_is_there(kind: type[Bridge]) -> list[RejectReport]:
    rig = Rig(nobody, kind)
    with rig.running():
        assert [rig.bridge.pulse(pulse(i)) for i in range(3)] == [None] * 3
        rig.wait_for(lambda: len(rig.of(Down)) >= 3)
    return rig.of(RejectReport)


def test_pulses_that_are_asked_for_while_nobody_was_ever_there_are_down_at_once() -> None:
    reports = reported_while_nobody_is_there(Bridge)

    assert reports == [RejectReport(i, 0, Fate.DOWN, 0) for i in range(3)]


def test_a_bridge_that_keeps_them_would_be_found_out() -> None:
    class Hoarding(Bridge):
        def _ask(self, now: float) -> None:
            if self.up:
                super()._ask(now)

    assert reported_while_nobody_is_there(Hoarding) == []


def test_one_pulse_more_than_may_wait_is_refused_and_counted() -> None:
    rig = Rig(nobody)

    assert [rig.bridge.pulse(pulse(i)) for i in range(COMMANDS + 1)] == [None] * COMMANDS + [Fate.BUSY]
    assert rig.bridge.refused == 1


def test_what_cannot_begin_before_the_lease_ends_when_the_bridge_is_stopped_is_safe_and_then_nothing_is_taken() -> None:
    with Bench() as bench:
        rig = Rig(bench.open)
        with rig.running():
            while not rig.of(Armed):
                rig.bridge.hold(time.monotonic())
                threading.Event().wait(0.01)
            rig.wait_for(lambda: rig.of(Arrival))
            rig.bridge.hold(time.monotonic())
            rig.bridge.pulse(Pulse(rig.of(Arrival)[-1].edge.edge_seq, 30.0, 5000, 0))
            rig.wait_for(lambda: rig.bridge.session.rejects.waiting)

    assert [report.fate for report in rig.of(RejectReport)] == [Fate.SAFE]
    assert rig.bridge.pulse(pulse(1)) is Fate.DOWN


def fate_of_the_last_pulse(kind: type[Bridge]) -> list[Fate]:
    """Ask for a pulse and stop at once, before the thread has turned."""
    with Bench() as bench:
        rig = Rig(bench.open, kind)
        with rig.running():
            while not rig.of(Armed):
                rig.bridge.hold(time.monotonic())
                threading.Event().wait(0.01)
            rig.wait_for(lambda: rig.of(Arrival))
            rig.bridge.hold(time.monotonic())
            with rig.bridge._lock:  # the thread cannot take the pulse before it has to stop
                rig.bridge._pulses.append(Pulse(rig.of(Arrival)[-1].edge.edge_seq, 0.3, 5000, 0))
                rig.bridge.stop()
    return [report.fate for report in rig.of(RejectReport)]


def test_a_pulse_that_was_taken_right_before_the_stop_is_still_asked_for_and_its_fate_is_heard() -> None:
    assert fate_of_the_last_pulse(Bridge) == [Fate.DONE]


def test_a_bridge_that_drops_everything_when_it_is_stopped_would_be_found_out() -> None:
    class Hasty(Bridge):
        def stop(self) -> None:
            self._stop.set()
            self.session.state = State.CLOSED

    assert fate_of_the_last_pulse(Hasty) == [Fate.DOWN]


def reported_after_a_bug(kind: type[Bridge]) -> list[RejectReport]:
    def broken() -> Port:
        raise ZeroDivisionError("a bug")

    rig = Rig(broken, kind)
    assert [rig.bridge.pulse(pulse(i)) for i in range(3)] == [None] * 3
    with rig.running():
        rig.wait_for(lambda: rig.bridge.failure)
    assert rig.bridge.pulse(pulse(4)) is Fate.DOWN
    return rig.of(RejectReport)


def test_pulses_are_down_when_a_bug_has_ended_the_thread() -> None:
    assert reported_after_a_bug(Bridge) == [RejectReport(i, 0, Fate.DOWN, 0) for i in range(3)]


def test_a_bridge_that_ends_without_a_word_would_be_found_out() -> None:
    class Silent(Bridge):
        def _give_up(self) -> None:
            self._release_port()

    assert reported_after_a_bug(Silent) == []


def test_every_pulse_gets_one_report_while_the_wire_breaks_again_and_again() -> None:
    taken = 0
    with Bench() as bench:
        rig = Rig(bench.open)
        with rig.running():
            for _ in range(4):
                ups = len(rig.of(Up))
                rig.wait_for(lambda: len(rig.of(Up)) > ups)  # noqa: B023
                rig.bridge.hold(time.monotonic())
                for number in range(1, 9):
                    taken += rig.bridge.pulse(Pulse(number, 0.05, 1000, 0)) is None
                    threading.Event().wait(0.01)
                assert bench.port is not None
                bench.port.close()
                taken += rig.bridge.pulse(pulse(1)) is None
            rig.wait_for(lambda: len(rig.of(Up)) >= 5)

    assert rig.bridge.failure is None
    assert taken >= 32
    assert len(rig.of(RejectReport)) == taken


def test_a_microcontroller_that_talks_and_does_not_read_is_given_up_and_the_thread_still_ends() -> None:
    with Bench() as bench:
        rig = Rig(bench.open)
        with rig.running():
            rig.wait_for(lambda: rig.of(Up))
            bench.reads = False
            while not rig.of(Down):
                rig.bridge.hold(time.monotonic())
                threading.Event().wait(0.01)

    assert isinstance(rig.of(Down)[0].error, McuFault)


def test_a_bug_of_a_listener_ends_the_thread_and_is_told_and_nothing_is_taken_any_more() -> None:
    with Bench() as bench:
        rig = Rig(bench.open)
        rig.bridge._hear = {}.__getitem__
        rig.bridge.start()
        assert rig.bridge.join(SOON_S)

    assert isinstance(rig.bridge.failure, TypeError | KeyError)
    assert not rig.bridge.up
    assert rig.bridge.pulse(pulse(1)) is Fate.DOWN


def test_stopping_before_starting_is_no_error() -> None:
    rig = Rig(nobody)

    rig.bridge.stop()

    assert rig.bridge.join(0.0)


@pytest.mark.parametrize("delay", range(3))
def test_stopping_is_prompt_while_the_bridge_waits_to_open_again(delay: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_bridge.bridge.DELAYS_S", (0.01,) * delay + (10.0 * SOON_S,))
    rig = Rig(nobody)
    with rig.running():
        rig.wait_for(lambda: len(rig.of(Down)) > delay)
    assert rig.of(Down)[-1].retry_s > SOON_S
