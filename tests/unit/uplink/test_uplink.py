"""The uplink's seat: what came goes to whoever it is for, and states are said when they change."""

from __future__ import annotations

import msgspec

from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.testing.clock import ManualClock
from edge_agent.uplink.account import UplinkStatus
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.sayer import RESPONSES, Sayer
from edge_agent.uplink.topics import Topics
from edge_agent.uplink.uplink import REPEAT_S, STATES_S, Uplink

TOPICS = Topics("insp/v1", "press-3")


class QuietCourier:
    """A courier that keeps what it is given."""

    def __init__(self) -> None:
        self.inbound = Mailbox[Inbound](64, Overflow.REFUSE)
        self.sayer = Sayer(lambda: None)
        self.said: list[Outgoing] = []
        self.acknowledged: list[str] = []
        self.connects = 0
        self.protocol = ""
        self.sayer.state = self.said.append  # type: ignore[method-assign]

    def status(self) -> UplinkStatus:
        return UplinkStatus("", self.protocol, connects=self.connects)

    def acknowledge(self, inbound: Inbound) -> None:
        self.acknowledged.append(inbound.topic)


def uplink() -> tuple[Uplink, QuietCourier, ManualClock]:
    courier, clock = QuietCourier(), ManualClock()
    return Uplink(courier, TOPICS, clock), courier, clock  # type: ignore[arg-type]


def names(courier: QuietCourier) -> list[str]:
    said = [message.topic.rpartition("/")[2] for message in courier.said]
    courier.said.clear()
    return said


def test_a_request_a_wish_and_what_nobody_knows_go_their_ways() -> None:
    made, courier, clock = uplink()
    heard: list[tuple[str, str, float]] = []
    made.requests = lambda inbound, now: heard.append(("request", inbound.topic, now))
    made.desired = lambda inbound, now: heard.append(("desired", inbound.topic, now))
    topics = [TOPICS.request("gate"), TOPICS.desired("config"), TOPICS.response("console")]
    for topic in topics:
        courier.inbound.offer(Inbound(topic, b"{}", 1, False, False, 0.0))
    made.step(clock.now())

    assert heard == [("request", topics[0], 0.0), ("desired", topics[1], 0.0)]
    assert courier.acknowledged == [topics[2]]


def test_a_state_is_said_when_it_changes() -> None:
    made, courier, clock = uplink()
    model = {"active": "a"}
    made.states = lambda: {"model": model, "config": {"version": 0}}
    assert made.step(clock.now()) == STATES_S
    assert names(courier) == ["model", "config"]
    clock.advance(STATES_S)
    made.step(clock.now())
    assert names(courier) == []
    model["active"] = "b"
    clock.advance(STATES_S)
    made.step(clock.now())

    (said,) = courier.said
    assert said.retain
    assert msgspec.json.decode(said.payload) == {"v": 1, "active": "b", "utc": clock.utc()}


def test_the_health_is_said_when_its_kinds_change_and_every_minute() -> None:
    made, courier, clock = uplink()
    state: dict[str, object] = {"health": "ok", "count": 1, "key": ("ok",)}
    made.states = lambda: {"health": state, "model": {}}
    times = []
    for _ in range(40):
        made.step(clock.now())
        if "health" in names(courier):
            times.append(clock.now())
        state["count"] = state["count"] + 1  # type: ignore[operator]
        clock.advance(STATES_S)
    assert times == [0.0, REPEAT_S]
    state["key"] = ("warn", "disk")
    made.step(clock.now())

    (said,) = courier.said
    assert "key" not in msgspec.json.decode(said.payload)


def test_what_was_taken_and_each_new_connection_are_heard_of() -> None:
    made, courier, clock = uplink()
    heard: list[object] = []
    made.delivered, made.connected = heard.append, lambda: heard.append("connected")
    response = Outgoing(TOPICS.response(), b"{}")
    courier.sayer.taken.offer(response)
    courier.connects = 1
    made.step(clock.now())
    made.step(clock.now())

    assert heard == [response, "connected"]


def test_what_was_not_taken_is_said_again_while_there_is_a_connection() -> None:
    made, courier, clock = uplink()
    heard: list[float] = []
    made.say_again = heard.append
    for protocol in ("", "5", "5", ""):
        courier.protocol = protocol
        made.step(clock.now())
        made.step(clock.now())  # not more often than it is looked for states
        clock.advance(STATES_S)

    assert heard == [STATES_S, 2 * STATES_S]


def test_too_many_responses_are_refused() -> None:
    made, _, _ = uplink()
    accepted = [made.say(Outgoing(TOPICS.response(), b"{}")) for _ in range(RESPONSES + 1)]

    assert accepted == [True] * RESPONSES + [False]
