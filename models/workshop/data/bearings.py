"""Recordings of faulty bearings on a test bench (Case Western Reserve University), cut into windows.

Windows of one bearing look alike whatever its load, so a bearing is the thing: a split by window or by load would only
measure how well a bearing is remembered.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.castings import NORMAL
from models.errors import FileRefused
from models.waveform import MAX_VIBRATION_BYTES, MIN_SAMPLES, checked_waveform, decode_arrays, one_number
from models.workshop.data.files import RECORDING_SUFFIX, read_decoded
from models.workshop.data.sample import VIBRATION, Entry, Sample, ordered_classes
from models.workshop.errors import BadSample, WorkshopError

STANDARD_GRAVITY_MS2: Final = 9.80665

LABELS: Final = {"normal": NORMAL, "B": "ball", "IR": "inner_race", "OR@6": "outer_race"}
"""What the file names begin with; an outer race fault sits at six o'clock, in the load zone."""

_FAMILY: Final = re.compile(r"(normal|B|IR|OR@6)(?:_(\d{3}))?_load(\d)(?:_.*)?")

WINDOW_MS: Final = 80.0
STRETCHES: Final = 10
"""Pieces of the only recording of a healthy bearing, about a second each."""
GUARD_WINDOWS: Final = 1
"""Windows left out between two stretches: 80 ms, more than two turns of the shaft."""


class CwruData:
    """Windows of vibration, labelled by where the bearing is damaged; the trait `fault_size_mil` says how much.

    One accelerometer at the drive end measured one axis, in g. It becomes x in m/s^2, and y and z are zeros: what a
    station sees of a sensor with one axis. Windows follow each other without overlap.

    There is one recording of one healthy bearing. It is cut into stretches with a gap between them, each a thing, so
    that a split has some on every side; but it is the same bearing on all sides, and no figure about healthy bearings
    says anything about another one.

    Args:
        folder: holds the `.npz` files (`DE` in g, `fs` in Hz, `rpm`), named `IR_007_load0.npz` and so on.
        window_ms: length of a window [ms].

    Raises:
        WorkshopError: no such folder, a file that is not understood, or one too short for a window.
    """

    name = "CWRU bearings"
    licence = "not stated"

    def __init__(self, folder: Path, *, window_ms: float = WINDOW_MS) -> None:
        files = sorted(folder.glob(f"*{RECORDING_SUFFIX}"))
        if not files:
            raise WorkshopError(f"{folder}: no bearing recordings in it", hint="name the folder of the .npz files")
        self._windows: dict[str, tuple[NDArray[np.float32], float]] = {}
        entries: list[Entry] = []
        for path in files:
            entries += self._cut(path, window_ms)
        self.entries = tuple(entries)
        self.classes = ordered_classes(entry.label for entry in entries)

    def load(self, entry: Entry) -> Sample:
        """Give one window."""
        window, rate_hz = self._windows[entry.key]
        return Sample(entry, None, window, rate_hz)

    def _cut(self, path: Path, window_ms: float) -> list[Entry]:
        """Cut a recording into windows and name them; a window is a view of the recording."""
        named = _FAMILY.fullmatch(path.stem)
        if named is None or (named[1] == "normal") != (named[2] is None):
            raise WorkshopError(
                f"{path}: not a name like IR_007_load0.npz or normal_load0.npz", hint="take the file out of the folder"
            )
        signal, rate_hz, rpm = _read(path)
        length = round(window_ms * rate_hz / 1000.0)
        if not MIN_SAMPLES <= length <= len(signal):
            raise WorkshopError(
                f"{path}: {len(signal)} samples have no window of {window_ms:g} ms with at least {MIN_SAMPLES} samples"
            )
        bearing = f"bearing {named[1]}" + (f" {named[2]}" if named[2] else "")
        traits = {"fault": named[1], "fault_size_mil": str(int(named[2] or 0)), "load_hp": named[3], "rpm": f"{rpm:g}"}
        count = len(signal) // length
        stretch = count // STRETCHES if named[2] is None else count
        if stretch <= GUARD_WINDOWS:
            raise WorkshopError(f"{path}: {count} windows are too few for {STRETCHES} stretches with gaps between them")
        entries = []
        for number in range(count):
            piece, place = divmod(number, stretch)
            if named[2] is None and (piece >= STRETCHES or place >= stretch - GUARD_WINDOWS):
                continue
            start = number * length
            thing = bearing if named[2] else f"{bearing} stretch {piece}"
            key = f"{path.stem} {start}"
            self._windows[key] = signal[start : start + length], rate_hz
            entries.append(Entry(key, LABELS[named[1]], (thing,), (VIBRATION,), traits))
        return entries


def _read(path: Path) -> tuple[NDArray[np.float32], float, float]:
    """Give a recording [m/s^2], its sample rate [Hz] and the speed of the shaft [1/min]."""
    try:
        return read_decoded(path, MAX_VIBRATION_BYTES, _decode)
    except BadSample as error:
        raise WorkshopError(error.message, hint=error.hint) from None


def _decode(data: bytes) -> tuple[NDArray[np.float32], float, float]:
    arrays = decode_arrays(data, ("DE", "fs", "rpm"))
    signal = arrays["DE"]
    if signal.ndim != 1:
        raise FileRefused(f"DE must be (n,), got {signal.shape}", hint="take the file out of the folder")
    three = np.zeros((len(signal), 3), signal.dtype)
    three[:, 0] = signal
    in_g, rate_hz = checked_waveform(three, one_number(arrays, "fs"))
    return in_g * np.float32(STANDARD_GRAVITY_MS2), rate_hz, one_number(arrays, "rpm")
