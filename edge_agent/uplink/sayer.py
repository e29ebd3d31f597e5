"""What is said beside the recorded facts: states, the newest of each topic, and responses, each once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.uplink.message import REFUSED, Door, Outgoing, is_taken

RESPONSES: Final = 256
"""Messages that wait for the broker at most."""


class Sayer:
    """Keeps states and responses until the broker has them. `state` and `responses` are safe from any thread.

    Attributes:
        responses: what waits to be said once.
        taken: those of them that the broker took, for whoever remembers that; more than fit are said again.
        unsent: messages that the broker refused, or that are larger than it takes.

    Args:
        poke: called when there is something to say.
    """

    def __init__(self, poke: Callable[[], None]) -> None:
        self.responses = Mailbox[Outgoing](RESPONSES, Overflow.REFUSE, on_put=poke)
        self.taken = Mailbox[Outgoing](RESPONSES, Overflow.REFUSE)
        self.unsent = 0
        self._poke = poke
        self._lock = threading.Lock()
        self._states: dict[str, Outgoing] = {}
        self._unsaid: set[str] = set()
        self._in_flight: dict[int, Outgoing] = {}

    @property
    def in_flight(self) -> int:
        """Messages that wait for the broker's word."""
        return len(self._in_flight)

    def state(self, message: Outgoing) -> None:
        """Say a state, now and after each new connection; a newer one of the topic takes its place."""
        with self._lock:
            self._states[message.topic] = message
            self._unsaid.add(message.topic)
        self._poke()

    def begin(self) -> None:
        """Begin with a connection: every state is said."""
        self._in_flight.clear()
        with self._lock:
            self._unsaid = set(self._states)

    def say(self, door: Door, has_room: Callable[[int], bool]) -> None:
        """Publish states and responses.

        Args:
            door: to the broker.
            has_room: says whether one more may wait for its word, beside as many of these.

        Raises:
            Unavailable: the connection has ended.
        """
        with self._lock:
            states = [self._states[topic] for topic in sorted(self._unsaid)]
        for message in states:
            if not has_room(self.in_flight):
                return
            self.publish(door, message)
            with self._lock:
                if self._states[message.topic] is message:
                    self._unsaid.discard(message.topic)
        while has_room(self.in_flight) and (taken := self.responses.take(1)):
            self.publish(door, taken[0])

    def publish(self, door: Door, message: Outgoing) -> None:
        """Publish a message now; raises as `say` does."""
        if not door.fits(message):
            self.unsent += 1
        elif token := door.publish(message):
            self._in_flight[token] = message

    def delivered(self, token: int, reason: int) -> bool:
        """Hear what the broker said; False where the message was none of these."""
        message = self._in_flight.pop(token, None)
        if message is None:
            return False
        self.unsent += reason >= REFUSED
        if is_taken(reason) and not message.retain:
            self.taken.offer(message)
        return True
