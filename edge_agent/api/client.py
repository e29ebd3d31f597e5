"""The caller's side of the local API: asks a running station, and tells apart why one does not answer."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from edge_agent.commands import COMMANDS
from edge_agent.errors import BadData, Unavailable

ANOTHER_USER_HINT: Final = (
    "do the same as that user, for example: sudo -u edge-agent edge-agent status -c /etc/edge-agent/station.toml"
)
"""What to do about a socket that may not be opened."""


JOURNAL_HINT: Final = "look at the journal of the service"

SEEN: Final = {"teach": "`edge-agent learned`, and `edge-agent proof` what waits,", "gate": "`edge-agent status`"}
"""Where to see whether a command was obeyed, in place of the audit."""


class NoStation(Unavailable):
    """Nobody listens, so that what was asked for was not even heard."""


def is_listening(path: Path) -> bool:
    """Say whether an agent answers at `path`; a socket left behind by a dead one does not.

    Args:
        path: the station's socket.

    Returns:
        False where nobody listens; a station that is too busy to answer runs.

    Raises:
        Unavailable: the socket belongs to another user, so that it cannot be told.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except PermissionError as error:
            raise _of_another_user(path) from error
        except (TimeoutError, BlockingIOError):
            return True
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
        Unavailable: no station runs there, it belongs to another user, or it did not answer.
        BadData: the station refused, with its reason.
    """
    query = urlencode({k: _text(v) for k, v in (arguments or {}).items() if v is not None})
    connection = _Connection(path, COMMANDS[name].timeout_s + 1.0)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise _why_no_answer(path, error) from error
    try:
        connection.request("POST", f"/v1/{name}?{query}", body=body)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _why_it_broke(path, name, error) from error
    finally:
        connection.close()
    if response.status != 200:
        kind = Unavailable if response.status == 503 else BadData
        raise kind(str(answer.get("error")), hint=str(answer.get("hint", "")))
    return answer


def _text(value: object) -> str:
    """Write an argument as the station reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _why_no_answer(path: Path, error: Exception) -> Unavailable:
    match error:
        case PermissionError():
            return _of_another_user(path)
        case FileNotFoundError() | NotADirectoryError() | ConnectionRefusedError():
            return NoStation(f"no station runs at {path}", hint="start one: edge-agent run -c station.toml")
        case TimeoutError() | BlockingIOError():
            return Unavailable(f"the station at {path} does not answer", hint=JOURNAL_HINT)
        case _:
            return Unavailable(f"the station at {path} cannot be reached: {error}", hint=JOURNAL_HINT)


def _why_it_broke(path: Path, name: str, error: Exception) -> Unavailable:
    """Say that a request was on its way: nobody knows whether it was obeyed."""
    if isinstance(error, TimeoutError | BlockingIOError):
        return _why_no_answer(path, error)
    hint = f"try again; if this returns, {JOURNAL_HINT}"
    if COMMANDS[name].signed:
        hint = f"it may have been obeyed: {SEEN.get(name, 'edge-agent audit')} shows it when the station runs again"
    return Unavailable(f"the connection to the station at {path} broke before it answered `{name}`: {error}", hint=hint)


def _of_another_user(path: Path) -> Unavailable:
    return Unavailable(f"the socket of the station belongs to another user: {path}", hint=ANOTHER_USER_HINT)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("station", timeout=timeout_s)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._socket_path))
