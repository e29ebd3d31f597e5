"""A ledger, a broker and a console as small models, around the real drain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.ledger.facts import KINDS, Fact
from edge_agent.ledger.items import SetAside
from edge_agent.uplink.drain import PAGE, Drain, Telling

LEDGER = "5d0c2a7e91b34f60"


class ModelLedger:
    """Facts in lists; a gap takes the place of what is gone."""

    def __init__(self) -> None:
        self.facts: dict[str, list[Fact]] = {kind: [] for kind in KINDS}

    def record(self, kind: str, step: int = 1) -> Fact:
        prev = self.newest()[kind]
        fact = Fact(kind, prev + step, prev, 1_700_000_000.0)
        self.facts[kind].append(fact)
        return fact

    def newest(self) -> dict[str, int]:
        return {kind: facts[-1].seq if facts else 0 for kind, facts in self.facts.items()}

    def after(self, kind: str, seq: int, upto: int | None) -> list[Fact]:
        found = [fact for fact in self.facts[kind] if fact.seq > seq and (upto is None or fact.seq <= upto)]
        return found[:PAGE]

    def put_aside(self, aside: SetAside) -> None:
        facts = self.facts[aside.kind]
        at = next(index for index, fact in enumerate(facts) if fact.seq == aside.last)
        facts[at] = Fact(aside.kind, aside.last, aside.first - 1, aside.utc, why=aside.why)


class ModelConsole:
    """Stores by number; says how far that reaches without a hole."""

    def __init__(self) -> None:
        self.links: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}  # of each class: prev -> seq
        self.arrived: list[Fact] = []
        self.stored: set[tuple[str, int]] = set()

    def take(self, fact: Fact) -> None:
        self.arrived.append(fact)
        self.stored.add((fact.kind, fact.seq))
        self.links[fact.kind][fact.prev] = fact.seq

    def upto(self) -> dict[str, int]:
        reached = {}
        for kind, links in self.links.items():
            number = 0
            while number in links:
                number = links[number]
            reached[kind] = number
        return reached


@dataclass
class World:
    """The drain with everything around it; `now` moves when told to."""

    drain: Drain
    ledger: ModelLedger = field(default_factory=ModelLedger)
    console: ModelConsole = field(default_factory=ModelConsole)
    queue: deque[Fact] = field(default_factory=deque)
    queued_at_most: int = 20
    reason: Callable[[Fact], int] = lambda fact: 0
    has_console: bool = True
    in_flight: int = 20
    now: float = 0.0
    token: int = 0
    connected: bool = False
    unheard: deque[tuple[int, int]] = field(default_factory=deque)
    dropped: int = 0
    published: list[Telling] = field(default_factory=list)
    most_in_flight: int = 0
    most_beyond: int = 0
    agains: int = 0

    def connect(self) -> None:
        self.drain.connect(self.in_flight)
        self.drain.begin(LEDGER, self.remembered(), self.ledger.newest())
        self.unheard.clear()
        self.connected = True

    def remembered(self) -> dict[str, int]:
        return self.drain.upto() or dict.fromkeys(KINDS, 0)

    def disconnect(self) -> None:
        self.drain.disconnect()
        self.unheard.clear()
        self.connected = False

    def turn(self) -> None:
        """Publish all that may be published; the broker's words are heard in the next."""
        if not self.connected:
            self.connect()
        while self.unheard:
            token, reason = self.unheard.popleft()
            aside = self.drain.delivered(token, reason, self.now, 1_700_000_000.0)
            if aside is not None:
                self.ledger.put_aside(aside)
        self.drain.poke()
        while True:
            while (telling := self.drain.next(self.now)) is not None:
                self.publish(telling)
            look = self.drain.look(self.now)
            if look is None:
                break
            self.drain.found(look, self.ledger.after(look.kind, look.after, look.upto))

    def publish(self, telling: Telling) -> None:
        self.token += 1
        self.drain.sent(telling, self.token)
        self.published.append(telling)
        self.most_in_flight = max(self.most_in_flight, self.drain.in_flight)
        self.most_beyond = max([self.most_beyond, *(len(lane.beyond) for lane in self.drain.lanes)])
        reason = self.reason(telling.fact)
        if not reason and not self.has_console:
            reason = 0x10
        if not reason:
            if len(self.queue) < self.queued_at_most:
                self.queue.append(telling.fact)
            else:
                self.dropped += 1
        self.unheard.append((self.token, reason))

    def store(self) -> None:
        """The console takes what the broker has for it."""
        while self.queue:
            self.console.take(self.queue.popleft())

    def acknowledge(self, again: bool = False) -> None:
        if not self.connected:
            return
        self.agains += again
        self.drain.heard(self.console.upto(), f"again-{self.agains}" if self.agains else "", self.now)

    def settle(self, rounds: int = 400, step_s: float = 5.0) -> None:
        """Everything works from now on."""
        self.has_console, self.reason = True, lambda fact: 0
        for _ in range(rounds):
            self.turn()
            self.store()
            self.acknowledge()
            self.now += step_s
            if self.console.upto() == self.ledger.newest() and not self.drain.in_flight:
                return

    def everything(self) -> set[tuple[str, int]]:
        return {(kind, fact.seq) for kind, facts in self.ledger.facts.items() for fact in facts}
