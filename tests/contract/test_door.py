"""What every `Door` does, on a real broker and on whatever stands in for one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from broker import broker
from door_bench import CLOCK, Memory, arrived, door, quiet, reason, until
from peer import peer

from edge_agent.errors import Unavailable
from edge_agent.testing.door import FakeBroker, FakeDoor
from edge_agent.uplink.message import Delivered, Door, Inbound, Outgoing


class Other(Protocol):
    """Somebody else at the broker."""

    def say(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False, **properties: Any) -> None:
        """Publish; properties are `ResponseTopic` and `CorrelationData`."""


@dataclass(frozen=True)
class World:
    """A door that is not connected, somebody else who is, and the power to cut them off.

    Attributes:
        door: listens on `in/#`.
        other: at the same broker; listens on `out/#`.
        hear: gives the next payload that the other one hears.
        cut: ends the door's connection without a word, and lets it connect again.
    """

    door: Door
    other: Other
    hear: Callable[[], bytes]
    cut: Callable[[], None]


@contextmanager
def at_mosquitto(folder: Path) -> Iterator[World]:
    with broker(folder) as real, peer(real.port, "out/#") as other:
        made = door(real.port, "in/#", memory=Memory())

        def cut() -> None:
            assert made._link is not None
            made._link.connection._sock.shutdown(socket.SHUT_RDWR)

        try:
            yield World(made, other, lambda: other.hear().payload, cut)
        finally:
            made.close()


class Elsewhere:
    """Somebody else at the broker in memory."""

    def __init__(self, fake: FakeBroker) -> None:
        self._fake = fake

    def say(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False, **properties: Any) -> None:
        reply_to, correlation = properties.get("ResponseTopic", ""), properties.get("CorrelationData", b"")
        self._fake.send(topic, payload, qos=qos, retain=retain, reply_to=reply_to, correlation=correlation)


@contextmanager
def in_memory(folder: Path) -> Iterator[World]:
    fake = FakeBroker(console_listens="out/")
    made = FakeDoor(fake, CLOCK, "in/")
    yield World(made, Elsewhere(fake), lambda: fake.queue.popleft().payload, fake.cut)


MAKERS: list[Callable[[Path], AbstractContextManager[World]]] = [at_mosquitto, in_memory]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with request.param(tmp_path) as made:
        yield made


def test_a_first_session_is_new_and_the_next_one_is_kept(world: World) -> None:
    assert not world.door.connect().kept
    world.door.close()

    assert world.door.connect().kept


def test_what_is_said_is_heard_and_delivered(world: World) -> None:
    world.door.connect()

    assert reason(world.door, Outgoing("out/a", b"hello")) == 0
    assert world.hear() == b"hello"


def test_each_message_of_qos_1_has_a_token_of_its_own_and_one_of_qos_0_has_none(world: World) -> None:
    world.door.connect()
    tokens = [world.door.publish(Outgoing("out/a", bytes([n]))) for n in range(10)]

    assert world.door.publish(Outgoing("out/b", b"", qos=0)) == 0
    assert len(set(tokens)) == 10 and 0 not in tokens
    happened = until(world.door, lambda so_far: len(so_far) >= 10)
    assert {one.token for one in happened if isinstance(one, Delivered)} == set(tokens)


def test_what_nobody_listens_to_is_delivered_with_that_reason(world: World) -> None:
    world.door.connect()

    assert reason(world.door, Outgoing("nobody/listens", b"")) == 0x10


def test_what_comes_says_where_from_and_where_to_answer(world: World) -> None:
    world.door.connect()
    began_s = CLOCK.now()
    world.other.say("in/a", b"request", ResponseTopic="out/answer", CorrelationData=b"\0\1")
    came = arrived(world.door)[0]

    assert (came.topic, came.payload, came.qos, came.retain, came.again) == ("in/a", b"request", 1, False, False)
    assert (came.reply_to, came.correlation) == ("out/answer", b"\0\1")
    assert began_s <= came.arrived_s <= CLOCK.now()


def test_what_lay_there_says_so(world: World) -> None:
    world.other.say("in/kept", b"old", retain=True)
    world.door.connect()

    assert arrived(world.door)[0].retain


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(world: World) -> None:
    world.door.connect()
    world.other.say("in/a", b"first")
    world.other.say("in/b", b"second")
    first, second = arrived(world.door, 2, acknowledge=False)
    world.door.acknowledge(first)
    quiet(world.door, 0.1)
    world.cut()
    world.door.connect()
    came = arrived(world.door)

    assert [(one.payload, one.again) for one in came] == [(second.payload, True)]
    assert quiet(world.door) == []


def test_what_came_through_an_old_connection_cannot_be_acknowledged_through_the_new_one(world: World) -> None:
    world.door.connect()
    world.other.say("in/a", b"first")
    old = arrived(world.door, acknowledge=False)[0]
    world.cut()
    world.door.connect()
    new = arrived(world.door, acknowledge=False)[0]
    world.door.acknowledge(old)
    quiet(world.door, 0.1)
    world.cut()
    world.door.connect()

    assert arrived(world.door)[0].payload == new.payload


def test_what_is_said_to_a_station_that_is_away_waits_for_it(world: World) -> None:
    world.door.connect()
    world.door.close()
    world.other.say("in/a", b"later")
    world.door.connect()

    assert arrived(world.door)[0].payload == b"later"


def test_the_station_does_not_hear_itself(world: World) -> None:
    world.door.connect()
    world.door.publish(Outgoing("in/own", b""))

    assert not [one for one in quiet(world.door) if isinstance(one, Inbound)]


def test_a_connection_that_was_cut_ends_the_turn_and_publishing(world: World) -> None:
    world.door.connect()
    world.cut()

    with pytest.raises(Unavailable):
        until(world.door, lambda so_far: False)
    with pytest.raises(Unavailable):
        world.door.publish(Outgoing("out/a", b""))


def test_without_a_connection_nothing_is_said_and_acknowledging_does_nothing(world: World) -> None:
    world.door.acknowledge(Inbound("in/a", b"", 1, retain=False, again=False, arrived_s=0.0, mark=1 << 16 | 1))
    for use in (lambda: world.door.publish(Outgoing("out/a", b"")), lambda: world.door.turn(CLOCK.now())):
        with pytest.raises(Unavailable):
            use()


def test_a_turn_ends_when_its_time_is_over(world: World) -> None:
    world.door.connect()
    began_s = CLOCK.now()

    assert world.door.turn(began_s + 0.05) == []
    assert CLOCK.now() >= began_s + 0.05
    assert world.door.turn(began_s) == []


def test_who_wakes_it_from_another_thread_ends_the_turn(world: World) -> None:
    world.door.connect()
    waking = threading.Timer(0.05, world.door.wake)
    waking.start()

    assert world.door.turn(CLOCK.now() + 60.0) == []
    waking.join()


def test_a_wake_before_the_turn_is_not_lost_and_counts_once(world: World) -> None:
    world.door.connect()
    world.door.wake()
    world.door.wake()
    assert world.door.turn(CLOCK.now() + 60.0) == []

    until_s = CLOCK.now() + 0.05
    world.door.turn(until_s)
    assert CLOCK.now() >= until_s


def test_it_may_be_closed_twice_and_woken_then(world: World) -> None:
    world.door.close()
    world.door.connect()
    world.door.close()
    world.door.close()
    world.door.wake()


def test_a_message_of_ordinary_size_fits(world: World) -> None:
    assert world.door.fits(Outgoing("out/a", bytes(1000)))
    world.door.connect()
    assert world.door.fits(Outgoing("out/a", bytes(1000)))
