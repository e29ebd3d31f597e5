"""The verbs that listen: `watch`, and `tail`, which is the same for one station's parts alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from edge_agent.config.uplink import UplinkConfig
from edge_agent.console import lines
from edge_agent.console.acks import Acks
from edge_agent.console.collector import Collector, Keeper, News
from edge_agent.console.keyfile import load_key
from edge_agent.console.request import uuid7
from edge_agent.console.store import Store
from edge_agent.console.visit import console_door, visit
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.printing import say
from edge_agent.trust import signing
from edge_agent.uplink.message import Delivered, Door, Happening, Outgoing
from edge_agent.uplink.topics import Topics

IDLE_S: Final = 3600.0

IN_FLIGHT: Final = 20
"""Acks that the broker has not answered yet, at most: the others wait, however many stations there are."""

ANSWER_S: Final = 30.0
"""A broker that does not answer an ack for so long is connected to anew [s]."""


REFUSED: Final = 0x80
"""From here on the broker's word on a message means that it did not take it."""


class Watch:
    """Listens to stations: shows what they tell, and where there is a store keeps it and says so.

    Args:
        root: what all topics begin with.
        show: takes what was new.
        clock: tells the time.
        store: where facts are kept; None for nowhere.
        key: signs what is acknowledged; None: nothing is.
    """

    def __init__(
        self,
        root: str,
        show: Callable[[News], None],
        clock: Clock,
        store: Keeper | None = None,
        key: signing.SigningKey | None = None,
    ) -> None:
        self._root, self._show, self._clock, self._key = root, show, clock, key
        self._unanswered: dict[int, tuple[str, float]] = {}
        self._reasons: dict[str, int] = {}
        self._acks = Acks(store.take_counters) if store is not None and key is not None else None
        keys = {} if key is None else {signing.key_id(signing.public_bytes(key)): signing.public_bytes(key)}
        self.collector = Collector(root, store, self._acks, keys)
        if self._acks is not None and store is not None:
            for station, ledger in store.ledgers.items():
                self._acks.stored(station, ledger, store.upto(station, ledger))

    def connected(self, door: Door, now: float) -> None:
        """Ask each station to tell again what is not stored."""
        self._unanswered.clear()
        if self._acks is not None:
            self._acks.connected(uuid7(self._clock.utc(), os.urandom(10)))

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        """Keep what came, then let the broker forget it, then show it."""
        refusals = [
            text
            for happening in happenings
            if isinstance(happening, Delivered) and (text := self._refusal(happening)) is not None
        ]
        news = self.collector.collect(happenings, door)
        news.complaints += refusals
        self._show(news)

    def step(self, door: Door, now: float) -> float | None:
        """Say what is stored; raise `Unavailable` where the broker answers nothing any more."""
        if self._acks is None or self._key is None:
            return now + IDLE_S
        for due in self._acks.due(now, IN_FLIGHT - len(self._unanswered)):
            topic = Topics(self._root, due.station).ack
            token = door.publish(Outgoing(topic, signing.sealed(due.text, topic, self._key), 1, retain=True))
            self._unanswered[token] = (due.station, now)
        late_s = min((said_s for _, said_s in self._unanswered.values()), default=now + IDLE_S) + ANSWER_S
        if now >= late_s:
            raise Unavailable(f"the broker has not answered for {ANSWER_S:g} s")
        return min(late_s, self._acks.next_s() if len(self._unanswered) < IN_FLIGHT else late_s)

    def _refusal(self, answer: Delivered) -> str | None:
        """Hear what the broker said of an ack; give what is wrong, once until it changes."""
        station, _ = self._unanswered.pop(answer.token, ("", 0.0))
        if answer.reason < REFUSED:
            self._reasons.pop(station, None)
            return None
        if self._reasons.get(station) == answer.reason:
            return None
        self._reasons[station] = answer.reason
        return (
            f"{station}: the broker refuses what is acknowledged, with reason 0x{answer.reason:02x}; its access rules?"
        )

    def over(self, now: float) -> bool:
        """A watch is never over."""
        return False


def filters_of(root: str, stations: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """Give what to subscribe to, for these stations or for all."""
    return tuple(f"{root}/{station}/{kind}" for station in stations or ("+",) for kind in kinds)


def watch_stations(
    config: UplinkConfig,
    stations: Sequence[str],
    *,
    parts_only: bool = False,
    store: Path | None = None,
    ack: Path | None = None,
    as_json: bool,
) -> int:
    """Show what stations tell until it is interrupted.

    Args:
        config: the way to the broker.
        stations: whom to listen to; none for all.
        parts_only: only their parts.
        store: folder where everything is kept; None for nowhere.
        ack: file of the key that signs what is acknowledged; None: nothing is.
        as_json: print JSON.

    Returns:
        The exit code.

    Raises:
        WrongUsage: something that was typed does not fit.
        ConfigError: the key cannot be read.
        Unavailable: another console writes the store.
    """
    if ack is not None and store is None:
        raise WrongUsage("only what is stored can be acknowledged", hint="--ack needs --store DIR; docs/console.md")
    clock = SystemClock()
    kinds = ("evt/part",) if parts_only else ("evt/#", "state/#", *(("ack",) if ack is not None else ()))
    with ExitStack() as stack:
        key = None if ack is None else load_key(ack)
        kept = None if store is None else stack.enter_context(closing(Store(store)))
        watch = Watch(config.root, lambda news: show(news, as_json=as_json), clock, kept, key)
        door = console_door(config, clock, client_id(clock), filters_of(config.root, stations, kinds))
        try:
            visit(door, watch, clock, complain, patient=True)
        except KeyboardInterrupt:
            counts = watch.collector.counts
            sys.stderr.write(
                f"edge-console: {counts.kept} new, {counts.repeated} told again, {counts.malformed} not understood, "
                f"{counts.refused} refused{_missing(kept)}\n"
            )
    return 0


def _missing(store: Store | None) -> str:
    holes = {} if store is None else store.holes()
    numbers = sum(hole.last - hole.first + 1 for spans in holes.values() for hole in spans)
    return f"; {numbers} missing, to be told again: {', '.join(sorted({c.station for c in holes}))}" if numbers else ""


def client_id(clock: Clock) -> str:
    """Make a name for a session that nobody else has."""
    return f"console-{uuid7(clock.utc(), os.urandom(10))}"


def show(news: News, *, as_json: bool) -> None:
    """Print what was new, as it comes."""
    colour = sys.stdout.isatty()
    for station, state in news.states:
        say(lines.state_json(station, state) if as_json else lines.state_line(station, state, colour=colour))
    for told in news.told:
        say(lines.told_json(told) if as_json else lines.told_line(told, colour=colour))
    sys.stdout.flush()
    for text in news.complaints:
        sys.stderr.write(f"edge-console: {lines.shown(text)}\n")


def complain(error: EdgeAgentError) -> None:
    """Say what is in the way, while it is tried again."""
    hint = f" ({error.hint})" if error.hint else ""
    again = "; trying again" if isinstance(error, Unavailable) else ""
    sys.stderr.write(f"edge-console: {error.message}{hint}{again}\n")
