"""A station without a line: a journal and its desk on a real store, stepped by hand, that can be cut anywhere."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledger_parts import part

from edge_agent.api import Handler, Request
from edge_agent.commands import Resource
from edge_agent.commands.arguments import Identity, KeyRole, LabelArguments
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.journal import Desk, Journal
from edge_agent.ledger import Committed, JournalReader, Receipt, Rejected, StoredCommand, Word, WordKind
from edge_agent.ledger.batch import Batch, Duplicate
from edge_agent.ledger.items import Item
from edge_agent.ledger.store import Store
from edge_agent.records import Event
from edge_agent.runtime.background import Chore
from edge_agent.runtime.clock import Clock
from edge_agent.testing.clock import ManualClock
from edge_agent.trust.file import key_of, write_keys
from edge_agent.trust.keys import Trust
from edge_agent.trust.signing import public_bytes, sealed
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.topics import Topics

TOPICS = Topics("insp/v1", "press-3")
CONSOLE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OPERATOR = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ACKNOWLEDGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
ID = "0192f0c1-0000-7000-8000-000000000001"


MARKS = itertools.count(1)
"""What the door acknowledges a message by."""


class Cut(BaseException):
    """The station ends here."""


class World:
    """What outlives the station: its disk, and the broker with who asks."""

    def __init__(self, folder: Path, clock: ManualClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or ManualClock(1000.0)
        self.state: dict[Resource, int] = dict.fromkeys(Resource, 0)
        self.unacknowledged: list[Inbound] = []
        self.said: list[Outgoing] = []
        self.synchronised = True
        self.begun_utc = 0.0
        keys: list[tuple[str, KeyRole, Ed25519PrivateKey]] = [
            ("console", "administer", CONSOLE),
            ("tablet", "operate", OPERATOR),
            ("store", "acknowledge", ACKNOWLEDGER),
        ]
        made = [key_of(name, role, base64.b64encode(public_bytes(key)).decode()) for name, role, key in keys]
        write_keys(folder / "trusted.toml", made)
        store = Store(folder / "ledger.db")
        store.open()
        store.write(Batch([part(1)]))
        store.close()

    def send(self, inbound: Inbound) -> None:
        self.unacknowledged.append(inbound)

    def answers(self, asked_id: str = ID) -> list[dict[str, Any]]:
        """The last words on a request, each distinct one once."""
        distinct = {message.payload for message in self.said}
        told = [json.loads(payload) for payload in distinct]
        return [answer for answer in told if answer["id"] == asked_id and answer["phase"] == "done"]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.db")) as database:
            return database.execute(sql).fetchall()

    def codes(self) -> list[str]:
        return [json.loads(body)["code"] for (body,) in self.rows("SELECT body FROM audit WHERE kind = 'command'")]


class Life:
    """One run of the station. Every crossing of a boundary is a point where it may be cut."""

    def __init__(self, world: World, cut_at: int | None = None, **wrong: bool) -> None:
        self.world, self.clock, self.wrong = world, world.clock, wrong
        self.left = cut_at
        self.crossed = 0
        self.pending: deque[Callable[[], None]] = deque()
        self.safe = True
        self.ready = True
        self.held: list[Request] = []
        self.failing = False
        self.full = False
        self.left_by_the_life_before: dict[Resource, str] = {}
        self.refusing = False
        self.open()
        self.handlers: dict[str, Handler] = {
            "status": lambda request, now: request.done({"up": True}),
            "events": lambda request, now: self.held.append(request),
            "use": self.use,
            "label": self.label,
            "identify": self.identify,
            "gate": self.gate,
            "forget": lambda request, now: self.held.append(request),
            "teach": lambda request, now: self.held.append(request),
            "cancel": lambda request, now: request.done({"cancelled": "lesson"}),
            "undo": lambda request, now: request.failed(BadData("nothing to undo")),
            "restart": lambda request, now: None,
            "promote": self.broken,
        }
        self.poked: list[str] = []
        self.journal = Journal("press-3", self.handlers, self, self.clock, self.poked.append)
        self.trust = Trust(world.folder / "trusted.toml")
        self.desk = Desk(
            "press-3", TOPICS, self.journal, self.handlers, self.trust, self, self.say, self.acknowledge, self.clock
        )
        with JournalReader(world.folder) as reader:
            self.desk.load(reader.unsettled(), reader.newest_issued())

    def open(self) -> None:
        self.store = Store(self.world.folder / "ledger.db")
        self.store.open()

    def cross(self) -> None:
        self.crossed += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Cut

    # what the journal needs

    def fingerprint(self, resource: Resource) -> str:
        if resource in (Resource.NONE, Resource.LEDGER) or self.wrong.get("no_fingerprint"):
            return ""
        return f"{resource}-{self.world.state[resource]}"

    def found(self, resource: Resource) -> str:
        return self.left_by_the_life_before.get(resource) or self.fingerprint(resource)

    def is_ready(self) -> bool:
        return self.ready

    def is_safe(self) -> bool:
        return self.safe

    def is_synchronised(self) -> bool:
        return self.world.synchronised

    def begun_utc(self) -> float:
        return self.world.begun_utc

    def progress(self) -> object:
        return {"done": 1}

    def stored(self, command_id: str) -> StoredCommand | None:
        with JournalReader(self.world.folder) as reader:
            return reader.command(command_id)

    def submit(self, chore: Chore) -> bool:
        def do() -> None:
            try:
                result = chore.run()
            except EdgeAgentError as error:
                result = error
            chore.then(result)

        self.pending.append(do)
        return True

    def record(self, item: Item, then: Callable[[Receipt], None]) -> bool:
        if self.failing:
            return False
        self.pending.append(lambda: self.write(item, then))
        return True

    def write(self, item: Any, then: Callable[[Receipt], None]) -> None:
        self.cross()
        (row,) = self.store.write(Batch([item])).rows
        self.cross()
        if isinstance(row, int):
            then(Committed(item, row, self.clock.now()))
        else:
            then(Rejected(item, "duplicate" if isinstance(row, Duplicate) else "unrecordable", str(row)))

    def say(self, outgoing: Outgoing) -> bool:
        if self.full:
            return False
        self.cross()
        self.world.said.append(outgoing)
        self.cross()
        if not self.refusing:
            self.pending.append(lambda: self.desk.delivered(outgoing))
        return True

    def acknowledge(self, inbound: Inbound) -> None:
        self.cross()
        self.world.unacknowledged = [kept for kept in self.world.unacknowledged if kept.mark != inbound.mark]
        self.cross()

    # what commands do

    def change(self, resource: Resource) -> None:
        self.cross()
        self.world.state[resource] += 1
        self.cross()

    def use(self, request: Request, now: float) -> None:
        self.change(Resource.RECIPE)
        request.done({"recipe": "bolts"})

    def gate(self, request: Request, now: float) -> None:
        self.change(Resource.GATE)
        request.done({"moved": True})

    def label(self, request: Request, now: float) -> None:
        assert isinstance(request.arguments, LabelArguments)
        word = Word(request.arguments.part, WordKind.CORRECT, "pit", self.clock.utc(), request.arguments.who)
        if self.wrong.get("two_transactions"):
            self.record(word, lambda receipt: request.done({"part": 1}))
        else:
            request.record({"part": 1}, (word,))

    def identify(self, request: Request, now: float) -> None:
        event = Event(self.clock.utc(), "info", "api", "identified", "somebody asks")
        request.record(Identity("press-3", "1", "", 0), (event,))

    def broken(self, request: Request, now: float) -> None:
        raise KeyError("a bug")

    # the loop and the broker

    def deliver(self) -> None:
        """The broker gives again what was not acknowledged."""
        for inbound in list(self.world.unacknowledged):
            self.receive(inbound)

    def receive(self, inbound: Inbound) -> None:
        self.cross()
        if self.wrong.get("acknowledge_first"):
            self.acknowledge(inbound)
        self.desk.requests(inbound, self.clock.now())

    def turn(self) -> None:
        self.journal.step(self.clock.now())
        while self.pending:
            self.pending.popleft()()
            self.journal.step(self.clock.now())

    def run(self) -> None:
        """Live until nothing is left to do."""
        self.desk.connected()
        self.turn()
        self.deliver()
        self.turn()

    def end(self) -> None:
        self.store.close()


def live(world: World, cut_at: int | None = None, **wrong: bool) -> tuple[int, bool]:
    """Run one life; give how many points it crossed, and whether it was cut."""
    try:
        life = Life(world, cut_at, **wrong)
    except Cut:
        return 0, True
    try:
        life.run()
        return life.crossed, False
    except Cut:
        return life.crossed, True
    finally:
        life.end()


def request(
    cmd: str,
    args: Mapping[str, object] | None = None,
    *,
    key: Ed25519PrivateKey | None = CONSOLE,
    clock: Clock,
    asked_id: str = ID,
    reply_to: str = "insp/v1/press-3/rsp/ada",
    topic: str = "",
    retain: bool = False,
    arrived_s: float | None = None,
    **more: object,
) -> Inbound:
    """Make a request as the console sends it."""
    body = {
        "v": 1,
        "id": asked_id,
        "cmd": cmd,
        "args": args or {},
        "issued_at": clock.utc(),
        "ttl_ms": 30_000,
        "by": "ada@console",
        **more,
    }
    topic = topic or TOPICS.request(cmd)
    text = json.dumps(body)
    payload = text.encode() if key is None else sealed(text, topic, key)
    arrived = clock.now() if arrived_s is None else arrived_s
    return Inbound(topic, payload, 1, retain, False, arrived, reply_to, b"c-1", next(MARKS))
