"""Answers on record are said until the broker has them, within their bounds."""

from __future__ import annotations

import math

from edge_agent.journal.untold import AGAIN_S, UNTOLD, Untold
from edge_agent.uplink.message import Outgoing


class Broker:
    """Has room for so many messages, and remembers them."""

    def __init__(self, room: float = math.inf) -> None:
        self.room = room
        self.said: list[str] = []
        self.settled: list[str] = []
        self.untold = Untold(self.say, self.settled.append)

    def say(self, outgoing: Outgoing) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.said.append(outgoing.topic)
        return True


def answer(place: str = "a") -> Outgoing:
    return Outgoing(place, b"{}")


def test_what_finds_no_room_is_said_when_there_is_some() -> None:
    broker = Broker(room=1)
    for place in "ab":
        broker.untold.keep(place, answer(place), math.inf)
        broker.untold.step(0.0)
    assert broker.said == ["a"]
    broker.room = 9
    broker.untold.step(2.0)

    assert broker.said == ["a", "b"]


def test_what_the_broker_does_not_take_is_said_again_and_not_at_once() -> None:
    broker, kept = Broker(), answer()
    broker.untold.keep("1", kept, math.inf)
    for now in (0.0, 2.0, AGAIN_S - 0.1, AGAIN_S, AGAIN_S + 2.0):
        broker.untold.step(now)
    assert broker.said == ["a", "a"]
    broker.untold.connected(AGAIN_S + 3.0)
    broker.untold.delivered(kept)
    broker.untold.connected(AGAIN_S + 4.0)

    assert broker.said == ["a", "a", "a"]
    assert broker.settled == ["1"]


def test_a_command_is_settled_when_all_who_asked_have_its_answer() -> None:
    broker, places = Broker(), [answer("a"), answer("b")]
    for place in places:
        broker.untold.keep("1", place, math.inf)
    broker.untold.delivered(places[1])
    broker.untold.delivered(answer("a"))  # the same words in another message are not this one
    assert broker.settled == []
    broker.untold.delivered(places[0])

    assert broker.settled == ["1"]


def test_nobody_waits_for_ever() -> None:
    broker = Broker()
    broker.untold.keep("1", answer(), 100.0)
    broker.untold.step(100.1)
    broker.untold.connected(100.2)

    assert (broker.said, broker.settled) == ([], ["1"])


def test_so_many_wait_and_the_oldest_goes() -> None:
    broker = Broker(room=0)
    for number in range(UNTOLD + 2):
        broker.untold.keep(f"{number}", answer(f"{number}"), math.inf)
    broker.room = math.inf
    broker.untold.step(0.0)

    assert broker.said == [f"{number}" for number in range(2, UNTOLD + 2)]
    assert broker.untold.dropped == 2
    assert broker.settled == []  # the ledger has it for the next start
