"""A connection for as long as it is of use: made again, gathered from, and closed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from console_fakes import fact, inbound

from edge_agent.console.visit import LONGEST_WAIT_S, visit
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.testing.clock import ManualClock
from edge_agent.uplink.message import Door, Happening, Inbound, Outgoing, Session


class WaitingClock(ManualClock):
    """Goes on by itself when somebody waits."""

    def wait(self, event: threading.Event, until: float) -> None:
        self.advance(max(0.0, until - self.now()))


class ScriptedDoor:
    """Gives what a script says: happenings, or an error."""

    def __init__(self, clock: ManualClock, *script: Sequence[Happening] | str) -> None:
        self._clock, self._script = clock, list(script)
        self.connected_s: list[float] = []
        self.closed = 0
        self.unheard: tuple[str, ...] = ()

    def connect(self) -> Session:
        self.connected_s.append(self._clock.now())
        if self._script and self._script[0] == "refused":
            self._script.pop(0)
            raise Unavailable("nobody listens", hint="check uplink.broker")
        return Session("5", False, 20, None, 30.0, unheard=self.unheard)

    def turn(self, until_s: float) -> Sequence[Happening]:
        if not self._script:
            self._clock.advance(max(0.0, until_s - self._clock.now()))
            return ()
        now = self._script.pop(0)
        if isinstance(now, str):
            raise Unavailable(now)
        return now

    def fits(self, message: Outgoing) -> bool:
        return True

    def publish(self, message: Outgoing) -> int:
        return 1

    def acknowledge(self, inbound: Inbound) -> None:
        """Nobody hears it."""

    def wake(self) -> None:
        """Nobody sleeps."""

    def close(self, *, will: bool = False) -> None:
        self.closed += 1


class Guest:
    """Stays until a time."""

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self.batches: list[int] = []
        self.entered = 0

    def connected(self, door: Door, now: float) -> None:
        self.entered += 1

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        self.batches.append(len(happenings))

    def step(self, door: Door, now: float) -> float | None:
        return None if self.over(now) else self._until_s

    def over(self, now: float) -> bool:
        return now >= self._until_s


def parts(count: int) -> list[Happening]:
    return [inbound("press-3/evt/part", fact(n + 1)) for n in range(count)]


def visited(door: ScriptedDoor, clock: ManualClock, guest: Guest, *, patient: bool = True) -> list[EdgeAgentError]:
    said: list[EdgeAgentError] = []
    visit(door, guest, clock, said.append, patient=patient)
    return said


def test_what_is_there_is_handed_on_together() -> None:
    clock, guest = WaitingClock(), Guest(60.0)
    visited(ScriptedDoor(clock, parts(1), parts(3), parts(2), (), parts(5), ()), clock, guest)

    assert guest.batches == [6, 5]


def test_a_station_that_never_stops_does_not_hold_up_the_commit() -> None:
    clock, guest = WaitingClock(), Guest(60.0)
    visited(ScriptedDoor(clock, *[parts(100)] * 9), clock, guest)

    assert guest.batches == [300, 300, 300]


def test_a_connection_that_ends_is_made_again_and_each_reason_is_said_once() -> None:
    clock, guest = WaitingClock(), Guest(1000.0)
    door = ScriptedDoor(clock, "refused", "refused", "refused", "it broke", "refused", "refused")
    said = visited(door, clock, guest)
    waits = [after - before for before, after in zip(door.connected_s, door.connected_s[1:], strict=False)]

    assert [error.message for error in said] == ["nobody listens", "it broke", "nobody listens"]
    assert said[0].hint == "check --broker"
    assert guest.entered == 2
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert max(waits) <= LONGEST_WAIT_S
    assert door.closed == 1


def test_who_has_no_patience_hears_at_once_that_nobody_is_there() -> None:
    clock, guest = WaitingClock(), Guest(1000.0)
    door = ScriptedDoor(clock, "refused")
    with pytest.raises(Unavailable, match="nobody listens"):
        visited(door, clock, guest, patient=False)

    assert door.closed == 1


def test_a_broker_that_lets_in_and_tells_nothing_is_not_taken_for_one_that_is_quiet() -> None:
    clock, guest = WaitingClock(), Guest(100.0)
    door = ScriptedDoor(clock)
    door.unheard = ("insp/v1/+/evt/#",)

    assert "does not let this console hear insp/v1/+/evt/#" in visited(door, clock, guest)[0].message
    assert guest.entered == 0
