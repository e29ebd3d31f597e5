"""Reading `.npy` files from memory: the header is checked against the bytes that are there before an array is made.

Format: NEP 1, version 1.0, C order, no objects; nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_npy(data: bytes) -> NDArray[Any]:
    """Give the array in a `.npy` file, read-only, on the bytes given.

    Args:
        data: the whole file.

    Returns:
        The array.

    Raises:
        ValueError: it is no such file, or holds more or less than its header says.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"want a .npy file of version 1.0, got {version}")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    if fortran or kind.hasobject:
        raise ValueError(f"want rows first and no objects, got {shape} {kind}")
    body = data[stream.tell() :]
    if len(body) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{len(body)} bytes of data do not fill {shape} {kind}")
    return np.frombuffer(body, dtype=kind).reshape(shape)
