"""The ledger as the courier reads it: opened when it is needed, and left alone for a while where it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.uplink.account import UplinkStatus, counted
from edge_agent.uplink.teller import Facts, Teller

READ_AGAIN_S: Final = 2.0
"""How long a ledger that cannot be read is left alone [s]."""

T = TypeVar("T")


class Reading:
    """Lets the teller read; a failure is remembered and never raised. One thread.

    Attributes:
        fault: why the ledger cannot be read; "" while it can.
        again_s: a ledger that failed is left alone until then [s, host monotonic].

    Args:
        open_facts: opens the ledger's facts.
        teller: tells them.
    """

    def __init__(self, open_facts: Callable[[], Facts], teller: Teller) -> None:
        self.fault = ""
        self.again_s = float("-inf")
        self._open, self._teller = open_facts, teller
        self._facts: Facts | None = None
        self._begun = False

    def look(self, now: float) -> None:
        """See what is there when the station starts [now: s, host monotonic]."""
        self._with(lambda facts: self._teller.look(facts, now), now)

    def begin(self) -> None:
        """Begin with a connection: everything that the console does not have is read again."""
        self._begun, self.again_s = False, float("-inf")

    def read(self, now: float) -> bool:
        """Obey what the console has said, or read what is wanted next; say whether there was anything."""

        def read(facts: Facts) -> bool:
            self._be_ready(facts)
            return self._teller.obey(facts, now) or self._teller.read(facts, now)

        return self._with(read, now) or False

    def obey(self, now: float) -> None:
        """Obey what the console has said, now or else before the next reading [now: s, host monotonic]."""

        def obey(facts: Facts) -> None:
            self._be_ready(facts)
            self._teller.obey(facts, now)

        self._with(obey, now)

    def account(self, status: UplinkStatus, now: float, utc: float) -> UplinkStatus:
        """Give a status with what waits for the console.

        Args:
            status: as it was.
            now: host monotonic time [s].
            utc: wall time [s since the epoch].

        Returns:
            The new one.
        """

        def account(facts: Facts) -> UplinkStatus:
            facts.check()
            return counted(status, self._teller, facts, utc)

        return self._with(account, now) or counted(status, self._teller, None, utc, self.fault)

    def close(self) -> None:
        """Close the ledger; the next reading opens it. Safe twice."""
        facts, self._facts = self._facts, None
        if facts is not None:
            facts.close()

    def _be_ready(self, facts: Facts) -> None:
        """Have the teller tell this ledger, from what the console has, where it tells another one or none yet."""
        if not self._begun or facts.ledger != self._teller.drain.ledger:
            self._teller.begin(facts)
            self._begun = True

    def _with(self, use: Callable[[Facts], T], now: float) -> T | None:
        if now < self.again_s:
            return None
        try:
            if self._facts is None:
                self._facts = self._open()
            used = use(self._facts)
        except (Unavailable, StateDamaged, ConfigError) as error:
            self.close()
            self.fault, self.again_s = error.message, now + READ_AGAIN_S
            return None
        self.fault = ""
        return used
