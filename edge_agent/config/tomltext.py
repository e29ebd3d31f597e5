"""A TOML text becomes values, the line of every key in it, and every problem that TOML itself can see.

tomllib stays the judge of what is valid and the only source of values, but it knows no line numbers and stops
at the first key that is there twice. So a scanner cuts the text into statements and notes where each key
stands. Pure: no files, and no idea which keys a configuration has.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys from the outside in, with the index for an element of an array."""

MAX_DEPTH: Final = 32
"""Longest key path; more is refused before tomllib, which recurses, sees it."""

LONGEST_SHOWN: Final = 60
"""Characters of a key or text that a message repeats: enough to recognise it, and a message stays a line."""

_GAP: Final = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SPACE: Final = re.compile(r"[ \t]*+")
_LINE_END: Final = re.compile(r"[ \t]*+(?:#[^\n]*+)?\r?(?:\n|\Z)")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]++")
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]++|\\[^\n])*+"' + r"|'[^'\n]*+'")
_MULTILINE: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}' + r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}", re.DOTALL
)
_SCALAR: Final = re.compile(r"""[^,\[\]{}#"'\r\n]++""")
_TOMLLIB_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


class Problem(msgspec.Struct, frozen=True):
    """One thing a person must change in a file.

    Attributes:
        line: where, counted from 1; None when it is about the file, or about a key that is not in it.
        key: dotted path of the key; "" when there is none.
        reason: what is wrong, with the value.
        hint: what would be right; "" when the reason says it.
    """

    line: int | None
    key: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class TomlText:
    """What a TOML text says, and where.

    Attributes:
        values: the document; None when it cannot be read. Of a key that is there twice, the first value.
        lines: line of each key, table and array element, counted from 1.
        problems: what makes it invalid, in the order of the text.
    """

    values: dict[str, object] | None
    lines: dict[KeyPath, int]
    problems: tuple[Problem, ...] = ()


def read_toml(text: str) -> TomlText:
    """Give values, lines and problems of `text`; never raises.

    A syntax error is reported alone. Keys and tables that are there twice are all reported, and the values
    are still given, so that the reader can go on checking.
    """
    scan = _Scan(text)
    if scan.too_deep_line is not None:
        return TomlText(None, {}, (Problem(scan.too_deep_line, "", f"nested deeper than {MAX_DEPTH} levels"),))
    try:
        return TomlText(tomllib.loads(text), scan.lines)
    except (ValueError, RecursionError) as error:
        whole = _problem(error, first_line=1)
    for statement in scan.statements:
        try:
            tomllib.loads(statement.text)
        except (ValueError, RecursionError) as error:
            return TomlText(None, scan.lines, (_problem(error, statement.line),))
    if not scan.repeated:
        return TomlText(None, scan.lines, (whole,))
    try:
        values = tomllib.loads(scan.without_repeats())
    except ValueError:
        return TomlText(None, scan.lines, tuple(scan.repeated))
    return TomlText(values, scan.lines, tuple(scan.repeated))


def dotted(path: KeyPath) -> str:
    """Write `path` as TOML does, without the indices of array elements; always one printable line."""
    return ".".join(
        key if _BARE.fullmatch(key) and len(key) <= LONGEST_SHOWN else quoted(key)
        for key in path
        if isinstance(key, str)
    )


def quoted(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Write `text` in quotes, shortened to `longest` characters, with nothing a terminal would act on."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return json.dumps(short, ensure_ascii=not short.isprintable())


def _problem(error: Exception, first_line: int) -> Problem:
    """Say what tomllib said about a text that begins at `first_line` of the file."""
    message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    place = _TOMLLIB_PLACE.search(message)
    reason = f"not valid TOML: {_TOMLLIB_PLACE.sub('', message)}"
    if place and place[1] is None:
        return Problem(first_line, "", f"{reason}; the text ends inside what begins here")
    hint = 'text stands in "quotes"; true and false are lower case' if "Invalid value" in message else ""
    return Problem(first_line + (int(place[1]) - 1 if place else 0), "", reason, hint)


@dataclass(frozen=True)
class _Statement:
    """A table header or a `key = value`: its table, its text and its first line."""

    table: KeyPath
    text: str
    line: int
    is_repeat: bool = False


class _StuckError(Exception):
    """The scanner cannot go on here; tomllib will say why."""


class _Scan:
    """Cuts a TOML text into statements; lenient, because tomllib judges each of them afterwards.

    A text that cannot be cut becomes, from the statement that has no end, one last statement.
    """

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.statements: list[_Statement] = []
        self.repeated: list[Problem] = []
        self.too_deep_line: int | None = None
        self._text = text
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._at = 0
        self._table: KeyPath = ()
        self._table_counts: dict[KeyPath, int] = {}
        self._defined: dict[KeyPath, int] = {}
        self._skip(_GAP)
        while self._at < len(text) and self.too_deep_line is None:
            start = self._at
            try:
                self._statement()
            except _StuckError:
                self.statements.append(_Statement(self._table, text[start:], self._line(start)))
                return
            self._skip(_GAP)

    def without_repeats(self) -> str:
        """Give the text with what stands under one table brought together, and each key once."""
        tables: dict[KeyPath, list[str]] = {(): []}
        for statement in self.statements:
            body = tables.setdefault(statement.table, [])
            if not statement.is_repeat:
                body.append(statement.text)
        return "\n".join(text for body in tables.values() for text in body)

    def _statement(self) -> None:
        start, line = self._at, self._line()
        if self._take("[["):
            keys = self._keys("]]")
            path = self._note((), keys[:-1], line) + keys[-1:]
            index = self._table_counts.get(path, 0)
            self._table_counts[path] = index + 1
            self.lines.setdefault(path, line)
            self._table = path = self._note(path, (index,), line)
            what = "table"
        elif self._take("["):
            self._table = path = self._note((), self._keys("]"), line)
            what = "table"
        else:
            path = self._note(self._table, self._keys("="), line)
            self._value(path)
            what = "key"
        end = self._at
        self._match(_LINE_END)
        is_repeat = path in self._defined
        if is_repeat:
            first = self._defined[path]
            self.repeated.append(Problem(line, dotted(path), f"this {what} is already on line {first}"))
        self._defined.setdefault(path, line)
        self.statements.append(_Statement(self._table, self._text[start:end], line, is_repeat))

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        if self._take("["):
            for index in self._items("]"):
                self._value(self._note(path, (index,), self._line()))
        elif self._take("{"):
            for _ in self._items("}"):
                line = self._line()
                self._value(self._note(path, self._keys("="), line))
        elif not (self._skip(_MULTILINE) or self._skip(_QUOTED)):
            self._match(_SCALAR)

    def _items(self, close: str) -> Iterator[int]:
        """Stand at each item between brackets in turn and give its index; leave behind `close`."""
        index = 0
        self._skip(_GAP)
        while not self._take(close):
            if index > 0:
                self._expect(",")
                self._skip(_GAP)
                if self._take(close):
                    return
            yield index
            index += 1
            self._skip(_GAP)

    def _keys(self, end: str) -> tuple[str, ...]:
        """Read a dotted key and the `end` behind it."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._skip(_BARE):
                keys.append(self._text[start : self._at])
            else:
                self._match(_QUOTED)
                keys.append(_unquoted(self._text[start : self._at]))
            self._skip(_SPACE)
            if not self._take("."):
                self._expect(end)
                return tuple(keys)

    def _note(self, path: KeyPath, keys: KeyPath, line: int) -> KeyPath:
        """Remember the line of `keys` under `path`; an array of tables means its newest table."""
        for key in keys:
            path += (key,)
            if path in self._table_counts:
                path += (self._table_counts[path] - 1,)
            if len(path) > MAX_DEPTH:
                self.too_deep_line = line
                raise _StuckError
            self.lines.setdefault(path, line)
        return path

    def _line(self, at: int | None = None) -> int:
        return 1 + bisect_left(self._newlines, self._at if at is None else at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match is not None

    def _match(self, pattern: re.Pattern[str]) -> None:
        if not self._skip(pattern):
            raise _StuckError

    def _take(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _StuckError


def _unquoted(token: str) -> str:
    try:
        return str(tomllib.loads(f"v = {token}")["v"])
    except tomllib.TOMLDecodeError:
        raise _StuckError from None
