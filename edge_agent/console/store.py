"""Everything that stations told, in one SQLite file, and how far each chain reaches without a hole.

A fact and the span that it closes are committed together: what `upto` says is on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edge_agent.console.heard import CLASSES, Fact, Gap, Kind
from edge_agent.console.ranges import Ranges, Span
from edge_agent.console.tables import MIGRATIONS
from edge_agent.errors import BadData
from edge_agent.ledger.database import open_writer

FILE_NAME: Final = "console.db"
"""The database's name in the folder of `--store`."""

RESERVED: Final = 1000
"""Counters of `ack` that are taken at once: one commit for as many messages."""


@dataclass(frozen=True)
class Chain:
    """What numbers belong to.

    Attributes:
        station: who counts.
        ledger: in which database.
        kind: one of the classes.
    """

    station: str
    ledger: str
    kind: str


@dataclass(frozen=True)
class Told:
    """Something that closes a piece of a chain.

    Attributes:
        station: on whose topic it came.
        what: the fact, or the gap.
        text: the message itself, of a fact.
    """

    station: str
    what: Fact | Gap
    text: str = ""

    @property
    def chain(self) -> Chain:
        """Which chain it belongs to."""
        return Chain(self.station, self.what.ledger, self.what.kind)

    @property
    def span(self) -> Span:
        """Which numbers are known with it."""
        if isinstance(self.what, Gap):
            return Span(self.what.first, self.what.last)
        return Span(self.what.prev + 1, self.what.seq)

    @property
    def acknowledged(self) -> int:
        """Up to which number of the chain nothing is told any more."""
        return self.what.acknowledged or 0 if isinstance(self.what, Fact) else 0


@dataclass(frozen=True)
class Kept:
    """What became of a batch.

    Attributes:
        fresh: what was not known before, in the order in which it came.
        repeated: messages that were known already.
        refused: messages that cannot be kept, with the reason.
        before: what is missing here and will not be told, because it was acknowledged to its station.
        contradicting: of `fresh`, facts under a number that was another one's; they are kept aside.
    """

    fresh: tuple[Told, ...]
    repeated: int
    refused: tuple[tuple[Told, str], ...]
    before: tuple[tuple[Chain, Span], ...] = ()
    contradicting: tuple[Told, ...] = ()


class Store:
    """The one writer of a console's store. One thread at a time.

    Args:
        folder: where it lies; made where it is missing, for its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._database = open_writer(folder / FILE_NAME, MIGRATIONS)
        self._known = {chain: Ranges(spans) for chain, spans in _spans(self._database.query(_SPANS)).items()}
        rows = self._database.query("SELECT station, ledger FROM stations WHERE ledger <> ''")
        self._ledgers = {row["station"]: row["ledger"] for row in rows}

    @property
    def ledgers(self) -> dict[str, str]:
        """The ledger that each station told from last."""
        return dict(self._ledgers)

    def keep(self, batch: Sequence[Told]) -> Kept:
        """Commit messages; when it returns they are on the disk.

        Args:
            batch: as they came.

        Returns:
            What became of them.

        Raises:
            Unavailable: the disk is in the way; nothing of the batch counts.
            StateDamaged: the file is damaged.
        """
        fresh: list[Told] = []
        refused: list[tuple[Told, str]] = []
        before: list[tuple[Chain, Span]] = []
        contradicting: list[Told] = []
        repeated = 0
        known = dict[Chain, Ranges]()
        ledgers = {told.station: told.what.ledger for told in batch}
        with self._database.transaction():
            for told in batch:
                chain = told.chain
                ranges = known.get(chain)
                if ranges is None:
                    ranges = known[chain] = Ranges(self._ranges(chain).spans)
                if self._contradicts(told, ranges):
                    if self._insert(told, "contradictions"):
                        contradicting.append(told)
                        fresh.append(told)
                    else:
                        repeated += 1
                    continue
                try:
                    ranges.add(told.span)
                except BadData as error:
                    refused.append((told, error.message))
                    continue
                new = self._insert(told)
                before += [(chain, span) for span in self._adopted(chain, ranges, told.acknowledged)]
                if new:
                    fresh.append(told)
                else:
                    repeated += 1
            for chain, ranges in known.items():
                self._rewrite(chain, ranges)
            for station, ledger in ledgers.items():
                self._name(station, ledger)
        self._known.update(known)
        self._ledgers.update(ledgers)
        return Kept(tuple(fresh), repeated, tuple(refused), tuple(before), tuple(contradicting))

    def adopt(self, chain: Chain, upto: int) -> tuple[Span, ...]:
        """Take over what was acknowledged to a station, by whomever, as gaps that nobody will fill.

        It may be of a ledger that is gone: where the station told from another one, that stays the last.

        Args:
            chain: of which chain.
            upto: how far it was acknowledged.

        Returns:
            What is not in this store, and will not be told again.
        """
        ranges = Ranges(self._ranges(chain).spans)
        with self._database.transaction():
            missing = self._adopted(chain, ranges, upto)
            self._rewrite(chain, ranges)
            if chain.station not in self._ledgers:
                self._name(chain.station, chain.ledger)
        self._known[chain] = ranges
        self._ledgers.setdefault(chain.station, chain.ledger)
        return missing

    def upto(self, station: str, ledger: str) -> dict[Kind, int]:
        """Say for each class of a ledger how far it is here without a hole."""
        return {kind: self._ranges(Chain(station, ledger, kind)).upto for kind in CLASSES}

    def holes(self) -> dict[Chain, tuple[Span, ...]]:
        """Give what is missing in each chain that has a hole."""
        found = {chain: ranges.holes() for chain, ranges in self._known.items()}
        return {chain: holes for chain, holes in found.items() if holes}

    def take_counters(self, station: str, above: int = 0) -> range:
        """Take numbers for `ack` that were never used before, also not before a kill.

        Args:
            station: for whose `ack`.
            above: they are to be greater than this.

        Returns:
            As many as are taken at once.
        """
        with self._database.transaction():
            taken = self._database.value("SELECT taken FROM stations WHERE station = ?", (station,)) or 0
            first = max(taken, above) + 1
            last = first + RESERVED - 1
            sql = "INSERT INTO stations VALUES (?1, '', ?2) ON CONFLICT (station) DO UPDATE SET taken = ?2"
            self._database.execute(sql, (station, last))
        return range(first, last + 1)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._database.close()

    def _ranges(self, chain: Chain) -> Ranges:
        return self._known.get(chain) or Ranges()

    def _adopted(self, chain: Chain, ranges: Ranges, upto: int) -> tuple[Span, ...]:
        """Write as gaps what is missing of the numbers up to one; give it."""
        if ranges.upto >= upto:
            return ()
        missing = ranges.missing(upto)
        for span in missing:
            values = (chain.station, chain.ledger, chain.kind, *span, None, "before")
            self._database.execute("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        ranges.add(Span(1, upto))
        return missing

    def _contradicts(self, told: Told, ranges: Ranges) -> bool:
        """Say whether another fact is kept under this one's number: the same one happened at the same time."""
        what = told.what
        if isinstance(what, Gap) or what.seq not in ranges:
            return False
        sql = "SELECT utc FROM facts WHERE station = ? AND ledger = ? AND class = ? AND seq = ?"
        utc = self._database.value(sql, (told.station, what.ledger, what.kind, what.seq))
        return utc is not None and utc != what.utc

    def _insert(self, told: Told, table: Literal["facts", "contradictions"] = "facts") -> bool:
        what = told.what
        of = (told.station, what.ledger, what.kind)
        if isinstance(what, Gap):
            gap = (*of, what.first, what.last, what.count, what.why)
            return self._database.execute("INSERT OR IGNORE INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?)", gap).rows > 0
        fact = (*of, what.seq, what.utc, told.text)
        return self._database.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?, ?, ?)", fact).rows > 0

    def _name(self, station: str, ledger: str) -> None:
        """Write which ledger a station tells from, where that has changed."""
        if self._ledgers.get(station) != ledger:
            sql = "INSERT INTO stations VALUES (?1, ?2, 0) ON CONFLICT (station) DO UPDATE SET ledger = ?2"
            self._database.execute(sql, (station, ledger))

    def _rewrite(self, chain: Chain, ranges: Ranges) -> None:
        """Write the spans of a chain that are no longer those on the disk."""
        of = (chain.station, chain.ledger, chain.kind)
        before, after = set(self._ranges(chain).spans), set(ranges.spans)
        for span in before - after:
            sql = "DELETE FROM spans WHERE station = ? AND ledger = ? AND class = ? AND first = ?"
            self._database.execute(sql, (*of, span.first))
        for span in after - before:
            self._database.execute("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?)", (*of, *span))


_SPANS: Final = "SELECT station, ledger, class, first, last FROM spans ORDER BY station, ledger, class, first"


def _spans(rows: Iterator[dict[str, Any]]) -> dict[Chain, list[Span]]:
    found: dict[Chain, list[Span]] = {}
    for row in rows:
        chain = Chain(row["station"], row["ledger"], row["class"])
        found.setdefault(chain, []).append(Span(row["first"], row["last"]))
    return found
