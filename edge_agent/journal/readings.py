"""What only reads, for who asks over the network: bounded, and answered from memory when it is asked again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from edge_agent.api import Handler, Request
from edge_agent.commands import Resource
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.journal.askers import Askers
from edge_agent.journal.case import Surroundings
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.expiry import Moment, too_late
from edge_agent.journal.order import Order
from edge_agent.journal.response import Code, Response
from edge_agent.runtime.background import Chore
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.message import Inbound

KEPT_READINGS: Final = 64
"""Answers that are kept for who asks again; the oldest goes first."""

READINGS: Final = 8
"""Readings at once; more are told to ask later."""


@dataclass(frozen=True)
class Came:
    """A request on its way through the desk, without what it says.

    Attributes:
        inbound: as it came, without its payload.
        reply_to: where it is answered.
        now: host monotonic time [s].
    """

    inbound: Inbound
    reply_to: str
    now: float

    @property
    def who(self) -> Hashable:
        """Equal for requests whose answer goes to the same place for the same asker."""
        return self.reply_to, self.inbound.correlation


@dataclass
class _Reading:
    digest: str
    askers: Askers[Came] = field(default_factory=Askers)


class Readings:
    """Reads what is asked for. Belongs to the loop thread.

    Attributes:
        repeated: were asked again.

    Args:
        handlers: for each command, what does it.
        around: the station.
        clerk: writes down what is said.
        clock: tells the time.
        answer: says something to who asks, and acknowledges the request.
        acknowledge: tells the broker that it need not bring a request again.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        around: Surroundings,
        clerk: Clerk,
        clock: Clock,
        answer: Callable[[Came, bytes], None],
        acknowledge: Callable[[Inbound], None],
    ) -> None:
        self.repeated = 0
        self._handlers = handlers
        self._around = around
        self._clerk = clerk
        self._clock = clock
        self._answer = answer
        self._acknowledge = acknowledge
        self._under_way: dict[str, _Reading] = {}
        self._read: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def take(self, came: Came, order: Order) -> None:
        """Read something, or say again what was read.

        Args:
            came: the request.
            order: what it asks for.
        """
        digest = hashlib.sha256(order.digest.encode() + came.reply_to.encode()).hexdigest()
        under_way, known = self._under_way.get(order.id), self._read.get(order.id)
        earlier = under_way.digest if under_way is not None else known[0] if known is not None else digest
        if earlier != digest:
            error = BadData(f"the id {order.id} belongs to another request", hint="choose a new id for each request")
            self._refuse(came, order, error, Code.E_DUPLICATE)
        elif under_way is not None:
            self._wait(came, under_way, order)
        elif known is not None:
            self.repeated += 1
            self._answer(came, known[1])
        elif late := self._late(order, came.now):
            self._refuse(came, order, Unavailable(late), Code.E_EXPIRED)
        elif mismatch := self._mismatch(order):
            self._refuse(came, order, BadData(mismatch), Code.E_PRECONDITION)
        elif len(self._under_way) >= READINGS:
            self._refuse(came, order, Unavailable("too much is asked at once", hint="ask again later"), Code.E_BUSY)
        else:
            reading = self._under_way[order.id] = _Reading(digest)
            reading.askers.add(came.who, came)
            self._begin(order, came.now)

    def _wait(self, came: Came, reading: _Reading, order: Order) -> None:
        gone = reading.askers.add(came.who, came)
        if gone is came:
            self._refuse(came, order, Unavailable("too many ask for this at once", hint="ask again later"), Code.E_BUSY)
            return
        self.repeated += 1
        if gone is not None:
            self._acknowledge(gone.inbound)

    def _late(self, order: Order, now: float) -> str:
        moment = Moment(self._clock.utc(), self._around.is_synchronised(), now - order.arrived_s)
        return too_late(order.issued_utc, order.ttl_s, moment)

    def _mismatch(self, order: Order) -> str:
        for name, wanted in order.expect.items():
            present = self._around.fingerprint(Resource(name))
            if present != wanted:
                return f"{name} is {present}, not {wanted}"
        return ""

    def _begin(self, order: Order, now: float) -> None:
        request = Request(order.command, order.arguments, then=lambda made: self._complete(order, made))
        try:
            self._handlers[order.command.name](request, now)
        except EdgeAgentError as error:
            request.failed(error)

    def _complete(self, order: Order, request: Request) -> None:
        """Have what was asked read in the background."""

        def read() -> Response:
            result, error = request.outcome()
            return self._clerk.response(order, error, result=result)

        def then(made: Response | EdgeAgentError) -> None:
            self._end(order, self._clerk.response(order, made) if isinstance(made, EdgeAgentError) else made)

        if not self._around.submit(Chore(read, then)):
            self._end(order, self._clerk.response(order, Unavailable("the station has too much to do")))

    def _end(self, order: Order, response: Response) -> None:
        reading = self._under_way.pop(order.id)
        payload = msgspec.json.encode(response)
        self._read[order.id] = (reading.digest, payload)
        if len(self._read) > KEPT_READINGS:
            self._read.popitem(last=False)
        for came in reading.askers.all():
            self._answer(came, payload)

    def _refuse(self, came: Came, order: Order, error: EdgeAgentError, code: Code) -> None:
        self._answer(came, msgspec.json.encode(self._clerk.response(order, error, code)))
