"""Reading `.npy` files from memory: the header is checked against the bytes that are there before an array is made.

Format: NEP 1, versions 1.0 and 2.0, C order, no objects; nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import tokenize
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a `.npy` file.

    numpy reads it as a Python literal, and a hostile one makes Python's own parser give up in ways of its own.

    Args:
        stream: at the beginning of the file; afterwards at the data.

    Returns:
        Shape, whether columns come first, and the type of a number.

    Raises:
        ValueError: it is no such header.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"want a .npy file of version 1.0 or 2.0, got {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, kind = read(stream)
    except (tokenize.TokenError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"the header of the .npy file cannot be read: {type(error).__name__}") from error
    return shape, fortran, kind


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
    shape, fortran, kind = read_header(stream)
    if fortran or kind.hasobject:
        raise ValueError(f"want rows first and no objects, got {shape} {kind}")
    body = data[stream.tell() :]
    if len(body) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{len(body)} bytes of data do not fill {shape} {kind}")
    return np.frombuffer(body, dtype=kind).reshape(shape)
