"""The station's side of the local API: HTTP on a Unix socket that its own user may open, and groups that may ask.

`GET|POST /v1/<command>?argument=value` answers JSON; `teach` takes examples as the body. The carriers' threads carry
requests to the loop and answers back and decide nothing; what a command does is in `agent/answers.py`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge_agent.api.carrier import WAITING_REQUESTS, Carriers
from edge_agent.api.client import is_listening
from edge_agent.api.peer import Access
from edge_agent.api.request import Request, stopping
from edge_agent.errors import ConfigError, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow

MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path of a Unix socket address, less its closing zero (unix(7))."""

Handler = Callable[[Request, float], None]


class ApiServer:
    """Takes requests from the socket and has the loop answer them.

    A component: `step` runs the handlers, on the loop thread. A handler answers its request at once or keeps it and
    answers later.

    Args:
        path: where the socket is made.
        handlers: for each command of the table, what runs it.
        poke: asks the loop to step this component; safe from any thread.
        clock: tells the time.
        access: which groups may do what.
    """

    name = "api"

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        poke: Callable[[str], None],
        clock: Clock | None = None,
        access: Access | None = None,
    ) -> None:
        self._access = access or Access()
        self._path = path
        self._handlers = dict(handlers)
        self._poke = poke
        self._clock = clock or SystemClock()
        self._requests = self._new_mailbox()
        self._server: Carriers | None = None
        self._ending: list[Carriers] = []
        self._open: list[Request] = []

    def open(self) -> None:
        """Make the socket and start listening.

        Raises:
            ConfigError: the path is too long for a Unix socket or of something else, or the socket cannot be given to
                its group.
            Unavailable: another agent listens there, or the socket cannot be made or belongs to another user.
        """
        if self._server is not None:
            return
        if len(os.fsencode(self._path)) > MAX_SOCKET_PATH_BYTES:
            raise ConfigError(
                f"the path of the local API is longer than {MAX_SOCKET_PATH_BYTES} bytes: {self._path}",
                hint="set [api] socket to a shorter path",
            )
        if is_listening(self._path):
            raise Unavailable(
                f"another agent is already listening on {self._path}",
                hint="stop it first, or give this one its own [station] state_dir",
            )
        self._requests = self._new_mailbox()
        try:
            if self._path.exists() and not self._path.is_socket():
                raise ConfigError(
                    f"{self._path} is something else than a socket, and stays as it is",
                    hint="set [api] socket to a file that is not there: the station makes it",
                )
            self._path.unlink(missing_ok=True)
            server = Carriers(self._path, self._requests, self._handlers, self._clock, self._access)
        except PermissionError as error:
            raise ConfigError(
                f"cannot make the local API at {self._path} for {self._access.groups or 'its user'}: {error.strerror}",
                hint="the user of the station must be in the group of [api] operators or [api] readers",
            ) from error
        except OSError as error:
            raise Unavailable(
                f"cannot make the local API at {self._path}: {error.strerror}",
                hint="check [api] socket and who may write there",
            ) from error
        self._server = server
        threading.Thread(target=server.serve, name="local API").start()

    def step(self, now: float) -> float:
        """Run the handlers of what came in."""
        self._open = [request for request in self._open if not request.answered]
        for request in self._requests.take_all():
            self._open.append(request)
            try:
                self._handlers[request.command.name](request, now)
            except EdgeAgentError as error:
                request.failed(error)
        return math.inf

    def stats(self) -> MailboxStats:
        """Count the requests since the socket was made."""
        return self._requests.stats()

    def close(self) -> None:
        """Stop listening and remove the socket; what waits is told that the station stops. Does not wait."""
        if self._server is None:
            return
        self._server.end()
        self._requests.close()
        for request in [*self._open, *self._requests.take_all()]:
            request.failed(stopping())
        self._path.unlink(missing_ok=True)
        self._ending = [server for server in self._ending if not server.ended.is_set()] + [self._server]
        self._server = None

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the threads to end; say whether they have."""
        for server in self._ending:
            self._clock.wait(server.ended, until)
        return all(server.ended.is_set() for server in self._ending)

    def _new_mailbox(self) -> Mailbox[Request]:
        return Mailbox(WAITING_REQUESTS, Overflow.REFUSE, on_put=lambda: self._poke(self.name))
