"""JSON from outside: whatever comes is a value or a reason; what other readers see otherwise is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.errors import BadData
from edge_agent.strictjson import MAX_BYTES, MAX_DEPTH, MAX_DIGITS, decode, object_of

Plain = dict[str, Any]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(LEAVES | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "\\",
        ",",
        ":",
        "\\u",
        "d800",
        "1",
        "-",
        ".",
        "e9",
        "NaN",
        "Infinity",
        "null",
        " ",
        "a",
        "é",
    ]
)


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    left: int
    right: list[float] = []


def refused(text: bytes | str, kind: type[Any] = dict) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(BadData) as caught:
        decode(data, kind)
    return caught.value.message


@given(OBJECTS)
def test_what_is_in_order_is_read_as_it_was_written(value: Plain) -> None:
    deep = json.dumps(value, ensure_ascii=False)
    if _depth(value) <= MAX_DEPTH:
        assert decode(deep.encode(), Plain) == value
        assert decode(json.dumps(value).encode(), Plain) == value  # with escapes, pairs of surrogates and all
    else:
        refused(deep)


@given(st.binary(max_size=300))
@example(b"\xff")
@example(b'{"a":"\\')
@example(b'"')
def test_any_bytes_are_a_value_or_a_reason(data: bytes) -> None:
    _reads(data)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_what_almost_is_json_is_a_value_or_a_reason(text: str) -> None:
    _reads(text.encode())


@given(OBJECTS, st.integers(0), st.binary(min_size=1, max_size=3))
def test_a_damaged_text_is_a_value_or_a_reason(value: Plain, at: int, damage: bytes) -> None:
    text = json.dumps(value).encode()
    at %= len(text)
    _reads(text[:at] + damage + text[at + len(damage) :])


@given(TEXTS, VALUES, VALUES)
def test_a_key_that_stands_twice_is_refused(key: str, first: Any, second: Any) -> None:
    name = json.dumps(key)
    text = f"{{{name}:{json.dumps(first)},{name}:{json.dumps(second)}}}"
    if _depth(first) < MAX_DEPTH and _depth(second) < MAX_DEPTH:
        assert "twice" in refused(text)


def test_also_where_it_is_written_otherwise_and_deep_inside() -> None:
    assert "twice" in refused('{"a":[{"id":1,"\\u0069d":2}]}')


class Watched(str):
    """A key that counts how often one of its kind is compared with another."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Watched.compared += 1
        return str.__eq__(self, str(other))

    __hash__ = str.__hash__


def counting(pairs: Sequence[tuple[str, Any]]) -> Plain:
    """What must not be: each name is looked for among all of them."""
    names = [name for name, _ in pairs]
    if any(names.count(name) > 1 for name in names):
        raise BadData("twice")
    return dict(pairs)


def compared(read: Callable[[Sequence[tuple[str, Any]]], object], keys: int) -> int:
    """How much is compared where the last key is the only one that stands twice."""
    pairs = [(Watched(f"k{number}"), 0) for number in range(keys)]
    Watched.compared = 0
    with pytest.raises(BadData, match="twice"):
        read([*pairs, (Watched(f"k{keys - 1}"), 0)])
    return Watched.compared


def test_to_find_a_key_that_stands_twice_costs_one_look_at_each() -> None:
    assert compared(object_of, 500) <= 2 * 500
    assert compared(counting, 500) > 500 * 500 // 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 21, "-" + "9" * 20])
def test_numbers_that_are_none_or_have_no_end_are_refused(number: str) -> None:
    refused(f'{{"a":{number}}}')


def test_a_number_of_a_hundred_thousand_digits_costs_no_arithmetic() -> None:
    assert "digits" in refused('{"a":' + "9" * 100_000 + "}")


def test_the_largest_numbers_are_read() -> None:
    assert decode(b'{"a":18446744073709551615,"b":-9223372036854775808}', Plain) == {"a": 2**64 - 1, "b": -(2**63)}
    assert len(str(2**64 - 1)) == len(str(-(2**63))) == MAX_DIGITS


@pytest.mark.parametrize("opening", ["[", '{"a":', '[[{"a":['])
@pytest.mark.parametrize("times", [MAX_DEPTH + 1, 2000, 60_000])
def test_deep_nesting_is_refused_before_anybody_recurses(opening: str, times: int) -> None:
    assert "within each other" in refused(opening * min(times, 250_000 // len(opening)))


def test_brackets_in_a_text_are_no_depth() -> None:
    assert decode(json.dumps({"a": "[" * 1000, "b": '\\"[' * 50}).encode(), Plain)["a"] == "[" * 1000


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '"a\\udfffb"', '{"\\uD8FF":1}', '["\\udc00\\ud800"]', '"\\ud800\\u0041"']
)
def test_half_a_surrogate_pair_is_no_text(text: str) -> None:
    assert "surrogate" in refused(text, object)


def test_a_whole_pair_is_one_character_and_a_backslash_begins_no_escape_after_another() -> None:
    assert decode(b'["\\ud83d\\ude00"]', list) == ["\U0001f600"]
    assert decode(rb'["\\ud800"]', list) == [r"\ud800"]


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b"\xff\xfe{\x00}\x00"])
def test_what_is_not_utf8_is_refused_with_its_place(data: bytes) -> None:
    assert "not UTF-8 at byte" in refused(data, object)


def test_the_size_is_looked_at_first() -> None:
    assert f"at most {MAX_BYTES}" in refused(b"[" * (MAX_BYTES + 1))
    with pytest.raises(BadData, match="at most 4"):
        decode(b'{"a":1}', dict, max_bytes=4)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"left":"1"}', "$.left"),
        ('{"left":1,"right":[1,2,"x"]}', "$.right[2]"),
        ('{"left":1.5}', "$.left"),
        ('{"left":true}', "$.left"),
        ("{}", "$"),
        ('{"left":1,"middle":2}', "middle"),
        ("[]", "$"),
    ],
)
def test_a_wrong_type_is_told_with_its_place(text: str, place: str) -> None:
    assert place in refused(text, Pair)


@pytest.mark.parametrize(
    "text", ["", " ", "{", '{"a"}', "{'a':1}", "{a:1}", "[1,]", "01", "+1", ".5", "1.", "tru", "{} {}"]
)
def test_what_is_not_json_is_refused(text: str) -> None:
    refused(text, object)


def test_the_library_alone_would_let_these_pass() -> None:
    """What the strictness is for."""
    assert json.loads('{"a":1,"a":2}') == {"a": 2}
    assert math.isnan(json.loads("NaN"))
    assert json.loads('"\\ud800"') == "\ud800"
    assert msgspec.json.decode('{"a":1,"a":2}') == {"a": 2}


def _reads(data: bytes) -> None:
    for kind in (object, Plain, Pair):
        try:
            value = decode(data, kind)
        except BadData as error:
            error.message.encode()  # it can be told
        else:
            msgspec.json.encode(value)  # it can be written again


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
