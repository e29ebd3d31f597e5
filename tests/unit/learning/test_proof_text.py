"""The proof sheet on one screen: all that decides is on it, and nothing a person typed can act on the terminal."""

from __future__ import annotations

from dataclasses import replace

from proof_states import line, several, sheet_of, whole_sheet

from edge_agent.learning.proof.sheet import Count, ProofSheet, Recall, Refusal
from edge_agent.learning.proof.text import WIDTH, proof_lines, span
from edge_agent.proportion import wilson

SCREEN = 45
"""Lines of an ordinary sheet."""

LARGEST = 70
"""Lines of the largest there can be but for the reasons against it, which are never left out."""


def hostile() -> ProofSheet:
    """Give a sheet as large as it can be, with names that want to act."""
    sheet = whole_sheet()
    slugs = [f"class_{i}" for i in range(40)]
    rows = tuple(
        Recall(s, 9, 9, wilson(9, 9), wilson(i % 10, 9), 9, 0, 9, {s: 9}, dict.fromkeys(slugs, 1))
        for i, s in enumerate(slugs)
    )
    evil = "\x1b[2J\x1b[31mevil\r\n\x07" + "very long name " * 9
    assert sheet.shift is not None
    return replace(
        sheet,
        names={**dict.fromkeys(slugs, evil), "scratch": evil},
        occasion=replace(sheet.occasion, change=evil, who=evil, station=evil),
        counts=tuple(Count(slug, 1, 2, 0, 0, 0) for slug in slugs),
        recalls=rows,
        suspects=sheet.suspects * 20,
        remarks=("a remark",) * 50,
        protected=("good", "pit"),
    )


def test_it_is_one_screen_however_much_there_is() -> None:
    for sheet, most in ((whole_sheet(), SCREEN), (hostile(), LARGEST)):
        lines = proof_lines(sheet)

        assert len(lines) <= most
        assert max(map(len, lines)) <= WIDTH


def test_nothing_on_it_can_act_on_the_terminal() -> None:
    assert all(line.isprintable() for line in proof_lines(hostile()))


def test_it_says_that_nothing_speaks_against_the_change() -> None:
    text = "\n".join(proof_lines(sheet_of(line(), [*line(), *several("scratch", 4)])))

    assert "MAY BE PROMOTED" in text
    assert "REFUSED" not in text


def test_every_reason_against_the_change_is_on_it() -> None:
    refused = tuple(Refusal("pit", f"reason number {i}.") for i in range(7))
    text = "\n".join(proof_lines(replace(whole_sheet(), refused=refused)))

    assert "MAY BE PROMOTED" not in text
    assert all(f"✕ reason number {i}." in text for i in range(7))


def test_the_figures_of_the_sheet_are_on_it() -> None:
    sheet = whole_sheet()
    text = "\n".join(proof_lines(sheet))

    assert sheet.digest_after[:12] in text
    assert "Anna, 2026-04-24 03:06 UTC" in text
    assert span(next(row for row in sheet.recalls if row.slug == "scratch").after) in text
    assert "scratch/9.png is called Loch" in text
    assert "60 parts judged again" in text
    assert "part 12: OK → NG (good → scratch); a person said good: the change is WRONG" in text
    assert "of crack would be forgotten" in text


def test_classes_where_something_changes_are_shown_before_others() -> None:
    sheet = whole_sheet()
    still = tuple(Recall(f"still_{i}", 9, 9, wilson(9, 9), wilson(9, 9), 0, 0, 9, {}, {}) for i in range(20))
    counts = tuple(Count(row.slug, 9, 9, 0, 0, 0) for row in still)
    text = "\n".join(proof_lines(replace(sheet, recalls=(*still, *sheet.recalls), counts=(*counts, *sheet.counts))))

    assert "scratch " in text
    assert "* good" in text
    assert "more classes, where nothing changes" in text
