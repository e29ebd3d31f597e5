"""What one class of facts has been told and may be told next. Pure; the drain chooses between the classes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from edge_agent.ledger.facts import Fact
from edge_agent.uplink.chain import Chain

WINDOW: Final = 500
"""Messages of a backlog that are told beyond the console's word at most: a broker keeps 1000 for it, ours does."""

FIRST_WAIT_S: Final = 5.0
LAST_WAIT_S: Final = 60.0
"""Bounds of the wait after a refusal [s]; it doubles in between."""

FIRST_QUIET_S: Final = 30.0
LAST_QUIET_S: Final = 600.0
"""Bounds of the time without progress after which all is told again [s]; it doubles in between."""


class Stream:
    """Facts of one class in order, from a number on.

    Attributes:
        cursor: number of the last one that was told.
        end: of a backlog, the number it ends with; None for what is live.
        ahead: facts that were read and not told yet.
        is_dry: the ledger had no more when it was last asked.

    Args:
        cursor: begin after this number.
        end: of a backlog, the number it ends with.
    """

    def __init__(self, cursor: int, end: int | None) -> None:
        self.cursor, self.end = cursor, end
        self.ahead: deque[Fact] = deque()
        self.is_dry = False

    @property
    def is_done(self) -> bool:
        """There is nothing in it, and never will be."""
        return self.end is not None and self.cursor >= self.end and not self.ahead

    @property
    def is_hungry(self) -> bool:
        """The ledger should be asked for more."""
        return not (self.ahead or self.is_dry or self.is_done)

    def fill(self, facts: Sequence[Fact], page: int) -> None:
        """Take what the ledger had; fewer than `page` is all."""
        self.ahead.extend(facts)
        self.is_dry = len(facts) < page

    def pop(self) -> Fact:
        """Give the next one to tell."""
        fact = self.ahead.popleft()
        self.cursor = max(self.cursor, fact.seq)
        return fact

    def rewind(self, seq: int) -> None:
        """Tell what comes after a number again."""
        if seq < self.cursor:
            self.cursor = seq
            self.ahead.clear()
            self.is_dry = False

    def skip(self, seq: int) -> None:
        """Pass over what is known up to a number."""
        self.cursor = max(self.cursor, seq)
        while self.ahead and self.ahead[0].seq <= seq:
            self.ahead.popleft()


class Lane:
    """One class: how far the console has it, what was told beyond, and whether it has to wait.

    Attributes:
        kind: the class.
        live: what was recorded since the telling began.
        backlog: what was recorded before.
        beyond: numbers of the backlog that were told and are not acknowledged, in order.
        wait_until_s: nothing is told before [s, host monotonic].
        reason: reason code that it waits for; None while it does not.
        probing: after a wait one message tries whether it is over.
        passed: how often others went first.

    Args:
        kind: the class.
        upto: how far the console has it.
        newest: number of the newest fact.
    """

    def __init__(self, kind: str, upto: int, newest: int) -> None:
        self.kind = kind
        self.passed = 0
        self._chain = Chain(upto)
        self.begin(newest)

    @property
    def upto(self) -> int:
        """How far the console has everything."""
        return self._chain.upto

    def begin(self, newest: int) -> None:
        """Tell everything that the console does not have, as to a broker that knows nothing.

        Args:
            newest: number of the newest fact; what comes later is live.
        """
        self.backlog = Stream(self.upto, newest)
        self.live = Stream(max(self.upto, newest), None)
        self.highest = max(self.upto, newest)
        self.beyond: deque[int] = deque()
        self.wait_until_s = float("-inf")
        self.reason: int | None = None
        self.probing = False
        self._wait_s = FIRST_WAIT_S
        self.quiet_s = FIRST_QUIET_S
        self.quiet_until_s = float("inf")

    def again(self, now: float) -> None:
        """Tell everything that is not acknowledged again; what has come meanwhile is part of the backlog."""
        quiet_s, waited = self.quiet_s, (self.wait_until_s, self.reason, self.probing, self._wait_s)
        self.begin(self.highest)
        self.wait_until_s, self.reason, self.probing, self._wait_s = waited
        self.quiet_s = quiet_s

    def pop(self, stream: Stream) -> Fact:
        """Give the next fact of a stream, to be told now."""
        fact = stream.pop()
        self.highest = max(self.highest, fact.seq)
        if stream is self.backlog and not (self.beyond and fact.seq <= self.beyond[-1]):
            self.beyond.append(fact.seq)
        return fact

    def untell(self, stream: Stream, fact: Fact) -> None:
        """Hear that a fact was not taken: it, and what follows, is told again."""
        if stream is not self.backlog and stream is not self.live:
            return
        seq = max(fact.prev, self.upto)
        stream.rewind(seq)
        if stream is self.backlog:
            while self.beyond and self.beyond[-1] > seq:
                self.beyond.pop()

    def wait(self, reason: int, now: float) -> None:
        """Tell nothing for a while, which is longer each time in a row."""
        if now >= self.wait_until_s:
            self.wait_until_s = now + self._wait_s
            self._wait_s = min(2.0 * self._wait_s, LAST_WAIT_S)
        self.reason, self.probing = reason, True

    def taken(self, now: float) -> None:
        """Hear that the broker took a fact."""
        if now >= self.wait_until_s:
            self.ready()
        if self.quiet_until_s == float("inf"):
            self.quiet_until_s = now + self.quiet_s

    def ready(self) -> None:
        """Hear that there is somebody who listens: no need to wait."""
        self.wait_until_s, self.reason, self.probing, self._wait_s = float("-inf"), None, False, FIRST_WAIT_S

    def known(self, prev: int, seq: int, now: float) -> bool:
        """Hear that everything after `prev` up to `seq` is safe; say whether that is progress."""
        before = self.upto
        self._chain.add(prev, seq)
        if self.upto == before:
            return False
        for stream in (self.backlog, self.live):
            stream.skip(self.upto)
        while self.beyond and self.beyond[0] <= self.upto:
            self.beyond.popleft()
        self.highest = max(self.highest, self.upto)
        self.quiet_s = FIRST_QUIET_S
        outstanding = self.live.cursor > self.upto or bool(self.beyond)
        self.quiet_until_s = now + self.quiet_s if outstanding else float("inf")
        return True

    def despair(self, now: float) -> None:
        """Tell all again when nothing was acknowledged for long."""
        if now >= self.quiet_until_s:
            self.quiet_s = min(2.0 * self.quiet_s, LAST_QUIET_S)
            self.again(now)
