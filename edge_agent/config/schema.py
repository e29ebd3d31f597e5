"""Holds a tree of values against a msgspec Struct and gives every place where they differ, in words.

msgspec decides what fits a type and stops at the first thing that does not; this walk asks it leaf by leaf.
Pure: knows nothing of files, nor which struct it is given.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec
from msgspec import inspect

from edge_agent.config.tomltext import KeyPath, Problem, dotted, quoted

MAX_LISTED: Final = 20
"""Unknown keys of a table, and items of an array, that are judged one by one; more is no configuration."""


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Give the line of `path`, or of the innermost table around it that is in the text."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)


def conform(
    values: Mapping[str, object], struct: type[msgspec.Struct], lines: Mapping[KeyPath, int]
) -> tuple[dict[str, object], list[Problem]]:
    """Compare `values` with the fields of `struct` and, through them, with the structs inside it.

    Args:
        values: the tree, as tomllib gives it.
        struct: what it should be.
        lines: line of each key.

    Returns:
        The part of the tree that fits, and a problem for each key that does not.
    """
    walk = _Walk(struct, lines)
    return walk.table(values, struct, ()), walk.problems


def expectation(kind: Any) -> str:
    """Say in words which values the field type `kind` takes: `a number from 0.1 to 50`."""
    return _words(inspect.type_info(kind))


class _Walk:
    def __init__(self, root: type[msgspec.Struct], lines: Mapping[KeyPath, int]) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._lines = lines

    def table(self, values: Mapping[str, object], struct: type[msgspec.Struct], at: KeyPath) -> dict[str, object]:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        unknown = [key for key in values if key not in fields]
        for key in unknown[:MAX_LISTED]:
            self._say((*at, key), "there is no such key", self._meant(at, key, fields))
        if len(unknown) > MAX_LISTED:
            self._say(at, f"{len(unknown)} unknown keys; the first {MAX_LISTED} are listed")
        fitting: dict[str, object] = {}
        for key, kind in fields.items():
            if key not in values:
                continue
            path, value = (*at, key), values[key]
            if not _is_struct(kind):
                if self._leaf_fits(value, kind, path):
                    fitting[key] = value
            elif isinstance(value, dict):
                fitting[key] = self.table(value, kind, path)
            else:
                self._say(path, f"must be a table, not {shown(value)}", f"write [{dotted(path)}] above its keys")
        return fitting

    def _leaf_fits(self, value: object, kind: Any, path: KeyPath) -> bool:
        item_kind = _item_kind(kind)
        before = len(self.problems)
        if item_kind is not None and isinstance(value, list):
            for index, item in enumerate(value[:MAX_LISTED]):
                if not _fits(item, item_kind):
                    self._say((*path, index), *_misfit(item, item_kind))
                elif item in value[:index]:
                    self._say((*path, index), f"{shown(item)} is already in the list")
        if len(self.problems) == before and not _fits(value, kind):
            self._say(path, *_misfit(value, kind))
        return len(self.problems) == before

    def _meant(self, at: KeyPath, key: str, siblings: Iterable[str]) -> str:
        if near := difflib.get_close_matches(key, siblings, n=1):
            return f"did you mean {dotted((*at, near[0]))}?"
        if elsewhere := [path for path in _key_paths(self._root) if path[-1] == key]:
            return f"did you mean {' or '.join(map(dotted, elsewhere))}?"
        return f"valid here: {', '.join(siblings)}"

    def _say(self, path: KeyPath, reason: str, hint: str = "") -> None:
        self.problems.append(Problem(line_of(self._lines, path), dotted(path), reason, hint))


def shown(value: object) -> str:
    """Write a TOML value for people: one short, printable line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case dict():
            return "a table"
        case list():
            return "a list"
        case int() if value.bit_length() > 100:
            return "a very large number"
        case _:
            return str(value)


def _fits(value: object, kind: Any, *, strict: bool = True) -> bool:
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError:
        return False
    return True


def _misfit(value: object, kind: Any) -> tuple[str, str]:
    """Give the reason and the hint for a value that does not fit."""
    reason = f"must be {expectation(kind)}, not {shown(value)}"
    if not isinstance(value, str):
        in_quotes = isinstance(value, int | float) and _fits(shown(value), kind)
        return reason, f'write "{shown(value)}"' if in_quotes else ""
    if _fits(value, kind, strict=False):
        return reason, f"write {value} without quotes"
    if _fits([value], kind):
        return reason, f"write [{quoted(value)}]"
    choices = {choice.lower(): choice for choice in _choices(inspect.type_info(kind))}
    near = difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.5)
    return reason, f"did you mean {quoted(choices[near[0]])}?" if near else ""


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _key_paths(struct: type[msgspec.Struct], at: KeyPath = ()) -> Iterator[KeyPath]:
    for field in msgspec.structs.fields(struct):
        path = (*at, field.encode_name)
        yield path
        if _is_struct(field.type):
            yield from _key_paths(field.type, path)


def _item_kind(kind: Any) -> Any:
    """Give the type of the items where `kind` is a list, else None."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def _choices(info: inspect.Type) -> Sequence[str]:
    match info:
        case inspect.LiteralType():
            return [str(value) for value in info.values]
        case inspect.EnumType():
            return [member.value for member in info.cls]
        case _:
            return ()


def _words(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number from {info.ge} to {info.le}"
        case inspect.FloatType():
            return f"a number from {info.ge:.10g} to {info.le:.10g}"
        case inspect.LiteralType() | inspect.EnumType():
            return " or ".join(map(quoted, _choices(info)))
        case inspect.VarTupleType():
            at_least = f"at least {info.min_length} of " if info.min_length else ""
            return f"a list of {at_least}{_words(info.item_type)}"
        case _:
            raise TypeError(f"no words for fields of type {info}")
