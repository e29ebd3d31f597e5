"""The one thread that speaks with the broker: connects for ever, tells what is recorded, says states and responses."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow
from edge_agent.uplink.account import UplinkStatus
from edge_agent.uplink.message import REFUSED, Delivered, Door, Happening, Inbound, Outgoing
from edge_agent.uplink.reading import Reading
from edge_agent.uplink.sayer import Sayer
from edge_agent.uplink.teller import Facts, Teller

FIRST_BACKOFF_S: Final = 0.5
LAST_BACKOFF_S: Final = 60.0
"""Bounds of the time before the next try [s]; somewhere below, so that a thousand stations do not come at once."""

LOOK_S: Final = 0.5
"""How often the ledger is looked at, where nobody says that there is more [s]."""

ACCOUNT_S: Final = 2.0
"""How often the backlog is counted [s]."""

INBOUND: Final = 64
"""Messages that wait for the loop at most."""

LOOKS: Final = 6
"""Questions to the ledger in one turn, so that the connection is not left alone for long."""

WORD_S: Final = 30.0
"""A broker that has said of no message for so long whether it took it is given up [s]: its places are all taken."""

STEADY_S: Final = 10.0
"""A connection that lasted so long is no reason to wait longer before the next [s]."""

ASK_AGAIN_S: Final = 30.0
"""A connection on which something found no room is made anew after so long, to have it sent again [s]."""

FLUSH_S: Final = 0.5
"""How long a connection is kept open at the end, for what the broker has not confirmed [s]."""


@dataclass(frozen=True)
class Hearers:
    """Who hears what the courier cannot decide; each is called on its thread and must not block.

    Attributes:
        inbound: something came, or a response was taken, or there is a new connection.
        failed: hears the bug that ended the thread.
    """

    inbound: Callable[[], None]
    failed: Callable[[str, Exception], object]


class Courier:
    """Owns the door, the drain and a reader of the ledger. What is not said otherwise is safe from any thread.

    Attributes:
        inbound: what came and is neither a word of the broker nor of the console about what is stored.
        sayer: states and responses.

    Args:
        door: to the broker.
        teller: what is told.
        facts: opens the ledger's facts.
        clock: tells the time and waits.
        broker: its address, for people.
        hearers: who hears what.
        farewell: what is said last, where the connection ends because the station stops.
        jitter: spreads the tries.
    """

    name = "uplink"

    def __init__(
        self,
        door: Door,
        teller: Teller,
        facts: Callable[[], Facts],
        clock: Clock,
        broker: str,
        hearers: Hearers,
        farewell: Outgoing,
        jitter: random.Random,
    ) -> None:
        self.inbound = Mailbox[Inbound](INBOUND, Overflow.REFUSE, on_put=hearers.inbound)
        self.sayer = Sayer(self.poke)
        self._acknowledged = deque[Inbound]()  # no more than came in
        self._door, self._teller = door, teller
        self._reading = Reading(facts, teller)
        self._clock, self._hearers, self._jitter = clock, hearers, jitter
        self._farewell = farewell
        self._backoff_s = FIRST_BACKOFF_S
        self._status = UplinkStatus(broker)
        self._account_s = self._look_s = float("-inf")
        self._ask_again_s = float("inf")
        self._word_s = float("-inf")
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._poked = self._has_parted = False
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the thread, where none runs; safe to call again.

        Raises:
            Unavailable: one that was asked to end has not yet.
        """
        if self._thread is not None and not self._ended.is_set():
            if self._stop.is_set():
                raise Unavailable("what spoke with the broker before has not ended yet")
            return
        self._stop.clear()
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask the thread to end."""
        self._stop.set()
        self.poke()

    def join(self, until: float) -> bool:
        """Wait for the thread to end, at most until `until` [s, host monotonic]; say whether it has."""
        if self._thread is None:
            return True
        self._clock.wait(self._ended, until)
        if self._ended.is_set():
            self._thread.join()
        return self._ended.is_set()

    def poke(self) -> None:
        """Say that there is something to do."""
        self._poked = True
        self._door.wake()

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the broker that a message is safe here."""
        self._acknowledged.append(inbound)
        self.poke()

    def status(self) -> UplinkStatus:
        """Say how it is, as of the last turn."""
        return self._status

    def mailboxes(self) -> dict[str, MailboxStats]:
        """Count what waited, by name."""
        return {"inbound": self.inbound.stats(), "responses": self.sayer.responses.stats()}

    def _run(self) -> None:
        try:
            self._reading.look(self._clock.now())
            while not self._stop.is_set():
                self._serve()
        except Exception as error:  # the thread's boundary: whoever supervises hears of the bug
            self._hearers.failed(self.name, error)
        finally:
            self._door.close(will=not self._has_parted)
            self._reading.close()
            self._ended.set()

    def _serve(self) -> None:
        """Connect and speak until that ends; then wait."""
        began_s = self._clock.now()
        try:
            self._connect()
            began_s = self._clock.now()
            while not self._stop.is_set():
                self._turn(self._clock.now() + LOOK_S)
            self._finish()
        except (Unavailable, StateDamaged, ConfigError) as error:  # whatever it is, parts are judged all the same
            self._end(error.message)
            if self._clock.now() - began_s >= STEADY_S:
                self._backoff_s = FIRST_BACKOFF_S
            self._clock.wait(self._stop, self._clock.now() + self._jitter.uniform(0.0, self._backoff_s))
            self._backoff_s = min(2.0 * self._backoff_s, LAST_BACKOFF_S)

    def _connect(self) -> None:
        session = self._door.connect()
        self.sayer.begin()
        self._teller.drain.connect(session.in_flight)
        self._reading.begin()
        self._look_s, self._ask_again_s = float("-inf"), float("inf")
        self._has_parted = False
        self._word_s = self._clock.now()
        connects = self._status.connects + 1
        self._status = replace(
            self._status, protocol=session.protocol, since_utc=self._clock.utc(), reason="", connects=connects
        )
        self._hearers.inbound()

    def _end(self, reason: str) -> None:
        self._door.close(will=True)
        self._teller.drain.disconnect()
        self._teller.remember()
        changed = bool(self._status.protocol) or self._status.since_utc is None
        since_utc = self._clock.utc() if changed else self._status.since_utc
        self._status = replace(self._status, protocol="", since_utc=since_utc, reason=reason)
        self._account()

    def _turn(self, until_s: float) -> None:
        """Publish, let traffic pass, hear what happened."""
        now, utc = self._clock.now(), self._clock.utc()
        drain = self._teller.drain
        if self._poked or now >= self._look_s:
            self._poked, self._look_s = False, now + LOOK_S
            drain.poke()
        if now >= self._ask_again_s and not self.inbound.stats().waiting:
            raise Unavailable("something that came found no room: it is asked for again")
        if not (self.sayer.in_flight or drain.in_flight):
            self._word_s = now
        elif now - self._word_s >= WORD_S:
            raise Unavailable(
                f"the broker has not said for {WORD_S:.0f} s whether it takes what it is told",
                hint="with MQTT 3.1.1 a broker says nothing of what it refuses: see its access rules, docs/uplink.md",
            )
        while self._acknowledged:
            self._door.acknowledge(self._acknowledged.popleft())
        self.sayer.say(self._door, drain.has_room)
        more = False
        for _ in range(LOOKS):
            self._teller.publish(self._door, now, utc, self.sayer.in_flight)
            more = self._reading.read(now)
            if not more:
                break
        if now >= self._account_s:
            self._account_s = now + ACCOUNT_S
            self._account()
        due_s = max(drain.due_s(now), self._reading.again_s)  # nothing is due from a ledger that is left alone
        for happening in self._door.turn(now if more or self._poked else min(until_s, due_s)):
            self._hear(happening)

    def _hear(self, happening: Happening) -> None:
        now, utc = self._clock.now(), self._clock.utc()
        if isinstance(happening, Delivered):
            self._word_s = now
            if self.sayer.delivered(happening.token, happening.reason):
                self._hearers.inbound()
            else:
                self._teller.delivered(happening.token, happening.reason, now, utc)
        elif self._teller.is_ack(happening.topic):
            self._teller.heard(happening)
            self._reading.obey(now)
            self._door.acknowledge(happening)
        elif not self.inbound.offer(happening):
            self._status = replace(self._status, refused_inbound=self._status.refused_inbound + 1)
            if happening.qos:  # another one is gone
                self._ask_again_s = min(self._ask_again_s, now + ASK_AGAIN_S)

    def _finish(self) -> None:
        """Say farewell and hear what the broker still has to say, then remember how far the console is."""
        until_s = self._clock.now() + FLUSH_S
        self.sayer.say(self._door, self._teller.drain.has_room)
        farewell = self._door.publish(self._farewell)
        waits = True
        while self._clock.now() < until_s and (waits or self.sayer.in_flight or self._teller.drain.in_flight):
            for happening in self._door.turn(until_s):
                if isinstance(happening, Delivered) and happening.token == farewell:
                    waits, self._has_parted = False, happening.reason < REFUSED
                elif isinstance(happening, Delivered) or self._teller.is_ack(happening.topic):
                    self._hear(happening)
        self._teller.remember()

    def _account(self) -> None:
        status = replace(self._status, unsent=self.sayer.unsent)
        self._status = self._reading.account(status, self._clock.now(), self._clock.utc())
