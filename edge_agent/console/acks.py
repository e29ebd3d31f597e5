"""When a console says what it has, and with which number. Pure: values go in, what to say comes out.

A station ignores an `ack` whose counter does not grow, so numbers come from the store, which never gives one twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final

import msgspec

from edge_agent.console.heard import Kind
from edge_agent.uplink.ack import Ack

PERIOD_S: Final = 0.2
"""A station is told at most this often what is stored [s]."""

ASIDE_S: Final = 60.0
"""A station that a second console acknowledges with our key hears nothing from here for so long [s]."""

HIGHEST: Final = 2**53
"""A greater counter of a stranger is not believed: stations know numbers up to 2**62, and ours must find room above."""


@dataclass
class _Station:
    ledger: str
    upto: dict[Kind, int]
    changed: bool = True
    due_s: float = float("-inf")
    crossed_s: float = float("-inf")
    numbers: Iterator[int] = field(default_factory=lambda: iter(()))
    seen: int = 0


@dataclass(frozen=True)
class Due:
    """An `ack` that is to be published.

    Attributes:
        station: for whom.
        ack: what it says.
    """

    station: str
    ack: Ack

    @property
    def text(self) -> str:
        """The message, JSON, to be signed."""
        return msgspec.json.encode(self.ack).decode()


class Acks:
    """Decides what is acknowledged now.

    Args:
        take: gives numbers for a station that were never used, greater than the second argument.
        again: a token that no station has seen; a new one for each connection.
    """

    def __init__(self, take: Callable[[str, int], range], again: str = "") -> None:
        self._take, self._again = take, again
        self._stations: dict[str, _Station] = {}

    def connected(self, again: str) -> None:
        """Say everything again, with a token that asks the stations to do the same."""
        self._again = again
        for station in self._stations.values():
            station.changed, station.due_s = True, float("-inf")

    def stored(self, station: str, ledger: str, upto: Mapping[Kind, int]) -> None:
        """Take note of what is on the disk, whenever a station told something: one that tells again has heard nothing.

        Args:
            station: whose.
            ledger: of which of its databases; the last one that was named is the one that is acknowledged.
            upto: for each class, how far without a hole.
        """
        known = self._stations.setdefault(station, _Station(ledger, {}))
        known.ledger, known.upto, known.changed = ledger, dict(upto), True

    def heard(self, station: str, counter: int, *, own: bool) -> None:
        """Take note of a number that lay at the broker, whoever used it; the next one is greater.

        A station counts for all keys together: the numbers of a console that is gone, and its key with it, matter too.

        Args:
            station: whose `ack`.
            counter: of that.
            own: it was signed with this console's key.
        """
        known = self._stations.setdefault(station, _Station("", {}, changed=False))
        if counter > known.seen and (own or counter <= HIGHEST):
            known.seen, known.changed = counter, known.changed or bool(known.ledger)

    def crossed(self, station: str, ack: Ack, now: float, *, own: bool) -> bool:
        """Take note of what somebody says while we are here; step aside where it is said with our key.

        Args:
            station: whose `ack`.
            ack: what was said.
            now: host monotonic time [s].
            own: it was signed with this console's key.

        Returns:
            That has to be said: it is not our own word that came back, and nothing was said of it lately.
        """
        if own and ack.again == self._again:
            return False
        known = self._stations.setdefault(station, _Station("", {}, changed=False))
        if own or ack.counter <= HIGHEST:
            known.seen = max(known.seen, ack.counter)
        if own:
            known.due_s = now + ASIDE_S
        lately = now < known.crossed_s + ASIDE_S
        if not lately:
            known.crossed_s = now
        return not lately

    def due(self, now: float, most: int) -> list[Due]:
        """Give what is to be said.

        Args:
            now: host monotonic time [s].
            most: messages; whoever waits for the longest comes first, the others are due the next time.

        Returns:
            For each station whose turn it is, one message.
        """
        waiting = [
            (station.due_s, name)
            for name, station in self._stations.items()
            if station.changed and station.ledger and now >= station.due_s
        ]
        found = []
        for _, name in nsmallest(most, waiting):
            station = self._stations[name]
            counter = self._number(name, station)
            found.append(Due(name, Ack(1, counter, station.ledger, dict(station.upto), self._again)))
            station.seen, station.changed, station.due_s = counter, False, now + PERIOD_S
        return found

    def next_s(self) -> float:
        """Say when something is due [s, host monotonic]; infinity where nothing is."""
        waiting = [s.due_s for s in self._stations.values() if s.changed and s.ledger]
        return min(waiting, default=float("inf"))

    def _number(self, name: str, station: _Station) -> int:
        number = next(station.numbers, 0)
        if number <= station.seen:
            station.numbers = iter(self._take(name, station.seen))
            number = next(station.numbers)
        return number
