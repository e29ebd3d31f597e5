"""The local API: HTTP on a Unix socket that only the station's own user may open.

`GET|POST /v1/<command>?argument=value` answers JSON; `teach` takes examples as the body. The server's threads carry
requests to the loop and answers back and decide nothing; what a command does is wired in `app.py`.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from edge_agent.commands import COMMANDS, Arguments, Command
from edge_agent.errors import BadData, ConfigError, EdgeAgentError, Unavailable
from edge_agent.runtime.mailbox import Mailbox, Overflow

SOCKET_MODE: Final = 0o600
"""Only the station's own user (and root) talks to the station."""

MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path of a Unix socket address, less its closing zero (unix(7))."""

WAITING_REQUESTS: Final = 16
"""People and pages ask a few things at a time; more than this is refused with 503."""

SOCKET_TIMEOUT_S: Final = 2.0
"""A caller that stops in the middle of its request loses the connection after this; it would hold up the stop."""


@dataclass(eq=False)
class Request:
    """One command on its way to the loop; exactly one of `done` and `failed` answers it, from the loop thread."""

    command: Command
    arguments: Arguments
    body: bytes = b""
    _answered: threading.Event = field(default_factory=threading.Event)
    _result: object = None
    _error: EdgeAgentError | None = None

    @property
    def answered(self) -> bool:
        """It needs no answer any more."""
        return self._answered.is_set()

    def done(self, result: object) -> None:
        """Answer with a value that msgspec can write as JSON."""
        self._result = result
        self._answered.set()

    def failed(self, error: EdgeAgentError) -> None:
        """Answer with an error for a person; ignored when the request was answered already."""
        if not self.answered:
            self._error = error
            self._answered.set()

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
        if self._error is not None:
            raise self._error
        return self._result


Handler = Callable[[Request, float], None]


class ApiServer:
    """Takes requests from the socket and has the loop answer them.

    A component: `step` runs the handlers, on the loop thread. A handler answers its request at once or keeps it and
    answers later.

    Args:
        path: where the socket is made.
        handlers: for each command of the table, what runs it.
        poke: asks the loop to step this component; safe from any thread.
    """

    name = "api"

    def __init__(self, path: Path, handlers: Mapping[str, Handler], poke: Callable[[str], None]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self.requests: Mailbox[Request] = Mailbox(WAITING_REQUESTS, Overflow.REFUSE, on_put=lambda: poke(self.name))
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._open: list[Request] = []

    def open(self) -> None:
        """Make the socket and start listening.

        Raises:
            ConfigError: the path is too long for a Unix socket.
            Unavailable: another agent listens there, or the socket cannot be made.
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
        try:
            self._path.unlink(missing_ok=True)
            self._server = _Server(str(self._path), self.requests, self._handlers.keys())
            self._path.chmod(SOCKET_MODE)
        except OSError as error:
            raise Unavailable(
                f"cannot make the local API at {self._path}: {error.strerror}",
                hint="check [api] socket and who may write there",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="local API")
        self._thread.start()

    def step(self, now: float) -> float:
        """Run the handlers of what came in."""
        self._open = [request for request in self._open if not request.answered]
        for request in self.requests.take_all():
            self._open.append(request)
            try:
                self._handlers[request.command.name](request, now)
            except EdgeAgentError as error:
                request.failed(error)
        return math.inf

    def close(self) -> None:
        """Stop listening and remove the socket; what waits is told that the station stops."""
        if self._server is None:
            return
        stopping = Unavailable("the station is stopping", hint="try again when it runs")
        for request in [*self._open, *self.requests.take_all()]:
            request.failed(stopping)
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        self._server = self._thread = None


def is_listening(path: Path) -> bool:
    """Say whether an agent answers at `path`; a socket left behind by a dead one does not."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def call(path: Path, name: str, arguments: Mapping[str, object] | None = None, body: bytes = b"") -> Any:
    """Ask the running station something and give its answer, decoded from JSON.

    Args:
        path: the station's socket.
        name: a command of the table.
        arguments: its arguments; None values are left out.
        body: examples, for `teach`.

    Returns:
        The answer.

    Raises:
        Unavailable: no station runs there, or it did not answer.
        BadData: the station refused, with its reason.
    """
    query = urlencode({k: v for k, v in (arguments or {}).items() if v is not None})
    connection = _Connection(path, COMMANDS[name].timeout_s + 1.0)
    try:
        connection.request("POST", f"/v1/{name}?{query}", body=body)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"no station answers at {path}", hint="start one: edge-agent run -c station.toml") from error
    finally:
        connection.close()
    if response.status != 200:
        kind = Unavailable if response.status == 503 else BadData
        raise kind(str(answer.get("error")), hint=str(answer.get("hint", "")))
    return answer


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("station", timeout=timeout_s)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._socket_path))


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = WAITING_REQUESTS

    def __init__(self, path: str, requests: Mailbox[Request], names: Any) -> None:
        super().__init__(path, _Carrier)
        self.requests = requests
        self.names = frozenset(names)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""


class _Carrier(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOCKET_TIMEOUT_S
    protocol_version = "HTTP/1.0"  # one request a connection: a caller that stays would hold up the stop

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
                raise Unavailable("too many requests are waiting", hint="ask again in a moment")
            self._answer(200, request.wait())
        except Unavailable as error:
            self._answer(503, {"error": error.message, "hint": error.hint})
        except EdgeAgentError as error:
            self._answer(400, {"error": error.message, "hint": error.hint})

    def _read_request(self) -> Request:
        url = urlsplit(self.path)
        name = url.path.removeprefix("/v1/")
        if name not in self.server.names:
            raise BadData(f"there is no command `{url.path}`", hint=f"commands: {', '.join(sorted(self.server.names))}")
        command = COMMANDS[name]
        try:
            arguments = msgspec.convert(dict(parse_qsl(url.query)), command.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise BadData(f"`{name}`: {error}", hint="see docs/commands.md") from error
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > command.max_body_bytes:
            self.close_connection = True
            raise BadData(
                f"`{name}` takes a body of at most {command.max_body_bytes} bytes, got {length}",
                hint="send fewer examples at a time",
            )
        return Request(command, arguments, self.rfile.read(int(length)))

    def _answer(self, status: int, value: object) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
