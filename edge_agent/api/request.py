"""One command on its way to the loop, and its answer on the way back; safe between the two threads that hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge_agent.commands import Command, Privilege
from edge_agent.commands.arguments import Arguments
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.ledger.spoken import Effects


@dataclass(frozen=True)
class Caller:
    """Who asks through the socket, as the kernel says.

    Attributes:
        uid: number of the user.
        name: of the user, "" where it has none.
        privilege: what that user may ask for; None for nothing.
    """

    uid: int
    name: str
    privilege: Privilege | None


OWNER: Final = Caller(0, "", Privilege.ADMINISTER)
"""The station itself."""


@dataclass(eq=False)
class Request:
    """One command on its way to the loop; exactly one of `done` and `failed` answers it, from the loop thread.

    Attributes:
        command: its row in the table.
        arguments: what goes in.
        body: what comes with it.
        caller: who asks.
        id: chosen by whoever asks, so that asking again does nothing; "" without one.
        then: hears at once, on the loop thread, that it was answered.
        effects: what is to be recorded together with the answer.
        after: done on the loop thread once the effects are on record.
    """

    command: Command
    arguments: Arguments
    body: bytes = b""
    caller: Caller = OWNER
    id: str = ""
    then: Callable[[Request], None] | None = None
    effects: Effects = ()
    after: Callable[[], None] = lambda: None
    _answered: threading.Event = field(default_factory=threading.Event)
    _finish: Callable[[], object] | None = None
    _error: EdgeAgentError | None = None

    @property
    def answered(self) -> bool:
        """It needs no answer any more."""
        return self._answered.is_set()

    def done(self, result: object) -> None:
        """Answer with a value that msgspec can write as JSON; ignored when the request was answered already."""
        self.finish(lambda: result)

    def record(self, result: object, effects: Effects, after: Callable[[], None] = lambda: None) -> None:
        """Answer with a value, and have effects recorded in one transaction with that; for what a journal runs."""
        if self.then is None:
            raise AssertionError(f"`{self.command.name}` was asked for past the journal: its effects would be lost")
        if not self.answered:
            self.effects, self.after = effects, after
            self.done(result)

    def outcome(self) -> tuple[object, EdgeAgentError | None]:
        """Give the value it was answered with, or the error."""
        if self._finish is None:
            return None, self._error
        try:
            return self._finish(), None
        except EdgeAgentError as error:
            return None, error

    def finish(self, complete: Callable[[], object]) -> None:
        """Answer with what `complete` gives or raises; it runs on the thread that carries the request."""
        if not self.answered:
            self._finish = complete
            self._answer()

    def failed(self, error: EdgeAgentError) -> None:
        """Answer with an error for a person; ignored when the request was answered already."""
        if not self.answered:
            self._error = error
            self._answer()

    def wait(self) -> object:
        """Give the answer; called by the thread that carries the request.

        Returns:
            The answer.

        Raises:
            Unavailable: the loop did not answer in the command's time.
            EdgeAgentError: what the command failed with.
        """
        if not self._answered.wait(self.command.timeout_s):
            raise Unavailable(
                f"the station did not answer `{self.command.name}` within {self.command.timeout_s:.0f} s",
                hint="look at `edge-agent status` and at the journal of the service",
            )
        if self._finish is None:
            raise self._error or AssertionError("answered with nothing")
        return self._finish()

    def _answer(self) -> None:
        self.body = b""  # a lesson is large, and whoever still holds the request has no more use for it
        self._answered.set()
        if self.then is not None:
            self.then(self)


def stopping() -> Unavailable:
    """Give what a caller is told when the station stops."""
    return Unavailable("the station is stopping", hint="try again when it runs")
