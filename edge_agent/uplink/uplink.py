"""The uplink's seat in the loop: hands on what came, says states when they change, and starts and ends the courier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import MailboxStats
from edge_agent.uplink.account import UplinkStatus
from edge_agent.uplink.courier import Courier
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.topics import Topics

STATES_S: Final = 2.0
"""How often it is looked whether a state has changed [s]."""

REPEAT_S: Final = 60.0
"""How often the health is said though it is the same [s]."""

CERTIFICATE_S: Final = 600.0
"""How often it is looked whether the station has another certificate [s]."""

HEALTH: Final = "health"

State = Mapping[str, object]


class Uplink:
    """The way to the console, as the loop sees it. A component.

    Attributes:
        states: gives each state by name, without the time; it is said when its `key` has changed, which is not said,
            or else when it has.
        requests: hears each request, on the loop thread; whoever it is acknowledges it.
        desired: hears what the console wants, in the same way.
        delivered: hears each response that the broker has taken.
        connected: hears of each new connection.
        say_again: called every two seconds while there is one, for what was not taken.
        topics: of the station.

    Args:
        courier: speaks with the broker.
        topics: of the station.
        clock: tells the time.
        certificate_until: reads until when the station's certificate is valid [s since the epoch]; None without one.
    """

    name = "uplink"

    def __init__(
        self,
        courier: Courier,
        topics: Topics,
        clock: Clock,
        certificate_until: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.states: Callable[[], Mapping[str, State]] = dict
        self.requests: Callable[[Inbound, float], None] = self._pass_over
        self.desired: Callable[[Inbound, float], None] = self._pass_over
        self.delivered: Callable[[Outgoing], None] = lambda response: None
        self.connected: Callable[[], None] = lambda: None
        self.say_again: Callable[[float], None] = lambda now: None
        self._connects = 0
        self.topics = topics
        self._certificate_until = certificate_until
        self._until_utc: float | None = None
        self._certificate_s = float("-inf")
        self._courier, self._clock = courier, clock
        self._said: dict[str, object] = {}
        self._look_s = self._repeat_s = float("-inf")

    def open(self) -> None:
        """Start the courier; safe to call again."""
        self._courier.open()

    def close(self) -> None:
        """Ask the courier to end."""
        self._courier.close()

    def join(self, until: float) -> bool:
        """Wait for it to end until `until` [s, host monotonic]; one that hangs at the broker is left behind: True."""
        self._courier.join(until)
        return True

    def poke(self) -> None:
        """Say that the ledger has something new. Safe from any thread."""
        self._courier.poke()

    def say(self, message: Outgoing) -> bool:
        """Say something once; False when too much waits. Safe from any thread."""
        return self._courier.sayer.responses.offer(message)

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is safe here. Safe from any thread."""
        self._courier.acknowledge(inbound)

    def status(self) -> UplinkStatus:
        """Say how it is."""
        now = self._clock.now()
        if now >= self._certificate_s:
            self._certificate_s, self._until_utc = now + CERTIFICATE_S, self._certificate_until()
        days = None if self._until_utc is None else (self._until_utc - self._clock.utc()) / 86_400.0
        return replace(self._courier.status(), certificate_days=days)

    def mailboxes(self) -> dict[str, MailboxStats]:
        """Count what waited, by name."""
        return self._courier.mailboxes()

    def step(self, now: float) -> float:
        """Hand on what came; say what has changed."""
        for response in self._courier.sayer.taken.take_all():
            self.delivered(response)
        connects = self._courier.status().connects
        if connects != self._connects:
            self._connects = connects
            self.connected()
        for inbound in self._courier.inbound.take_all():
            self._hand_on(inbound, now)
        if now >= self._look_s:
            self._look_s = now + STATES_S
            if self._courier.status().protocol:
                self.say_again(now)
            self._say_states(now)
        return self._look_s

    def _hand_on(self, inbound: Inbound, now: float) -> None:
        if self.topics.command_of(inbound.topic) is not None:
            self.requests(inbound, now)
        elif inbound.topic.startswith(self.topics.desired("")):
            self.desired(inbound, now)
        else:
            self._pass_over(inbound, now)

    def _say_states(self, now: float) -> None:
        repeat = now >= self._repeat_s
        self._repeat_s = now + REPEAT_S if repeat else self._repeat_s
        for name, state in self.states().items():
            body = dict(state)
            key = body.pop("key", body)
            if key != self._said.get(name) or (repeat and name == HEALTH):
                self._said[name] = key
                payload = msgspec.json.encode({"v": 1, **body, "utc": self._clock.utc()})
                self._courier.sayer.state(Outgoing(self.topics.state(name), payload, retain=True))

    def _pass_over(self, inbound: Inbound, now: float) -> None:
        """Let go of what nobody here knows."""
        self.acknowledge(inbound)
