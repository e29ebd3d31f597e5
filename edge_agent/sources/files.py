"""The door to pictures and vibration on disk: reads a bounded file, names it in every error, lists folders.

What the bytes mean is decided in `models`; nothing here waits, retries or remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from models.errors import FileRefused
from models.picturefile import MAX_PICTURE_BYTES, PICTURE_SUFFIXES, decode_picture
from models.waveform import MAX_VIBRATION_BYTES, Waveform, decode_csv, decode_npz, decode_wav

WAVEFORM_DECODERS: Final[dict[str, Callable[[bytes], Waveform]]] = {
    ".npz": decode_npz,
    ".csv": decode_csv,
    ".wav": decode_wav,
}

T = TypeVar("T")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture file.

    Args:
        path: a PNG, JPEG or BMP file.

    Returns:
        BGR, shape (height, width, 3), uint8.

    Raises:
        BadData: it cannot be read or is not a usable picture; the message begins with the path.
    """
    return _decoded(path, MAX_PICTURE_BYTES, decode_picture)


def read_vibration(path: Path) -> Waveform:
    """Read a vibration file; its suffix says what it is.

    Args:
        path: an npz, csv or wav file.

    Returns:
        Acceleration [m/s^2], shape (n, 3) for axes x, y, z, float32; and its sample rate [Hz].

    Raises:
        BadData: it cannot be read or is not a usable waveform; the message begins with the path.
    """
    decode = WAVEFORM_DECODERS.get(path.suffix.lower())
    if decode is None:
        raise BadData(f"{path}: not a vibration file", hint="use one that ends in .npz, .csv or .wav")
    return _decoded(path, MAX_VIBRATION_BYTES, decode)


def list_class_folders(folder: Path) -> dict[str, list[Path]]:
    """Give the pictures of each class in a folder of class folders, both sorted by name.

    Args:
        folder: holds one folder for each class; files, and folders that begin with a dot, do not count.

    Returns:
        Class name to its picture files; a folder without pictures gives none.

    Raises:
        BadData: there is no such folder, or no class folder in it.
    """
    if not folder.is_dir():
        raise BadData(f"{folder}: no such folder", hint="name a folder that holds one folder for each class")
    try:
        classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise _unreadable(folder, error) from None
    if not classes:
        raise BadData(
            f"{folder}: no class folders in it",
            hint="put the pictures of each class into a folder of its own",
        )
    return {path.name: _pictures_in(path) for path in classes}


def _pictures_in(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    except OSError as error:
        raise _unreadable(folder, error) from None


def _decoded(path: Path, limit_bytes: int, decode: Callable[[bytes], T]) -> T:
    try:
        if path.exists() and not path.is_file():
            raise BadData(f"{path}: not a file", hint="name a file")
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(data) > limit_bytes:
        raise BadData(f"{path}: larger than {limit_bytes >> 20} MiB", hint="it is not one part's recording")
    try:
        return decode(data)
    except FileRefused as error:
        raise BadData(f"{path}: {error.message}", hint=error.hint) from None


def _unreadable(path: Path, error: OSError) -> BadData:
    return BadData(f"{path}: cannot be read ({error.strerror or error})", hint="check the path and its permissions")
