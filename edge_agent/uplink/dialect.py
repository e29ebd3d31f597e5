"""Which version of MQTT is spoken: what the configuration says, or what the broker has shown to understand. Pure."""

from __future__ import annotations

from typing import Final, Literal

Version = Literal["5", "3.1.1"]

CLOSED: Final = 2
"""So many connections in a row that a broker closes without a word mean that it does not know the version: one may
be a restart."""

RETRY_S: Final = 3600.0
"""After this long with the older version the newer one is tried again [s]: brokers are updated, and mistakes healed."""


class Dialect:
    """The version to speak next.

    Args:
        wanted: `auto`, or the one version that is spoken.
    """

    def __init__(self, wanted: Literal["auto", "5", "3.1.1"]) -> None:
        self._wanted = wanted
        self._older_until_s = -float("inf")
        self._closed = 0

    def choose(self, now: float) -> Version:
        """Give the version to begin with [now: s, host monotonic]."""
        if self._wanted != "auto":
            return self._wanted
        return "3.1.1" if now < self._older_until_s else "5"

    def understood(self) -> None:
        """Take note that the broker has answered."""
        self._closed = 0

    def refused(self, now: float) -> None:
        """Take note that the broker has said that it does not speak MQTT 5."""
        self._older_until_s = now + RETRY_S
        self._closed = 0

    def closed(self, spoken: Version, now: float) -> None:
        """Take note that the broker has closed without an answer.

        Args:
            spoken: the version that it was spoken to in.
            now: host monotonic time [s].
        """
        if spoken == "3.1.1":  # so it is not for the version
            self._older_until_s = -float("inf")
            self._closed = 0
            return
        self._closed += 1
        if self._closed >= CLOSED:
            self.refused(now)
