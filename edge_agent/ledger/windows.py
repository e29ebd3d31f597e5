"""A vibration window in the bytes that are kept: exact samples, and for one window the same bytes on every machine.

    magic `WIN`, version (1 byte), samples (4 bytes), rate [Hz] (float64), x y z of each sample (float32), SHA-256

Everything is little-endian; the SHA-256 is that of all before it. Nothing is compressed, because what a compressor
gives depends on its build, and a window is small beside its picture. What the numbers mean is not judged here: a window
that was unfit to judge by is kept as it was.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData, StateDamaged
from models.errors import beginning
from models.waveform import MAX_SAMPLES, Waveform

MAX_BYTES: Final = 12 * MAX_SAMPLES + 48
"""The longest window: as long as a vibration file may be."""

_HEAD: Final = struct.Struct("<3sBId")
_START: Final = (b"WIN", 1)
_DIGEST_BYTES: Final = 32
_HINT: Final = "nothing else depends on it: remove the file, or take it from a backup"


def encoded(samples: NDArray[np.float32], rate_hz: float) -> bytes:
    """Give a window as the bytes of a file.

    Args:
        samples: acceleration [m/s^2], shape (n, 3), float32.
        rate_hz: sample rate [Hz].

    Returns:
        The bytes; `decoded` gives samples and rate back exactly.

    Raises:
        BadData: it is longer than any vibration file may be.
    """
    if len(samples) > MAX_SAMPLES:
        raise BadData(
            f"a window of {len(samples)} samples cannot be kept, at most {MAX_SAMPLES} are",
            hint="give the stretch that belongs to one part",
        )
    body = _HEAD.pack(*_START, len(samples), rate_hz) + np.ascontiguousarray(samples, "<f4").tobytes()
    return body + hashlib.sha256(body).digest()


def decoded(data: bytes) -> Waveform:
    """Give the samples, read-only, and the rate of a kept window.

    Args:
        data: the whole file.

    Returns:
        Acceleration [m/s^2], shape (n, 3), float32, and its sample rate [Hz].

    Raises:
        StateDamaged: it is anything else than what `encoded` gave.
    """
    if not _HEAD.size + _DIGEST_BYTES <= len(data) <= MAX_BYTES:
        raise StateDamaged(f"a kept window cannot have {len(data)} bytes", hint=_HINT)
    *start, count, rate_hz = _HEAD.unpack_from(data)
    if tuple(start) != _START:
        raise StateDamaged(
            f"it begins with {beginning(data[:4])}, which is no kept window that this release knows", hint=_HINT
        )
    samples = data[_HEAD.size : -_DIGEST_BYTES]
    if len(samples) != 12 * count:
        raise StateDamaged(f"{len(samples)} bytes do not hold {count} samples", hint=_HINT)
    if hashlib.sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise StateDamaged("its contents do not have the SHA-256 at its end", hint=_HINT)
    return np.frombuffer(samples, "<f4").reshape(count, 3), rate_hz
