"""The lease: armed while whoever decides is alive, extended four times in its length, never begun by a heartbeat."""

import pytest

from firmware_bridge.lease import ARM_S, Lease
from firmware_bridge.messages import Arm, Heartbeat

T = 1000.0
LEASE_MS = 400


class Rig:
    """A lease and what it said."""

    def __init__(self, kind: type[Lease] = Lease) -> None:
        self.said: list[Arm | Heartbeat] = []
        self.lease = kind(LEASE_MS, self._send)
        self.lease.begin(T)

    def run(self, from_s: float, to_s: float, alive: bool = True) -> list[Arm | Heartbeat]:
        """Step every millisecond; give what was said."""
        before = len(self.said)
        for ms in range(round(1e3 * from_s), round(1e3 * to_s)):
            if alive:
                self.lease.hold(T + ms / 1e3)
            self.lease.step(T + ms / 1e3)
        return self.said[before:]

    def _send(self, message: Arm | Heartbeat, now: float) -> bool:
        self.said.append(message)
        return True


def armed(kind: type[Lease] = Lease) -> Rig:
    rig = Rig(kind)
    assert rig.run(0.0, 0.001) == [Arm()]
    assert rig.lease.told(True, T + 0.001)
    return rig


def test_nobody_who_is_alive_arms_nothing() -> None:
    assert Rig().run(0.0, 3.0, alive=False) == []


def test_arming_is_tried_twice_a_second_until_the_microcontroller_says_it_is() -> None:
    assert ARM_S == 0.5
    assert Rig().run(0.0, 2.0) == [Arm()] * 4


def test_a_lease_is_extended_four_times_in_its_length() -> None:
    assert armed().run(0.001, 0.801) == [Heartbeat(LEASE_MS)] * 8


def assert_ends_by_itself(kind: type[Lease]) -> None:
    rig = armed(kind)
    rig.run(0.001, 1.0)

    said = rig.run(1.0, 3.0, alive=False)

    assert len(said) <= 2


def test_a_host_that_stands_still_stops_extending_after_half_a_lease() -> None:
    assert_ends_by_itself(Lease)


def test_a_lease_that_beats_by_itself_would_be_found_out() -> None:
    class Undead(Lease):
        def step(self, now: float) -> None:
            self.hold(now)
            super().step(now)

    with pytest.raises(AssertionError):
        assert_ends_by_itself(Undead)


def test_a_lease_that_has_run_out_is_armed_anew_and_not_beaten() -> None:
    rig = armed()
    assert rig.lease.told(False, T + 0.001)

    assert rig.run(0.001, 0.1) == [Arm()]
    assert not rig.lease.told(False, T + 0.1)


def test_a_new_session_begins_unarmed_and_at_once() -> None:
    rig = armed()

    rig.lease.begin(T + 0.01)

    assert not rig.lease.armed
    assert rig.lease.next_wake_s() == T + 0.01
    assert rig.run(0.01, 0.011) == [Arm()]


def test_a_new_session_is_not_armed_by_what_was_said_in_the_one_before() -> None:
    rig = armed()
    rig.lease.hold(T + 0.005)
    rig.lease.begin(T + 0.01)

    assert rig.run(0.01, 1.0, alive=False) == []


def follows_at(kind: type[Lease]) -> int:
    """Give the millisecond at which a lease arms that is to follow from the 180th on."""
    rig = Rig(kind)
    rig.lease.follow_from(T + 0.180)
    return next(ms for ms in range(1000) if rig.run(ms / 1e3, ms / 1e3 + 0.001))


def test_a_gate_that_is_to_follow_later_is_armed_then_and_not_before() -> None:
    assert follows_at(Lease) == 180


def test_a_lease_that_follows_at_once_is_noticed() -> None:
    class Eager(Lease):
        def follow_from(self, from_s: float) -> None:
            super().follow_from(from_s - 1.0)

    with pytest.raises(AssertionError):
        assert follows_at(Eager) == 180


def test_a_gate_that_has_to_wait_is_not_extended_and_lapses() -> None:
    rig = armed()
    rig.lease.follow_from(T + 10.0)

    assert rig.run(0.001, 5.0) == []


def test_looking_when_something_is_due_says_nothing() -> None:
    rig = Rig()
    rig.lease.hold(T)

    assert rig.lease.next_wake_s() == T
    assert rig.said == []
