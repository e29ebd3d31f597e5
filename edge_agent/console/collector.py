"""What becomes of each message that a console hears: kept and only then acknowledged, or counted with the reason.

It connects to nothing: a door and a store are handed in. Nothing that a station says is fatal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from edge_agent import strictjson
from edge_agent.console.acks import Acks
from edge_agent.console.heard import CLASSES, Kind, State, fact_of, gap_of, state_of, station_of
from edge_agent.console.ranges import Span
from edge_agent.console.store import Chain, Kept, Told
from edge_agent.errors import BadData
from edge_agent.trust import signing
from edge_agent.uplink.ack import Ack
from edge_agent.uplink.message import Happening, Inbound
from edge_agent.uplink.topics import Topics

COMPLAINTS: Final = 20
"""Complaints of one turn that are told one by one; the rest is only counted."""


class Keeper(Protocol):
    """Where facts are kept; `store.Store` is one."""

    @property
    def ledgers(self) -> dict[str, str]:
        """The ledger that each station told from last."""

    def keep(self, batch: Sequence[Told]) -> Kept:
        """Commit messages; when it returns they are safe."""

    def adopt(self, chain: Chain, upto: int) -> tuple[Span, ...]:
        """Take over what was acknowledged to a station; give what is not here."""

    def upto(self, station: str, ledger: str) -> dict[Kind, int]:
        """Say for each class of a ledger how far it is here without a hole."""

    def take_counters(self, station: str, above: int = 0) -> range:
        """Take numbers for `ack` that were never used before."""


class Acker(Protocol):
    """What can tell the broker that a message is safe; a door is one."""

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is safe here."""


@dataclass
class Counts:
    """What was heard since the start.

    Attributes:
        kept: messages that were new.
        repeated: messages that were known already.
        malformed: messages that say nothing that a console understands.
        refused: messages that cannot be kept.
    """

    kept: int = 0
    repeated: int = 0
    malformed: int = 0
    refused: int = 0


@dataclass
class News:
    """What one turn brought.

    Attributes:
        told: facts and gaps that were new, in order.
        states: states by station, in order.
        complaints: what is wrong, a sentence each.
    """

    told: list[Told] = field(default_factory=list)
    states: list[tuple[str, State]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Collector:
    """Takes what a door hears.

    Args:
        root: what all topics begin with.
        store: where facts are kept; None: nothing is kept.
        acks: what is acknowledged to stations; None: nothing is.
        keys: public keys, 32 bytes each by id, whose acknowledgements of before this store are believed.
    """

    def __init__(
        self, root: str, store: Keeper | None = None, acks: Acks | None = None, keys: dict[str, bytes] | None = None
    ) -> None:
        self._root, self._store, self._acks, self._keys = root, store, acks, keys or {}
        self.counts = Counts()

    def collect(self, happenings: Sequence[Happening], door: Acker) -> News:
        """Take what happened; what is kept is committed before the broker hears that it arrived.

        Args:
            happenings: in order.
            door: where they came from.

        Returns:
            What was new.

        Raises:
            Unavailable: the store's disk is in the way; the broker was told nothing and will say it all again.
        """
        news = News()
        batch: list[Told] = []
        heard = [happening for happening in happenings if isinstance(happening, Inbound)]
        for inbound in heard:
            try:
                told = self._understood(inbound, news)
            except BadData as error:
                self.counts.malformed += 1
                self._complain(news, f"{inbound.topic}: {error.message}")
                continue
            if told is not None:
                batch.append(told)
        self._keep(batch, news)
        for inbound in heard:
            door.acknowledge(inbound)
        return news

    def _understood(self, inbound: Inbound, news: News) -> Told | None:
        place = station_of(inbound.topic, self._root)
        if place is None:
            raise BadData("is no topic of a station")
        station, rest = place
        what, _, name = rest.partition("/")
        if what == "evt" and name == "gap":
            return Told(station, gap_of(inbound.payload))
        if what == "evt" and name in CLASSES:
            return Told(station, fact_of(inbound.payload, station, name), inbound.payload.decode())
        if what == "state" and name:
            if inbound.payload:
                news.states.append((station, state_of(inbound.payload, name)))
        elif rest == "ack":
            self._acknowledged(inbound, station, news)
        else:
            raise BadData("is no topic that a station tells something on")
        return None

    def _acknowledged(self, inbound: Inbound, station: str, news: News) -> None:
        if self._acks is None or not inbound.payload:
            return
        envelope = strictjson.decode(inbound.payload, signing.Envelope)
        own = envelope.key in self._keys
        if own:
            signing.opened(envelope, Topics(self._root, station).ack, self._keys)
        ack = strictjson.decode(envelope.signed.encode(), Ack)
        if not inbound.retain:
            if self._acks.crossed(station, ack, inbound.arrived_s, own=own):
                text = "another console acknowledges it, with the key {}; one has to be ended"
                self._complain(news, f"{station}: {text.format(envelope.key[:40])}")
            return
        self._acks.heard(station, ack.counter, own=own)
        if not own or self._store is None:
            return
        for kind, upto in ack.upto.items():
            chain = Chain(station, ack.ledger, kind)
            self._gone(news, [(chain, span) for span in self._store.adopt(chain, upto)])
        if self._store.ledgers.get(station, ack.ledger) == ack.ledger:
            self._stored(station, ack.ledger)

    def _keep(self, batch: Sequence[Told], news: News) -> None:
        if self._store is None:
            self.counts.kept += len(batch)
            news.told += batch
            return
        if not batch:
            return
        kept = self._store.keep(batch)
        self.counts.kept += len(kept.fresh)
        self.counts.repeated += kept.repeated
        self.counts.refused += len(kept.refused)
        news.told += kept.fresh
        for told, reason in kept.refused:
            self._complain(news, f"{told.station}: {told.what.kind} is not kept: {reason}")
        self._gone(news, kept.before)
        for chain, number in Counter(told.chain for told in kept.contradicting).items():
            text = f"{number} of class {chain.kind} came under numbers of others, and were kept aside"
            self._complain(news, f"{chain.station}: {text}; was its ledger restored from a copy?")
        for station, ledger in {told.station: told.what.ledger for told in batch}.items():
            self._stored(station, ledger)

    def _stored(self, station: str, ledger: str) -> None:
        if self._acks is not None and self._store is not None:
            self._acks.stored(station, ledger, self._store.upto(station, ledger))

    def _gone(self, news: News, before: Sequence[tuple[Chain, Span]]) -> None:
        for chain, span in before:
            text = f"{chain.kind} {span.first} to {span.last} was acknowledged, is not here, and will not be told"
            self._complain(news, f"{chain.station}: {text}")

    @staticmethod
    def _complain(news: News, text: str) -> None:
        if len(news.complaints) < COMPLAINTS:
            news.complaints.append(text)
