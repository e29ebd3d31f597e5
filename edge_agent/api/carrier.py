"""HTTP on the Unix socket: reads one request a connection, carries it to the loop's mailbox and the answer back.

One thread a caller; it decides nothing. A caller that is slow, gone or hostile costs its own connection only.
"""

from __future__ import annotations

import io
import os
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from edge_agent.api.peer import Access, caller_of, socket_mode
from edge_agent.api.request import Request, stopping
from edge_agent.commands import COMMANDS, checked
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.mailbox import Mailbox

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")
"""What makes a request repeatable."""

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


class _Forbidden(BadData):
    """Who asks may not."""


class Carriers(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens, and has a thread carry each request.

    Args:
        path: where the socket is made.
        requests: the loop's mailbox.
        names: commands that there are.
        clock: tells the time.
        access: which groups may do what.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = WAITING_REQUESTS
    timeout = ACCEPT_PERIOD_S

    def __init__(
        self, path: Path, requests: Mailbox[Request], names: Iterable[str], clock: Clock, access: Access
    ) -> None:
        self.access = access
        super().__init__(str(path), _Carrier)
        self.requests = requests
        self.names = frozenset(names)
        self.clock = clock
        self.stopping = threading.Event()
        self.ended = threading.Event()

    def server_bind(self) -> None:
        """Make the socket; nobody can connect before its mode is right, because it does not listen yet."""
        super().server_bind()
        path = str(self.server_address)
        mode, group = socket_mode(self.access)
        if group is not None:
            os.chown(path, -1, group)
        Path(path).chmod(mode)

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
    server: Carriers
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
                    raise stopping()
                raise Unavailable("too many requests are waiting", hint="ask again in a moment")
            self._answer(200, request.wait())
        except _Forbidden as error:
            self._answer(403, {"error": error.message, "hint": error.hint})
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
        caller = caller_of(self.connection, self.server.access)
        if caller.privilege is None or not caller.privilege.covers(command.privilege):
            who = caller.name or f"user {caller.uid}"
            needed = f"`{name}` is for those who may {command.privilege}, {who} may {caller.privilege or 'nothing'}"
            raise _Forbidden(needed, hint=self.server.access.who_may)
        given = dict(parse_qsl(query))
        asked_id = given.pop("id", "")
        if not REQUEST_ID.fullmatch(asked_id):
            raise BadData("`id` is up to 64 letters, digits and ._-", hint="choose a new one for each request")
        arguments = checked(name, **given)
        length = self.headers.get("Content-Length", "0")
        countable = length.isdecimal() and len(length) <= MAX_LENGTH_DIGITS
        if not countable or int(length) > command.max_body_bytes:
            self.close_connection = True
            raise BadData(
                f"`{name}` takes a body of at most {command.max_body_bytes} bytes, got {length[:20]}",
                hint="send fewer examples at a time",
            )
        return Request(command, arguments, self.rfile.read(int(length)), caller, asked_id)

    def _answer(self, status: int, value: object) -> None:
        body = msgspec.json.encode(value)
        self.connection.settimeout(WRITE_TIMEOUT_S)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
