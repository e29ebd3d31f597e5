"""A file about good parts gives the same bytes again, or is refused with the reason before anything is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from models.bnk import MAX_BYTES, Normality, decode, encode
from models.errors import KnowledgeDamaged
from models.normality import Heard, Seen

RNG = np.random.default_rng(2)
DIGEST = "ab" * 32
SEEN = Seen.of(RNG.normal(size=(6, 12, 8)).astype(np.float32), (3, 4))
HEARD = Heard.of(RNG.normal(size=(5, 21)))
BOTH = Normality(DIGEST, SEEN, HEARD)
DATA = encode(BOTH)
HEADER_AT = 8


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def with_header(change: Callable[[dict[str, object]], object]) -> bytes:
    """The same arrays behind another header."""
    end = HEADER_AT + int.from_bytes(DATA[4:HEADER_AT], "little")
    header = msgspec.json.decode(DATA[HEADER_AT:end])
    change(header)
    text = msgspec.json.encode(header)
    return sealed(DATA[:4] + len(text).to_bytes(4, "little") + text + DATA[end:-32])


def with_arrays(change: Callable[[bytearray], object]) -> bytes:
    end = HEADER_AT + int.from_bytes(DATA[4:HEADER_AT], "little")
    arrays = bytearray(DATA[end:-32])
    change(arrays)
    return sealed(DATA[:end] + bytes(arrays))


@pytest.mark.parametrize(
    "normality", [BOTH, Normality(DIGEST, SEEN), Normality(DIGEST, None, HEARD), Normality(DIGEST)]
)
def test_what_was_written_is_read(normality: Normality) -> None:
    again = decode(encode(normality))

    assert encode(again) == encode(normality)
    assert (again.seen is None, again.heard is None) == (normality.seen is None, normality.heard is None)


def test_the_reader_judges_as_the_writer() -> None:
    part, window = RNG.normal(size=(12, 8)).astype(np.float32), RNG.normal(size=21)
    again = decode(DATA)

    assert again.seen is not None and again.heard is not None
    np.testing.assert_array_equal(again.seen.anomaly(part), SEEN.anomaly(part))
    np.testing.assert_array_equal(again.heard.anomaly(window), HEARD.anomaly(window))


def unsorted(arrays: bytearray) -> None:
    arrays[0:16] = bytes(8) + b"\x81" * 8


def huge(header: dict[str, dict[str, int]]) -> None:
    header["seen"] |= {"rows": 256, "columns": 256, "width": 1024}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut short"),
        (b"KNW" + DATA[3:], "not a file about good parts"),
        (DATA[:-1], "SHA-256"),
        (DATA[:40], "SHA-256"),
        (DATA[:3] + b"\x02" + DATA[4:], "newer"),
        (DATA[:60] + bytes([DATA[60] ^ 1]) + DATA[61:], "SHA-256"),
        (sealed(DATA[:-32] + b"\0"), "the header describes"),
        (sealed(DATA[:4] + b"\xff\xff\xff\x7f" + DATA[8:-32]), "a header of"),
        (with_header(huge), "the header describes"),
        (with_header(lambda h: h["seen"].update(width=2**40)), "header"),
        (with_header(lambda h: h["seen"].update(rows=-3)), "header"),
        (with_header(lambda h: h["seen"].update(kept=0)), "header"),
        (with_header(lambda h: h["seen"].update(pictures=-6)), "header"),
        (with_header(lambda h: h["seen"].update(pictures=3)), "squares|no pictures have"),
        (with_header(lambda h: h["heard"].update(windows=2**40)), "header"),
        (with_header(lambda h: h.update(bundle_digest="..")), "header"),
        (with_header(lambda h: h.update(more=1)), "header"),
        (with_arrays(lambda a: a.__setitem__(0, 0x80)), "tokens"),
        (with_arrays(unsorted), "tokens"),
        (with_arrays(lambda a: a.__setitem__(slice(-8, None), b"\xff" * 8)), "squares"),
        (with_arrays(lambda a: a.__setitem__(slice(-8, None), bytes(8))), "squares"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_files_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(KnowledgeDamaged, match=said):
        decode(data)


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(KnowledgeDamaged, match="at most"):
        decode(bytes(MAX_BYTES + 1))


def test_two_stations_merge_what_both_have() -> None:
    mine, theirs = Normality(DIGEST, SEEN), Normality(DIGEST, None, HEARD)

    assert encode(mine.merged(theirs)) == encode(theirs.merged(mine)) == DATA
    doubled = BOTH.merged(BOTH)
    assert doubled.seen is not None and doubled.seen.scale.count == 12
    with pytest.raises(ValueError, match="of bundle"):
        mine.merged(Normality("cd" * 32, SEEN))
