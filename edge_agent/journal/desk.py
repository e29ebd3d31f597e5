"""Where the journal meets the network: what comes as a request is checked, and answered once.

Belongs to the loop thread. What only reads is answered from memory when it is asked again, and acknowledged when it is
answered: to read twice does no harm. What may change something is acknowledged when the disk has it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_agent.api import Handler
from edge_agent.commands import Command
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.journal.asking import (
    MAX_CORRELATION_BYTES,
    MAX_REQUEST_BYTES,
    arguments_of,
    asked_of,
    command_of,
    id_of,
    reply_topic,
)
from edge_agent.journal.case import Surroundings, Tell
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.journal import Journal
from edge_agent.journal.order import Kept, Order, Way
from edge_agent.journal.readings import Came, Readings
from edge_agent.journal.refusals import Refusals
from edge_agent.journal.response import Code, Response
from edge_agent.ledger import StoredCommand, Told
from edge_agent.runtime.clock import Clock
from edge_agent.signing import is_signed
from edge_agent.trust import Trust, Unauthorized
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.topics import Topics

UNTOLD: Final = 256
"""Answers that wait to be heard; the oldest goes first, and is said again after the next start."""

RESPONSE_EXPIRY_S: Final = 86_400
"""After a day nobody waits for an answer any more [s]."""


@dataclass
class DeskCounts:
    """What came over the network since the start.

    Attributes:
        requests: everything that came.
        retained: lay at the broker; a command is never retained.
        nowhere: wanted the answer where it does not belong.
        malformed: were no requests of this station.
        unauthorized: came without the signature that they need.
        untold_dropped: answers that gave up their place.
    """

    requests: int = 0
    retained: int = 0
    nowhere: int = 0
    malformed: int = 0
    unauthorized: int = 0
    untold_dropped: int = 0


class Desk:
    """Serves the network.

    Args:
        station: its name.
        topics: where things are said.
        journal: sees orders through.
        handlers: for each command, what does it.
        trust: whose signature counts.
        around: the station.
        say: publishes a message, without ever blocking.
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
        say: Callable[[Outgoing], object],
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
        self._untold: OrderedDict[str, Outgoing] = OrderedDict()
        self._readings = Readings(handlers, around, self._clerk, clock, self._answer)

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
        for order_id, untold in self._untold.items():
            if untold is outgoing:
                del self._untold[order_id]
                self._around.record(Told(order_id), lambda receipt: None)
                return

    def connected(self) -> None:
        """Say again what the broker has not taken; called whenever it is there again."""
        for outgoing in list(self._untold.values()):
            self._say(outgoing)

    def load(self, unsettled: Iterable[StoredCommand], newest_utc: Mapping[str, float]) -> None:
        """Take over what a life before left: commands without an answer, and answers that nobody heard.

        Args:
            unsettled: these, oldest first.
            newest_utc: for each key, when its newest command was asked [s since the epoch].
        """
        left, told = [], self._clock.utc() - RESPONSE_EXPIRY_S
        for stored in unsettled:
            if not stored.answer:
                left.append(stored)
            elif stored.accepted_utc < told:
                self._around.record(Told(stored.id), lambda receipt: None)
            elif stored.request:
                kept = msgspec.json.decode(stored.request, type=Kept)
                self._keep(stored.id, self._message(kept.reply_to, kept.correlation, stored.answer.encode()))
        self._journal.load(left, newest_utc, self._teller)

    def _teller(self, stored: StoredCommand) -> Tell | None:
        kept = msgspec.json.decode(stored.request, type=Kept)
        return self._tells(kept.reply_to, kept.correlation) if kept.way is Way.MQTT else None

    def _take(self, inbound: Inbound, name: str, reply_to: str, now: float) -> None:
        bounded = len(inbound.payload) <= MAX_REQUEST_BYTES
        envelope = is_signed(inbound.payload) if bounded else None
        text = inbound.payload if envelope is None else envelope.signed.encode(errors="replace")
        came = Came(inbound, text, envelope, reply_to, now)
        try:
            command = command_of(name)
            self._check_signature(came, command)
            asked = asked_of(text, name)
            arguments = arguments_of(command, asked)
        except Unauthorized as error:
            self.counts.unauthorized += 1
            self._refusals.record(name, id_of(text), "" if envelope is None else envelope.key, error.message)
            self._refuse(came, id_of(text), error, Code.E_UNAUTH)
            return
        except BadData as error:
            self.counts.malformed += 1
            self._refuse(came, id_of(text), error, Code.E_SCHEMA)
            return
        order = Order(
            id=asked.id,
            command=command,
            arguments=arguments,
            who=asked.by,
            way=Way.MQTT,
            caller="" if envelope is None else f"key {envelope.key}",
            arrived_s=inbound.arrived_s,
            issued_utc=asked.issued_at,
            ttl_s=asked.ttl_ms / 1e3,
            key="" if envelope is None or not command.signed else envelope.key,
            expect={str(resource): wanted for resource, wanted in asked.expect.items()},
            reply_to=reply_to,
            correlation=inbound.correlation,
        )
        if command.signed:
            tell = self._tells(reply_to, inbound.correlation)
            self._journal.take(order, tell, lambda: self._acknowledge(inbound))
        else:
            self._readings.take(came, order)

    def _check_signature(self, came: Came, command: Command) -> None:
        if came.envelope is not None:
            self._trust.open(came.envelope, came.inbound.topic, command.privilege)
        elif command.signed:
            raise Unauthorized(f"`{command.name}` may change something: it has to be signed", hint="see docs/uplink.md")

    def _refuse(self, came: Came, order_id: str, error: EdgeAgentError, code: Code) -> None:
        self._answer(came, msgspec.json.encode(self._clerk.refusal(order_id, came.inbound.arrived_s, error, code)))

    def _answer(self, came: Came, payload: bytes) -> None:
        self._say(self._message(came.reply_to, came.inbound.correlation, payload))
        self._acknowledge(came.inbound)

    def _tells(self, reply_to: str, correlation: bytes) -> Tell:
        def tell(response: Response, made: object) -> None:
            outgoing = self._message(reply_to, correlation, msgspec.json.encode(response))
            if response.phase == "done" and response.id:
                self._keep(response.id, outgoing)
            self._say(outgoing)

        return tell

    def _keep(self, order_id: str, outgoing: Outgoing) -> None:
        self._untold[order_id] = outgoing
        if len(self._untold) > UNTOLD:
            self._untold.popitem(last=False)
            self.counts.untold_dropped += 1

    def _message(self, reply_to: str, correlation: bytes, payload: bytes) -> Outgoing:
        return Outgoing(reply_to, payload, correlation=correlation, expiry_s=RESPONSE_EXPIRY_S)
