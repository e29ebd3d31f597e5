"""What whoever asks is told: one record, and for each kind of error the code that says what to do about it. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from edge_agent.errors import BadData, EdgeAgentError, Unavailable, Unsafe

MAX_RESULT_BYTES: Final = 128 * 1024
"""A larger result is neither kept nor sent over the network; who asked through the socket has it all the same."""


class Code(StrEnum):
    """What became of a command."""

    OK = "OK"
    E_SCHEMA = "E_SCHEMA"  #: not a request, or not of this command; the message says where
    E_EXPIRED = "E_EXPIRED"  #: too late to begin
    E_DUPLICATE = "E_DUPLICATE"  #: the id belongs to another request
    E_PRECONDITION = "E_PRECONDITION"  #: things are not as the request expects
    E_BUSY = "E_BUSY"  #: not now; a new request may do better
    E_UNAUTH = "E_UNAUTH"  #: who asks may not
    E_UNSAFE = "E_UNSAFE"  #: it could be done, but must not be
    E_INTERNAL = "E_INTERNAL"  #: the station failed


class Response(msgspec.Struct, frozen=True):
    """What is told about one request.

    Attributes:
        id: of the request, "" where it could not be read.
        phase: `accepted` when it is stored, `progress` while it goes on, `done` once.
        status: `ok` or `error`.
        code: what became of it.
        message: one sentence for people, "" for `ok`.
        hint: what to do about it.
        result: what the command answers, JSON.
        station: who says so.
        at: wall time [s since the epoch].
        took_ms: since the request came [ms].
        v: version of this record.
    """

    id: str
    phase: Literal["accepted", "progress", "done"]
    status: Literal["ok", "error"]
    code: Code
    message: str
    hint: str
    result: msgspec.Raw
    station: str
    at: float
    took_ms: float
    v: int = 1


NO_RESULT: Final = msgspec.Raw(b"{}")


def code_of(error: EdgeAgentError) -> Code:
    """Give the code that says what to do about an error of a command that was in order."""
    match error:
        case Unsafe():
            return Code.E_UNSAFE
        case BadData():
            return Code.E_PRECONDITION
        case Unavailable():
            return Code.E_BUSY
        case _:
            return Code.E_INTERNAL


def error_of(response: Response) -> EdgeAgentError | None:
    """Give the error that a response tells of, for who asks through the socket; None where it tells of none."""
    if response.status == "ok":
        return None
    kind = Unavailable if response.code in (Code.E_BUSY, Code.E_INTERNAL, Code.E_EXPIRED) else BadData
    return kind(response.message, hint=response.hint)


def raw(result: object) -> msgspec.Raw:
    """Write a result; in place of one that is too large, how large it is."""
    body = msgspec.json.encode(result)
    if len(body) > MAX_RESULT_BYTES:
        body = msgspec.json.encode({"too_large_bytes": len(body)})
    return msgspec.Raw(body)
