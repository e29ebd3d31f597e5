"""Stand-ins around the console: a store in memory, a door that remembers, and messages as a station writes them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from edge_agent.console.heard import CLASSES, Fact, Kind
from edge_agent.console.ranges import Ranges, Span
from edge_agent.console.store import Chain, Kept, Told
from edge_agent.errors import BadData
from edge_agent.uplink.message import Inbound

LEDGER = "5d0c2a7e91b34f60"
marks = itertools.count(1)


class MemoryStore:
    """Keeps facts as `Store` does, and forgets them with the process."""

    def __init__(self) -> None:
        self.rows: dict[tuple[object, ...], str] = {}
        self._known: dict[Chain, Ranges] = {}
        self._times: dict[tuple[Chain, int], float] = {}
        self._taken: dict[str, int] = {}
        self.ledgers: dict[str, str] = {}

    def keep(self, batch: Sequence[Told]) -> Kept:
        fresh, refused, before, contradicting, repeated = [], [], [], [], 0
        for told in batch:
            what, ranges = told.what, self._known.setdefault(told.chain, Ranges())
            key: tuple[object, ...] = (
                (told.chain, what.seq) if isinstance(what, Fact) else (told.chain, what.first, what.last)
            )
            if isinstance(what, Fact) and self._times.setdefault((told.chain, what.seq), what.utc) != what.utc:
                key = (*key, what.utc)
                contradicting += [told] if key not in self.rows else []
            else:
                try:
                    ranges.add(told.span)
                except BadData as error:
                    refused.append((told, error.message))
                    continue
                before += [(told.chain, span) for span in self.adopt(told.chain, told.acknowledged)]
            repeated += key in self.rows
            fresh += [told] if key not in self.rows else []
            self.rows.setdefault(key, told.text)
            self.ledgers[told.station] = what.ledger
        return Kept(tuple(fresh), repeated, tuple(refused), tuple(before), tuple(contradicting))

    def adopt(self, chain: Chain, upto: int) -> tuple[Span, ...]:
        ranges = self._known.setdefault(chain, Ranges())
        missing = ranges.missing(upto)
        if upto > ranges.upto:
            ranges.add(Span(1, upto))
        self.ledgers.setdefault(chain.station, chain.ledger)
        return missing

    def upto(self, station: str, ledger: str) -> dict[Kind, int]:
        return {kind: self._known.get(Chain(station, ledger, kind), Ranges()).upto for kind in CLASSES}

    def holes(self) -> dict[Chain, tuple[Span, ...]]:
        return {chain: ranges.holes() for chain, ranges in self._known.items() if ranges.holes()}

    def take_counters(self, station: str, above: int = 0) -> range:
        first = max(self._taken.get(station, 0), above) + 1
        self._taken[station] = first + 9
        return range(first, first + 10)

    def close(self) -> None:
        """Nothing is open."""


class DeafBroker:
    """Remembers what it was told is safe."""

    def __init__(self) -> None:
        self.acknowledged: list[Inbound] = []

    def acknowledge(self, inbound: Inbound) -> None:
        self.acknowledged.append(inbound)


def fact(seq: int, prev: int | None = None, kind: str = "part", **more: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "id": f"{more.get('ledger', LEDGER)}.{kind}.{seq}",
        "ledger": LEDGER,
        "class": kind,
        "seq": seq,
        "prev": seq - 1 if prev is None else prev,
        "station": "press-3",
        "utc": 1764500000.125,
        kind: {"id": seq, "outcome": "OK"},
        **more,
    }


def gap(first: int, last: int, kind: str = "part", **more: Any) -> dict[str, Any]:
    count = last - first + 1
    said = {"from": first, "to": last, "count": count, "why": "quota", "utc": 1764500000.0, "class": kind}
    return {"v": 1, "ledger": LEDGER, **said, **more}


def inbound(topic: str, value: object, *, retain: bool = False, root: str = "insp/v1") -> Inbound:
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Inbound(f"{root}/{topic}", payload, 1, retain, False, 0.0, mark=next(marks))
