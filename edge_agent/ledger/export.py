"""Parts as a file for other programs: CSV (RFC 4180) or Parquet, a page at a time, whole or not at all."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from edge_agent.errors import ConfigError, Unavailable
from edge_agent.ledger.reader import PAGE_ROWS, Reader
from edge_agent.records import Anomaly, Part
from edge_agent.runtime.disk import RealDisk

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula; such a text gets an apostrophe in front."""


class ExportFormat(StrEnum):
    """What a file of parts looks like."""

    CSV = "csv"
    PARQUET = "parquet"


_COLUMNS: Final[dict[str, tuple[str, Callable[[Part], object]]]] = {
    "id": ("int64", lambda part: part.id),
    "series": ("string", lambda part: part.trigger.series),
    "number": ("int64", lambda part: part.trigger.number),
    "decided_utc": ("string", lambda part: _iso(part.decided_utc)),
    "outcome": ("string", lambda part: part.verdict.outcome.value),
    "label": ("string", lambda part: part.verdict.label),
    "operator_label": ("string", lambda part: part.operator_label),
    "truth": ("string", lambda part: part.trigger.truth),
    "score": ("float64", lambda part: _known(part.verdict.score)),
    "p_normal": ("float64", lambda part: part.verdict.p_normal),
    "distance": ("float64", lambda part: part.verdict.distance),
    "picture_anomaly": ("float64", lambda part: _anomaly(part).picture),
    "window_anomaly": ("float64", lambda part: _anomaly(part).window),
    "cause": ("string", lambda part: part.verdict.cause),
    "degraded": ("string", lambda part: " ".join(part.verdict.degraded)),
    "action": ("string", lambda part: part.action.value if part.action else None),
    "gate": ("string", lambda part: part.gate or None),
    "gate_off_us": ("float64", lambda part: part.gate_off_us),
    "committed_late": ("bool", lambda part: part.committed_late),
    "recipe": ("string", lambda part: part.recipe),
    "knowledge": ("string", lambda part: part.knowledge),
    "picture": ("string", lambda part: part.picture),
    "trigger_s": ("float64", lambda part: _known(part.times.trigger_s)),
    "frame_s": ("float64", lambda part: part.times.frame_s),
    "paired_s": ("float64", lambda part: part.times.paired_s),
    "inferred_s": ("float64", lambda part: part.times.inferred_s),
    "decided_s": ("float64", lambda part: part.times.decided_s),
    "committed_s": ("float64", lambda part: part.times.committed_s),
    "acted_s": ("float64", lambda part: part.times.acted_s),
}
"""Name, with its unit as suffix; type; value. Wall time is ISO 8601, the others are host monotonic seconds."""


_UNKNOWN: Final = Anomaly("")


def part_row(part: Part) -> dict[str, object]:
    """Give the fields of a part by name."""
    return {name: value(part) for name, (_, value) in _COLUMNS.items()}


def export_parts(reader: Reader, path: Path, since_utc: float | None, form: ExportFormat) -> int:
    """Write parts to a file; an interrupted export leaves the file that was there before.

    Args:
        reader: the ledger.
        path: the file to write; one that exists is replaced.
        since_utc: only parts decided since [s since the epoch]; None for all.
        form: what to write; Parquet has the embeddings too.

    Returns:
        Parts written.

    Raises:
        ConfigError: Parquet is not installed.
        Unavailable: the file cannot be written: its folder is missing, the disk is full, ….
    """
    write = _write_csv if form is ExportFormat.CSV else _write_parquet
    try:
        with _replacement(path) as file:
            return write(file, reader.parts(since_utc))
    except OSError as error:
        raise Unavailable(
            f"cannot write {path}: {error.strerror}", hint=f"see whether {path.parent} exists, is yours and has room"
        ) from error


def _write_csv(file: IO[bytes], parts: Iterable[Part]) -> int:
    written = 0
    text = _Encoded(file)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for part in parts:
        writer.writerow([_cell(value(part)) for _, value in _COLUMNS.values()])
        written += 1
    return written


def _write_parquet(file: IO[bytes], parts: Iterator[Part]) -> int:
    try:
        import pyarrow  # noqa: PLC0415 - an extra; nothing else may need it
        from pyarrow import parquet  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ConfigError(
            "Parquet needs the package pyarrow, which is not installed",
            hint="pip install 'edge-agent[parquet]', or export to a .csv file",
        ) from error
    kinds = {"bool": pyarrow.bool_()}
    fields = [(name, kinds.get(kind) or pyarrow.type_for_alias(kind)) for name, (kind, _) in _COLUMNS.items()]
    schema = pyarrow.schema([*fields, ("embedding", pyarrow.list_(pyarrow.int16()))])
    written = 0
    with parquet.ParquetWriter(file, schema) as writer:
        while page := list(islice(parts, PAGE_ROWS)):
            columns = {name: [value(part) for part in page] for name, (_, value) in _COLUMNS.items()}
            columns["embedding"] = [part.embedding.q if part.embedding else None for part in page]
            writer.write_table(pyarrow.table(columns, schema=schema))
            written += len(page)
    return written


class _Encoded:
    """The text side of a binary file, for `csv`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> Any:
        return self._file.write(text.encode())


@contextmanager
def _replacement(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place, fsynced, when all went well, and disappears otherwise."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        RealDisk(path.parent).sync()
    finally:
        unfinished.unlink(missing_ok=True)


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _anomaly(part: Part) -> Anomaly:
    return _UNKNOWN if part.embedding is None or part.embedding.anomaly is None else part.embedding.anomaly


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _iso(utc: float) -> str:
    return datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
