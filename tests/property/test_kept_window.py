"""A kept window is given back to the bit, whatever is in it; any other bytes are refused as damaged."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.errors import BadData, StateDamaged
from edge_agent.ledger import windows
from edge_agent.ledger.windows import MAX_BYTES, decoded, encoded
from models.waveform import MAX_SAMPLES

SAMPLES = arrays(np.float32, st.tuples(st.integers(0, 20), st.just(3)), elements=st.floats(width=32))
KEPT = encoded(np.arange(12, dtype=np.float32).reshape(4, 3), 26_667.3)


def sealed(body: bytes) -> bytes:
    """Make the digest fit, or the checks before it would never matter."""
    return body + hashlib.sha256(body).digest()


@given(SAMPLES, st.floats())
@example(np.zeros((0, 3), np.float32), 0.0)
def test_a_window_comes_back_to_the_bit(samples: np.ndarray, rate_hz: float) -> None:
    data = encoded(samples, rate_hz)
    found, found_hz = decoded(data)

    assert (found.shape, found.dtype) == (samples.shape, np.float32)
    assert found.tobytes() == samples.tobytes()
    assert struct.pack("<d", found_hz) == struct.pack("<d", rate_hz)
    assert not found.flags.writeable
    assert len(data) == 48 + 4 * samples.size


def test_the_bytes_of_a_window_are_the_same_everywhere() -> None:
    """Written down, so that a change of the format is noticed."""
    body = b"WIN\x01" + b"\x01\0\0\0" + struct.pack("<d", 1000.0) + struct.pack("<3f", 1.0, -2.0, 0.5)

    assert encoded(np.array([[1.0, -2.0, 0.5]], np.float32), 1000.0) == sealed(body)
    assert encoded(np.array([[1.0, -2.0, 0.5]], ">f4"), 1000.0) == sealed(body)
    assert encoded(np.asfortranarray(np.array([[1.0, -2.0, 0.5]] * 2, np.float32)), 1.0) == encoded(
        np.array([[1.0, -2.0, 0.5]] * 2, np.float32), 1.0
    )


@pytest.mark.parametrize("at", range(len(KEPT)))
def test_no_byte_can_change_unnoticed(at: int) -> None:
    with pytest.raises(StateDamaged):
        decoded(KEPT[:at] + bytes([KEPT[at] ^ 1]) + KEPT[at + 1 :])


@pytest.mark.parametrize("length", range(len(KEPT)))
def test_no_byte_can_be_missing(length: int) -> None:
    with pytest.raises(StateDamaged):
        decoded(KEPT[:length])


@given(st.binary(max_size=200))
def test_whatever_else_it_is_it_is_refused(data: bytes) -> None:
    for hostile in (data, b"WIN\x01" + data, sealed(data), sealed(b"WIN\x01" + data), KEPT + data[:1] + b"\0"):
        try:
            samples, _ = decoded(hostile)
        except StateDamaged:
            continue
        assert 48 + samples.nbytes == len(hostile)  # by chance a window


@pytest.mark.parametrize("count", [0, 3, 5, 2**31, 2**32 - 1])
def test_a_size_that_does_not_fit_is_refused_before_anything_is_made(count: int) -> None:
    body = bytearray(KEPT[:-32])
    struct.pack_into("<I", body, 4, count)

    with pytest.raises(StateDamaged, match="do not hold"):
        decoded(sealed(bytes(body)))


def test_a_format_of_a_later_release_is_said_to_be_unknown() -> None:
    with pytest.raises(StateDamaged, match="no kept window that this release knows"):
        decoded(sealed(b"WIN\x02" + KEPT[4:-32]))


def test_the_longest_window_fits_and_a_longer_one_is_refused_on_both_ways() -> None:
    longest = encoded(np.zeros((MAX_SAMPLES, 3), np.float32), 1.0)

    assert len(longest) == MAX_BYTES
    assert len(decoded(longest)[0]) == MAX_SAMPLES
    with pytest.raises(BadData, match="at most"):
        encoded(np.zeros((MAX_SAMPLES + 1, 3), np.float32), 1.0)
    with pytest.raises(StateDamaged, match="cannot have"):
        decoded(longest + bytes(12))


def decoded_without_the_digest(data: bytes) -> np.ndarray:
    """Wrong: believes its sizes."""
    count = struct.unpack_from("<I", data, 4)[0]
    return np.frombuffer(data, "<f4", 3 * count, windows._HEAD.size).reshape(count, 3)


def test_the_damage_has_teeth() -> None:
    damaged = KEPT[:20] + bytes([KEPT[20] ^ 1]) + KEPT[21:]

    assert (decoded_without_the_digest(damaged) != decoded_without_the_digest(KEPT)).any()
