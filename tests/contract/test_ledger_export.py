"""Parts as a file for other programs: read back with the readers that people use."""

import csv
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_parts import missed, part
from pyarrow import parquet

from edge_agent.errors import ConfigError, Unavailable
from edge_agent.ledger import ExportFormat, Reader, export_parts
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.records import Action, Part

PARTS = [
    replace(
        part(1),
        decided_utc=1_700_000_000.25,
        action=Action.REJECT,
        recipe='=HYPERLINK("http://x")',
        verdict=replace(part(1).verdict, degraded=("dark", "gap"), cause='two\r\nlines, "quoted"', p_normal=-0.5),
    ),
    replace(part(2), verdict=replace(part(2).verdict, label=None), recipe="-1+1"),
    missed(3),
]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    store = Store(tmp_path / "state" / "ledger.db")
    store.open()
    store.write(Batch(PARTS))
    store.close()
    with Reader(tmp_path / "state") as reader:
        yield reader


def test_csv_reads_back(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    written = export_parts(reader, path, None, ExportFormat.CSV)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert written == len(rows) == 3
    first = rows[0]
    assert (first["id"], first["number"], first["outcome"], first["score"]) == ("1", "1", "OK", "0.9")
    assert (first["decided_utc"], first["trigger_s"]) == ("2023-11-14T22:13:20.250Z", "11.0")
    assert (first["degraded"], first["action"], first["committed_late"]) == ("dark gap", "reject", "false")
    assert (first["picture_anomaly"], first["window_anomaly"], rows[2]["picture_anomaly"]) == ("3.25", "", "")
    assert first["cause"] == 'two\r\nlines, "quoted"'
    assert (rows[1]["label"], rows[2]["trigger_s"], rows[2]["score"]) == ("", "", "0.0")
    assert path.read_bytes().count(b"\r\n") == 1 + 3 + 1


def test_csv_holds_no_formula(reader: Reader, tmp_path: Path) -> None:
    export_parts(reader, tmp_path / "parts.csv", None, ExportFormat.CSV)
    with (tmp_path / "parts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["recipe"] for row in rows] == ['\'=HYPERLINK("http://x")', "'-1+1", "default"]
    assert rows[0]["p_normal"] == "-0.5"  # a number is no formula


def test_parquet_reads_back_with_types_and_embeddings(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "parts.parquet"
    written = export_parts(reader, path, None, ExportFormat.PARQUET)
    table = parquet.read_table(path)
    rows = table.to_pylist()

    assert written == len(rows) == 3
    assert str(table.schema.field("number").type) == "int64"
    assert str(table.schema.field("committed_late").type) == "bool"
    assert rows[0]["recipe"] == '=HYPERLINK("http://x")'
    assert rows[0]["embedding"] == list(range(128))
    assert (rows[1]["label"], rows[2]["trigger_s"], rows[2]["embedding"]) == (None, None, None)


@pytest.mark.parametrize("form", ExportFormat)
def test_only_parts_since(reader: Reader, tmp_path: Path, form: ExportFormat) -> None:
    assert export_parts(reader, tmp_path / "a", 1_700_000_001.0, form) == 1
    assert export_parts(reader, tmp_path / "b", math.inf, form) == 0


class Breaking(Reader):
    """A ledger whose disk fails after the first part."""

    def parts(self, since_utc: float | None = None) -> Iterator[Part]:
        yield next(super().parts(since_utc))
        raise Unavailable("the disk reports a fault")


@pytest.mark.parametrize("form", ExportFormat)
def test_an_interrupted_export_leaves_the_old_file_and_nothing_else(
    reader: Reader, tmp_path: Path, form: ExportFormat
) -> None:
    path = tmp_path / "out" / "parts"
    path.parent.mkdir()
    path.write_text("old")
    with Breaking(tmp_path / "state") as breaking, pytest.raises(Unavailable):
        export_parts(breaking, path, None, form)

    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_parquet_without_pyarrow_says_what_to_install(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError) as error:
        export_parts(reader, tmp_path / "parts.parquet", None, ExportFormat.PARQUET)

    assert "pip install 'edge-agent[parquet]'" in error.value.hint
    assert not list(tmp_path.glob("*parts*"))


def test_a_folder_that_is_not_there_is_named(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot write .*absent/parts.csv: No such file"):
        export_parts(reader, tmp_path / "absent" / "parts.csv", None, ExportFormat.CSV)
