"""What is kept beside an exemplar: what it was made from, and of good parts what the bundle saw in detail.

A picture becomes a PNG file, a window its rate and a `.npy` array, so that another bundle can embed them again, to the
last bit. Which of them are still needed is the store's business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import StateDamaged
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.example import Example, encode_npy
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.goodparts import encode_details
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Sample
from edge_agent.runtime.steps import Steps
from models.npy import decode_npy

MAX_RAW_BYTES: Final = 40 * 10**6
"""Pictures and windows that are kept of one class in one role [bytes]: a hundred of 480 x 480 px, enough to teach the
class anew, and ten classes take less than the kept pictures of parts may."""

_RATE: Final = struct.Struct("<d")

HINT: Final = "teach this example again, or take the file from a backup"


@dataclass(frozen=True)
class Raw:
    """The bytes of one example.

    Attributes:
        picture: PNG, b"" without a picture.
        window: rate and samples, b"" without vibration.
    """

    picture: bytes = b""
    window: bytes = b""

    @classmethod
    def of(cls, example: Example) -> Self:
        """Give the bytes of an example, which holds its picture packed no longer."""
        window = b"" if example.samples is None else _RATE.pack(example.rate_hz) + encode_npy(example.samples)
        picture = example.png
        del vars(example)["png"]
        return cls(picture, window)

    def __len__(self) -> int:
        return len(self.picture) + len(self.window)

    def example(self, source: str) -> Example:
        """Give the example back.

        Args:
            source: where it came from, for people.

        Returns:
            The example, to the last bit.

        Raises:
            StateDamaged: these are not the bytes of one.
        """
        image = _picture_from(self.picture) if self.picture else None
        samples, rate_hz = _window_from(self.window) if self.window else (None, 0.0)
        return Example(source, image, samples, rate_hz)


def keeping(blobs: Blobs, samples: Iterable[Sample], learned: Learned) -> Steps[list[Exemplar]]:
    """Keep what belongs to exemplars that are about to be learned, one by one, and give them naming what is kept.

    It is details of all of them, pictures and windows as far as their class has room beside what is `learned` already.
    """
    kept, used_bytes = [], dict[tuple[str, Role], int]()
    for exemplar, example, details in samples:
        yield None
        key = exemplar.label, exemplar.role
        used = used_bytes.setdefault(key, learned.raw_bytes(*key))
        raw = Raw() if used >= MAX_RAW_BYTES else Raw.of(example)
        used_bytes[key] = used + len(raw)
        if used_bytes[key] > MAX_RAW_BYTES:
            raw = Raw()
        picture, window = (blobs.write(data) if data else "" for data in (raw.picture, raw.window))
        digest = "" if details is None else blobs.write(encode_details(details))
        kept.append(replace(exemplar, picture=picture, window=window, raw_bytes=len(raw), details=digest))
    return kept


def example_of(blobs: Blobs, exemplar: Exemplar) -> Example | None:
    """Give the example that an exemplar was made from; None where it was not kept.

    Args:
        blobs: where it is kept.
        exemplar: which.

    Returns:
        The example, to the last bit.

    Raises:
        StateDamaged: it was kept and is no longer what it was.
    """
    if not exemplar.picture and not exemplar.window:
        return None
    picture, window = (blobs.read(digest) if digest else b"" for digest in (exemplar.picture, exemplar.window))
    return Raw(picture, window).example(exemplar.source)


def _picture_from(data: bytes) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise StateDamaged("a kept picture cannot be decoded", hint=HINT)
    return np.asarray(image, np.uint8)


def _window_from(data: bytes) -> tuple[NDArray[np.float32], float]:
    try:
        (rate_hz,) = _RATE.unpack_from(data)
        samples: NDArray[np.float32] = decode_npy(data[_RATE.size :])
    except (struct.error, ValueError) as error:
        raise StateDamaged(f"a kept window cannot be read: {error}", hint=HINT) from error
    if samples.ndim != 2 or samples.shape[1] != 3 or samples.dtype != np.float32:
        raise StateDamaged(f"a kept window is (n, 3) float32, got {samples.shape} {samples.dtype}", hint=HINT)
    return samples, rate_hz
