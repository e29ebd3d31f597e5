"""A broker and doors to it, in memory: it queues for a console that is away, drops what is too much, and can be cut."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.errors import Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.message import Delivered, Happening, Inbound, Outgoing, Session

Reason = Callable[[Outgoing], int]


@dataclass
class FakeBroker:
    """What the doors lead to.

    Attributes:
        session: what it says to whoever connects.
        retained: the retained messages by topic.
        queue: what waits for the console.
        queued_at_most: messages that wait for the console at most; more are accepted and dropped.
        has_console: somebody subscribed to what the stations say, now or in a session that is kept.
        console_listens: topics that it subscribed to begin with this.
        reason: what it says to a message that it would accept.
        is_up: it lets stations in.
        dropped: messages that it accepted and dropped.
        received: messages that it got.
        lock: held while what it keeps is changed.
        doors: those that are open.
        sessions: those whose session it keeps.
    """

    session: Session = Session("5", False, 20, None, 30.0)
    retained: dict[str, Outgoing] = field(default_factory=dict)
    queue: deque[Outgoing] = field(default_factory=deque)
    queued_at_most: int = 1000
    has_console: bool = True
    console_listens: str = ""
    reason: Reason = lambda message: 0
    is_up: bool = True
    dropped: int = 0
    received: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    doors: list[FakeDoor] = field(default_factory=list)
    sessions: list[FakeDoor] = field(default_factory=list)

    def take(self, message: Outgoing) -> int:
        """Take a message as mosquitto does; give the reason code."""
        with self.lock:
            self.received += 1
            reason = self.reason(message)
            if reason:
                return reason
            if message.retain:
                self.retained[message.topic] = message
                return 0
            if not self.has_console or not message.topic.startswith(self.console_listens):
                return 0x10
            if len(self.queue) >= self.queued_at_most:
                self.dropped += 1
            else:
                self.queue.append(message)
            return 0

    def drain(self) -> list[Outgoing]:
        """Give the console what waits for it."""
        with self.lock:
            taken = list(self.queue)
            self.queue.clear()
        return taken

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        reply_to: str = "",
        correlation: bytes = b"",
    ) -> None:
        """Send a message to the stations that are there, and keep it for those that are away."""
        if retain:
            self.retained[topic] = Outgoing(topic, payload, retain=True)
        for door in list(self.sessions):
            door.arrive(Inbound(topic, payload, qos, False, False, 0.0, reply_to, correlation))

    def cut(self, *, forget: bool = False) -> None:
        """End all connections; forget the queue where the broker keeps nothing on its disk."""
        for door in list(self.doors):
            door.break_off()
        if forget:
            with self.lock:
                self.queue.clear()


class FakeDoor:
    """A `Door` to a `FakeBroker`.

    Args:
        broker: where it leads.
        clock: tells the time and waits.
        listens: topics that it subscribes to begin with this.
    """

    def __init__(self, broker: FakeBroker, clock: Clock, listens: str = "") -> None:
        self._broker, self._clock, self._listens = broker, clock, listens
        self._happened: deque[Happening] = deque()
        self._event = threading.Event()
        self._unacknowledged: dict[int, Inbound] = {}
        self._token = 0
        self._is_open = False
        self.acknowledged: list[Inbound] = []
        self.wills: list[bool] = []
        self.in_flight = 0
        self.most_in_flight = 0

    def connect(self) -> Session:
        """Connect, where the broker is up."""
        if not self._broker.is_up:
            raise Unavailable("the broker refuses the connection")
        kept = self in self._broker.sessions
        if not kept:
            self._broker.sessions.append(self)
        self.in_flight = 0
        with self._broker.lock:
            self._happened.clear()
            waiting, self._unacknowledged = list(self._unacknowledged.values()), {}
            self._is_open = True
        self._broker.doors.append(self)
        for inbound in waiting:
            self.arrive(replace(inbound, again=inbound.mark != 0))
        for message in list(self._broker.retained.values()):
            self.arrive(Inbound(message.topic, message.payload, 1, True, False, 0.0))
        return replace(self._broker.session, kept=kept)

    def fits(self, message: Outgoing) -> bool:
        """Say whether the broker takes a message of this size."""
        most = self._broker.session.max_bytes
        return most is None or len(message.payload) + len(message.topic) + 10 <= most

    def publish(self, message: Outgoing) -> int:
        """Send a message; what the broker says happens in the next turn."""
        if not self._is_open:
            raise Unavailable("the connection was reset")
        reason = self._broker.take(message)
        if message.qos == 0:
            return 0
        self._token += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._happened.append(Delivered(self._token, reason))
        return self._token

    def acknowledge(self, inbound: Inbound) -> None:
        """Let go of what came through this connection, and remember it."""
        with self._broker.lock:
            if self._is_open and self._unacknowledged.pop(inbound.mark, None) is not None:
                self.acknowledged.append(inbound)

    def turn(self, until_s: float) -> Sequence[Happening]:
        """Give what happened; wait for it where nothing has."""
        if not self._happened and self._is_open:
            self._clock.wait(self._event, until_s)
        self._event.clear()
        if not self._is_open:
            raise Unavailable("the connection was reset")
        happened = [self._happened.popleft() for _ in range(len(self._happened))]
        self.in_flight -= sum(isinstance(one, Delivered) for one in happened)
        return happened

    def wake(self) -> None:
        """Have `turn` return."""
        self._event.set()

    def close(self, *, will: bool = False) -> None:
        """Disconnect; whether with the last will is remembered, where there was a connection."""
        if self._is_open:
            self.wills.append(will)
        self._is_open = False
        if self in self._broker.doors:
            self._broker.doors.remove(self)

    def arrive(self, inbound: Inbound) -> None:
        """Have a message arrive where it is subscribed to, now or with the next connection."""
        topic = inbound.topic
        if not topic.startswith(self._listens) or topic.startswith(f"{self._listens}state/"):
            return
        with self._broker.lock:
            self._token += 1
            given = replace(inbound, arrived_s=self._clock.now(), mark=self._token if self._is_open else 0)
            if inbound.qos:
                self._unacknowledged[self._token] = given
            if self._is_open:
                self._happened.append(given)
        self._event.set()

    def break_off(self) -> None:
        """Lose the connection, and what the broker has said and nobody has heard."""
        self.close(will=True)
        self._happened.clear()
        self._event.set()
