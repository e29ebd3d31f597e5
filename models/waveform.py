"""Decodes recorded vibration from the bytes of an npz, csv or wav file: three axes in m/s^2 and their rate.

Pure, for station and workshop alike; it opens no file. Sizes are checked before anything is allocated. What is missing
is refused, never filled with zeros.
"""

from __future__ import annotations

import csv
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import FileRefused, beginning
from models.npy import read_header

Waveform = tuple[NDArray[np.float32], float]
"""Acceleration [m/s^2], shape (n, 3) for axes x, y, z, float32; and its sample rate [Hz]."""

MAX_VIBRATION_BYTES: Final = 64 << 20
"""Holds the longest allowed waveform as text."""
MIN_SAMPLES: Final = 256
"""Fewer give no spectrum worth the name (10 ms at 26,667 Hz)."""
MAX_SAMPLES: Final = 1_000_000
"""More is not one part's window (37 s at 26,667 Hz)."""
RATE_LIMITS_HZ: Final = (100.0, 1_000_000.0)
"""Sample rates an accelerometer can have."""
MAX_ACCELERATION_MS2: Final = 1e6
"""More than any accelerometer measures; such a value means a wrong unit or a damaged file."""
PCM_FULL_SCALE_MS2: Final = 16.0 * 9.80665
"""What the largest integer sample of a wav file stands for: the usual 16 g range of a vibration sensor."""
CSV_COLUMNS: Final = ("time_s", "x_ms2", "y_ms2", "z_ms2")

WAV_PCM: Final = 1
WAV_FLOAT: Final = 3
WAV_EXTENSIBLE: Final = 0xFFFE


def decode_npz(data: bytes, known_hz: float | None = None) -> Waveform:
    """Give the waveform in an npz archive with the arrays `samples` (n, 3) [m/s^2] and `rate_hz` [Hz].

    Args:
        data: the whole file.
        known_hz: the sample rate where it is known from elsewhere [Hz]; the archive must then say the same, or nothing.

    Returns:
        The samples and their rate.

    Raises:
        FileRefused: not such an archive, its content is not a usable waveform, or the rate is another one.
    """
    known = {} if known_hz is None else {"rate_hz": np.array(known_hz)}
    arrays = known | decode_arrays(data, ("samples", "rate_hz"), optional=known)
    rate_hz = one_number(arrays, "rate_hz")
    if known_hz not in (None, rate_hz):
        raise FileRefused(f"rate_hz is {rate_hz:g} in the file and {known_hz:g} elsewhere", hint=_RATE_HINT)
    return checked_waveform(arrays["samples"], rate_hz)


def decode_csv(data: bytes) -> Waveform:
    """Give the waveform in a csv file with the columns `time_s, x_ms2, y_ms2, z_ms2` in its first line.

    The rate is that of the mean time step. Every step must be within half of it, or samples are missing.

    Args:
        data: the whole file, UTF-8.

    Returns:
        The samples and their rate.

    Raises:
        FileRefused: a column is missing, a line is not four numbers, or time does not advance evenly.
    """
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        header = tuple(name.strip() for name in next(rows, []))
        if header != CSV_COLUMNS:
            raise FileRefused(
                f"the first line must be {','.join(CSV_COLUMNS)!r}, got {','.join(header)[:60]!r}",
                hint=_CSV_HINT,
            )
        table = np.fromiter(_numbers(rows), np.float64).reshape(-1, len(CSV_COLUMNS))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefused(f"not a text file with columns ({error})", hint=_CSV_HINT) from None
    if len(table) < MIN_SAMPLES:
        raise _too_short(len(table))
    if not (np.isfinite(table[:, 0]).all() and table[-1, 0] > table[0, 0]):
        raise FileRefused("time_s does not advance", hint=_CSV_HINT)
    steps_s = np.diff(table[:, 0])
    mean_s = (table[-1, 0] - table[0, 0]) / len(steps_s)
    uneven = np.flatnonzero(np.abs(steps_s - mean_s) > 0.5 * mean_s)
    if len(uneven):
        n = int(uneven[0])
        raise FileRefused(
            f"time_s advances unevenly after sample {n}: by {steps_s[n]:.6g} s, the mean is {mean_s:.6g} s",
            hint="samples are missing, or time_s has too few digits",
        )
    return checked_waveform(table[:, 1:], 1.0 / mean_s)


def decode_wav(data: bytes) -> Waveform:
    """Give the waveform in a wav file with three channels x, y, z.

    Float samples are m/s^2. Integer samples (16, 24 or 32 bits) are scaled so that full scale is 16 g.

    Args:
        data: the whole file.

    Returns:
        The samples and their rate.

    Raises:
        FileRefused: not a wav file, truncated, another encoding, or not three channels.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise FileRefused(f"not a wav file (it begins with {beginning(data[:12])})", hint=_WAV_HINT)
    try:
        chunks = dict(_riff_chunks(data))
        encoding, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
        if encoding == WAV_EXTENSIBLE:
            (encoding,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
        body = chunks[b"data"]
    except (struct.error, KeyError):
        raise FileRefused("truncated wav file") from None
    if channels != 3:
        raise _wrong_axes(channels)
    return checked_waveform(_wav_values(body, encoding, bits).reshape(-1, 3), float(rate_hz))


def decode_arrays(data: bytes, names: Collection[str], *, optional: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Give arrays of an npz archive, each no larger than the longest waveform.

    Args:
        data: the whole file.
        names: of the arrays.
        optional: those of them that may be missing.

    Returns:
        The arrays that are there, by name.

    Raises:
        FileRefused: not such an archive, or an array is missing, too large, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            there = archive.namelist()
            wanted = [name for name in names if name not in optional or f"{name}.npy" in there]
            return {name: _npy_member(archive, name) for name in wanted}
    except FileRefused:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        raise FileRefused("damaged or not an npz archive") from None


def one_number(arrays: Mapping[str, NDArray[Any]], name: str) -> float:
    """Give the only number in the array `name`; raises `FileRefused`."""
    array = arrays[name]
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise FileRefused(f"{name} must be one number, got shape {array.shape} {array.dtype}", hint=_NPZ_HINT)
    return float(array.reshape(-1)[0])


def checked_waveform(samples: NDArray[Any], rate_hz: float) -> Waveform:
    """Give samples and their rate as a waveform, or say why they are none.

    Args:
        samples: acceleration [m/s^2], shape (n, 3) for axes x, y, z, any type of number.
        rate_hz: sample rate [Hz].

    Returns:
        The samples as float32, and their rate.

    Raises:
        FileRefused: another shape or type, too few or too many, a rate or a value that no accelerometer has.
    """
    if samples.ndim != 2 or samples.dtype.kind not in "fiu":
        raise FileRefused(f"samples must be (n, 3) numbers, got {samples.shape} {samples.dtype}", hint=_NPZ_HINT)
    if samples.shape[1] != 3:
        raise _wrong_axes(samples.shape[1])
    if len(samples) < MIN_SAMPLES:
        raise _too_short(len(samples))
    if len(samples) > MAX_SAMPLES:
        raise _too_long(len(samples))
    low_hz, high_hz = RATE_LIMITS_HZ
    if not low_hz <= rate_hz <= high_hz:
        raise FileRefused(
            f"a sample rate of {rate_hz:g} Hz is not between {low_hz:g} and {high_hz:g} Hz", hint=_RATE_HINT
        )
    with np.errstate(invalid="ignore"):  # a signalling NaN warns when it is cast; it is found below
        values = samples.astype(np.float64)
    bad = np.flatnonzero(~(np.abs(values) <= MAX_ACCELERATION_MS2).all(axis=1))
    if len(bad):
        first = ", ".join(f"{v:g}" for v in values[bad[0]])
        raise FileRefused(
            f"{len(bad)} of {len(samples)} samples are NaN, infinite or beyond {MAX_ACCELERATION_MS2:g} "
            f"m/s^2, first sample {int(bad[0])}: ({first})",
            hint="check the unit (m/s^2) and the recorder",
        )
    return values.astype(np.float32), rate_hz


_NPZ_HINT: Final = "write it with numpy.savez(path, samples=samples, rate_hz=rate_hz)"
_CSV_HINT: Final = f"write the line {','.join(CSV_COLUMNS)}, then one sample a line"
_WAV_HINT: Final = "write 16, 24 or 32 bit PCM or 32 bit float, three channels"
_RATE_HINT: Final = "write the sample rate in Hz"


def _wav_values(body: memoryview, encoding: int, bits: int) -> NDArray[np.generic]:
    if (encoding, bits) not in {(WAV_FLOAT, 32), (WAV_PCM, 16), (WAV_PCM, 24), (WAV_PCM, 32)}:
        raise FileRefused(f"wav encoding {encoding} with {bits} bits is not read", hint=_WAV_HINT)
    if len(body) % (3 * bits // 8):
        raise FileRefused("truncated wav file: its last sample is not whole")
    if encoding == WAV_FLOAT:
        return np.frombuffer(body, "<f4")
    stored = np.frombuffer(body, np.uint8).reshape(-1, bits // 8)
    counts = np.zeros((len(stored), 4), np.uint8)
    counts[:, 4 - bits // 8 :] = stored  # little-endian: a sample becomes the upper bytes of an int32
    return counts.view("<i4")[:, 0] * (PCM_FULL_SCALE_MS2 / 2.0**31)


def _npy_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise FileRefused(f"the archive has no array {name!r}", hint=_NPZ_HINT) from None
    if info.file_size > MAX_SAMPLES * 3 * 8 + 1024:
        raise _too_long(info.file_size // 24)
    body = io.BytesIO(archive.read(info))
    shape, _, dtype = read_header(body)
    if dtype.hasobject:
        raise FileRefused(f"array {name!r} holds Python objects, which are not read", hint=_NPZ_HINT)
    if math.prod(shape) * dtype.itemsize > info.file_size:
        raise FileRefused(f"array {name!r} declares {shape}, more than the file holds")
    body.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(body, allow_pickle=False)
    return array


def _numbers(rows: Iterator[list[str]]) -> Iterator[float]:
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            values = [float(cell) for cell in row]
        except ValueError:
            values = []
        if len(values) != len(CSV_COLUMNS):
            raise FileRefused(f"line {line} is not four numbers: {','.join(row)[:60]!r}", hint=_CSV_HINT)
        if line > MAX_SAMPLES + 1:
            raise _too_long(line - 1)
        yield from values


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        body = memoryview(data)[at + 8 : at + 8 + length]
        if len(body) < length:
            raise FileRefused(f"truncated wav file: {len(body)} of {length} bytes of {name!r}")
        yield name, body
        at += 8 + length + length % 2


def _wrong_axes(axes: int) -> FileRefused:
    return FileRefused(
        f"the file has {axes} axes; a window has three (x, y, z)",
        hint="record all three; where the sensor has fewer, always write the same ones as zeros",
    )


def _too_short(n: int) -> FileRefused:
    return FileRefused(f"too short: {n} samples, at least {MIN_SAMPLES} are needed", hint="record the whole window")


def _too_long(n: int) -> FileRefused:
    return FileRefused(f"too long: {n} samples, at most {MAX_SAMPLES} are read", hint="write one file for each part")
