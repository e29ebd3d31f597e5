"""Tells what is recorded through a connection that is open: joins the drain, the ledger and the door for one turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.errors import BadData
from edge_agent.ledger.facts import Fact
from edge_agent.ledger.items import Reached, SetAside
from edge_agent.uplink.ack import Ack, check_ack, read_ack
from edge_agent.uplink.drain import PAGE, Drain
from edge_agent.uplink.feed import message_of
from edge_agent.uplink.message import Door, Inbound
from edge_agent.uplink.ripening import Ripening
from edge_agent.uplink.topics import Topics

REMEMBER_S: Final = 1.0
"""How often the ledger is told how far the console is [s]."""


class Facts(Protocol):
    """Where facts are read: `ledger.facts.FactReader`."""

    ledger: str

    def check(self) -> None:
        """Raise where it is another ledger by now."""

    def told(self) -> Mapping[str, int]:
        """Give how far the console has everything."""

    def counter(self) -> int:
        """Give the counter of the console's last word."""

    def newest(self) -> Mapping[str, int]:
        """Give the numbers of the newest facts."""

    def waiting(self, kind: str, after: int) -> int:
        """Count what the console does not have."""

    def oldest_utc(self, kind: str, after: int) -> float | None:
        """Give when the oldest of that happened."""

    def after(self, kind: str, seq: int, upto: int | None, most: int, ripe: int) -> list[Fact]:
        """Give what comes after a number."""

    def close(self) -> None:
        """Close the connection to it."""


@dataclass
class AckCount:
    """What became of the console's words.

    Attributes:
        obeyed: those that were.
        refused: those that were not.
        reason: why the last of these was not.
    """

    obeyed: int = 0
    refused: int = 0
    reason: str = ""


class Teller:
    """Publishes facts and hears what became of them. One thread.

    Attributes:
        drain: what is told next.
        acks: what became of the console's words.

    Args:
        drain: decides.
        topics: of the station.
        trusted: gives the public keys of those who may acknowledge, by id.
        remember: gives the ledger something to write; False when it cannot take it now.
    """

    def __init__(
        self,
        drain: Drain,
        topics: Topics,
        trusted: Callable[[], Mapping[str, bytes]],
        remember: Callable[[Reached | SetAside], bool],
    ) -> None:
        self.drain = drain
        self.acks = AckCount()
        self._topics, self._trusted, self._remember = topics, trusted, remember
        self._counter = 0
        self._ripening = Ripening()
        self._word: Ack | None = None
        self._remembered: Reached | None = None
        self._remember_s = float("-inf")

    def begin(self, facts: Facts) -> None:
        """Tell what stands in a ledger.

        Args:
            facts: of the ledger.
        """
        counter = facts.counter()
        if facts.ledger == self.drain.ledger:
            counter = max(counter, self._counter)
        elif self.drain.ledger:
            self._ripening.forget()
        self._counter = counter
        self.drain.begin(facts.ledger, facts.told(), facts.newest())
        self._remembered = self._told()

    def look(self, facts: Facts, now: float) -> None:
        """See which parts are there by now; first when the station starts [now: s, host monotonic]."""
        if self._ripening.wants_look(now):
            self._ripening.look(facts.newest()["part"], now)

    def publish(self, door: Door, now: float, utc: float, others: int) -> None:
        """Publish what may be published.

        Args:
            door: to the broker.
            now: host monotonic time [s].
            utc: wall time [s since the epoch].
            others: messages that are no facts and wait for the broker's word.

        Raises:
            Unavailable: the connection has ended.
        """
        drain = self.drain
        while (telling := drain.next(now, others)) is not None:
            message = message_of(telling.fact, drain.ledger, telling.lane.upto, self._topics)
            if door.fits(message):
                drain.sent(telling, door.publish(message))
            else:
                self._put_aside(drain.never(telling, utc))
        if now >= self._remember_s:
            self._remember_s = now + REMEMBER_S
            self.remember()

    def read(self, facts: Facts, now: float) -> bool:
        """Read what is wanted next; say whether anything was.

        Args:
            facts: of the ledger.
            now: host monotonic time [s].

        Returns:
            Whether anything was wanted.

        Raises:
            Unavailable: the ledger cannot be read.
        """
        look = self.drain.look(now)
        if look is None:
            return False
        facts.check()
        self.look(facts, now)
        ripe = self._ripening.upto(now)
        self.drain.found(look, facts.after(look.kind, look.after, look.upto, PAGE, ripe))
        return True

    def delivered(self, token: int, reason: int, now: float, utc: float) -> None:
        """Hear what the broker said of a message."""
        self._put_aside(self.drain.delivered(token, reason, now, utc))

    def is_ack(self, topic: str) -> bool:
        """Say whether the console's word comes on a topic."""
        return topic == self._topics.ack

    def heard(self, inbound: Inbound) -> None:
        """Hear the console's word and keep it for `obey`; one that nobody who may say so has said is counted."""
        try:
            word = read_ack(inbound.payload, inbound.topic, self._trusted())
        except BadData as error:
            self._refuse(error)
            return
        kept = self._word
        if kept is None or kept.ledger != word.ledger or kept.counter < word.counter:
            self._word = word

    def obey(self, facts: Facts, now: float) -> bool:
        """Obey the console's word, where it has said one. One that was said before lies there: no fault.

        Args:
            facts: of the ledger that is told.
            now: host monotonic time [s].

        Returns:
            Whether there was one, and it was good.

        Raises:
            Unavailable: the ledger cannot be read; the word is kept.
        """
        word = self._word
        if word is None:
            return False
        newest = facts.newest()
        self._word = None
        if word.ledger == self.drain.ledger and word.counter <= self._counter:
            return False
        try:
            check_ack(word, self.drain.ledger, newest)
        except BadData as error:
            self._refuse(error)
            return False
        self.acks.obeyed += 1
        self._counter = word.counter
        self.drain.heard({str(kind): upto for kind, upto in word.upto.items()}, word.again, now)
        return True

    def remember(self) -> None:
        """Have the ledger know how far the console is."""
        told = self._told()
        if told != self._remembered and self.drain.ledger and self._remember(told):
            self._remembered = told

    def _refuse(self, error: BadData) -> None:
        self.acks.refused += 1
        self.acks.reason = error.message

    def _told(self) -> Reached:
        return Reached(self.drain.ledger, self.drain.upto(), self._counter)

    def _put_aside(self, aside: SetAside | None) -> None:
        if aside is not None:
            self._remember(aside)
