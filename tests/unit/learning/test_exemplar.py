"""Exemplars as bytes: one form for equal exemplars, and a reason for whatever is not that form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from learned_values import DIGEST, EMPTY, UTC, exemplar

from edge_agent.errors import StateDamaged
from edge_agent.learning.exemplar import MAX_BYTES, Chunk, Exemplar, Role

START = 8


def chunk(*exemplars: Exemplar) -> Chunk:
    return Chunk("r", DIGEST, exemplars or (exemplar(1), exemplar(2, role=Role.GOLDEN, picture="a" * 64, raw_bytes=7)))


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def with_header(change: Callable[[dict[str, Any]], object], data: bytes | None = None) -> bytes:
    """What somebody writes who knows the format and means no good."""
    data = data or chunk().to_bytes()
    length = int.from_bytes(data[4:START], "little")
    header = json.loads(data[START : START + length])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    return sealed(data[:4] + len(text).to_bytes(4, "little") + text + data[START + length : -32])


def with_rows(change: Callable[[np.ndarray], object]) -> bytes:
    data = chunk().to_bytes()
    at = START + int.from_bytes(data[4:START], "little")
    values = np.frombuffer(data[at:-32], "<i2").copy()
    change(values)
    return sealed(data[:at] + values.tobytes())


def test_what_was_written_is_read() -> None:
    wanted = chunk()
    got = Chunk.from_bytes(wanted.to_bytes())

    assert (got.recipe, got.bundle_digest, got.digest) == ("r", DIGEST, wanted.digest)
    for one, other in zip(got.exemplars, wanted.exemplars, strict=True):
        assert np.array_equal(one.rows, other.rows)
        assert replace(one, rows=other.rows).__dict__ == other.__dict__


def test_the_id_of_a_picture_beside_a_window_is_kept_and_what_has_none_is_written_as_before() -> None:
    beside = chunk(exemplar(1, pixels="b" * 16), exemplar(2))
    assert [e.pixels for e in Chunk.from_bytes(beside.to_bytes()).exemplars] == ["b" * 16, ""]
    assert [c.to_bytes()[3] for c in (beside, chunk(exemplar(1, details="c" * 64)), chunk())] == [3, 2, 1]
    assert b"pixels" not in chunk().to_bytes()


def test_a_class_of_five_examples_with_eight_variants_takes_12_kb() -> None:
    rng = np.random.default_rng(0)
    exemplars = [
        exemplar(i, rows=rng.integers(-1400, 1400, (8, 128)).astype(np.int16), picture="a" * 64, window="b" * 64)
        for i in range(5)
    ]

    assert len(chunk(*exemplars).to_bytes()) < 12_500


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short"),
        (b"EXM", "cut short"),
        (b"KNW" + chunk().to_bytes()[3:], "not a file of exemplars"),
        (chunk().to_bytes()[:-1], "SHA-256"),
        (sealed(chunk().to_bytes()[:-33]), "bytes of rows, the header describes"),
        (sealed(chunk().to_bytes()[:-32] + b"\0"), "bytes of rows, the header describes"),
        (sealed(b"EXM\4" + chunk().to_bytes()[4:-32]), "version 4"),
        (sealed(b"EXM\0" + chunk().to_bytes()[4:-32]), "version 0"),
        (sealed(b"EXM\1" + (2**32 - 1).to_bytes(4, "little") + chunk().to_bytes()[8:-32]), "a header of 4294967295"),
        (sealed(b"EXM\1" + (16 << 20).to_bytes(4, "little") + chunk().to_bytes()[8:-32]), "header"),
        (sealed(b"EXM\1\4\0\0\0[[[["), "header"),
        (sealed(b"EXM\1\4\0\0\0\xff\xfe\xfd\xfc"), "header"),
        (sealed(b"EXM\1" + (40_000).to_bytes(4, "little") + b"[" * 40_000), "header"),
        (with_header(lambda h: h.update(d=4096)), "the header describes"),
        (with_header(lambda h: h.update(d=2**62)), "header"),
        (with_header(lambda h: h.update(d=8)), "the header describes"),
        (with_header(lambda h: h.update(exemplars=[])), "header"),
        (with_header(lambda h: h.update(surprise=1)), "header"),
        (with_header(lambda h: h.update(bundle_digest="../../etc")), "header"),
        (with_header(lambda h: h["exemplars"][0].update(rows=0)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(rows=-2)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(rows=65)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(rows=2.5)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(rows=3)), "the header describes"),
        (with_header(lambda h: h["exemplars"][0].update(label="Pit")), "header"),
        (with_header(lambda h: h["exemplars"][0].update(role="judge")), "header"),
        (with_header(lambda h: h["exemplars"][0].update(id="1")), "header"),
        (with_header(lambda h: h["exemplars"][0].update(id=h["exemplars"][1]["id"])), "there twice"),
        (with_header(lambda h: h["exemplars"][0].update(source="x" * 201)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(source="\ud800")), "header|not in the one form"),
        (with_header(lambda h: h["exemplars"][0].update(utc=-1.0)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(utc=float("nan"))), "header|not in the one form"),
        (with_header(lambda h: h["exemplars"][0].update(utc=1e300)), "header"),
        (with_header(lambda h: h["exemplars"][0].update(picture="/etc/passwd")), "header"),
        (with_header(lambda h: h["exemplars"][0].update(picture="")), "not in the one form"),
        (with_header(lambda h: h["exemplars"][0].update(raw_bytes=-1)), "header"),
        (with_rows(lambda values: values.fill(-(2**15))), r"\|q\|\^2"),
    ],
)
def test_anything_else_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(StateDamaged, match=reason):
        Chunk.from_bytes(data)


def test_a_larger_file_than_any_chunk_is_not_looked_into() -> None:
    with pytest.raises(StateDamaged, match="at most"):
        Chunk.from_bytes(bytes(MAX_BYTES + 1))


def test_every_flipped_bit_is_found() -> None:
    data = chunk(exemplar(1)).to_bytes()
    for at in range(len(data)):
        with pytest.raises(StateDamaged):
            Chunk.from_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.parametrize(
    "other",
    [
        Chunk("another", DIGEST, (exemplar(1),)),
        Chunk("r", "1" * 64, (exemplar(1),)),
        Chunk("r", DIGEST, (exemplar(1, rows=np.ones((1, 3), np.int16)),)),
    ],
    ids=["recipe", "bundle", "dimensions"],
)
def test_exemplars_of_something_else_are_told_from_ours(other: Chunk) -> None:
    chunk().check_subject(EMPTY)
    with pytest.raises(StateDamaged, match="what is known is of"):
        other.check_subject(EMPTY)


def test_what_is_left_without_some() -> None:
    three = chunk(exemplar(1), exemplar(2), exemplar(3))

    assert three.without(["f" * 16]) is three
    assert three.without([exemplar(i).id for i in (1, 2, 3)]) is None
    left = three.without([exemplar(2).id])
    assert left is not None
    assert left.to_bytes() == chunk(exemplar(1), exemplar(3)).to_bytes()


def test_the_wall_time_is_a_date() -> None:
    assert Chunk.from_bytes(chunk().to_bytes()).exemplars[0].utc == UTC
