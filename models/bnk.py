"""The `.bnk` format: what is known of good parts as bytes that are equal exactly when the knowledge is.

    magic `BNK`, version (1 byte), header length (4 bytes), header (JSON), arrays, SHA-256 of all before (32 bytes)

Everything is little-endian. Arrays: the tokens (int8), their sums and squares (int64), sums and squares of the features
(int64), as far as the header names them. Reading checks the digest, then every size, then what no good parts can have.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import KnowledgeDamaged
from models.manifest import Digest
from models.moments import MAX_COUNT, Moments
from models.normality import FEWEST, Heard, Seen, picture_score, window_score
from models.tokenbank import KEPT, MAX_SIDE, MAX_WIDTH, Tokens

MAX_BYTES: Final = 64 * 1024**2
"""Refuse to read a larger file: 64 x 64 places of 16 tokens of 1,000 numbers."""

MAX_HEADER_BYTES: Final = 4096
MAX_FEATURES: Final = 2**16

_MAGIC: Final = b"BNK"
_VERSION: Final = 1
_START: Final = len(_MAGIC) + 1 + 4
_DIGEST_BYTES: Final = 32

_Examples = Annotated[int, msgspec.Meta(ge=FEWEST, le=MAX_COUNT)]
_Side = Annotated[int, msgspec.Meta(ge=1, le=MAX_SIDE)]


@dataclass(frozen=True, eq=False)
class Normality:
    """What is known of good parts.

    Attributes:
        bundle_digest: of the bundle whose tokens and features these are, SHA-256, hexadecimal.
        seen: of pictures, where there were any.
        heard: of vibration, where there was any.
    """

    bundle_digest: str
    seen: Seen | None = None
    heard: Heard | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file that holds it, hexadecimal."""
        return hashlib.sha256(encode(self)).hexdigest()

    def scores(self, tokens: Tokens | None, features: ArrayLike | None) -> tuple[float | None, float | None]:
        """Say how unlike good ones a part is.

        Args:
            tokens: of its picture, shape (regions, width); None without one.
            features: of its vibration window, shape (features,); None without one.

        Returns:
            Of picture and of window [spreads]; None where there is none, or nothing is known of good ones.

        Raises:
            ValueError: another shape than those of good ones, or not finite.
        """
        picture = window = None
        if self.seen is not None and tokens is not None:
            picture = picture_score(self.seen.anomaly(tokens))
        if self.heard is not None and features is not None:
            window = window_score(self.heard.anomaly(features))
        return picture, window

    def merged(self, other: Normality) -> Normality:
        """Give what two stations know; raise `ValueError` where they have different bundles."""
        if self.bundle_digest != other.bundle_digest:
            raise ValueError(f"of bundle {self.bundle_digest[:12]} and of {other.bundle_digest[:12]}")
        seen, heard = self.seen or other.seen, self.heard or other.heard
        if self.seen is not None and other.seen is not None:
            seen = self.seen.merged(other.seen)
        if self.heard is not None and other.heard is not None:
            heard = self.heard.merged(other.heard)
        return Normality(self.bundle_digest, seen, heard)


class _Pictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: _Side
    columns: _Side
    kept: Annotated[int, msgspec.Meta(ge=1, le=KEPT)]
    width: Annotated[int, msgspec.Meta(ge=1, le=MAX_WIDTH)]
    pictures: _Examples


class _Windows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    features: Annotated[int, msgspec.Meta(ge=1, le=MAX_FEATURES)]
    windows: _Examples


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bundle_digest: Digest
    seen: _Pictures | None
    heard: _Windows | None


def encode(normality: Normality) -> bytes:
    """Give the one file that holds `normality`."""
    arrays: list[bytes] = []
    pictures: _Pictures | None = None
    windows: _Windows | None = None
    if (seen := normality.seen) is not None:
        rows, columns, kept, width = seen.tokens.shape
        pictures = _Pictures(rows, columns, kept, width, seen.scale.count)
        arrays += [seen.tokens.tobytes(), *_sums(seen.scale)]
    if (heard := normality.heard) is not None:
        windows = _Windows(len(heard.scale.total), heard.scale.count)
        arrays += _sums(heard.scale)
    header = msgspec.json.encode(_Header(normality.bundle_digest, pictures, windows))
    body = b"".join([_MAGIC, bytes([_VERSION]), len(header).to_bytes(4, "little"), header, *arrays])
    return body + hashlib.sha256(body).digest()


def decode(data: bytes) -> Normality:
    """Read a file; raise `KnowledgeDamaged` with the reason and load nothing when anything is wrong."""
    if len(data) > MAX_BYTES:
        raise KnowledgeDamaged(f"{len(data)} bytes, at most {MAX_BYTES}")
    if len(data) < _START + _DIGEST_BYTES or not data.startswith(_MAGIC):
        raise KnowledgeDamaged("not a file about good parts, or cut short")
    if (version := data[len(_MAGIC)]) > _VERSION:
        raise KnowledgeDamaged(f"version {version} is newer than this program understands ({_VERSION})")
    body = memoryview(data)[:-_DIGEST_BYTES]
    if hashlib.sha256(body).digest() != data[-_DIGEST_BYTES:]:
        raise KnowledgeDamaged("the SHA-256 does not match: damaged or cut short")
    at = _START + int.from_bytes(data[_START - 4 : _START], "little")
    if at - _START > MAX_HEADER_BYTES:
        raise KnowledgeDamaged(f"a header of {at - _START} bytes, at most {MAX_HEADER_BYTES}")
    try:
        header = msgspec.json.decode(body[_START:at], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnowledgeDamaged(f"header: {error}") from None
    expected = at + _size(header)
    if expected != len(body):
        raise KnowledgeDamaged(f"{len(body)} bytes, the header describes {expected}")
    normality = _read(header, body[at:])
    if encode(normality) != data:
        raise KnowledgeDamaged("not in the one form that this knowledge has")
    return normality


def _sums(scale: Moments) -> list[bytes]:
    return [scale.total.astype("<i8").tobytes(), scale.squares.astype("<i8").tobytes()]


def _size(header: _Header) -> int:
    size = 0
    if (seen := header.seen) is not None:
        size += seen.rows * seen.columns * (seen.kept * seen.width + 16)
    return size + (16 * header.heard.features if header.heard is not None else 0)


def _read(header: _Header, arrays: memoryview) -> Normality:
    seen, heard, at = None, None, 0
    if (pictures := header.seen) is not None:
        grid = pictures.rows, pictures.columns
        shape = *grid, pictures.kept, pictures.width
        tokens = _array(arrays, at, "i1", shape).astype(np.int8)
        at += tokens.nbytes
        seen = Seen(tokens, _moments(arrays, at, grid, pictures.pictures))
        at += 16 * grid[0] * grid[1]
        if pictures.kept > pictures.pictures or not _one_form(tokens):
            raise KnowledgeDamaged("tokens that no pictures have, or not in the one order that they have")
    if header.heard is not None:
        heard = Heard(_moments(arrays, at, (header.heard.features,), header.heard.windows))
    return Normality(header.bundle_digest, seen, heard)


def _moments(arrays: memoryview, at: int, shape: tuple[int, ...], count: int) -> Moments:
    total = _array(arrays, at, "<i8", shape).astype(np.int64)
    moments = Moments(count, total, _array(arrays, at + total.nbytes, "<i8", shape).astype(np.int64))
    if flaw := moments.flaw():
        raise KnowledgeDamaged(flaw)
    return moments


def _array(arrays: memoryview, at: int, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    size = np.dtype(kind).itemsize * int(np.prod(shape))
    return np.frombuffer(arrays[at : at + size], dtype=kind).reshape(shape)


def _one_form(tokens: NDArray[np.int8]) -> bool:
    """Say whether each token has its largest number at 127, or none at all, and those of each place are sorted."""
    wide = tokens.astype(np.int16)
    if not np.isin(np.abs(wide).max(axis=-1), (0, 127)).all() or (tokens == -128).any():
        return False
    apart = wide[:, :, 1:] - wide[:, :, :-1]
    first = (apart != 0).argmax(axis=-1)
    return bool((np.take_along_axis(apart, first[..., None], axis=-1) >= 0).all())
