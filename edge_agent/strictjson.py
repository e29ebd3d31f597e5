"""JSON from outside, read without mercy: bounded, without surprises, and as the type that is expected. Pure.

msgspec alone lets pass what another reader understands otherwise: a key twice, NaN, a number without end.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from edge_agent.errors import BadData

T = TypeVar("T")

MAX_BYTES: Final = 256 * 1024
"""Of one text, unless the caller allows less: as much as a message to a station may weigh."""

MAX_DEPTH: Final = 16
"""Of objects and lists within each other; ours need five."""

MAX_DIGITS: Final = 20
"""Of a whole number: all that 64 bits hold, and the sign."""

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_SURROGATES: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(data: bytes, kind: type[T], *, max_bytes: int = MAX_BYTES) -> T:
    """Read a text as a value of one type.

    Args:
        data: the text, UTF-8.
        kind: what it is to be.
        max_bytes: a longer text is not looked at.

    Returns:
        The value.

    Raises:
        BadData: it is none; the message says where and why.
    """
    return as_kind(plain(data, max_bytes=max_bytes), kind)


def plain(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a text as what JSON knows, for `as_kind`; the work grows with its length and no faster.

    Args:
        data: the text, UTF-8.
        max_bytes: a longer text is not looked at.

    Returns:
        Objects, lists, text, numbers.

    Raises:
        BadData: it is no JSON, or not such that every reader sees the same in it.
    """
    if len(data) > max_bytes:
        raise BadData(f"{len(data)} bytes, at most {max_bytes} are read")
    if _depth(data) > MAX_DEPTH:
        raise BadData(f"more than {MAX_DEPTH} objects and lists within each other")
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=object_of,
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_constant,
        )
        if _SURROGATES.search(data):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        raise BadData("half of a surrogate pair, which is no text") from error
    except UnicodeDecodeError as error:
        raise BadData(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise BadData(f"not JSON: {error.msg.lower()} at character {error.pos}") from error


def as_kind(value: Any, kind: type[T]) -> T:
    """Make what was read a value of one type; raise `BadData`, with the place first, where it is none."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadData(_told(str(error))) from error


def _depth(data: bytes) -> int:
    """Give how many brackets are open at once at most; what stands in strings does not count."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def object_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs, in one pass; raise `BadData` where a key stands twice."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise BadData(f"the key {name[:80]!r} stands twice in one object")
        made[name] = value
    return made


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise BadData(f"a number of {len(text)} digits")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadData(f"a number too large: {text[:40]}")
    return number


def _constant(text: str) -> float:
    raise BadData(f"{text} is no number of JSON")


def _told(reason: str) -> str:
    """Say what msgspec found, the place first."""
    text, _, place = reason.partition(" - at `")
    return f"{place.rstrip('`') or '$'}: {text[0].lower()}{text[1:]}"
