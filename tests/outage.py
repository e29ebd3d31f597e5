"""What an outage leaves behind: a ledger full of parts that nobody has heard of, and the way to tell them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from console_book import ConsoleBook
from ledger_parts import part

from edge_agent.agent.outward import uplink_of
from edge_agent.config import Config
from edge_agent.config.uplink import UplinkConfig
from edge_agent.ledger import LedgerWriter
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.runtime.clock import SystemClock
from edge_agent.uplink.account import UplinkStatus
from edge_agent.uplink.courier import Hearers
from edge_agent.uplink.uplink import Uplink

CLOCK = SystemClock()


def fill(state_dir: Path, parts: int, interval_s: float = 1.0, series: str = "outage") -> None:
    """Record parts at a steady pace up to now, quickly."""
    store = Store(state_dir / FILE_NAME)
    store.open()
    template = part(1, series)
    began_utc = CLOCK.utc() - parts * interval_s - 10.0
    try:
        for first in range(1, parts + 1, 2000):
            numbers = range(first, min(first + 2000, parts + 1))
            store.write(
                Batch(
                    [
                        replace(
                            template,
                            trigger=replace(template.trigger, number=number),
                            decided_utc=began_utc + number * interval_s,
                        )
                        for number in numbers
                    ]
                )
            )
            if first % 20_000 == 1:
                store.checkpoint()
    finally:
        store.close()


def settings(state_dir: Path, port: int, per_s: int, **words: object) -> Config:
    uplink = UplinkConfig(broker=f"mqtt://127.0.0.1:{port}", backlog_per_s=per_s, **words)  # type: ignore[arg-type]
    return msgspec.structs.replace(Config.defaults(state_dir), uplink=uplink).resolved(state_dir)


@dataclass
class Told:
    """A ledger's writer and the way to the console, without a station around them."""

    uplink: Uplink
    writer: LedgerWriter
    errors: list[tuple[str, Exception]]

    def status(self) -> UplinkStatus:
        return self.uplink.status()

    def until(self, what: Callable[[], bool], seconds: float = 60.0) -> None:
        until = CLOCK.now() + seconds
        while not what():
            assert not self.errors, self.errors
            assert CLOCK.now() < until, f"it never came to that: {self.status()}"
            CLOCK.wait(threading.Event(), CLOCK.now() + 0.02)


@contextmanager
def telling(config: Config, book: ConsoleBook, max_bytes: int | None = None) -> Iterator[Told]:
    errors: list[tuple[str, Exception]] = []

    def failed(name: str, error: Exception) -> None:
        errors.append((name, error))

    state_dir = Path(config.station.state_dir)
    writer = LedgerWriter(
        state_dir, CLOCK, deliver=lambda receipt: None, on_error=failed, queue=4096, max_bytes=max_bytes
    )
    writer.open()
    uplink = uplink_of(config, CLOCK, writer, lambda: book.trusted, Hearers(lambda: None, failed))
    uplink.open()
    try:
        yield Told(uplink, writer, errors)
    finally:
        uplink.close()
        assert uplink.join(CLOCK.now() + 10.0)
        writer.close()
        assert writer.join(CLOCK.now() + 10.0)


def ids(state_dir: Path) -> set[str]:
    """Give the id of every part in the ledger."""
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as conn:
        ledger = conn.execute("SELECT id FROM ledger").fetchone()[0]
        return {f"{ledger}.part.{row[0]}" for row in conn.execute("SELECT id FROM parts")}
