"""Pictures and vibration that a table pairs: a CSV manifest with label, thing and two paths a line.

The manifest is checked as a whole, and everything that is wrong with it is said at once, by line and column; the files
are read when a sample is asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.picturefile import PICTURE_SUFFIXES
from models.waveform import RATE_LIMITS_HZ
from models.workshop.data.files import RECORDING_SUFFIX, read_decoded, read_picture, read_recording
from models.workshop.data.sample import (
    IMAGE,
    VIBRATION,
    Entry,
    Sample,
    not_a_slug,
    ordered_classes,
    refuse_single_examples,
)
from models.workshop.errors import BadSample, WorkshopError

COLUMNS: Final = ("label", "thing", "picture", "vibration")
RATE: Final = "rate_hz"
"""May be left out, where the recordings say it themselves."""

MAX_BYTES: Final = 64 << 20
SHOWN: Final = 50
"""More problems than these are counted only."""


@dataclass(frozen=True)
class _Files:
    picture: Path | None
    vibration: Path | None
    rate_hz: float | None


@dataclass
class _Table:
    """What was understood of a manifest so far, and what was not."""

    folder: Path
    entries: list[Entry] = field(default_factory=list)
    files: dict[str, _Files] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, line: int, row: Mapping[str, str]) -> None:
        """Understand one line."""
        wrong = {column: problem for column in row if (problem := self._problem(column, row[column]))}
        if not row["picture"] and not row["vibration"]:
            wrong["picture"] = "neither a picture nor a vibration is named"
        key = " + ".join(path for path in (row["picture"], row["vibration"]) if path)
        if key in self.lines and not wrong:
            wrong["picture"] = f"the same files as in line {self.lines[key]}"
        self.problems += [f"line {line}, column {column}: {problem}" for column, problem in wrong.items()]
        if wrong:
            return
        self.lines[key] = line
        modalities = tuple(m for m, path in ((IMAGE, row["picture"]), (VIBRATION, row["vibration"])) if path)
        self.entries.append(Entry(key, row["label"], (row["thing"],), modalities))
        self.files[key] = _Files(
            self.folder / row["picture"] if row["picture"] else None,
            self.folder / row["vibration"] if row["vibration"] else None,
            float(row[RATE]) if row.get(RATE) else None,
        )

    def _problem(self, column: str, cell: str) -> str:
        match column:
            case "label":
                return not_a_slug(cell)
            case "thing":
                return "" if cell else "no thing; samples of the same thing must be named the same, others not"
            case "picture":
                return self._missing(cell, PICTURE_SUFFIXES)
            case "vibration":
                return self._missing(cell, frozenset({RECORDING_SUFFIX}))
            case _:
                return _wrong_rate(cell)

    def _missing(self, cell: str, suffixes: frozenset[str]) -> str:
        if not cell:
            return ""
        path = Path(cell)
        if path.is_absolute():
            return f"{cell!r} is absolute; paths are relative to the manifest"
        if path.suffix.lower() not in suffixes:
            return f"{cell!r} does not end in {', '.join(sorted(suffixes))}"
        try:
            return "" if (self.folder / path).is_file() else f"no such file: {cell!r}"
        except (OSError, ValueError) as error:
            return f"{cell!r} is no path ({error})"


class PairedData:
    """The samples of a CSV manifest with the columns `label, thing, picture, vibration` and, if wanted, `rate_hz`.

    Paths are relative to the manifest; a sample may lack a picture or a vibration. `rate_hz` gives the sample rate of
    recordings that do not say it themselves.

    Args:
        manifest: the CSV file, UTF-8.
        name: what a model card calls it; the file's name where not given.
        licence: under which it may be used.

    Raises:
        WorkshopError: the manifest cannot be read, or something is wrong with it, all of it by line and column.
    """

    def __init__(self, manifest: Path, *, name: str = "", licence: str = "not stated") -> None:
        self.name, self.licence = name or manifest.stem, licence
        table = _read(manifest)
        if table.problems:
            more = len(table.problems) - SHOWN
            lines = [*table.problems[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
            raise WorkshopError(f"{manifest}: {len(table.problems)} wrong\n  " + "\n  ".join(lines))
        refuse_single_examples(table.entries, str(manifest))
        self.entries = tuple(table.entries)
        self.classes = ordered_classes(entry.label for entry in table.entries)
        self._files = table.files

    def load(self, entry: Entry) -> Sample:
        """Read one sample; raises `BadSample` where it cannot be used."""
        files = self._files[entry.key]
        picture = read_picture(files.picture) if files.picture else None
        samples, rate_hz = read_recording(files.vibration, files.rate_hz) if files.vibration else (None, 0.0)
        return Sample(entry, picture, samples, rate_hz)


def _read(manifest: Path) -> _Table:
    try:
        text = read_decoded(manifest, MAX_BYTES, lambda data: data.decode("utf-8-sig"))
    except BadSample as error:
        raise WorkshopError(error.message, hint="name the CSV file that pairs the recordings") from None
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{manifest}: byte {error.start} is not UTF-8", hint="save it as CSV UTF-8") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    table = _Table(manifest.parent)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        _check_header(manifest, header)
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if len(cells) != len(header):
                table.problems.append(f"line {rows.line_num}: {len(cells)} cells, the first line has {len(header)}")
            else:
                table.add(rows.line_num, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        table.problems.append(f"line {rows.line_num}: not CSV ({error})")
    return table


def _check_header(manifest: Path, header: list[str]) -> None:
    wrong = [f"no column {name}" for name in COLUMNS if name not in header]
    wrong += [f"unknown column {name!r}" for name in header if name not in (*COLUMNS, RATE)]
    wrong += [f"column {name} twice" for name in sorted(set(header)) if header.count(name) > 1]
    if wrong:
        raise WorkshopError(
            f"{manifest}, line 1: {'; '.join(wrong)}", hint=f"begin with the line {','.join(COLUMNS)} or add {RATE}"
        )


def _wrong_rate(cell: str) -> str:
    low_hz, high_hz = RATE_LIMITS_HZ
    try:
        fine = not cell or low_hz <= float(cell) <= high_hz
    except ValueError:
        fine = False
    return "" if fine else f"{cell!r} is no sample rate from {low_hz:g} to {high_hz:g} Hz"
