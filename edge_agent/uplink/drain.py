"""What is told next, and what has to be told again. Pure: it knows neither broker nor ledger, and is told the time.

A fact is told until the console has said that it has everything up to its number. That a broker took it is only a
reason not to tell it again at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.ledger.facts import KINDS, Fact
from edge_agent.ledger.items import SetAside
from edge_agent.uplink.lane import WINDOW, Lane, Stream
from edge_agent.uplink.message import NOBODY, is_taken

MOST_IN_FLIGHT: Final = 20
"""Messages that wait for the broker's word at most, however many it would take."""

PAGE: Final = 100
"""Facts that are read at once."""

PATIENCE: Final = 10
"""How often a class lets a more important one go first."""

BURST_S: Final = 0.05
"""What the backlog may make up for of a delay [s]."""

FAILURES: Final = 8
"""Refusals of one fact, for a reason that may lie in it, before it is set aside."""

BROKER_SAYS_NO: Final = frozenset({0x87, 0x97})
"""Not authorized, over quota: nothing is wrong with the message, and it waits for as long as that takes."""

NEVER_TAKEN: Final = frozenset({0x95, 0x99})
"""Too large, not in the format that was declared: no broker will ever take it."""


@dataclass(frozen=True)
class Look:
    """What the ledger is to be asked for.

    Attributes:
        kind: the class.
        after: number of the last fact that is known.
        upto: nothing later than this; None without an end.
        stream: whose it is.
    """

    kind: str
    after: int
    upto: int | None
    stream: Stream


@dataclass(frozen=True)
class Telling:
    """A fact on its way.

    Attributes:
        fact: what is told.
        lane: its class.
        stream: where it came from.
    """

    fact: Fact
    lane: Lane
    stream: Stream


class Drain:
    """Decides what is told next. One thread.

    Attributes:
        ledger: id of the database that it tells; "" before the first connection.
        told: facts that the broker took since the start, again ones too.
        refused: how often it did not.
        last_refusal: reason code of the last time.
        set_aside: facts that no broker takes.

    Args:
        backlog_per_s: facts of the backlog that are told at most [1/s].
        by_broker: the broker's word counts for the console's.
    """

    def __init__(self, backlog_per_s: float, *, by_broker: bool = False) -> None:
        self.ledger = ""
        self.told = self.refused = self.set_aside = 0
        self.last_refusal: int | None = None
        self._interval_s = 1.0 / backlog_per_s
        self._by_broker = by_broker
        self._lanes: dict[str, Lane] = {}
        self._in_flight: dict[int, Telling] = {}
        self._most = 0
        self._due_s = float("-inf")
        self._backlog_is_next = False
        self._failures: dict[tuple[str, int], int] = {}
        self._again: str | None = None

    @property
    def lanes(self) -> Sequence[Lane]:
        """The classes, what matters most first; none before the first connection."""
        return tuple(self._lanes.values())

    @property
    def in_flight(self) -> int:
        """Facts that wait for the broker's word."""
        return len(self._in_flight)

    def upto(self) -> dict[str, int]:
        """Give how far the console has everything."""
        return {lane.kind: lane.upto for lane in self.lanes}

    def connect(self, in_flight: int) -> None:
        """Begin with a broker, which knows nothing; what is told is for `begin` to say.

        Args:
            in_flight: messages that may wait for the broker's word at most.
        """
        self._most = max(1, min(in_flight, MOST_IN_FLIGHT))
        self._in_flight.clear()

    def begin(self, ledger: str, upto: Mapping[str, int], newest: Mapping[str, int]) -> None:
        """Tell what stands in a ledger.

        Args:
            ledger: id of the database.
            upto: how far the console has everything, as the ledger remembers it.
            newest: numbers of the newest facts; what comes later is live.
        """
        known = self.upto() if ledger == self.ledger else {}
        if ledger != self.ledger:
            self._failures.clear()
        self.ledger = ledger
        self._lanes = {k: Lane(k, max(upto.get(k, 0), known.get(k, 0)), newest.get(k, 0)) for k in KINDS}

    def disconnect(self) -> None:
        """Hear that the connection has ended: nothing is told, and nobody knows what was taken."""
        self._in_flight.clear()
        self._most = 0

    def poke(self) -> None:
        """Hear that the ledger may have more."""
        for lane in self.lanes:
            lane.live.is_dry = lane.backlog.is_dry = False

    def look(self, now: float) -> Look | None:
        """Say what to ask the ledger for; None while nothing is needed."""
        for lane in self.lanes:
            lane.despair(now)
            for stream in (lane.live, lane.backlog):
                if self._most and stream.is_hungry and lane.wait_until_s <= now and self._has_window(lane, stream):
                    return Look(lane.kind, stream.cursor, stream.end, stream)
        return None

    def found(self, look: Look, facts: Sequence[Fact]) -> None:
        """Take what the ledger had: at most `PAGE` facts."""
        look.stream.fill(facts, PAGE)

    def has_room(self, others: int) -> bool:
        """Say whether one message more may wait for the broker's word, beside `others` that are no facts."""
        return self.in_flight + others < self._most

    def next(self, now: float, others: int = 0) -> Telling | None:
        """Give what to tell now.

        Args:
            now: host monotonic time [s].
            others: messages that are no facts and wait for the broker's word.

        Returns:
            What to publish; None while nothing may be. `sent` or `never` is called for it.
        """
        if not self.has_room(others):
            return None
        for backlog in (self._backlog_is_next, not self._backlog_is_next):
            ready = [lane for lane in self.lanes if self._is_ready(lane, backlog, now)]
            if ready:
                self._backlog_is_next = not backlog
                return self._popped(ready, backlog, now)
        return None

    def sent(self, telling: Telling, token: int) -> None:
        """Hear that something was published, with the token that its `Delivered` carries."""
        self._in_flight[token] = telling

    def never(self, telling: Telling, utc: float) -> SetAside | None:
        """Tell a gap in the place of a fact that no broker takes.

        Args:
            telling: the fact.
            utc: wall time [s since the epoch].

        Returns:
            What the ledger is to remember; None for what is a gap already.
        """
        fact = telling.fact
        if fact.why:
            return None
        self.set_aside += 1
        gap = Fact(fact.kind, fact.seq, fact.prev, utc, why="unsendable")
        telling.stream.ahead.appendleft(gap)
        return SetAside(self.ledger, fact.kind, fact.prev + 1, fact.seq, "unsendable", utc)

    def delivered(self, token: int, reason: int, now: float, utc: float) -> SetAside | None:
        """Hear what the broker said.

        Args:
            token: of what.
            reason: its reason code.
            now: host monotonic time [s].
            utc: wall time [s since the epoch].

        Returns:
            What the ledger is to remember, where the fact is set aside.
        """
        telling = self._in_flight.pop(token, None)
        if telling is None:
            return None
        fact, lane = telling.fact, telling.lane
        key = (fact.kind, fact.seq)
        if is_taken(reason):
            self.told += 1
            self._failures.pop(key, None)
            lane.taken(now)
            if self._by_broker:
                lane.known(fact.prev, fact.seq, now)
                lane.quiet_until_s = float("inf")
            return None
        self.refused += 1
        self.last_refusal = reason
        if lane not in self.lanes:  # it was told before the telling began anew
            return None
        if reason != NOBODY and reason not in BROKER_SAYS_NO and not fact.why:
            failures = self._failures[key] = self._failures.pop(key, 0) + 1
            while len(self._failures) > MOST_IN_FLIGHT:
                del self._failures[next(iter(self._failures))]
            if reason in NEVER_TAKEN or failures >= FAILURES:
                del self._failures[key]
                return self.never(telling, utc)
        lane.untell(telling.stream, fact)
        lane.wait(reason, now)
        return None

    def heard(self, upto: Mapping[str, int], again: str, now: float) -> bool:
        """Hear the console's word, which was found good.

        Args:
            upto: how far it has everything.
            again: whoever says a new one wants everything after that once more.
            now: host monotonic time [s].

        Returns:
            It has more than before.
        """
        progress = False
        for lane in self.lanes:
            progress |= lane.known(0, upto.get(lane.kind, 0), now)
            if lane.reason == NOBODY:
                lane.ready()
            if again and again != self._again:
                lane.again(now)
        self._again = again or self._again
        return progress

    def due_s(self, now: float) -> float:
        """When there is something to do, if nothing happens before [s, host monotonic]."""
        times = [lane.quiet_until_s for lane in self.lanes]
        times += [lane.wait_until_s for lane in self.lanes if lane.wait_until_s > now]
        if self._due_s > now and any(lane.backlog.ahead for lane in self.lanes):
            times.append(self._due_s)
        return min(times, default=float("inf"))

    def _has_window(self, lane: Lane, stream: Stream) -> bool:
        """Say whether more of a stream may be told; a gap in the place of what was told already takes no room."""
        is_inside = bool(stream.ahead and lane.beyond and stream.ahead[0].seq <= lane.beyond[-1])
        return self._by_broker or stream is lane.live or len(lane.beyond) < WINDOW or is_inside

    def _is_ready(self, lane: Lane, backlog: bool, now: float) -> bool:
        stream = lane.backlog if backlog else lane.live
        if not stream.ahead or lane.wait_until_s > now or not self._has_window(lane, stream):
            return False
        if lane.probing and any(telling.lane is lane for telling in self._in_flight.values()):
            return False
        return not backlog or self._due_s <= now

    def _popped(self, ready: Sequence[Lane], backlog: bool, now: float) -> Telling:
        lane = next((lane for lane in reversed(ready) if lane.passed >= PATIENCE), ready[0])
        for other in ready:
            other.passed = 0 if other is lane else other.passed + 1
        if backlog:
            self._due_s = max(self._due_s, now - BURST_S) + self._interval_s
        stream = lane.backlog if backlog else lane.live
        return Telling(lane.pop(stream), lane, stream)
