"""The index of a recording: all its errors at once, each with its line."""

from __future__ import annotations

import pytest

from edge_agent.errors import ConfigError
from edge_agent.sources.recording import MAX_PROBLEMS, Row, parse_index

HEADER = "time_s,picture,vibration,truth,frame_offset_ms\n"


def test_a_full_row() -> None:
    assert parse_index(HEADER + "1.5,pictures/a.png,b.npz,good,12\n") == [
        Row(2, 1.5, "pictures/a.png", "b.npz", "good", 0.012)
    ]


def test_optional_columns_and_cells_may_be_missing_and_columns_may_change_places() -> None:
    assert parse_index("vibration, picture ,time_s\nb.wav,,0\n,a.jpg,1e1\n") == [
        Row(2, 0.0, "", "b.wav", None, 0.0),
        Row(3, 10.0, "a.jpg", "", None, 0.0),
    ]


def test_a_cell_may_hold_a_comma_and_a_line_break_counts() -> None:
    rows = parse_index(HEADER + '1,"a\n,1.png",,,\n2,b.png,,,\n')

    assert [(row.line, row.picture) for row in rows] == [(3, "a\n,1.png"), (4, "b.png")]


def test_every_error_is_listed_with_its_line() -> None:
    text = HEADER + (
        "0,a.png,,,\n"
        "0,a.png,,,\n"  # 3: time stands still
        "soon,a.png,,,\n"  # 4
        "nan,a.png,,,\n"  # 5
        "5,,,,\n"  # 6: nothing recorded
        "6,../a.png,,,\n"  # 7
        "7,,/etc/passwd,,\n"  # 8
        "8,a.png,,Big Scratch,\n"  # 9
        "9,a.png,,,-1\n"  # 10
        "10,a.png,,,,,\n"  # 11: too many cells
        "11,x/../../a.png,b\\..\\c.npz,,nan\n"  # 12: three errors
        "12,a.png,,,\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_index(text)

    lines = caught.value.message.splitlines()
    assert [int(line.split(":")[0].removeprefix("line ")) for line in lines] == [
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        12,
        12,
    ]
    assert "time_s must increase" in lines[0]
    assert "picture leaves the folder: '../a.png'" in lines[4]
    assert "vibration leaves the folder: '/etc/passwd'" in lines[5]
    assert "time_s" in caught.value.hint


def test_stopping_at_the_first_error_would_be_caught() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_index(HEADER + "x,a.png,,,\ny,a.png,,,\n")

    assert len(caught.value.message.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the column 'time_s' is missing\nline 1: the column 'picture' is missing"),
        ("time_s,picture\n0,a.png\n", "line 1: the column 'vibration' is missing"),
        ("time_s,picture,vibration,label\n0,a.png,,\n", "line 1: unknown column 'label'"),
        ("time_s,picture,vibration,picture\n0,a.png,,b.png\n", "line 1: the column 'picture' is there twice"),
        (HEADER, "line 1: no part follows"),
        (HEADER + '0,"a.png,,,\n', "line 2: unexpected end of data"),
    ],
)
def test_an_index_without_usable_columns_or_rows_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_index(text)

    assert message in caught.value.message


def test_thousands_of_errors_are_counted_and_not_printed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_index(HEADER + "x,a.png,,,\n" * 1000)

    lines = caught.value.message.splitlines()
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1] == "and 900 problems more"
