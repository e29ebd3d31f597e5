"""The station's side of the local API: HTTP on a Unix socket that only its own user may open.

`GET|POST /v1/<command>?argument=value` answers JSON; `teach` takes examples as the body. The server's threads carry
requests to the loop and answers back and decide nothing; what a command does is in `answers.py`.
"""

from __future__ import annotations

import io
import math
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from edge_agent.api.client import is_listening
from edge_agent.commands import COMMANDS, Arguments, Command, checked
from edge_agent.errors import BadData, ConfigError, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.mailbox import Mailbox, MailboxStats, Overflow

SOCKET_MODE: Final = 0o600
"""Only the station's own user (and root) talks to the station."""

MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path of a Unix socket address, less its closing zero (unix(7))."""

WAITING_REQUESTS: Final = 16
"""People and pages ask a few things at a time; more than this is refused with 503."""

READ_TIMEOUT_S: Final = 2.5
"""A caller that has not sent its whole request by then loses the connection; it would hold up the stop [s]."""

WRITE_TIMEOUT_S: Final = 2.0
"""A caller that does not take its answer loses it after this, for the same reason [s]."""

ACCEPT_PERIOD_S: Final = 0.1
"""How often the listening thread looks whether it should end [s]."""

MAX_LENGTH_DIGITS: Final = 12
"""Of the length that a caller announces for its body."""


@dataclass(eq=False)
class Request:
    """One command on its way to the loop; exactly one of `done` and `failed` answers it, from the loop thread."""

    command: Command
    arguments: Arguments
    body: bytes = b""
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
    """

    name = "api"

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        poke: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._poke = poke
        self._clock = clock or SystemClock()
        self._requests = self._new_mailbox()
        self._server: _Server | None = None
        self._ending: list[_Server] = []
        self._open: list[Request] = []

    def open(self) -> None:
        """Make the socket and start listening.

        Raises:
            ConfigError: the path is too long for a Unix socket.
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
            self._path.unlink(missing_ok=True)
            server = _Server(self._path, self._requests, self._handlers, self._clock)
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
            request.failed(_stopping())
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


def _stopping() -> Unavailable:
    return Unavailable("the station is stopping", hint="try again when it runs")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = WAITING_REQUESTS
    timeout = ACCEPT_PERIOD_S

    def __init__(self, path: Path, requests: Mailbox[Request], names: Iterable[str], clock: Clock) -> None:
        super().__init__(str(path), _Carrier)
        self.requests = requests
        self.names = frozenset(names)
        self.clock = clock
        self.stopping = threading.Event()
        self.ended = threading.Event()

    def server_bind(self) -> None:
        """Make the socket; nobody can connect before its mode is right, because it does not listen yet."""
        super().server_bind()
        Path(str(self.server_address)).chmod(SOCKET_MODE)

    def serve(self) -> None:
        """Accept callers until `end`, then see the last of them off; the body of the listening thread."""
        try:
            while not self.stopping.is_set():
                self.handle_request()
            self.server_close()
        finally:
            self.ended.set()

    def end(self) -> None:
        """Ask the listening thread to end."""
        self.stopping.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news; anything else is a bug."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Deadlined(io.RawIOBase):
    """Reads a socket up to one moment, however the bytes come."""

    def __init__(self, source: socket.socket, clock: Clock, until: float) -> None:
        self._source = source
        self._clock = clock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until - self._clock.now()
        if left_s <= 0.0:
            raise TimeoutError
        self._source.settimeout(left_s)
        return self._source.recv_into(buffer)


class _Carrier(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"  # one request a connection: a caller that stays would hold up the stop

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        until = self.server.clock.now() + READ_TIMEOUT_S
        self.rfile = io.BufferedReader(_Deadlined(self.connection, self.server.clock, until))

    def do_GET(self) -> None:
        self._carry()

    def do_POST(self) -> None:
        self._carry()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not news either."""

    def _carry(self) -> None:
        try:
            request = self._read_request()
            if not self.server.requests.offer(request):
                if self.server.stopping.is_set():
                    raise _stopping()
                raise Unavailable("too many requests are waiting", hint="ask again in a moment")
            self._answer(200, request.wait())
        except Unavailable as error:
            self._answer(503, {"error": error.message, "hint": error.hint})
        except EdgeAgentError as error:
            self._answer(400, {"error": error.message, "hint": error.hint})

    def _read_request(self) -> Request:
        path, _, query = self.path.partition("?")
        name = path.removeprefix("/v1/")
        if name not in self.server.names:
            raise BadData(f"there is no command `{path}`", hint=f"commands: {', '.join(sorted(self.server.names))}")
        command = COMMANDS[name]
        arguments = checked(name, **dict(parse_qsl(query)))
        length = self.headers.get("Content-Length", "0")
        countable = length.isdecimal() and len(length) <= MAX_LENGTH_DIGITS
        if not countable or int(length) > command.max_body_bytes:
            self.close_connection = True
            raise BadData(
                f"`{name}` takes a body of at most {command.max_body_bytes} bytes, got {length[:20]}",
                hint="send fewer examples at a time",
            )
        return Request(command, arguments, self.rfile.read(int(length)))

    def _answer(self, status: int, value: object) -> None:
        body = msgspec.json.encode(value)
        self.connection.settimeout(WRITE_TIMEOUT_S)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
