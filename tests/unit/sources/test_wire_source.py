"""A source at the end of a wire: it delivers from its opening until the wire breaks, however short the break is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from edge_agent.config.wire import GateConfig, WireConfig
from edge_agent.errors import Unavailable
from edge_agent.records import BeltTime, Trigger
from edge_agent.sources.beltguard import BeltGuard
from edge_agent.sources.source import Position
from edge_agent.sources.wire import ITEMS, WireSource
from edge_agent.sources.wirerecords import WireStatus
from edge_agent.testing.clock import ManualClock
from firmware_bridge.bridge import Down, Pulse
from firmware_bridge.errors import PortLost
from firmware_bridge.heard import Arrival, Rebooted, Up
from firmware_bridge.messages import ConfigAck, Edge, Hello
from firmware_bridge.port import Port
from firmware_bridge.reject import Fate

BELT_S = 0.45


def nobody(path: str, baud: int) -> Port:
    raise PortLost("the device is gone")


def source(
    kind: type[WireSource] = WireSource,
    open_port: Callable[[str, int], Port] = nobody,
    poke: Callable[[str], None] = lambda name: None,
    clock: ManualClock | None = None,
    safe: Literal["reject", "pass"] = "reject",
) -> WireSource:
    config = WireConfig(port="/dev/serial/by-id/mcu"), GateConfig(safe=safe), frozenset({0})
    return kind(*config, 0.08, BELT_S, 0, clock or ManualClock(), poke, open_port)


def up(boot_id: int, edges: int) -> Up:
    hello = Hello(1, 1, boot_id, 1_000_000, "sensor", 16_000, 26_667, 1, 1, 2048)
    return Up(hello, ConfigAck(0, 26_667, 16_000, 256), edges)


def arrival(number: int) -> Arrival:
    return Arrival(Edge(number, number * 1000, 0, 1, 0), float(number), 0.0001)


def gone(message: str = "the device is gone") -> Down:
    return Down(PortLost(message), 0.1)


class Held:
    """Stands in for the bridge."""

    failure = None

    def __init__(self) -> None:
        self.held: list[float] = []
        self.follows_from: list[float] = []
        self.refusal: Fate | None = None
        self.pulses: list[Pulse] = []

    def hold(self, now: float) -> None:
        self.held.append(now)

    def follow_from(self, from_s: float) -> None:
        self.follows_from.append(from_s)

    def pulse(self, pulse: Pulse) -> Fate | None:
        self.pulses.append(pulse)
        return self.refusal


def opened(kind: type[WireSource] = WireSource) -> WireSource:
    wire = source(kind)
    wire._hear(up(7, 3))
    assert wire.open() == Position(f"{7:016x}", 3)
    return wire


def break_is_found(kind: type[WireSource]) -> None:
    wire = opened(kind)
    wire._hear(Rebooted())
    wire._hear(up(8, 2))

    with pytest.raises(Unavailable, match="started anew"):
        wire.check()
    wire.close()
    assert wire.ready
    assert wire.open() == Position(f"{8:016x}", 2)
    wire.check()


def test_a_break_that_is_over_before_anybody_looked_is_found_all_the_same() -> None:
    break_is_found(WireSource)


def test_a_source_that_forgets_a_break_when_the_wire_is_up_again_is_noticed() -> None:
    class Forgetful(WireSource):
        def check(self) -> None:
            if not self._up:
                super().check()

    with pytest.raises(pytest.fail.Exception):
        break_is_found(Forgetful)


def test_what_passes_between_a_break_and_the_next_opening_is_counted_and_not_delivered() -> None:
    wire = opened()
    wire._hear(arrival(4))
    wire._hear(gone())
    wire._hear(up(7, 6))
    wire._hear(arrival(7))

    assert [item.number for item in wire.take() if isinstance(item, Trigger)] == [4]
    assert wire.open().number == 7
    wire._hear(arrival(8))
    assert [item.number for item in wire.take() if isinstance(item, Trigger)] == [8]


def test_each_reason_of_an_outage_is_said_once_however_often_they_take_turns() -> None:
    wire = opened()
    wire._hear(gone("gone"))
    said = 0
    for message in ("gone", "absent", "gone", "absent"):
        wire._hear(gone(message))
        if wire.ready:
            said += 1
            with pytest.raises(Unavailable, match=message):
                wire.open()

    assert said == 2
    wire._hear(up(7, 3))
    wire.open()
    wire._hear(gone("gone"))
    assert wire.ready


def test_the_source_is_looked_at_at_once_when_the_wire_breaks() -> None:
    poked: list[str] = []
    wire = source(poke=poked.append)
    wire._hear(up(7, 3))
    poked.clear()
    wire._hear(gone())

    assert "source" in poked


def test_the_gate_is_held_only_while_parts_are_delivered() -> None:
    wire = source()
    bridge = wire._bridge = Held()
    wire._hear(up(7, 3))
    wire.hold(1.0, bypassed=False)
    assert bridge.held == []

    wire.open()
    wire.hold(2.0, bypassed=False)
    wire._hear(Rebooted())
    wire._hear(up(8, 0))
    wire.hold(3.0, bypassed=False)
    wire.open()
    wire.hold(4.0, bypassed=False)
    wire.close()
    wire.hold(5.0, bypassed=False)

    assert bridge.held == [2.0, 4.0]


def test_a_bug_on_the_thread_of_the_wire_is_raised_though_the_source_was_never_open() -> None:
    def broken(path: str, baud: int) -> Port:
        raise ZeroDivisionError("a bug")

    wire = source(open_port=broken)
    wire.connect()
    wire.disconnect()
    assert wire.joined(10.0)

    assert wire.ready
    with pytest.raises(ZeroDivisionError):
        wire.open()


def test_the_gate_of_a_wire_that_is_down_follows_nobody() -> None:
    wire = source()
    wire.connect()
    wire.disconnect()
    assert wire.joined(10.0)
    wire._figures = WireStatus(armed=True)  # as it was told before the cable was pulled

    assert not wire.status().armed


class Guarded:
    """A source that has just been opened, at 100 s."""

    def __init__(self, kind: type[WireSource] = WireSource, safe: Literal["reject", "pass"] = "reject") -> None:
        self.clock = ManualClock()
        self.clock.advance(100.0)
        self.wire = source(kind, clock=self.clock, safe=safe)
        self.bridge = self.wire._bridge = Held()
        self.wire._hear(up(7, 3))
        self.wire.open()

    def follows_from(self, *, bypassed: bool = False) -> float:
        """Turn the loop once; give from when on the gate follows [s]."""
        self.wire.hold(self.clock.now(), bypassed=bypassed)
        return self.bridge.follows_from[-1]

    def later(self, seconds: float) -> Guarded:
        self.clock.advance(seconds)
        return self

    @property
    def waits_told(self) -> int:
        return sum(news.kind == "gate_waits" for news in self.wire.news.take_all())


def test_a_gate_that_is_safe_when_it_rejects_stays_so_until_the_parts_that_nobody_judges_have_passed() -> None:
    station = Guarded()

    assert station.follows_from() == 100.0 + BELT_S
    assert station.later(0.1).follows_from() == 100.0 + BELT_S
    assert station.waits_told == 1
    assert station.later(BELT_S).follows_from() == station.clock.now()


def test_a_gate_that_is_safe_when_it_passes_follows_at_once() -> None:
    station = Guarded(safe="pass")

    assert station.follows_from() == 100.0
    assert station.waits_told == 0


def test_a_gate_that_is_bypassed_follows_at_once_and_waits_when_it_is_so_no_more() -> None:
    station = Guarded()

    assert station.follows_from(bypassed=True) == 100.0
    assert station.waits_told == 0
    assert station.later(0.1).follows_from() == 100.0 + BELT_S
    assert station.waits_told == 1


def test_a_source_that_lets_the_gate_follow_too_early_is_noticed() -> None:
    class Hasty(WireSource):
        def open(self) -> Position:
            self._guard = BeltGuard(0.0)
            return super().open()

    with pytest.raises(AssertionError):
        assert Guarded(Hasty).follows_from() == 100.0 + BELT_S


def assert_waits_for_skipped(kind: type[WireSource]) -> None:
    station = Guarded(kind)
    station.later(10.0).wire._hear(arrival(4))
    assert station.follows_from() == 110.0
    station.later(1.0).wire._hear(arrival(6))
    station.wire._hear(arrival(7))

    assert station.follows_from() == 111.0 + BELT_S
    assert station.waits_told == 1


def test_a_gate_waits_for_a_part_whose_trigger_was_lost_on_the_wire() -> None:
    assert_waits_for_skipped(WireSource)


def test_a_gate_waits_for_parts_that_were_dropped_while_the_loop_stood_still() -> None:
    station = Guarded()
    station.later(10.0)
    for number in range(4, 4 + ITEMS):
        station.wire._hear(arrival(number))
    assert station.follows_from() == 110.0
    station.later(1.0).wire._hear(arrival(4 + ITEMS))

    assert station.later(0.2).follows_from() == 111.0 + BELT_S
    station.wire.take()
    station.later(BELT_S).wire._hear(arrival(5 + ITEMS))
    assert station.follows_from() == station.clock.now()


def test_a_source_that_sees_no_gap_between_triggers_is_noticed() -> None:
    class Blind(WireSource):
        def _arrived(self, heard: Arrival) -> None:
            self._position = Position(self._position.series, heard.edge.edge_seq - 1)
            super()._arrived(heard)

    with pytest.raises(AssertionError):
        assert_waits_for_skipped(Blind)


def test_a_movement_that_cannot_be_asked_for_says_why() -> None:
    wire = opened()
    bridge = wire._bridge = Held()
    series = f"{7:016x}"

    assert wire.pulse(series, 3, BeltTime(0.4), 0.05, 1) == ""
    assert bridge.pulses == [Pulse(3, 0.4, 50_000, 1)]
    assert wire.pulse("another", 3, BeltTime(0.4), 0.05, 1) == "rebooted"
    bridge.refusal = Fate.BUSY
    assert wire.pulse(series, 3, BeltTime(0.4), 0.05, 1) == "busy"
    assert len(bridge.pulses) == 2
    wire._bridge = None
    assert wire.pulse(series, 3, BeltTime(0.4), 0.05, 1) == "down"
