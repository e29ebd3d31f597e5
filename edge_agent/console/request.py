"""A command as it is asked for, checked by the table that the station checks it by. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edge_agent.commands import COMMANDS, Resource, checked
from edge_agent.errors import BadData

MAX_TTL_S: Final = 86_400.0
"""A request that may be begun later than a day after it was asked for is an accident [s]."""


class Request(msgspec.Struct, frozen=True):
    """What travels on `cmd/NAME/req`.

    Attributes:
        v: version of the format.
        id: the same each time it is asked.
        cmd: the command.
        args: its arguments.
        issued_at: when it was asked [s since the epoch].
        ttl_ms: how long after that it may be begun [ms].
        by: who asks.
        expect: for resources, the fingerprint that they must have.
    """

    v: int
    id: str
    cmd: str
    args: dict[str, Any]
    issued_at: float
    ttl_ms: int
    by: str
    expect: dict[str, str]

    @property
    def text(self) -> str:
        """The message, JSON."""
        return msgspec.json.encode(self).decode()


def uuid7(utc: float, random: bytes) -> str:
    """Make an id that sorts by time (RFC 9562, 5.7).

    Args:
        utc: wall time [s since the epoch].
        random: 10 bytes that nobody can guess.

    Returns:
        The id, 36 characters.
    """
    milliseconds = int(utc * 1000.0) & (2**48 - 1)
    rest = int.from_bytes(random[:10], "big")
    value = milliseconds << 80 | 0x7 << 76 | (rest >> 68 & 0xFFF) << 64 | 0b10 << 62 | rest & (2**62 - 1)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def pairs_of(words: Sequence[str], what: str) -> dict[str, str]:
    """Read `key=value` words.

    Args:
        words: as typed.
        what: what they are, for messages.

    Returns:
        The values by key.

    Raises:
        BadData: a word is none, or a key stands there twice.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadData(f"{word!r} is no {what}", hint=f"write {what} as key=value")
        if key in found:
            raise BadData(f"{key} is given twice")
        found[key] = value
    return found


def needs_signature(command: str) -> bool:
    """Say whether a station obeys a command only when it is signed."""
    return COMMANDS[command].signed


def request_of(
    command: str,
    given: Mapping[str, str],
    *,
    request_id: str,
    by: str,
    utc: float,
    ttl_s: float,
    expect: Mapping[str, str],
) -> Request:
    """Make a request; what the station would refuse as wrong is refused here.

    Args:
        command: its name.
        given: its arguments, as text.
        request_id: the same each time it is asked.
        by: who asks; stations record it where they record a person.
        utc: wall time [s since the epoch].
        ttl_s: how long it may be begun [s].
        expect: fingerprints that resources must have.

    Returns:
        The request.

    Raises:
        BadData: there is no such command, or an argument is missing, unknown or wrong.
    """
    row = COMMANDS.get(command)
    if row is None:
        raise BadData(f"there is no command {command}", hint=f"there is {', '.join(COMMANDS)}")
    if not 0.0 < ttl_s <= MAX_TTL_S:
        raise BadData(f"a request lives for more than 0 and at most {MAX_TTL_S:.0f} s, not {ttl_s:g}")
    for resource in expect:
        if resource not in set(Resource):
            raise BadData(f"there is no resource {resource}", hint=f"there is {', '.join(Resource)}")
    names = {field.encode_name for field in msgspec.structs.fields(row.arguments)}
    if "who" in given:
        raise BadData("who asks is said with --by", hint="leave who= out")
    who = {"who": by} if "who" in names else {}
    arguments = checked(command, **{**given, **who})
    if row.max_body_bytes and not getattr(arguments, "next", 0):
        raise BadData(
            f"{command} takes its examples from the line when it is asked over the network",
            hint="say how many parts: next=5",
        )
    args = {name: value for name, value in msgspec.to_builtins(arguments).items() if name in given}
    return Request(1, request_id, command, args, utc, int(ttl_s * 1000.0), by, dict(expect))
