"""Whatever bytes a knowledge file holds, it is read or refused with `KnowledgeDamaged`: nothing else is raised.

The digest is made to fit, or the checks behind it would never be reached.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models import Knowledge
from models.errors import KnowledgeDamaged
from models.manifest import Block

BLOCKS = (Block("image", 0, 3, 0.75, "a"), Block("vibration", 3, 5, 0.25, "b"))


def known() -> bytes:
    rng = np.random.default_rng(5)
    knowledge = Knowledge.empty("ring", "0" * 64, BLOCKS)
    for slug, dims in (("good", 5), ("pit", 5), ("pit", 3)):
        rows = np.zeros((2, 5), dtype=np.int16)
        rows[:, :dims] = rng.integers(1, 5000, (2, dims))
        knowledge = knowledge.learn(slug, rows)
    return knowledge.to_bytes()


DATA = known()
ARRAYS_AT = 8 + int.from_bytes(DATA[4:8], "little")
HEADER = json.loads(DATA[8:ARRAYS_AT])

NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.integers(-2, 9), st.floats())
VALUES = st.one_of(
    NUMBERS,
    st.none(),
    st.booleans(),
    st.text(max_size=50),
    st.sampled_from(["good", "pit", "good\n", "image", "vibration", "\ud800", "0" * 64, "0" * 64 + "\n"]),
    st.lists(st.one_of(NUMBERS, st.sampled_from(["image", "vibration"])), max_size=4),
    st.dictionaries(st.text(max_size=5), NUMBERS, max_size=2),
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where anything stands in a header."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = list(places(HEADER))


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def file(header: Any, arrays: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return signed(DATA[:4] + len(text).to_bytes(4, "little") + text + arrays)


def with_width(width: int) -> bytes:
    """The arrays as long as the header says, of a width that numpy does not know."""
    header = copy.deepcopy(HEADER)
    header["groups"][0]["bytes"] = width
    return file(header, DATA[ARRAYS_AT:-32] + bytes(15 * (width - 4)))


def read_or_refused(decode: Callable[[bytes], Knowledge], data: bytes) -> None:
    try:
        knowledge = decode(data)
    except KnowledgeDamaged as error:
        assert str(error)
        return
    assert knowledge.to_bytes() == data
    assert not any(sums.flaw() for sums in knowledge.groups.values())


@given(st.data())
def test_a_changed_header_is_read_or_refused(data: st.DataObject) -> None:
    header = copy.deepcopy(HEADER)
    for path in data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True)):
        *outer, last = path
        inner: Any = header
        try:
            for key in outer:
                inner = inner[key]
            inner[last] = data.draw(VALUES)
        except (KeyError, IndexError, TypeError):  # an earlier change took the place away
            continue
    arrays = DATA[ARRAYS_AT:-32]
    length = data.draw(st.one_of(st.just(len(arrays)), st.integers(0, 2 * len(arrays))))

    read_or_refused(Knowledge.from_bytes, file(header, (arrays + bytes(length))[:length]))


@given(st.lists(st.tuples(st.integers(0, len(DATA) - 33), st.integers(0, 255)), max_size=9), st.integers(0, 99))
def test_changed_bytes_are_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    body = bytearray(DATA[:-32])
    for at, value in changes:
        body[at] = value

    read_or_refused(Knowledge.from_bytes, signed(bytes(body[: len(body) - cut])))
    read_or_refused(Knowledge.from_bytes, bytes(body) + DATA[-32:])


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
def test_any_header_is_read_or_refused(text: bytes) -> None:
    for start in (DATA[:4], b"KNW\x00", b""):
        read_or_refused(Knowledge.from_bytes, signed(start + len(text).to_bytes(4, "little") + text))


@pytest.mark.parametrize("width", range(4, 9))
def test_a_width_that_no_array_has_is_refused_or_read(width: int) -> None:
    read_or_refused(Knowledge.from_bytes, with_width(width))


def trusting(data: bytes) -> Knowledge:
    """Believes the header: what these tests are there to reject."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
    for group in header["groups"]:
        np.frombuffer(data[-32 - 15 * group["bytes"] : -32], dtype=f"<i{group['bytes']}")
    return Knowledge.from_bytes(data)


def test_the_tests_have_teeth() -> None:
    with pytest.raises(TypeError):
        read_or_refused(trusting, with_width(5))
    with pytest.raises(KeyError):
        read_or_refused(trusting, file({}, b""))
    with pytest.raises(AssertionError):
        read_or_refused(lambda _: Knowledge.from_bytes(DATA), with_width(5))
