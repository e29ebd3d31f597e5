"""The proof page: nothing on it runs or is fetched, whatever people called their classes and files."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace

import pytest
from page_reading import EVIL, Reading, dangers
from proof_states import line, several, sheet_of, whole_sheet

from edge_agent.learning.proof.page import proof_page
from edge_agent.learning.proof.sheet import ProofSheet, Refusal
from edge_agent.markup import MAX_PICTURE_BYTES, PNG, Html, element, figure, joined, table


def evil() -> ProofSheet:
    sheet = whole_sheet()
    assert sheet.shift is not None
    return replace(
        sheet,
        names=dict.fromkeys(("good", "pit", "scratch", "crack"), EVIL),
        occasion=replace(sheet.occasion, station=EVIL, recipe=EVIL, bundle=EVIL, change=EVIL, who=EVIL),
        shown=tuple(replace(one, source=EVIL, id=EVIL) for one in sheet.shown),
        suspects=tuple(replace(one, example=replace(one.example, source=EVIL)) for one in sheet.suspects),
        shift=replace(sheet.shift, changes=tuple(replace(c, label_after=EVIL) for c in sheet.shift.changes)),
        refused=(Refusal("pit", EVIL),),
        remarks=(EVIL,),
        digest_before=EVIL,
    )


@pytest.fixture(scope="module")
def sheet() -> ProofSheet:
    return whole_sheet()


def test_nothing_on_the_page_runs_or_is_fetched(sheet: ProofSheet) -> None:
    for each in (sheet, evil()):
        page = proof_page(each, lambda digest: PNG + b"1")

        assert dangers(page) == []
        assert Reading(page).open == []
        page.encode()


@pytest.mark.parametrize(
    "bad",
    [
        "<script>1</script>",
        "<img src=http://example/x.png>",
        '<p onclick="x()">a</p>',
        "<link rel=stylesheet>",
        '<p style="background:url(x)">a</p>',
    ],
)
def test_the_search_for_dangers_has_teeth(bad: str) -> None:
    assert dangers(bad)


def test_an_element_that_does_not_escape_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.markup.attribute", str)

    assert "script" in dangers(element("p", EVIL))


def test_what_people_typed_is_shown_as_they_typed_it() -> None:
    text = Reading(proof_page(evil(), lambda digest: None)).text

    assert "<script>alert(1)</script>\"'><img src=http://x onerror=alert(1)>&\ufffd\ufffd\ufffd" in text


def test_the_browser_is_told_to_run_and_fetch_nothing(sheet: ProofSheet) -> None:
    policies = [
        attributes["content"]
        for tag, attributes in Reading(proof_page(sheet, lambda digest: None)).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]

    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_pictures_are_inside_and_asked_for_by_their_digest(sheet: ProofSheet) -> None:
    asked: list[str] = []

    def picture(digest: str) -> bytes:
        asked.append(digest)
        return PNG + digest.encode()

    page = proof_page(sheet, picture)

    assert {one.picture for one in sheet.shown} <= set(asked)
    sources = [attributes["src"] for tag, attributes in Reading(page).tags if tag == "img"]
    assert len(sources) == len(asked)
    assert base64.b64decode(str(sources[0]).partition(",")[2]) == PNG + sheet.shown[0].picture.encode()


@pytest.mark.parametrize("bad", [None, b"", b"GIF89a", b"<svg onload=alert(1)>", PNG + bytes(MAX_PICTURE_BYTES)])
def test_what_is_no_thumbnail_is_left_out_and_said(bad: bytes | None, sheet: ProofSheet) -> None:
    page = proof_page(sheet, lambda digest: bad)

    assert "<img" not in page
    assert "picture cannot be shown" in page or "no picture kept" in page


def test_the_page_says_what_a_person_signs(sheet: ProofSheet) -> None:
    text = Reading(proof_page(sheet, lambda digest: None)).text
    refused = Reading(proof_page(replace(sheet, refused=(Refusal("pit", "Too bad."),)), lambda digest: None)).text

    assert "May be promoted" in text
    assert sheet.digest_after in text
    assert "Promote" in text
    assert "Signature" in text
    assert "✕ Refused" in refused
    assert "Too bad." in refused
    assert "Promote against the refusal, because:" in refused


def test_the_page_shows_the_evidence(sheet: ProofSheet) -> None:
    text = Reading(proof_page(sheet, lambda digest: None)).text

    for words in ("scratch/9.png is called Loch", "12: OK → NG", "4/4 [51–100%]", "What would be forgotten", "★ good"):
        assert words in text
    assert all(remark in text for remark in sheet.remarks)


def test_a_sheet_with_nothing_to_show_is_a_page_too() -> None:
    for each in (sheet_of([], []), sheet_of(several("good", 2), several("good", 2)), sheet_of(line(), [])):
        assert dangers(proof_page(each, lambda digest: None)) == []


def test_contents_are_escaped_unless_they_are_html() -> None:
    assert joined(("<", Html("<br>"))) == "&lt;<br>"
    assert element("p", "a", cls='"') == '<p class="&quot;">a</p>'
    assert "<td>&lt;</td>" in table(("head",), [("<",)])
    assert "<td>" not in table(("head",), _cells())
    assert "doubt" in figure(None, "x", doubtful=True)


def _cells() -> Iterable[tuple[str, ...]]:
    yield (element("th", "a"),)
