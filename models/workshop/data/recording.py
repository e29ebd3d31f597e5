"""Reads arrays and vibration from `.npz` files for the workshop, under the same limits as on the station.

Sizes are checked before anything is allocated; nothing is ever unpickled. It reads one file and remembers nothing.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.workshop.data.picture import COPY_AGAIN, read_bytes
from models.workshop.errors import BadSample

RECORDING_SUFFIX: Final = ".npz"

MAX_BYTES: Final = 64 << 20
LENGTHS: Final = (256, 1_000_000)
RATES_HZ: Final = (100.0, 1_000_000.0)
MAX_MS2: Final = 1e6
"""More than any accelerometer measures: a wrong unit or a damaged file [m/s^2]."""

ARRAY_BYTES: Final = 3 * 8 * LENGTHS[1] + 1024
"""The longest window in float64 with its header."""

_HINT: Final = "write it with numpy.savez(path, samples=samples, rate_hz=rate_hz)"


def read_recording(path: Path, rate_hz: float | None = None) -> tuple[NDArray[np.float32], float]:
    """Read a vibration file with the arrays `samples` [m/s^2] and `rate_hz` [Hz].

    Samples of one axis, shape (n,), become x; y and z are zeros, as a station wants them of a sensor that has no more.

    Args:
        path: of the file.
        rate_hz: what is known of the sample rate from elsewhere [Hz]; must then be in the file, or nothing.

    Returns:
        Acceleration [m/s^2], shape (n, 3) for axes x, y, z, float32; and its sample rate [Hz].

    Raises:
        BadSample: it cannot be read or is no usable recording; the message begins with the path.
    """
    arrays = read_arrays(path, ("samples", "rate_hz"), optional=("rate_hz",) if rate_hz is not None else ())
    if "rate_hz" in arrays:
        stored_hz = one_number(path, "rate_hz", arrays["rate_hz"])
        if rate_hz is not None and stored_hz != rate_hz:
            raise BadSample(f"{path}: rate_hz is {stored_hz:g} in the file and {rate_hz:g} elsewhere", hint=_HINT)
        rate_hz = stored_hz
    if rate_hz is None or not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise BadSample(f"{path}: a sample rate of {rate_hz} Hz is not from {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz")
    return three_axes(path, arrays["samples"]), rate_hz


def three_axes(path: Path, samples: NDArray[Any]) -> NDArray[np.float32]:
    """Check a window and give it as three axes.

    Args:
        path: that the message begins with.
        samples: acceleration [m/s^2], shape (n, 3), or (n,) for x alone.

    Returns:
        Shape (n, 3), float32.

    Raises:
        BadSample: another shape, too short, too long, or values that are not finite numbers.
    """
    if samples.dtype.kind not in "fiu" or not (samples.ndim == 1 or (samples.ndim == 2 and samples.shape[1] == 3)):
        raise BadSample(f"{path}: samples must be (n, 3) or (n,) numbers, got {samples.shape} {samples.dtype}")
    low, high = LENGTHS
    if not low <= len(samples) <= high:
        raise BadSample(f"{path}: {len(samples)} samples; {low} to {high} are read", hint="one file is one window")
    with np.errstate(invalid="ignore"):  # a signalling NaN warns when it is cast; it is found below
        values = samples.astype(np.float64).reshape(len(samples), -1)
    bad = np.flatnonzero(~(np.abs(values) <= MAX_MS2).all(axis=1))
    if len(bad):
        raise BadSample(
            f"{path}: {len(bad)} of {len(values)} samples are NaN, infinite or beyond {MAX_MS2:g} m/s^2, "
            f"the first is number {bad[0]}",
            hint="check the unit (m/s^2) and the recorder",
        )
    window = np.zeros((len(values), 3), np.float32)
    window[:, : values.shape[1]] = values
    return window


def read_arrays(path: Path, names: Iterable[str], *, optional: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` file.

    Args:
        path: of the file.
        names: of the arrays.
        optional: those of them that may be missing.

    Returns:
        The arrays that are there, by name.

    Raises:
        BadSample: it is no such file, an array is missing, too large, or holds Python objects.
    """
    data = read_bytes(path, MAX_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            there = set(archive.namelist())
            wanted = [name for name in names if f"{name}.npy" in there or name not in optional]
            return {name: _array(path, archive, name) for name in wanted}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        raise BadSample(f"{path}: damaged, or not an npz file", hint=COPY_AGAIN) from None


def one_number(path: Path, name: str, array: NDArray[Any]) -> float:
    """Give the only number of an array; raises `BadSample`."""
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise BadSample(f"{path}: {name} must be one number, got {array.shape} {array.dtype}", hint=_HINT)
    return float(array.reshape(-1)[0])


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise BadSample(f"{path}: no array {name!r} in it", hint=_HINT) from None
    if info.file_size > ARRAY_BYTES:
        raise BadSample(f"{path}: array {name!r} has {info.file_size} bytes", hint="one file is one window")
    body = io.BytesIO(archive.read(info))
    version = np.lib.format.read_magic(body)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(body)
    if dtype.hasobject:
        raise BadSample(f"{path}: array {name!r} holds Python objects, which are not read", hint=_HINT)
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise BadSample(f"{path}: array {name!r} declares {shape}, more than the file holds", hint=COPY_AGAIN)
    body.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(body, allow_pickle=False)
    return array
