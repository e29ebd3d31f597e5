"""Kept examples: what one is, and the bytes in which the exemplars of one lesson are stored and sent.

    magic `EXM`, version (1 byte), header length (4 bytes), header (JSON), rows (int16), SHA-256 of the rest (32 bytes)

Everything is little-endian. Equal exemplars are equal bytes on every machine, which is why the rows are not
compressed: what a compressor gives depends on its build, and rows are close to noise. Reading checks the digest, then
every size, then the rows, and finally that writing the result gives the same bytes again. No file, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_agent.errors import StateDamaged
from models import Knowledge
from models.embedding import MAX_NORM2
from models.knw import MAX_DIMENSIONS, MAX_RECIPE
from models.manifest import Digest, Slug

MAX_EXEMPLARS: Final = 10_000
"""In one chunk: ten times the largest lesson, and all held-out good parts that a station keeps."""

MAX_ROWS: Final = 64
"""Of one exemplar; a sample and its variants are eight."""

MAX_HEADER_BYTES: Final = 16 << 20
"""The header of `MAX_EXEMPLARS` with the longest names."""

MAX_BYTES: Final = 96 << 20
"""Refuse to read a larger chunk: `MAX_EXEMPLARS` of 8 rows of 256 and 128 dimensions, and their header."""

MAX_SOURCE: Final = 200
"""Longest name of where an example came from [characters]."""

MAX_WHO: Final = 80
"""Longest name of a person [characters]."""

LAST_UTC: Final = 253_402_300_799.0
"""The end of the year 9999, the last that has a date [s since the epoch]."""

HINT: Final = "teach these examples again, or take the file from a backup"

_MAGIC: Final = b"EXM"
_VERSION: Final = 3
"""Version 1 had no details, version 2 no `pixels`; exemplars without any are still written so."""

_START: Final = len(_MAGIC) + 1 + 4
_DIGEST_BYTES: Final = 32

_Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
_Pixels = Annotated[str, Meta(pattern=r"\A([0-9a-f]{16})?\Z")]
_Kept = Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")]


class Role(StrEnum):
    """What an exemplar is for."""

    FIT = "fit"  #: knowledge is the sum of these
    RING = "ring"  #: a good part that is held out, to say how far good parts lie from good
    GOLDEN = "golden"  #: never learned from, asked whenever knowledge is to change


@dataclass(frozen=True, eq=False)
class Exemplar:
    """One kept example.

    Attributes:
        id: 16 hexadecimal digits that the same picture and vibration always have (`Example.id`).
        label: slug of its class.
        role: what it is for.
        rows: q of the example and of its variants, shape (K, d), int16; row 0 is the example itself.
        source: where it came from, for people.
        who: the person who taught it.
        utc: when [s since the epoch].
        picture: digest of the kept picture, "" where none is kept.
        window: digest of the kept vibration window, "" where none is kept.
        raw_bytes: size of picture and window as they are kept [bytes].
        details: digest of its kept tokens and features, "" where none are kept.
        plain: the rows without the guide that they were made with (`models.guide`), int16; None where there was none.
        pixels: the id that its picture has alone, where a window lies beside it; "" where `id` says that, or an older
            release did not keep it.
    """

    id: str
    label: str
    role: Role
    rows: NDArray[np.int16]
    source: str
    who: str
    utc: float
    picture: str = ""
    window: str = ""
    raw_bytes: int = 0
    details: str = ""
    plain: NDArray[np.int16] | None = None
    pixels: str = ""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the header says about one exemplar; the fields are those of `Exemplar`."""

    id: _Id
    label: Slug
    role: Role
    rows: Annotated[int, Meta(ge=1, le=MAX_ROWS)]
    source: Annotated[str, Meta(max_length=MAX_SOURCE)]
    who: Annotated[str, Meta(max_length=MAX_WHO)]
    utc: Annotated[float, Meta(ge=0.0, le=LAST_UTC)]
    picture: _Kept = ""
    window: _Kept = ""
    raw_bytes: Annotated[int, Meta(ge=0, le=2**40)] = 0
    details: _Kept = ""
    pixels: _Pixels = ""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    recipe: Annotated[str, Meta(min_length=1, max_length=MAX_RECIPE)]
    bundle_digest: Digest
    d: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)]
    exemplars: Annotated[tuple[_Entry, ...], Meta(min_length=1, max_length=MAX_EXEMPLARS)]
    plain: Annotated[int, Meta(ge=0, le=MAX_DIMENSIONS)] = 0


@dataclass(frozen=True, eq=False)
class Chunk:
    """The exemplars of one lesson, in the form in which they are stored and sent.

    Attributes:
        recipe: the product that they are about.
        bundle_digest: the bundle that made the rows; those of another bundle mean something else.
        exemplars: at least one, each only once.
    """

    recipe: str
    bundle_digest: str
    exemplars: tuple[Exemplar, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Args:
            data: the whole chunk.

        Returns:
            The exemplars; their rows lie on the bytes given and cannot be written.

        Raises:
            StateDamaged: it is anything else; the message says what, and nothing was loaded.
        """
        header, rows, plain = _opened(data)
        at, exemplars = 0, []
        for entry in header.exemplars:
            own = slice(at, at + entry.rows)
            fields = {**msgspec.structs.asdict(entry), "rows": rows[own]}
            exemplars.append(Exemplar(**fields, plain=None if plain is None else plain[own]))
            at += entry.rows
        chunk = cls(header.recipe, header.bundle_digest, tuple(exemplars))
        if chunk.to_bytes() != data:
            raise _damaged("not in the one form that these exemplars have")
        return chunk

    def to_bytes(self) -> bytes:
        """Give the one form of these exemplars."""
        entries = tuple(
            _Entry(
                id=e.id,
                label=e.label,
                role=e.role,
                rows=len(e.rows),
                source=e.source,
                who=e.who,
                utc=e.utc,
                picture=e.picture,
                window=e.window,
                raw_bytes=e.raw_bytes,
                details=e.details,
                pixels=e.pixels,
            )
            for e in self.exemplars
        )
        d = self.exemplars[0].rows.shape[1]
        plain = [e.plain for e in self.exemplars if e.plain is not None]
        width = plain[0].shape[1] if plain else 0
        header = msgspec.json.encode(_Header(self.recipe, self.bundle_digest, d, entries, width))
        detailed = bool(plain) or any(e.details for e in self.exemplars)
        version = _VERSION if any(e.pixels for e in self.exemplars) else 2 if detailed else 1
        start = _MAGIC + bytes([version]) + len(header).to_bytes(4, "little")
        arrays = [*(e.rows for e in self.exemplars), *plain]
        body = b"".join([start, header, *(rows.astype("<i2").tobytes() for rows in arrays)])
        return body + hashlib.sha256(body).digest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `to_bytes`, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def check_subject(self, knowledge: Knowledge) -> None:
        """Raise `StateDamaged` where the exemplars are about something else than `knowledge` is."""
        about = (self.recipe, self.bundle_digest, self.exemplars[0].rows.shape[1])
        if about != (wanted := (knowledge.recipe, knowledge.bundle_digest, knowledge.d)):
            raise StateDamaged(f"exemplars of {about}, and what is known is of {wanted}", hint=HINT)

    def without(self, ids: Iterable[str]) -> Self | None:
        """Give what is left without some exemplars: this very chunk where it has none of them, None where all."""
        gone = frozenset(ids)
        left = tuple(e for e in self.exemplars if e.id not in gone)
        if len(left) == len(self.exemplars):
            return self
        return type(self)(self.recipe, self.bundle_digest, left) if left else None


def _opened(data: bytes) -> tuple[_Header, NDArray[np.int16], NDArray[np.int16] | None]:
    """Give header, rows and rows without a guide, all of them checked."""
    if len(data) > MAX_BYTES:
        raise _damaged(f"{len(data)} bytes, at most {MAX_BYTES}")
    if len(data) < _START + _DIGEST_BYTES or not data.startswith(_MAGIC):
        raise _damaged("not a file of exemplars, or cut short")
    if not 1 <= (version := data[len(_MAGIC)]) <= _VERSION:
        raise _damaged(f"version {version}, this program understands 1 to {_VERSION}")
    body = memoryview(data)[:-_DIGEST_BYTES]
    if hashlib.sha256(body).digest() != data[-_DIGEST_BYTES:]:
        raise _damaged("the SHA-256 does not match: damaged or cut short")
    length = int.from_bytes(data[_START - 4 : _START], "little")
    if length > MAX_HEADER_BYTES:
        raise _damaged(f"a header of {length} bytes, at most {MAX_HEADER_BYTES}")
    try:
        header = msgspec.json.decode(body[_START : _START + length], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(f"header: {error}") from None
    count, size = sum(entry.rows for entry in header.exemplars), len(body) - _START - length
    if size != count * (header.d + header.plain) * 2:
        said = f"{header.d} + {header.plain}" if header.plain else f"{header.d}"
        raise _damaged(f"{size} bytes of rows, the header describes {count} rows of {said} dimensions")
    rows = _checked(body, _START + length, count, header.d)
    plain = _checked(body, _START + length + rows.nbytes, count, header.plain) if header.plain else None
    if len({entry.id for entry in header.exemplars}) < len(header.exemplars):
        raise _damaged("one exemplar is there twice")
    return header, rows, plain


def _checked(body: memoryview, start: int, count: int, d: int) -> NDArray[np.int16]:
    """Give rows (count, d) that may be embeddings."""
    rows = np.frombuffer(body, dtype="<i2", offset=start, count=count * d).astype(np.int16, copy=False)
    rows = rows.reshape(count, d)
    if (longest := int(np.einsum("ij,ij->i", rows, rows, dtype=np.int64).max())) > MAX_NORM2:
        raise _damaged(f"a row has |q|^2 {longest}, at most {MAX_NORM2}")
    return rows


def _damaged(reason: str) -> StateDamaged:
    return StateDamaged(f"these exemplars cannot be used: {reason}", hint=HINT)
