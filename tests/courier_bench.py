"""A courier between a real ledger and a broker in memory, with its own thread."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from console_book import ConsoleBook
from ledger_parts import part

from edge_agent.ledger import LedgerWriter
from edge_agent.ledger.facts import FactReader
from edge_agent.runtime.clock import SystemClock
from edge_agent.testing.door import FakeBroker, FakeDoor
from edge_agent.uplink.courier import Courier, Hearers
from edge_agent.uplink.drain import Drain
from edge_agent.uplink.message import Outgoing
from edge_agent.uplink.teller import Teller
from edge_agent.uplink.topics import Topics

CLOCK = SystemClock()
TOPICS = Topics("insp/v1", "press-3")


@dataclass
class Bench:
    """What a test holds in its hands."""

    courier: Courier
    broker: FakeBroker
    door: FakeDoor
    writer: LedgerWriter
    book: ConsoleBook
    errors: list[tuple[str, Exception]]
    said: object = None

    def parts(self, first: int, last: int) -> None:
        """Record some parts, long ago."""
        before = self.writer.status().committed
        for number in range(first, last + 1):
            while not self.writer.offer(part(number)):
                CLOCK.wait(threading.Event(), CLOCK.now() + 0.01)
        self.until(lambda: self.writer.status().committed == before + last - first + 1, console=False)
        self.courier.poke()

    def console(self) -> None:
        """The console stores what is there, and says so where that is news."""
        for message in self.broker.drain():
            self.book.take(message.topic, message.payload)
        news = self.book.ledger, self.book.reached(), self.book.again
        if self.book.ledger and news != self.said:
            self.said = news
            self.broker.send(self.book.topic, self.book.ack(), retain=True)

    def until(self, what: Callable[[], bool], seconds: float = 30.0, console: bool = True) -> None:
        until = CLOCK.now() + seconds
        while not what():
            assert CLOCK.now() < until, f"it never came to that: {self.courier.status()}, {self.errors}"
            if console:
                self.console()
            CLOCK.wait(threading.Event(), CLOCK.now() + 0.01)


@contextmanager
def bench(
    state_dir: Path, *, per_s: float = 1e6, by_broker: bool = False, broker: FakeBroker | None = None
) -> Iterator[Bench]:
    errors: list[tuple[str, Exception]] = []

    def failed(name: str, error: Exception) -> None:
        errors.append((name, error))

    writer = LedgerWriter(state_dir, CLOCK, deliver=lambda receipt: None, on_error=failed, queue=4096)
    writer.open()
    broker = broker or FakeBroker()
    book = ConsoleBook("press-3")
    door = FakeDoor(broker, CLOCK, TOPICS.base + "/")
    courier = Courier(
        door,
        Teller(Drain(per_s, by_broker=by_broker), TOPICS, lambda: book.trusted, writer.offer),
        lambda: FactReader(state_dir),
        CLOCK,
        "mqtt://127.0.0.1",
        Hearers(lambda: None, failed),
        Outgoing(TOPICS.state("online"), b'{"online":false}', retain=True),
        random.Random(1),
    )
    made = Bench(courier, broker, door, writer, book, errors)
    courier.open()
    try:
        yield made
    finally:
        courier.close()
        assert courier.join(CLOCK.now() + 5.0)
        writer.close()
        assert writer.join(CLOCK.now() + 5.0)
    assert errors == []
