"""The page about recordings is true: its examples run, and its limits are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_agent.sources.files import WAVEFORM_DECODERS
from edge_agent.sources.recording import NEEDED_COLUMNS, OPTIONAL_COLUMNS, parse_index, read_index
from models import waveform
from models.picturefile import MAX_PICTURE_BYTES, MAX_PIXELS, MAX_SIDE_PX, MIN_SIDE_PX

PAGE = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_index_shown_is_one() -> None:
    rows = parse_index(block("csv"))

    assert [(row.truth, row.vibration != "") for row in rows] == [("good", True), ("scratch", True), (None, False)]


def test_the_program_shown_makes_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(block("python").replace("parts=20", "parts=3"), {})

    assert len(read_index(tmp_path / "line-3-monday")) == 3


@pytest.mark.parametrize("column", [*NEEDED_COLUMNS, *OPTIONAL_COLUMNS])
def test_every_column_is_explained(column: str) -> None:
    assert f"| `{column}` |" in PAGE


@pytest.mark.parametrize("suffix", WAVEFORM_DECODERS)
def test_every_vibration_format_is_explained(suffix: str) -> None:
    assert f"| `{suffix}` |" in PAGE


@pytest.mark.parametrize(
    "limit",
    [
        f"From {MIN_SIDE_PX} to {MAX_SIDE_PX:,} pixels a side",
        f"at most {MAX_PIXELS // 1_000_000} million pixels and {MAX_PICTURE_BYTES >> 20} MiB a file",
        f"From {waveform.MIN_SAMPLES} to {waveform.MAX_SAMPLES:,} samples at 100 Hz to 1 MHz",
        f"at most {waveform.MAX_VIBRATION_BYTES >> 20} MiB a file",
        f"`{','.join(waveform.CSV_COLUMNS)}`",
        f"full scale is 16 g ({waveform.PCM_FULL_SCALE_MS2:.1f} m/s²)",
    ],
)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert limit in PAGE
