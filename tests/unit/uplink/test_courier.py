"""The courier, turned by hand, while the ledger is away or another one and the broker says nothing."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import ClassVar

import msgspec
import pytest
from console_book import ConsoleBook

from edge_agent.errors import EdgeAgentError, StateDamaged, Unavailable
from edge_agent.ledger.facts import KINDS, Fact
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.door import FakeBroker, FakeDoor
from edge_agent.uplink.courier import ASK_AGAIN_S, LOOK_S, WORD_S, Courier, Hearers
from edge_agent.uplink.drain import Drain
from edge_agent.uplink.message import Delivered, Inbound, Outgoing
from edge_agent.uplink.teller import Teller
from edge_agent.uplink.topics import Topics

TOPICS = Topics("insp/v1", "press-3")


class Disk:
    """A ledger with nothing but gaps, that may fail or be another one."""

    def __init__(self) -> None:
        self.ledger, self.parts = "a" * 16, 0
        self.fault: EdgeAgentError | None = None
        self.asked = self.ripe = 0

    def ask(self) -> None:
        self.asked += 1
        if self.fault is not None:
            raise self.fault


class DiskFacts:
    """Reads that."""

    def __init__(self, disk: Disk) -> None:
        self._disk, self.ledger = disk, disk.ledger

    def check(self) -> None:
        if self.ledger != self._disk.ledger:
            raise Unavailable("it is another one")

    def told(self) -> dict[str, int]:
        self._disk.ask()
        return dict.fromkeys(KINDS, 0)

    def counter(self) -> int:
        return 0

    def newest(self) -> dict[str, int]:
        self._disk.ask()
        return {**dict.fromkeys(KINDS, 0), "part": self._disk.parts}

    def waiting(self, kind: str, after: int) -> int:
        return self.newest()[kind] - after

    def oldest_utc(self, kind: str, after: int) -> float | None:
        return None

    def after(self, kind: str, seq: int, upto: int | None, most: int, ripe: int) -> list[Fact]:
        self._disk.ripe = ripe
        newest = self.newest()[kind]
        last = min(seq + most, newest if upto is None else min(newest, upto))
        return [Fact(kind, number, number - 1, 0.0, why="quota") for number in range(seq + 1, last + 1)]

    def close(self) -> None:
        pass


class SilentDoor(FakeDoor):
    """Leads to a broker that never says whether it took a message."""

    def publish(self, message: Outgoing) -> int:
        token = super().publish(message)
        self._happened.clear()
        return token


class Cell:
    """A courier without its thread, and what is around it."""

    def __init__(self, kind: type[FakeDoor] = FakeDoor) -> None:
        self.clock, self.broker, self.disk = ManualClock(), FakeBroker(), Disk()
        self.book = ConsoleBook("press-3")
        self.door = kind(self.broker, self.clock, TOPICS.base + "/")
        self.teller = Teller(Drain(1000.0), TOPICS, lambda: self.book.trusted, lambda item: True)
        self.courier = Courier(
            self.door,
            self.teller,
            lambda: DiskFacts(self.disk),
            self.clock,
            "mqtt://127.0.0.1",
            Hearers(lambda: None, lambda name, error: None),
            Outgoing(TOPICS.state("online"), b"{}", retain=True),
            random.Random(1),
        )
        self.courier._connect()

    def turn(self, seconds: float, step_s: float = 0.05) -> None:
        until_s = self.clock.now() + seconds
        while self.clock.now() < until_s:
            self.courier._turn(self.clock.now())
            self.clock.advance(step_s)

    def told(self) -> list[tuple[str, int]]:
        said = [msgspec.json.decode(message.payload) for message in self.broker.drain()]
        return [(one["ledger"][:1], one["to"]) for one in said]


@pytest.mark.parametrize("fault", [Unavailable("the disk fails"), StateDamaged("a page is damaged")])
def test_a_ledger_that_fails_is_said_and_read_again(fault: EdgeAgentError) -> None:
    here = Cell()
    here.turn(1.0)
    here.disk.fault = fault
    here.turn(10.0)
    assert here.courier.status().reader == fault.message
    here.courier._end("the connection broke")  # nor does that raise
    here.disk.fault, here.disk.parts = None, 1
    here.courier._connect()
    here.turn(5.0)

    assert here.told() == [("a", 1)]
    assert here.courier.status().reader == ""


@pytest.mark.parametrize("by_the_account", [True, False])
def test_another_ledger_is_told_whoever_notices_it(by_the_account: bool) -> None:
    here = Cell()
    here.disk.parts = 5
    here.turn(3.0)
    assert here.told() == [("a", number) for number in range(1, 6)]
    here.disk.ledger, here.disk.parts = "b" * 16, 3
    if by_the_account:
        here.courier._account()
    here.turn(5.0)

    assert here.told() == [("b", 1), ("b", 2), ("b", 3)]


def test_what_fails_is_not_read_again_and_told_anew_for_ever() -> None:
    class Uncountable(DiskFacts):
        def waiting(self, kind: str, after: int) -> int:
            raise StateDamaged("a page is damaged")

    here = Cell()
    here.courier._reading._open = lambda: Uncountable(here.disk)
    here.disk.parts = 3
    here.turn(20.0)

    assert here.told() == [("a", 1), ("a", 2), ("a", 3)]


def test_a_word_that_came_while_the_ledger_was_away_is_obeyed_when_it_is_back() -> None:
    here = Cell()
    here.disk.parts = 3
    here.turn(3.0)
    for message in here.broker.drain():
        here.book.take(message.topic, message.payload)
    here.disk.fault = Unavailable("the disk fails")
    here.broker.send(here.book.topic, here.book.ack())
    here.turn(5.0)
    assert len(here.door.acknowledged) == 1
    here.disk.fault = None
    here.turn(5.0)

    assert here.courier.status().acknowledged["part"] == 3


def test_a_broker_that_never_says_whether_it_took_something_is_given_up() -> None:
    here = Cell(SilentDoor)
    here.disk.parts = 100
    here.turn(WORD_S - 1.0)
    with pytest.raises(Unavailable, match="30 s"):
        here.turn(2.0)


def test_a_broker_that_is_slow_but_speaks_is_not() -> None:
    class SlowDoor(SilentDoor):
        """One word of many in a second; the last is never said."""

        def publish(self, message: Outgoing) -> int:
            token = super().publish(message)
            self.unsaid.append(token)
            return token

        unsaid: ClassVar[list[int]] = []

    here = Cell(SlowDoor)
    here.disk.parts = 100
    for _ in range(60):
        here.turn(1.0)
        here.door._happened.append(Delivered(SlowDoor.unsaid.pop(0), 0))

    assert here.teller.drain.told > 50


def test_while_the_ledger_cannot_be_read_it_is_left_alone_and_so_is_the_processor() -> None:
    here = Cell()
    here.disk.parts = 3
    here.turn(1.0)
    here.disk.fault = Unavailable("the disk fails")
    here.turn(3.0)
    here.disk.asked = 0
    turns = 0
    until_s = here.clock.now() + 120.0
    while here.clock.now() < until_s and turns < 1000:
        here.courier._turn(here.clock.now() + LOOK_S)  # the fake door waits, and so time passes
        turns += 1

    assert turns <= 120.0 / LOOK_S + 1
    assert here.disk.asked <= 60


@pytest.mark.parametrize(("qos", "again"), [(0, False), (1, True)])
def test_only_what_comes_again_is_worth_a_new_connection(qos: int, again: bool) -> None:
    here = Cell()
    for _ in range(65):
        here.door._happened.append(Inbound(TOPICS.request("status"), b"", qos, False, False, 0.0))
    here.turn(0.1)
    assert here.courier.status().refused_inbound == 1
    here.courier.inbound.take_all()
    for _ in range(2):
        here.clock.advance(20.0)
        with pytest.raises(Unavailable) if again and here.clock.now() > ASK_AGAIN_S else nullcontext():
            here.turn(0.1)


@pytest.mark.parametrize(
    ("kind", "reason", "will"), [(FakeDoor, 0, False), (FakeDoor, 0x87, True), (SilentDoor, 0, True)]
)
def test_the_broker_says_the_last_will_unless_it_has_taken_the_farewell(
    kind: type[FakeDoor], reason: int, will: bool
) -> None:
    here = Cell(kind)
    here.broker.reason = lambda message: reason
    here.courier._finish()
    here.courier.close()
    here.courier._run()

    assert here.door.wills == [will]


def test_a_connection_that_the_station_ends_is_a_loss_to_whoever_watches() -> None:
    here = Cell()
    here.courier._end("something that came found no room")

    assert here.door.wills == [True]


def test_what_an_earlier_life_left_is_told_at_once_and_what_this_one_records_is_waited_for() -> None:
    here = Cell()
    here.disk.parts = 5
    here.turn(0.1)
    assert here.disk.ripe == 5
    here.disk.parts = 8
    here.turn(1.9)
    assert here.disk.ripe == 5
    here.turn(1.5)

    assert here.disk.ripe == 8
