"""Lines, repeats and syntax errors of TOML texts that are written to mislead a scanner."""

import re

import pytest

from edge_agent.config.tomltext import MAX_DEPTH, Problem, dotted, quoted, read_toml

MISLEADING = '''# a = 1
title = "x # = [no]"  # b = 2
text = """
[station]
name = "not a key"
""" # done
raw = \'\'\'
wait = 1\'\'\'
list = [ # first = 1
  "a]", 2,

  { deep = """
"""
  , other = [3,
  4] },
]
  [ "quoted.table" . 'lit' ]
  key.sub = 1
  "key" . "two words" = 2
[[line]]
part = 1
[[line]]
part = 2
[line.inner]
x = { y = 1979-05-27 07:32:00, z = true }
'''

LINES = {
    ("title",): 2,
    ("text",): 3,
    ("raw",): 7,
    ("list",): 9,
    ("list", 0): 10,
    ("list", 1): 10,
    ("list", 2): 12,
    ("list", 2, "deep"): 12,
    ("list", 2, "other"): 14,
    ("list", 2, "other", 0): 14,
    ("list", 2, "other", 1): 15,
    ("quoted.table",): 17,
    ("quoted.table", "lit"): 17,
    ("quoted.table", "lit", "key"): 18,
    ("quoted.table", "lit", "key", "sub"): 18,
    ("quoted.table", "lit", "key", "two words"): 19,
    ("line",): 20,
    ("line", 0): 20,
    ("line", 0, "part"): 21,
    ("line", 1): 22,
    ("line", 1, "part"): 23,
    ("line", 1, "inner"): 24,
    ("line", 1, "inner", "x"): 25,
    ("line", 1, "inner", "x", "y"): 25,
    ("line", 1, "inner", "x", "z"): 25,
}


def naive_lines(text: str) -> dict[tuple[str, ...], int]:
    """What one would write first: a line with a `=` is a key."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+(.*?)\]+", line):
            table = tuple(header[1].split("."))
            lines[table] = number
        elif pair := re.match(r"\s*(\w+)\s*=", line):
            lines[(*table, pair[1])] = number
    return lines


def test_every_key_has_its_line() -> None:
    assert read_toml(MISLEADING).lines == LINES


def test_the_text_misleads_a_scan_for_equal_signs() -> None:
    naive = naive_lines(MISLEADING)

    assert naive[("title",)] == LINES[("title",)]
    assert ("station", "name") in naive
    assert ("list", 2, "other") not in naive


def test_windows_line_ends_are_line_ends() -> None:
    assert read_toml(MISLEADING.replace("\n", "\r\n")).lines == LINES


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "[a]", "a=1"])
def test_small_texts_are_fine(text) -> None:
    assert read_toml(text).problems == ()


def test_all_repeats_are_found_and_the_first_value_counts() -> None:
    read = read_toml("[a]\nx = 1\nx = 2\n[b]\n[a]\nx = 3\ny = 4\n[b]\n'x'.z = 5\n")

    assert read.problems == (
        Problem(3, "a.x", "this key is already on line 2"),
        Problem(5, "a", "this table is already on line 1"),
        Problem(6, "a.x", "this key is already on line 2"),
        Problem(8, "b", "this table is already on line 4"),
    )
    assert read.values == {"a": {"x": 1, "y": 4}, "b": {"x": {"z": 5}}}


def test_tables_of_an_array_are_no_repeats() -> None:
    read = read_toml("[[a]]\nx = 1\n[a.b]\n[[a]]\nx = 2\n[a.b]\n")

    assert read.problems == ()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = \nc = 3\n", 2, "Invalid value"),
        ("a = 1\nb = station\n", 2, "Invalid value"),
        ("\n\na = [1,\n2,\n", 3, "ends inside what begins here"),
        ('a = 1\n\nb = """\nc = 1\n', 3, "ends inside what begins here"),
        ('a = "x\nb = 1\n', 1, "Illegal character"),
        ("a = 1 b = 2\n", 1, "Expected newline"),
        ("[a\nb = 1\n", 1, "Expected ']'"),
        ("x = 1\n= 1\n", 2, "Invalid statement"),
        ("a = 1\na = 2\nb = {x = 1, x = 2}\n", 3, "Duplicate inline table key"),
        ("a = 1\na = 2\nb = tru\n", 3, "Invalid value"),
        ("a = 1\n\nb = 1" + "0" * 5000, 3, "digits"),
        ("a = 1\n[b]\n[b.c.d]\n[b.c]\n[a.x]\n", 5, "Cannot overwrite a value"),
        ("b.c = 1\n\n[b]\n", 3, "Cannot declare"),
        ("a = 2024-02-31\n", 1, "Invalid date"),
    ],
)
def test_a_syntax_error_is_alone_and_on_its_line(text, line, said) -> None:
    read = read_toml(text)

    assert read.values is None
    assert [problem.line for problem in read.problems] == [line]
    assert said in read.problems[0].reason


def test_forgotten_quotes_get_a_hint() -> None:
    assert "quotes" in read_toml("name = station\n").problems[0].hint


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\nb = " + "[" * 100_000,
        "a = 1\nb" + ".b" * 100_000 + " = 1",
        "\n[a" + ".a" * 40 + "]",
        "\nb = " + "{a=" * 50,
    ],
)
def test_depth_is_refused_before_anything_recurses(text) -> None:
    read = read_toml(text)

    assert read.problems == (Problem(2, "", f"nested deeper than {MAX_DEPTH} levels"),)


def test_a_key_is_always_one_printable_line() -> None:
    path = ("a", "b c", 3, "x\n\x1b[31m\x7f\u202e", "ü", "l" * 100)

    assert dotted(path).startswith('a."b c"."x\\n\\u001b[31m\\u007f\\u202e"."ü"')
    assert dotted(path).isprintable()
    assert len(dotted(path)) < 120


def test_quoted_is_short() -> None:
    assert quoted("x" * 1000) == '"' + "x" * 59 + '…"'
