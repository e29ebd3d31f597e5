"""The verb that asks a station to do something: `send`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent import strictjson
from edge_agent.config.uplink import UplinkConfig
from edge_agent.console import lines
from edge_agent.console.asking import Asking, Outcome
from edge_agent.console.heard import Response
from edge_agent.console.keyfile import load_key
from edge_agent.console.request import Request, needs_signature, pairs_of, request_of, uuid7
from edge_agent.console.visit import console_door, visit
from edge_agent.console.watch import client_id
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.terminal.printing import say, say_json
from edge_agent.trust import signing
from edge_agent.uplink.message import Door, Happening, Inbound, Outgoing
from edge_agent.uplink.topics import Topics


@dataclass(frozen=True)
class Order:
    """What was typed.

    Attributes:
        station: who is asked.
        command: for what.
        given: `key=value` words.
        expect: `resource=fingerprint` words.
        request_id: of an earlier try; "" for a new request.
        by: who asks.
        sign: file of the key that signs; None: nothing does.
        ttl_s: how long the request may be begun [s].
        wait_s: how long the answer is waited for [s].
    """

    station: str
    command: str
    given: Sequence[str]
    expect: Sequence[str]
    request_id: str
    by: str
    sign: Path | None
    ttl_s: float
    wait_s: float


@dataclass(frozen=True)
class Answer:
    """How a request ended.

    Attributes:
        id: of the request.
        outcome: `ok`, `error`, `silent` or `unfinished`.
        response: the last that was heard; None where nothing was.
    """

    id: str
    outcome: Outcome
    response: Response | None


class Errand:
    """Says a request until it is answered, and follows the answer.

    Args:
        topics: of the station.
        request: what is asked.
        requester: under whose name the answer is waited for.
        key: signs it; None: nothing does.
        asking: follows it.
        told: takes each response that says something new.
    """

    def __init__(
        self,
        topics: Topics,
        request: Request,
        requester: str,
        key: signing.SigningKey | None,
        asking: Asking,
        told: Callable[[Response], None],
    ) -> None:
        self._topics, self._request, self._reply_to = topics, request, topics.response(requester)
        self._key, self._asking, self._told = key, asking, told
        self.malformed = 0
        self.refusal: EdgeAgentError | None = None

    def connected(self, door: Door, now: float) -> None:
        """Have the request said on the new connection."""
        self._asking.reconnected()

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        """Take responses, and the broker's word on the request."""
        for happening in happenings:
            if not isinstance(happening, Inbound):
                self._delivered(happening.reason)
                continue
            try:
                response = strictjson.decode(happening.payload, Response)
            except BadData:
                self.malformed += 1
            else:
                if self._asking.hear(response):
                    self._told(response)
            door.acknowledge(happening)

    def step(self, door: Door, now: float) -> float | None:
        """Say the request where it is due."""
        if self.over(now):
            return None
        if self._asking.is_to_be_said(now):
            door.publish(self._message())
        return self._asking.next_s()

    def over(self, now: float) -> bool:
        """It is answered, or has been waited for long enough, or may not be asked."""
        return self.refusal is not None or self._asking.outcome(now) not in (Outcome.WAITING, Outcome.ACCEPTED)

    def _delivered(self, reason: int) -> None:
        if reason >= 0x80:
            topic = self._topics.request(self._request.cmd)
            self.refusal = Unavailable(
                f"the broker does not let this console ask on {topic} (0x{reason:02x})",
                hint="its access rules: packaging/mosquitto/edge-agent.acl has an example",
            )

    def _message(self) -> Outgoing:
        topic = self._topics.request(self._request.cmd)
        text = self._request.text
        payload = text.encode() if self._key is None else signing.sealed(text, topic, self._key)
        return Outgoing(
            topic,
            payload,
            correlation=self._request.id.encode(),
            expiry_s=max(1, self._request.ttl_ms // 1000),
            reply_to=self._reply_to,
        )


def send_command(config: UplinkConfig, order: Order, *, as_json: bool) -> int:
    """Ask a station, and wait until it is done.

    Args:
        config: the way to the broker.
        order: what was typed.
        as_json: print JSON.

    Returns:
        0 when it is done, else 1.

    Raises:
        BadData: it would be refused as wrong.
        Unavailable: the broker is not there.
    """
    clock = SystemClock()
    key = None if order.sign is None else load_key(order.sign)
    request = request_of(
        order.command,
        pairs_of(order.given, "argument"),
        request_id=order.request_id or uuid7(clock.utc(), os.urandom(10)),
        by=order.by,
        utc=clock.utc(),
        ttl_s=order.ttl_s,
        expect=pairs_of(order.expect, "expectation"),
    )
    if key is None and needs_signature(order.command):
        raise BadData(f"{order.command} needs a signature: it may change something", hint="--sign KEYFILE")
    answer = _asked(config, order, request, key, clock, as_json)
    if as_json:
        say_json(answer)
    else:
        _print(answer, order)
    return 0 if answer.outcome is Outcome.OK else 1


def _asked(
    config: UplinkConfig, order: Order, request: Request, key: signing.SigningKey | None, clock: Clock, as_json: bool
) -> Answer:
    topics = Topics(config.root, order.station)
    requester = client_id(clock)
    asking = Asking(request.id, order.station, clock.now(), order.wait_s)
    shows = sys.stderr.isatty() and not as_json

    def told(response: Response) -> None:
        if shows and response.phase != "done":
            sys.stderr.write(f"{order.station}: {lines.response_line(response)}\n")

    errand = Errand(topics, request, requester, key, asking, told)
    last: list[EdgeAgentError] = []
    door = console_door(config, clock, requester, (topics.response(requester),))
    visit(door, errand, clock, last.append, patient=False)
    if errand.refusal is not None:
        raise errand.refusal
    outcome = asking.outcome(clock.now())
    if outcome is Outcome.SILENT and last:
        raise Unavailable(f"{last[-1].message}; the request has the id {request.id}", hint=last[-1].hint)
    return Answer(request.id, outcome, asking.response)


def _print(answer: Answer, order: Order) -> None:
    again = f"ask again with --id {answer.id}: it is done once, whatever happened to this request"
    match answer.outcome:
        case Outcome.SILENT:
            text = f"{order.station} did not answer within {order.wait_s:g} s"
            sys.stderr.write(f"edge-console: {text}\n  {again}\n")
        case Outcome.UNFINISHED:
            text = f"{order.station} has accepted it and is not done after {order.wait_s:g} s"
            sys.stderr.write(f"edge-console: {text}\n  {again}\n")
        case Outcome.ERROR if answer.response is not None:
            sys.stderr.write(f"edge-console: {order.station}: {lines.response_line(answer.response)}\n")
        case _ if answer.response is not None:
            say(f"{order.station}: {lines.response_line(answer.response)}")
            if answer.response.result not in (None, {}):
                say(msgspec.json.format(msgspec.json.encode(answer.response.result)).decode())
