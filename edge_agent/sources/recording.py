"""The format of a recording: a folder with pictures, vibration files and `index.csv`, one line for each part.

Reads and checks the index and writes whole recordings. It does not read the files that the index names.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np

from edge_agent.errors import ConfigError
from edge_agent.sources.schedule import Material
from models.knowledge import SLUG

INDEX: Final = "index.csv"
NEEDED_COLUMNS: Final = ("time_s", "picture", "vibration")
OPTIONAL_COLUMNS: Final = ("truth", "frame_offset_ms")
MAX_INDEX_BYTES: Final = 32 << 20
"""Some 500,000 parts: a day at 5 parts/s."""
MAX_PROBLEMS: Final = 100
"""Problems that are listed one by one; of more, only how many."""
MAX_FRAME_OFFSET_MS: Final = 10_000.0
INDEX_HINT: Final = f"the columns are {', '.join(NEEDED_COLUMNS)} and, where known, {', '.join(OPTIONAL_COLUMNS)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a recording.

    Attributes:
        line: line of the index, counted from 1; the first holds the names of the columns.
        time_s: when its trigger came, from any origin [s].
        picture: file of the picture, relative to the folder; "" where none was recorded.
        vibration: file of the vibration, relative to the folder; "" where none was recorded.
        truth: class slug; None where it is not known.
        frame_offset_s: mid-exposure after the trigger [s].
    """

    line: int
    time_s: float
    picture: str
    vibration: str
    truth: str | None
    frame_offset_s: float


def parse_index(text: str) -> list[Row]:
    """Give the rows of an index.

    Args:
        text: the whole file.

    Returns:
        The rows, at least one, time strictly increasing.

    Raises:
        ConfigError: with one line for each problem, the line's number first.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="", strict=True)
    problems: list[str] = []
    rows: list[Row] = []
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        problems += [f"line 1: the column {name!r} is missing" for name in NEEDED_COLUMNS if name not in columns]
        known = {*NEEDED_COLUMNS, *OPTIONAL_COLUMNS}
        problems += [f"line 1: unknown column {name!r}" for name in columns if name not in known]
        problems += [f"line 1: the column {name!r} is there twice" for name in known if columns.count(name) > 1]
        if problems:
            raise ConfigError("\n".join(problems), hint=INDEX_HINT)
        for cells in reader:
            row, reasons = _parse_row(cells, reader.line_num, rows[-1].time_s if rows else -math.inf)
            problems += [f"line {reader.line_num}: {reason}" for reason in reasons]
            if row is not None:
                rows.append(row)
    except csv.Error as error:
        problems.append(f"line {reader.reader.line_num}: {error}")
    if not rows and not problems:
        problems.append("line 1: no part follows the names of the columns")
    if problems:
        more = len(problems) - MAX_PROBLEMS
        listed = [*problems[:MAX_PROBLEMS], f"and {more} problems more"] if more > 0 else problems
        raise ConfigError("\n".join(listed), hint=INDEX_HINT)
    return rows


def read_index(folder: Path) -> list[Row]:
    """Read the index of the recording in `folder`.

    Args:
        folder: the recording.

    Returns:
        Its rows, at least one.

    Raises:
        ConfigError: there is none, or it has errors; each line of the message begins with the file.
    """
    path = folder / INDEX
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INDEX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        hint = f"source.replay.folder must name a folder with the file {INDEX}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror})", hint=hint) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text", hint=INDEX_HINT) from None
    if len(data) > MAX_INDEX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_INDEX_BYTES >> 20} MiB", hint="split the recording")
    try:
        return parse_index(text)
    except ConfigError as error:
        message = "\n".join(f"{path}: {line}" for line in error.message.splitlines())
        raise ConfigError(message, hint=error.hint) from None


def write_recording(folder: Path, parts: Iterable[Material]) -> int:
    """Write parts as a recording: lossless pictures, exact samples, the index last.

    Args:
        folder: where to; made where it does not exist, and must be empty.
        parts: what to write; `due_s` becomes the time of the trigger and must increase.

    Returns:
        How many parts were written.

    Raises:
        ConfigError: the folder is not empty.
        ValueError: a part has no time, or the times do not increase.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConfigError(f"{folder}: not empty", hint="name a new folder for the recording")
    for name in ("pictures", "vibration"):
        (folder / name).mkdir()
    text = io.StringIO()
    index = csv.writer(text, lineterminator="\n")
    index.writerow((*NEEDED_COLUMNS, *OPTIONAL_COLUMNS))
    written = 0
    last_s = -math.inf
    for written, part in enumerate(parts, start=1):
        if part.due_s is None or part.due_s <= last_s:
            raise ValueError(f"part {written} is due at {part.due_s} s, after one at {last_s} s")
        last_s = part.due_s
        picture = vibration = ""
        if part.image is not None:
            picture = f"pictures/{written:06d}.png"
            (folder / picture).write_bytes(cv2.imencode(".png", part.image)[1].tobytes())
        if part.samples is not None:
            vibration = f"vibration/{written:06d}.npz"
            np.savez(folder / vibration, samples=part.samples, rate_hz=part.rate_hz)
        index.writerow((part.due_s, picture, vibration, part.truth or "", part.frame_offset_s * 1e3))
    (folder / INDEX).write_text(text.getvalue(), encoding="utf-8")
    return written


def _parse_row(cells: Mapping[str, str], line: int, after_s: float) -> tuple[Row | None, list[str]]:
    reasons: list[str] = []
    if "" in cells:
        reasons.append("more cells than columns")
    value = {name: cells.get(name, "").strip() for name in (*NEEDED_COLUMNS, *OPTIONAL_COLUMNS)}
    time_s = _number(value["time_s"])
    if not math.isfinite(time_s):
        reasons.append(f"time_s is not a number: {value['time_s']!r}")
    elif time_s <= after_s:
        reasons.append(f"time_s must increase: {time_s:g} after {after_s:g}")
    offset_ms = _number(value["frame_offset_ms"] or "0")
    if not 0 <= offset_ms <= MAX_FRAME_OFFSET_MS:
        reasons.append(f"frame_offset_ms is not between 0 and {MAX_FRAME_OFFSET_MS:g}: {value['frame_offset_ms']!r}")
    if not value["picture"] and not value["vibration"]:
        reasons.append("neither picture nor vibration")
    reasons += [
        f"{name} leaves the folder: {value[name]!r}" for name in ("picture", "vibration") if _escapes(value[name])
    ]
    if value["truth"] and not SLUG.fullmatch(value["truth"]):
        reasons.append(f"truth is not 1 to 40 of a to z, 0 to 9 and _: {value['truth']!r}")
    if reasons:
        return None, reasons
    row = Row(line, time_s, value["picture"], value["vibration"], value["truth"] or None, offset_ms / 1e3)
    return row, []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _escapes(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
