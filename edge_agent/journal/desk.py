"""Where the journal meets the network: what comes as a request is checked, and answered once.

Belongs to the loop thread. What only reads is answered from memory when it is asked again, and acknowledged when it is
answered: to read twice does no harm. What may change something is acknowledged when the disk has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from edge_agent.api import Handler
from edge_agent.commands import Command
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.journal.askers import Asker
from edge_agent.journal.asking import (
    MAX_CORRELATION_BYTES,
    arguments_of,
    asked_of,
    command_of,
    read,
    reply_topic,
)
from edge_agent.journal.case import Surroundings
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.journal import Journal
from edge_agent.journal.order import Order, Way, kept_of
from edge_agent.journal.readings import Came, Readings
from edge_agent.journal.refusals import Refusals
from edge_agent.journal.response import Code, Response
from edge_agent.journal.untold import EXPIRY_S, Untold
from edge_agent.ledger import StoredCommand, Told
from edge_agent.runtime.clock import Clock
from edge_agent.trust.keys import Trust, Unauthorized
from edge_agent.trust.signing import Envelope
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.topics import Topics

UNSAID: Final = 64
"""Answers that are not on record and wait for room to be said; what is asked beyond that comes again."""


@dataclass
class DeskCounts:
    """What came over the network since the start.

    Attributes:
        requests: everything that came.
        retained: lay at the broker; a command is never retained.
        nowhere: wanted the answer where it does not belong.
        malformed: were no requests of this station.
        unauthorized: came without the signature that they need.
        unsaid: found no room for their answer, and come again with the next connection.
    """

    requests: int = 0
    retained: int = 0
    nowhere: int = 0
    malformed: int = 0
    unauthorized: int = 0
    unsaid: int = 0


class Desk:
    """Serves the network.

    Args:
        station: its name.
        topics: where things are said.
        journal: sees orders through.
        handlers: for each command, what does it.
        trust: whose signature counts.
        around: the station.
        say: publishes a message, without ever blocking; False where it finds no room.
        acknowledge: tells the broker that a message is safe here.
        clock: tells the time.
    """

    def __init__(
        self,
        station: str,
        topics: Topics,
        journal: Journal,
        handlers: Mapping[str, Handler],
        trust: Trust,
        around: Surroundings,
        say: Callable[[Outgoing], bool],
        acknowledge: Callable[[Inbound], None],
        clock: Clock,
    ) -> None:
        self.counts = DeskCounts()
        self._station = station
        self._topics = topics
        self._journal = journal
        self._trust = trust
        self._around = around
        self._say = say
        self._acknowledge = acknowledge
        self._clock = clock
        self._clerk = Clerk(station, clock)
        self._refusals = Refusals(lambda item: around.record(item, lambda receipt: None), clock)
        self._untold = Untold(say, self._settled)
        self._unsaid: deque[tuple[Outgoing, Callable[[], None]]] = deque()
        self._readings = Readings(handlers, around, self._clerk, clock, self._answer, acknowledge)

    @property
    def untold_dropped(self) -> int:
        """How many answers on record gave up their place, and are said again after the next start."""
        return self._untold.dropped

    @property
    def read_again(self) -> int:
        """How often what only reads was asked again."""
        return self._readings.repeated

    def requests(self, inbound: Inbound, now: float) -> None:
        """Take what came on a topic of requests.

        Args:
            inbound: what came.
            now: host monotonic time [s].
        """
        self.counts.requests += 1
        name = self._topics.command_of(inbound.topic)
        reply_to = reply_topic(inbound.reply_to, self._topics)
        if inbound.retain:
            self.counts.retained += 1
        elif reply_to is None or len(inbound.correlation) > MAX_CORRELATION_BYTES:
            self.counts.nowhere += 1
        elif name is None:
            self.counts.malformed += 1
        else:
            self._take(inbound, name, reply_to, now)
            return
        self._acknowledge(inbound)

    def delivered(self, outgoing: Outgoing) -> None:
        """Hear that the broker has taken an answer: it need not be said again."""
        self._untold.delivered(outgoing)

    def connected(self) -> None:
        """Say again what the broker has not taken; called whenever it is there again."""
        self._untold.connected(self._clock.now())

    def say_again(self, now: float) -> None:
        """Say what found no room before, or what the broker did not take; called while it is there.

        Args:
            now: host monotonic time [s].
        """
        while self._unsaid and self._say(self._unsaid[0][0]):
            self._unsaid.popleft()[1]()
        self._untold.step(now)

    def load(self, unsettled: Iterable[StoredCommand], newest_utc: Mapping[str, float]) -> None:
        """Take over what a life before left: commands without an answer, and answers that nobody heard.

        Args:
            unsettled: these, oldest first.
            newest_utc: for each key, when its newest command counts as asked [s since the epoch].
        """
        left, now, utc = [], self._clock.now(), self._clock.utc()
        for stored in unsettled:
            if not stored.answer:
                left.append(stored)
            elif stored.accepted_utc + EXPIRY_S < utc or (kept := kept_of(stored)) is None:
                self._settled(stored.id)
            else:
                answer = self._message(kept.reply_to, kept.correlation, stored.answer.encode())
                self._untold.keep(stored.id, answer, now + stored.accepted_utc + EXPIRY_S - utc)
        self._journal.load(left, newest_utc, self._asker_of)

    def _asker_of(self, stored: StoredCommand) -> Asker | None:
        kept = kept_of(stored)
        return None if kept is None or kept.way is not Way.MQTT else self._asker(kept.reply_to, kept.correlation)

    def _take(self, inbound: Inbound, name: str, reply_to: str, now: float) -> None:
        said = read(inbound.payload)
        came = Came(replace(inbound, payload=b""), reply_to, now)
        key = "" if said.envelope is None else said.envelope.key
        try:
            command = command_of(name)
            self._check_signature(came, said.envelope, command)
            asked = asked_of(said, name)
            arguments = arguments_of(command, asked)
        except Unauthorized as error:
            self.counts.unauthorized += 1
            self._refusals.record(name, said.id, key, error.message)
            self._refuse(came, said.id, error, Code.E_UNAUTH)
            return
        except BadData as error:
            self.counts.malformed += 1
            self._refuse(came, said.id, error, Code.E_SCHEMA)
            return
        order = Order(
            id=asked.id,
            command=command,
            arguments=arguments,
            who=asked.by,
            way=Way.MQTT,
            caller=f"key {key}" if key else "",
            arrived_s=inbound.arrived_s,
            issued_utc=asked.issued_at,
            ttl_s=asked.ttl_ms / 1e3,
            key=key if command.signed else "",
            expect={str(resource): wanted for resource, wanted in asked.expect.items()},
            reply_to=reply_to,
            correlation=inbound.correlation,
        )
        if command.signed:
            asker = self._asker(reply_to, inbound.correlation, lambda: self._acknowledge(came.inbound))
            self._journal.take(order, asker)
        else:
            self._readings.take(came, order)

    def _check_signature(self, came: Came, envelope: Envelope | None, command: Command) -> None:
        if envelope is not None:
            self._trust.open(envelope, came.inbound.topic, command.privilege)
        elif command.signed:
            raise Unauthorized(f"`{command.name}` may change something: it has to be signed", hint="see docs/uplink.md")

    def _refuse(self, came: Came, order_id: str, error: EdgeAgentError, code: Code) -> None:
        self._answer(came, msgspec.json.encode(self._clerk.refusal(order_id, came.inbound.arrived_s, error, code)))

    def _answer(self, came: Came, payload: bytes) -> None:
        message = self._message(came.reply_to, came.inbound.correlation, payload)
        self._say_once(message, lambda: self._acknowledge(came.inbound))

    def _say_once(self, message: Outgoing, then: Callable[[], None] = lambda: None) -> None:
        """Say what is not on record, now or when there is room; `then` its request need not come again."""
        if not self._unsaid and self._say(message):
            then()
        elif len(self._unsaid) < UNSAID:
            self._unsaid.append((message, then))
        else:
            self.counts.unsaid += 1

    def _asker(self, reply_to: str, correlation: bytes, stored: Callable[[], None] = lambda: None) -> Asker:
        def message(response: Response) -> Outgoing:
            return self._message(reply_to, correlation, msgspec.json.encode(response))

        def tell(response: Response, made: object) -> None:
            now = self._clock.now()
            if response.phase == "done":
                self._untold.keep(response.id, message(response), now + EXPIRY_S)
                self._untold.step(now)
            else:
                self._say(message(response))

        return Asker((reply_to, correlation), tell, lambda response: self._say_once(message(response)), stored)

    def _settled(self, order_id: str) -> None:
        self._around.record(Told(order_id), lambda receipt: None)

    def _message(self, reply_to: str, correlation: bytes, payload: bytes) -> Outgoing:
        return Outgoing(reply_to, payload, correlation=correlation, expiry_s=EXPIRY_S)
