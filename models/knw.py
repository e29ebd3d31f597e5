"""The `.knw` format: one value of knowledge as bytes that are equal exactly when the knowledge is.

    magic `KNW`, version (1 byte), header length (4 bytes), header (JSON), arrays, SHA-256 of all before (32 bytes)

Everything is little-endian. The arrays follow the order of the header's groups: the total, then the products,
four bytes each where all of them fit and eight otherwise. Reading checks the digest, then every size, then what
no set of embeddings can have, and finally that writing the result gives the same bytes again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.embedding import Span
from models.errors import KnowledgeDamaged
from models.manifest import Digest, Slug
from models.sums import MAX_VECTORS, Key, Sums

MAX_BYTES: Final = 256 * 1024**2
"""Refuse to read a larger file: 128 dimensions, three sets of modalities, 1,300 classes."""

MAX_HEADER_BYTES: Final = 1024**2
"""Some 8,000 groups; a longer header could keep a station busy for minutes before a single size is compared."""

MAX_DIMENSIONS: Final = 4096
MAX_MODALITIES: Final = 16

MAX_RECIPE: Final = 100
"""Longest name of a recipe [characters]."""

_MAGIC: Final = b"KNW"
_VERSION: Final = 1
_START: Final = len(_MAGIC) + 1 + 4
_DIGEST_BYTES: Final = 32

_Number = Annotated[int, msgspec.Meta(ge=1, le=MAX_VECTORS)]


class Content(NamedTuple):
    """What a file holds; the fields are those of `Knowledge`."""

    recipe: str
    bundle_digest: str
    spans: tuple[Span, ...]
    groups: Mapping[Key, Sums]


class _Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    slug: Slug
    modalities: Annotated[tuple[Slug, ...], msgspec.Meta(max_length=MAX_MODALITIES)]
    vectors: _Number
    samples: _Number
    bytes: Literal[4, 8]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    recipe: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_RECIPE)]
    bundle_digest: Digest
    spans: Annotated[tuple[tuple[Slug, int, int], ...], msgspec.Meta(max_length=MAX_MODALITIES)]
    groups: tuple[_Group, ...]


def encode(content: Content) -> bytes:
    """Give the one file that holds `content`."""
    groups, arrays = [], []
    for key, sums in sorted(content.groups.items()):
        width: Literal[4, 8] = 4 if np.abs(sums.products).max() < 2**31 else 8
        groups.append(_Group(key.slug, key.modalities, sums.vectors, sums.samples, width))
        arrays += [sums.total.astype("<i8").tobytes(), sums.products.astype(f"<i{width}").tobytes()]
    spans = tuple((span.modality, span.start, span.stop) for span in content.spans)
    header = msgspec.json.encode(_Header(content.recipe, content.bundle_digest, spans, tuple(groups)))
    start = _MAGIC + bytes([_VERSION]) + len(header).to_bytes(4, "little")
    body = b"".join([start, header, *arrays])
    return body + hashlib.sha256(body).digest()


def decode(data: bytes) -> Content:
    """Read a file; raise `KnowledgeDamaged` with the reason and load nothing when anything is wrong."""
    if len(data) > MAX_BYTES:
        raise KnowledgeDamaged(f"{len(data)} bytes, at most {MAX_BYTES}")
    if len(data) < _START + _DIGEST_BYTES or not data.startswith(_MAGIC):
        raise KnowledgeDamaged("not a knowledge file, or cut short")
    if (version := data[len(_MAGIC)]) > _VERSION:
        raise KnowledgeDamaged(f"version {version} is newer than this program understands ({_VERSION})")
    body = memoryview(data)[:-_DIGEST_BYTES]
    if hashlib.sha256(body).digest() != data[-_DIGEST_BYTES:]:
        raise KnowledgeDamaged("the SHA-256 does not match: damaged or cut short")
    arrays_at = _START + int.from_bytes(data[_START - 4 : _START], "little")
    if arrays_at - _START > MAX_HEADER_BYTES:
        raise KnowledgeDamaged(f"a header of {arrays_at - _START} bytes, at most {MAX_HEADER_BYTES}")
    try:
        header = msgspec.json.decode(body[_START:arrays_at], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnowledgeDamaged(f"header: {error}") from None
    spans = _spans(header)
    sizes = [_size(group, spans) for group in header.groups]
    described = list(zip(header.groups, sizes, strict=True))
    expected = arrays_at + sum(k * 8 + k * (k + 1) // 2 * group.bytes for group, k in described)
    if expected != len(body):
        raise KnowledgeDamaged(f"{len(body)} bytes, the header describes {expected}")
    groups: dict[Key, Sums] = {}
    at = arrays_at
    for group, k in described:
        total, at = _take(body, at, k, 8)
        products, at = _take(body, at, k * (k + 1) // 2, group.bytes)
        sums = Sums(group.vectors, group.samples, total, products)
        if flaw := sums.flaw():
            raise KnowledgeDamaged(f"class {group.slug} ({' and '.join(group.modalities)}): {flaw}")
        groups[Key(group.slug, group.modalities)] = sums
    content = Content(header.recipe, header.bundle_digest, spans, groups)
    if encode(content) != data:
        raise KnowledgeDamaged("not in the one form that this knowledge has")
    return content


def _spans(header: _Header) -> tuple[Span, ...]:
    spans = tuple(Span(*span) for span in header.spans)
    end = 0
    for span in spans:
        if span.start != end or not span.start < span.stop <= MAX_DIMENSIONS:
            raise KnowledgeDamaged(f"the dimensions of {span.modality} are {span.start} to {span.stop}")
        end = span.stop
    if not spans or len({span.modality for span in spans}) < len(spans):
        raise KnowledgeDamaged("no modality, or one named twice")
    return spans


def _size(group: _Group, spans: tuple[Span, ...]) -> int:
    own = [span for span in spans if span.modality in group.modalities]
    if not own or tuple(span.modality for span in own) != group.modalities:
        raise KnowledgeDamaged(f"class {group.slug}: modalities {', '.join(group.modalities) or 'none'}")
    return sum(span.stop - span.start for span in own)


def _take(body: memoryview, at: int, count: int, width: int) -> tuple[NDArray[np.int64], int]:
    end = at + count * width
    return np.frombuffer(body[at:end], dtype=f"<i{width}").astype(np.int64), end
