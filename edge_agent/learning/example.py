"""A labelled example on its way to the station: a picture, a vibration window, or both; packed for the local API.

The packed form is a ZIP of `.npy` arrays; sizes and headers are checked before anything is allocated, no object is
ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.ledger.pictures import encoded
from models.npy import decode_npy

INDEX: Final = "examples.json"

MAX_EXAMPLES: Final = 1000
"""One lesson; a whole good run fits."""

MAX_UNPACKED_BYTES: Final = 1 << 30
"""A thousand pictures of 480 x 480 are 0.7 GB."""

MIN_RATE_HZ: Final = 100.0
MAX_RATE_HZ: Final = 10e6
"""Slower and faster than any accelerometer."""

UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    msgspec.MsgspecError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
)
"""What the ZIP, JSON and array readers raise on anything but examples."""

HINT: Final = "send examples with `edge-agent teach`"


class _Entry(msgspec.Struct, frozen=True):
    """What the index says about one example."""

    source: str
    rate_hz: float


@dataclass(frozen=True, eq=False)
class Example:
    """One labelled part.

    Attributes:
        source: where it came from, for people (a file name, a part's number).
        image: BGR, shape (height, width, 3), uint8, or None.
        samples: acceleration [m/s^2], shape (n, 3), float32, or None.
        rate_hz: sample rate of `samples` [Hz]; 0 without them.
    """

    source: str
    image: NDArray[np.uint8] | None = None
    samples: NDArray[np.float32] | None = None
    rate_hz: float = 0.0

    @property
    def id(self) -> str:
        """16 hexadecimal digits that the same pixels and samples always have, whatever they are called."""
        return self._ids[1]

    @property
    def pixels(self) -> str:
        """The id that the picture has alone, whatever lies beside it; "" without a picture."""
        return "" if self.image is None else self._ids[0]

    @cached_property
    def png(self) -> bytes:
        """The picture as it is kept, to the last bit, b"" without one; some 10 ms the first time, without the GIL."""
        return b"" if self.image is None else encoded(self.image)

    @cached_property
    def _ids(self) -> tuple[str, str]:
        """Ids of the picture, and of the picture with what lies beside it; a millisecond for 480 x 480 px."""
        digest, ids = hashlib.sha256(), ["", ""]
        for n, (name, array, rate_hz) in enumerate(
            (("image", self.image, 0.0), ("samples", self.samples, self.rate_hz))
        ):
            if array is not None:
                digest.update(f"{name} {array.shape} {rate_hz!r}\n".encode())
                digest.update(np.ascontiguousarray(array).data)
            ids[n] = digest.hexdigest()[:16]
        return ids[0], ids[1]


def pack(examples: Sequence[Example]) -> bytes:
    """Write examples as one body."""
    body = io.BytesIO()
    index: list[_Entry] = []
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as archive:
        for i, example in enumerate(examples):
            index.append(_Entry(example.source, example.rate_hz))
            for name, array in (("image", example.image), ("samples", example.samples)):
                if array is not None:
                    archive.writestr(f"{i}.{name}.npy", encode_npy(array))
        archive.writestr(INDEX, msgspec.json.encode(index))
    return body.getvalue()


def unpack(body: bytes) -> list[Example]:
    """Read what `pack` wrote.

    Args:
        body: the bytes.

    Returns:
        The examples, in their order.

    Raises:
        BadData: it is anything else, or too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if sum(info.file_size for info in members.values()) > MAX_UNPACKED_BYTES:
                raise BadData(
                    f"the examples unpack to more than {MAX_UNPACKED_BYTES >> 20} MB", hint="teach fewer at a time"
                )
            index = msgspec.json.decode(archive.read(INDEX), type=list[_Entry])
            if not 1 <= len(index) <= MAX_EXAMPLES:
                raise BadData(f"a lesson has 1 to {MAX_EXAMPLES} examples", hint=HINT)
            return [_example(archive, members, i, entry) for i, entry in enumerate(index)]
    except UNREADABLE as error:
        raise BadData(f"the examples cannot be read: {error}", hint=HINT) from error


def encode_npy(array: NDArray[Any]) -> bytes:
    """Write an array as a `.npy` file that `models.npy.decode_npy` reads."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _example(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], i: int, entry: _Entry) -> Example:
    arrays = {
        name: decode_npy(archive.read(f"{i}.{name}.npy"))
        for name in ("image", "samples")
        if f"{i}.{name}.npy" in members
    }
    image, samples, rate_hz = arrays.get("image"), arrays.get("samples"), entry.rate_hz
    if image is not None and (
        image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not min(image.shape[:2]) >= 1
    ):
        raise BadData(f"example {i}: a picture is (h, w, 3) uint8, got {image.shape} {image.dtype}", hint=HINT)
    if samples is not None and (samples.ndim != 2 or samples.shape[1] != 3 or samples.dtype != np.float32):
        raise BadData(f"example {i}: a window is (n, 3) float32, got {samples.shape} {samples.dtype}", hint=HINT)
    if samples is not None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadData(
            f"example {i}: a sample rate is {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz, got {rate_hz:g}", hint=HINT
        )
    if not arrays:
        raise BadData(f"example {i} has neither a picture nor a window", hint=HINT)
    return Example(entry.source[:200], image, samples, rate_hz)
