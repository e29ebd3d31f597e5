"""What a console that acknowledges says to its stations, however many they are and whatever the broker answers."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import MemoryStore, fact, inbound
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.console.collector import News
from edge_agent.console.watch import ANSWER_S, IN_FLIGHT, Watch
from edge_agent.errors import Unavailable
from edge_agent.testing.clock import ManualClock
from edge_agent.uplink.message import Delivered, Happening, Inbound, Outgoing

FLEET = 1000


class SlowBroker:
    """Takes messages, and answers them when it is asked to."""

    def __init__(self) -> None:
        self.unanswered: list[int] = []
        self.published: list[Outgoing] = []
        self.most = 0

    def publish(self, message: Outgoing) -> int:
        self.published.append(message)
        self.unanswered.append(len(self.published))
        self.most = max(self.most, len(self.unanswered))
        return len(self.published)

    def answers(self, reason: int = 0) -> list[Happening]:
        given: list[Happening] = [Delivered(token, reason) for token in self.unanswered]
        self.unanswered = []
        return given

    def acknowledge(self, inbound: Inbound) -> None:
        """It may forget it."""


class WatchedDoor(SlowBroker):
    """Stands for a `Door` where only that is used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is of no use here")


def watch(clock: ManualClock) -> tuple[Watch, list[str]]:
    complaints: list[str] = []

    def show(news: News) -> None:
        complaints.extend(news.complaints)

    key = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    return Watch("insp/v1", show, clock, MemoryStore(), key), complaints


def told(stations: int, seq: int = 1) -> list[Happening]:
    return [inbound(f"p{n}/evt/part", fact(seq, station=f"p{n}")) for n in range(stations)]


def test_a_fleet_hears_what_is_stored_without_filling_the_way_to_the_broker() -> None:
    clock, door = ManualClock(), WatchedDoor()
    found, _ = watch(clock)
    found.happened(told(FLEET), door, clock.now())
    while found.step(door, clock.now()) is not None and door.unanswered:
        found.happened(door.answers(), door, clock.now())

    assert len({message.topic for message in door.published}) == FLEET
    assert door.most == IN_FLIGHT


def test_a_broker_that_is_slow_is_waited_for_without_turning() -> None:
    clock, door = ManualClock(), WatchedDoor()
    found, _ = watch(clock)
    found.happened(told(FLEET), door, clock.now())
    due_s = found.step(door, clock.now())

    assert due_s == clock.now() + ANSWER_S
    assert len(door.published) == IN_FLIGHT


def test_a_broker_that_answers_nothing_any_more_is_left() -> None:
    clock, door = ManualClock(), WatchedDoor()
    found, _ = watch(clock)
    found.happened(told(2), door, clock.now())
    found.step(door, clock.now())
    clock.advance(ANSWER_S)
    with pytest.raises(Unavailable, match="has not answered"):
        found.step(door, clock.now())

    found.connected(door, clock.now())
    found.step(door, clock.now())
    assert len(door.published) == 4


def test_a_broker_that_refuses_what_is_acknowledged_is_complained_about_until_that_changes() -> None:
    clock, door = ManualClock(), WatchedDoor()
    found, complaints = watch(clock)
    for seq, reason in enumerate((0x87, 0x87, 0x97, 0x10, 0x97), start=1):
        found.happened(told(1, seq), door, clock.now())
        found.step(door, clock.now())
        found.happened(door.answers(reason), door, clock.now())
        clock.advance(1.0)

    assert [text[text.index("0x") :][:4] for text in complaints] == ["0x87", "0x97", "0x97"]
    assert complaints[0].startswith("p0: the broker refuses")
