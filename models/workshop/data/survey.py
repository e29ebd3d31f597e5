"""Reads every sample of a dataset once, to know which ones can be used and which have the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.workshop.data.sample import Dataset, Entry, Sample
from models.workshop.errors import BadSample

CELLS: Final = 8
"""A look has this many brightness steps across and as many rows of them, and the same down: 128 bits."""
LOOK_BYTES: Final = 2 * CELLS * CELLS // 8


@dataclass(frozen=True)
class Fingerprint:
    """What a sample contains, in short.

    Attributes:
        picture: SHA-256 of the pixels, "" where there is none.
        samples: SHA-256 of the vibration and its rate, "" where there is none.
        look: whether brightness rises from cell to cell, 128 bits, empty where there is no picture; pictures that look
            alike differ in few bits.
    """

    picture: str = ""
    samples: str = ""
    look: bytes = b""


@dataclass(frozen=True)
class Survey:
    """What reading every sample found.

    Attributes:
        usable: samples that could be read, in the order of the dataset.
        unusable: why others could not, by key.
        prints: of the usable ones, by key.
    """

    usable: tuple[Entry, ...]
    unusable: Mapping[str, BadSample]
    prints: Mapping[str, Fingerprint]


def survey(dataset: Dataset, entries: Iterable[Entry]) -> Survey:
    """Read samples, one at a time; none is kept.

    Args:
        dataset: that they are of.
        entries: which ones; may be what shows progress as it is walked.

    Returns:
        What was found.
    """
    usable: list[Entry] = []
    unusable: dict[str, BadSample] = {}
    prints: dict[str, Fingerprint] = {}
    for entry in entries:
        try:
            prints[entry.key] = fingerprint(dataset.load(entry))
        except BadSample as error:
            unusable[entry.key] = error
        else:
            usable.append(entry)
    return Survey(tuple(usable), unusable, prints)


def fingerprint(sample: Sample) -> Fingerprint:
    """Give the fingerprint of a sample."""
    picture, heard = sample.picture, sample.samples
    return Fingerprint(
        "" if picture is None else _digest(picture, ""),
        "" if heard is None else _digest(heard, f"{sample.rate_hz}"),
        b"" if picture is None else _look(picture),
    )


def _digest(array: NDArray[np.generic], more: str) -> str:
    digest = hashlib.sha256(f"{array.shape} {array.dtype} {more}\n".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _look(picture: NDArray[np.uint8]) -> bytes:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey.astype(np.float32), (CELLS + 1, CELLS + 1), interpolation=cv2.INTER_AREA)
    rises = np.diff(cells[:CELLS], axis=1) > 0, np.diff(cells[:, :CELLS], axis=0) > 0
    return np.packbits(np.stack(rises)).tobytes()
