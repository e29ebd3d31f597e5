"""A broker of another version, a wrong one and one that talks nonsense: each is named, and none holds the thread."""

from __future__ import annotations

import random
from typing import Any

import pytest
from door_bench import CLOCK, door
from scripted_broker import CONNACK_3, CONNACK_5, scripted

from edge_agent.errors import Unavailable
from edge_agent.runtime.clock import SystemClock
from edge_agent.uplink import dialect, mqtt
from edge_agent.uplink.mqtt import MqttDoor


def entered(port: int, **config: Any) -> MqttDoor:
    used = door(port, **config)
    try:
        used.connect()
    finally:
        used.close()
    return used


@pytest.mark.parametrize("refusal", [b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"])
def test_a_broker_that_knows_only_3_1_1_gets_it_in_the_same_connect(refusal: bytes) -> None:
    with scripted([refusal], [CONNACK_3]) as broker:
        entered(broker.port)

        assert broker.versions == [5, 4]


def test_a_broker_that_closes_on_the_newer_version_gets_the_older_one_the_second_time() -> None:
    with scripted(None, None, [CONNACK_3]) as broker:
        used = door(broker.port)
        try:
            with pytest.raises(Unavailable, match="without an answer"):
                used.connect()
            assert used.connect().protocol == "3.1.1"
        finally:
            used.close()

        assert broker.versions == [5, 5, 4]


def test_the_older_version_is_kept_for_a_while_and_then_the_newer_one_is_tried_again() -> None:
    clock = ShiftedClock()
    with scripted([b"\x20\x02\x00\x01"], [CONNACK_3], [CONNACK_3], [CONNACK_5]) as broker:
        used = door(broker.port)
        used._clock = clock
        try:
            assert [used.connect().protocol, used.connect().protocol] == ["3.1.1", "3.1.1"]
            clock.ahead_s = dialect.RETRY_S
            assert used.connect().protocol == "5"
        finally:
            used.close()


class ShiftedClock(SystemClock):
    """The machine's clock, later by as much as a test says."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


def test_a_version_that_a_person_chose_is_not_left() -> None:
    with scripted([b"\x20\x03\x00\x84\x00"]) as broker:
        with pytest.raises(Unavailable, match="does not speak this version"):
            entered(broker.port, protocol="5")

        assert broker.versions == [5]


@pytest.mark.parametrize(
    ("connack", "said"),
    [
        (b"\x20\x03\x00\x86\x00", "user name or the password"),
        (b"\x20\x03\x00\x87\x00", "not authorized"),
        (b"\x20\x08\x00\x88\x05\x1f\x00\x02no", r'not available \("no"\)'),
        (b"\x20\x05\x00\x00\x02\x24\x00", "does not take QoS 1"),
    ],
)
def test_who_is_kept_out_learns_why(connack: bytes, said: str) -> None:
    with scripted([connack]) as broker, pytest.raises(Unavailable, match=said):
        entered(broker.port)


def test_a_broker_that_says_goodbye_gives_its_reason() -> None:
    with scripted([CONNACK_5, b"\x90\x04\x00\x01\x00\x01" + b"\xe0\x02\x8e\x00"]) as broker:
        used = door(broker.port, "in/#")
        used.connect()
        try:
            with pytest.raises(Unavailable, match="another connection of the same name"):
                used.turn(CLOCK.now() + 10.0)
        finally:
            used.close()


@pytest.mark.parametrize(
    ("protocol", "connack", "suback"),
    [("5", CONNACK_5, b"\x90\x05\x00\x01\x00\x01\x87"), ("3.1.1", CONNACK_3, b"\x90\x04\x00\x01\x01\x80")],
)
def test_what_the_station_may_not_listen_to_is_named(protocol: str, connack: bytes, suback: bytes) -> None:
    with scripted([connack, suback]) as broker:
        used = door(broker.port, "in/#", "secret/#", protocol=protocol)
        try:
            assert used.connect().unheard == ("secret/#",)
        finally:
            used.close()


@pytest.mark.parametrize("filters", [(), ("in/#",)])
def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, filters: tuple[str, ...]) -> None:
    """Also one that lets the station in and never answers its subscription."""
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.2)
    with scripted([CONNACK_5] if filters else []) as broker:
        used = door(broker.port, *filters)
        with pytest.raises(Unavailable, match="does not answer"):
            used.connect()
        used.close()


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
@pytest.mark.parametrize("before", [b"", CONNACK_5])
def test_nonsense_ends_in_a_refusal_and_in_nothing_else(
    monkeypatch: pytest.MonkeyPatch, protocol: str, before: bytes
) -> None:
    """Two hundred kinds of it: noise, and packets of each type with noise in them."""
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.05)
    dice = random.Random(f"{protocol}{before!r}")
    answers = [[before + _nonsense(dice)] for _ in range(100)]
    with scripted(*answers) as broker:
        used = door(broker.port, "in/#", protocol=protocol)
        for _ in answers:
            try:
                used.connect()
                used.turn(CLOCK.now() + 0.01)
            except Unavailable:
                continue
        used.close()

        assert len(broker.heard) >= 100


def _nonsense(dice: random.Random) -> bytes:
    noise = dice.randbytes(dice.randrange(1, 60))
    if dice.random() < 0.2:
        return noise
    return bytes([dice.randrange(256), len(noise)]) + noise
