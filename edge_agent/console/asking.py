"""One request and what is heard of it until it is done. Pure: responses and the time go in, the outcome comes out."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from edge_agent.console.heard import Response

REMIND_S: Final = 5.0
"""A request that nobody has answered is said again after so long [s]; the station knows it by its id."""


class Outcome(StrEnum):
    """How it stands with a request."""

    WAITING = "waiting"  #: nobody has answered
    ACCEPTED = "accepted"  #: the station has it, and will do it whatever happens to this program
    OK = "ok"
    ERROR = "error"
    SILENT = "silent"  #: nobody answered in time
    UNFINISHED = "unfinished"  #: accepted, and not done in time


class Asking:
    """Follows one request.

    Args:
        request_id: of the request.
        station: who is asked.
        now: host monotonic time [s].
        wait_s: how long the answer is waited for [s].
    """

    def __init__(self, request_id: str, station: str, now: float, wait_s: float) -> None:
        self._id, self._station = request_id, station
        self._until_s = now + wait_s
        self._said_s = float("-inf")
        self._accepted = self._understood = False
        self.response: Response | None = None
        self.strange = 0

    def hear(self, response: Response) -> bool:
        """Take a response.

        Args:
            response: what came.

        Returns:
            It is about this request, and says something new.
        """
        if response.id != self._id or response.station not in ("", self._station):
            self.strange += 1
            return False
        if self.response is not None and self.response.phase == "done":
            return False
        news = self.response is None or (response.phase, response.result) != (self.response.phase, self.response.result)
        self._accepted = self._understood = True
        self.response = response
        return news

    def outcome(self, now: float) -> Outcome:
        """Say how it stands at `now` [s, host monotonic]."""
        response = self.response
        if response is not None and response.phase == "done":
            return Outcome.OK if response.status == "ok" else Outcome.ERROR
        if now < self._until_s:
            return Outcome.ACCEPTED if self._accepted else Outcome.WAITING
        return Outcome.UNFINISHED if self._accepted else Outcome.SILENT

    def is_to_be_said(self, now: float) -> bool:
        """Say whether the request is to be published at `now` [s, host monotonic], and take note that it is."""
        if self._understood or now < self._said_s + REMIND_S:
            return False
        self._said_s = now
        return True

    def reconnected(self) -> None:
        """Take note that the connection is a new one: what was said on the old one may be lost."""
        self._said_s, self._understood = float("-inf"), False

    def next_s(self) -> float:
        """Say when something is due [s, host monotonic]."""
        return self._until_s if self._understood else min(self._until_s, self._said_s + REMIND_S)
