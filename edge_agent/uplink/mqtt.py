"""The door to the broker: one connection at a time, on the caller's thread, bounded in everything."""

from __future__ import annotations

import contextlib
import select
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Final

from edge_agent.config.uplink import UplinkConfig
from edge_agent.errors import Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.bell import Bell
from edge_agent.uplink.connection import Connection, dial, place, read_password
from edge_agent.uplink.dialect import Dialect, Version
from edge_agent.uplink.greeting import Identity, Welcome, packet_bytes
from edge_agent.uplink.intake import Intake
from edge_agent.uplink.link import LARGEST_BYTES, Link
from edge_agent.uplink.message import REFUSED, Happening, Inbound, Outgoing, Session
from edge_agent.uplink.pace import TokenBucket
from edge_agent.uplink.refusal import BAD_VERSION, refused

ANSWER_S: Final = 5.0
"""How long the broker may take to let the station in, and again to answer its subscriptions [s]."""

FLUSH_S: Final = 1.0
"""How long `close` lets what was said go out [s]."""

PER_S: Final = 200.0
"""Messages that are taken [1/s]: a console asks a few times a second; each costs some 70 us of a core."""

BURST: Final = 100
"""Messages that are taken at once after a rest: what lay at the broker while the station was away."""

SILENCE: Final = 1.5
"""A connection that was silent for so many keepalives is dead: after one a ping was sent."""

LOOKS: Final = 10.0
"""So many times in a keepalive it is looked whether a ping is due."""


class _NoAnswer(Exception):
    """The broker closed before it answered CONNECT."""


class MqttDoor:
    """A `Door` to an MQTT broker.

    Args:
        config: where the broker is, and how the station proves who it is.
        clock: tells the time.
        client_id: the name of the session at the broker.
        will: what the broker says when the station is gone.
        subscriptions: filters to listen on.
        remembered: gives what `remember` was told last, by an earlier process too; "" for nothing.
        remember: keeps which filters the session at the broker may have; called only when they change.
        per_s: messages that are taken [1/s].
        lasting: the broker keeps the session while nobody is there; otherwise each connection begins anew.
    """

    def __init__(
        self,
        config: UplinkConfig,
        clock: Clock,
        *,
        client_id: str,
        will: Outgoing | None,
        subscriptions: tuple[str, ...],
        remembered: Callable[[], str],
        remember: Callable[[str], None],
        per_s: float = PER_S,
        lasting: bool = True,
    ) -> None:
        self._config = config
        self._clock = clock
        self._client_id = client_id
        self._will = will
        self._subscriptions = subscriptions
        self._remembered = remembered
        self._remember = remember
        self._bell = Bell()
        self._dialect = Dialect(config.protocol)
        self._lasting = lasting
        self._pace = TokenBucket(per_s, BURST)
        self._link: Link | None = None
        self._session: Session | None = None
        self._counts: Counter[str] = Counter()
        self._tokens = self._links = 0

    @property
    def counts(self) -> dict[str, int]:
        """What was dropped: `flooded` and `oversize` of what came, `unsent` of QoS 0; `connected`: how often."""
        counts = Counter(self._counts)
        if self._link is not None:
            intake = self._link.connection.intake
            counts.update(flooded=intake.dropped, oversize=intake.oversize)
        return {name: counts[name] for name in ("connected", "flooded", "oversize", "unsent")}

    def connect(self) -> Session:
        """Connect and subscribe; each step has 5 s at most, but for the system's look-up of a name."""
        self._hang_up()
        self._bell.open()
        try:
            self._session = self._settle()
        except BaseException:
            self._hang_up()
            raise
        return self._session

    def fits(self, message: Outgoing) -> bool:
        """Say whether the broker takes a message of this size; without a connection anything fits."""
        session = self._session
        if session is None or session.max_bytes is None:
            return True
        return packet_bytes(message, session.protocol) <= session.max_bytes

    def publish(self, message: Outgoing) -> int:
        """Send a message; one of QoS 0 is dropped while earlier ones still wait for the network."""
        link = self._living()
        if message.qos == 0 and link.wants_write:
            self._counts["unsent"] += 1
            return 0
        self._tokens += message.qos
        if message.retain and self._session is not None and not self._session.retains:
            message = replace(message, retain=False)
        link.publish(message, self._tokens)
        self._living()
        return self._tokens if message.qos else 0

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is safe here. Does nothing where its connection has ended."""
        if self._link is not None and inbound.qos:
            self._link.acknowledge(inbound.mark)

    def turn(self, until_s: float) -> Sequence[Happening]:
        """Let traffic pass until something happens, somebody wakes it, or `until_s` has come."""
        link = self._link
        if link is None:
            raise Unavailable("there is no connection to the broker")
        over = False
        while not link.happened:
            if link.fault is not None:
                raise link.fault
            if over:
                return []
            self._pass(link, until_s)
            over = self._bell.heard() or self._clock.now() >= until_s
        return link.take()

    def wake(self) -> None:
        """Have `turn` return at once, the next one if none is under way. Safe from any thread."""
        self._bell.ring()

    def close(self, *, will: bool = False) -> None:
        """Disconnect where connected; the broker says the last will where that is wanted. Never raises, safe twice."""
        link = self._link
        if link is not None and link.fault is None:
            with contextlib.suppress(Unavailable):
                self._await(link, lambda: not link.wants_write, FLUSH_S)
            if link.fault is None and not link.wants_write:
                link.leave(will=will)
        self._hang_up()
        self._bell.close()

    def _living(self) -> Link:
        if self._link is None:
            raise Unavailable("there is no connection to the broker")
        if self._link.fault is not None:
            raise self._link.fault
        return self._link

    def _hang_up(self) -> None:
        if self._link is not None:
            self._counts.update(
                flooded=self._link.connection.intake.dropped, oversize=self._link.connection.intake.oversize
            )
            self._link.end(Unavailable("the connection was closed here"))
            self._link = self._session = None

    def _settle(self) -> Session:
        """Be let in, with the subscriptions that are wanted and no others."""
        old = set(self._remembered().split("\n")) - {""}
        wanted = set(self._subscriptions)
        version, welcome = self._enter(clean=not self._lasting)
        kept = welcome.kept
        if kept and not old:  # nobody knows what the session listens to
            self._part()
            if version == "3.1.1":  # there a session that begins clean ends with its connection
                self._enter(clean=True)
                self._part()
            version, welcome = self._enter(clean=version == "5")
            kept = False
        if self._lasting and old != wanted:
            self._remember("\n".join(sorted(old | wanted if kept else wanted)))
        link = self._living()
        if kept and old - wanted:
            self._answer(link, link.unlisten(sorted(old - wanted)))
        granted = self._answer(link, link.listen(self._subscriptions)) if wanted else []
        if kept and old - wanted:
            self._remember("\n".join(sorted(wanted)))
        self._counts["connected"] += 1
        unheard = tuple(name for name, reason in zip(self._subscriptions, granted, strict=True) if reason >= REFUSED)
        return welcome.session(version, self._config.keepalive_s, kept, unheard)

    def _part(self) -> None:
        self._living().leave()
        self._hang_up()

    def _enter(self, clean: bool) -> tuple[Version, Welcome]:
        """Connect in the version that the broker speaks; another one is tried at once where it turns out so."""
        while True:
            version = self._dialect.choose(self._clock.now())
            try:
                welcome = self._knock(version, clean)
            except _NoAnswer as closed:
                self._dialect.closed(version, self._clock.now())
                if version == "5" and self._dialect.choose(self._clock.now()) != version:
                    continue
                raise Unavailable(
                    f"the broker at {place(self._config)} closes the connection without an answer",
                    hint="uplink.broker must begin with mqtts:// at a port for TLS, and with mqtt:// at one without",
                ) from closed
            if welcome.reason == BAD_VERSION and version == "5" and self._config.protocol == "auto":
                self._dialect.refused(self._clock.now())
                continue
            if welcome.reason:
                raise refused(welcome.reason, welcome.said, place(self._config))
            self._dialect.understood()
            return version, welcome

    def _knock(self, version: Version, clean: bool) -> Welcome:
        self._hang_up()
        config = self._config
        password = read_password(config.password_file) if config.password_file else None
        who = Identity(self._client_id, config.username, password, config.keepalive_s, self._will, self._lasting)
        where = place(config)
        connection = Connection(dial(config, self._clock), Intake(self._pace, LARGEST_BYTES), self._clock, where)
        self._links += 1
        try:
            link = self._link = Link(connection, version, who, clean, self._links, where)
        except BaseException:
            connection.close()
            raise
        try:
            self._await(link, lambda: link.welcome is not None, ANSWER_S)
        except Unavailable:
            if link.welcome is None and connection.hung_up:
                raise _NoAnswer from None
            if link.welcome is None:
                raise
        assert link.welcome is not None
        if link.welcome.reason == 0 and not link.welcome.acknowledges:
            raise refused(0x9B, "", where)
        return link.welcome

    def _answer(self, link: Link, number: int) -> list[int]:
        self._await(link, lambda: number in link.answered, ANSWER_S)
        return link.answered.pop(number)

    def _await(self, link: Link, done: Callable[[], bool], limit_s: float) -> None:
        until_s = self._clock.now() + limit_s
        while not done():
            if link.fault is not None:
                raise link.fault
            if self._clock.now() >= until_s:
                raise Unavailable(
                    f"the broker at {place(self._config)} does not answer: it took longer than {limit_s:.0f} s",
                    hint="check uplink.broker, and the network and its firewall",
                )
            self._pass(link, until_s, by_bell=False)

    def _pass(self, link: Link, until_s: float, by_bell: bool = True) -> None:
        """Wait for something to pass, not longer than until a ping may be due, and let it pass."""
        now = self._clock.now()
        keepalive_s = self._session.keepalive_s if self._session is not None else self._config.keepalive_s
        rest_s = link.connection.rest_s(now)
        pending = rest_s <= 0 and link.connection.pending() > 0
        wait_s = (
            0.0 if pending else max(0.0, min(until_s - now, keepalive_s / LOOKS, rest_s if rest_s > 0 else until_s))
        )
        poller = select.poll()
        if by_bell:
            poller.register(self._bell.fileno(), select.POLLIN)
        events = (select.POLLIN if rest_s <= 0 else 0) | (select.POLLOUT if link.wants_write else 0)
        if events:
            poller.register(link.connection.fileno(), events)
        seen = dict(poller.poll(ceil(wait_s * 1000.0))).get(link.connection.fileno(), 0)
        link.step(pending or bool(seen & ~select.POLLOUT), bool(seen & select.POLLOUT))
        if self._clock.now() - link.connection.heard_s > SILENCE * keepalive_s:
            link.end(
                Unavailable(f"the broker at {place(self._config)} has been silent for {SILENCE * keepalive_s:g} s")
            )
