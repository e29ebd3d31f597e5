"""Reads the documents for what they say in headings, tables and backquotes."""

import re

from program_words import ROOT


def document(name: str) -> str:
    """Give the text of a document of the project."""
    return (ROOT / "docs" / name).read_text()


def section(text: str, title: str) -> str:
    """What stands under a heading, down to the next one of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.M | re.S)
    assert found is not None, f"no heading {title!r}"
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of each table, without the rows above the dashes."""
    lines = text.splitlines()
    heads = {i for i, line in enumerate(lines) if set(line) <= set("|- ") and "-" in line}
    cells = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for i, line in enumerate(lines)
        if line.startswith("|") and not {i, i + 1} & heads
    ]
    assert cells, "no table"
    return cells


def words(text: str) -> set[str]:
    """What stands in backquotes."""
    return set(re.findall(r"`([^`\n]+)`", text))


def first_words(text: str) -> list[str]:
    """The words in backquotes of the first column."""
    return [word for row in rows(text) for word in re.findall(r"`([^`]+)`", row[0])]
