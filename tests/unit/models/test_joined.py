"""Two pieces of bytes as one, and apart again; what is cut short gives pieces that are too short, and no error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.joined import joined, parted


@given(st.binary(), st.binary())
def test_what_was_put_together_comes_apart(first: bytes, rest: bytes) -> None:
    assert parted(joined(first, rest)) == (first, rest)


@given(st.binary(), st.integers(0, 20))
def test_what_is_cut_short_or_anything_else_gives_no_more_than_there_is(data: bytes, cut: int) -> None:
    first, rest = parted(data[:cut])

    assert len(first) + len(rest) <= max(len(data[:cut]) - 4, 0)
