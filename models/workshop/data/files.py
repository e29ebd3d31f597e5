"""The workshop's door to pictures and vibration on disk: reads a bounded file and names it in every error.

What the bytes mean is decided in `models`, for the desk as for the station; nothing here remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import FileRefused
from models.picturefile import MAX_PICTURE_BYTES, decode_picture
from models.waveform import MAX_VIBRATION_BYTES, Waveform, decode_npz
from models.workshop.errors import BadSample

RECORDING_SUFFIX: Final = ".npz"

T = TypeVar("T")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Give the picture in a PNG, JPEG or BMP file: BGR, shape (h, w, 3), uint8; raises `BadSample`."""
    return read_decoded(path, MAX_PICTURE_BYTES, decode_picture)


def read_recording(path: Path, rate_hz: float | None = None) -> Waveform:
    """Give the vibration in an `.npz` file.

    Args:
        path: of the file.
        rate_hz: what is known of the sample rate from elsewhere [Hz]; must then be in the file, or nothing.

    Returns:
        The samples and their rate.

    Raises:
        BadSample: it cannot be read or is no usable recording; the message begins with the path.
    """
    return read_decoded(path, MAX_VIBRATION_BYTES, partial(decode_npz, known_hz=rate_hz))


def read_decoded(path: Path, limit_bytes: int, decode: Callable[[bytes], T]) -> T:
    """Give what `decode` makes of a file.

    Args:
        path: of the file.
        limit_bytes: a larger file is not read to its end.
        decode: raises `FileRefused` where it is not usable.

    Returns:
        The same.

    Raises:
        BadSample: it cannot be read, is too large or is not usable; the message begins with the path.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise FileRefused(f"larger than {limit_bytes >> 20} MiB", hint="it is not one part's recording")
        return decode(data)
    except OSError as error:
        raise BadSample(f"{path}: cannot be read ({error.strerror or error})", hint="check that it is there") from None
    except FileRefused as error:
        raise BadSample(f"{path}: {error.message}", hint=error.hint) from None
