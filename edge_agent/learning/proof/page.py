"""The proof sheet as one HTML page that a person can read, print on A4 and sign.

Self-contained: no script, nothing fetched, everything escaped, pictures inside. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from edge_agent.learning.proof.sheet import Call, ProofSheet, Recall, Shown
from edge_agent.learning.proof.shift import ANSWERS
from edge_agent.learning.proof.text import called, doubt, minute, shift_notes, span, summary
from edge_agent.markup import Html, document, element, figure, interval, table

Picture = Callable[[str], bytes | None]
"""Gives the PNG thumbnail of a picture by its digest; None where there is none any more."""

MAX_MATRIX: Final = 16
"""Classes of a confusion matrix that fits on the paper."""

MAX_PARTS_PICTURED: Final = 15
"""Changed parts that are shown with their picture: three rows."""


def proof_page(sheet: ProofSheet, picture: Picture) -> str:
    """Give the page.

    Args:
        sheet: what it shows.
        picture: gives a thumbnail as PNG, at most 200 kB; what is larger or no PNG is left out.

    Returns:
        The HTML document, to be written as UTF-8.
    """
    title = f"Proof sheet: {sheet.occasion.change}"
    body = [
        *_heading(sheet),
        _decision(sheet),
        *_examples(sheet, picture),
        *_recalls(sheet),
        *_confusion(sheet),
        *_golden(sheet),
        *_lost(sheet, picture),
        *_shift(sheet, picture),
        *_basis(sheet),
        *_signature(sheet),
    ]
    return document(title, body)


def _heading(sheet: ProofSheet) -> Iterator[Html]:
    about = sheet.occasion
    yield element("p", f"{about.station} · {about.recipe} · {about.bundle}", cls="small")
    yield element("h1", f"Proof sheet: {about.change}")
    yield element("p", f"Asked for by {about.who}, {minute(about.utc)}. Nothing has changed yet.")


def _decision(sheet: ProofSheet) -> Html:
    guarded = ", ".join(map(sheet.name, sheet.protected))
    facts = element("p", f"{summary(sheet)}.")
    if not sheet.refused:
        text = element("p", f"No protected class is seen to suffer ({guarded}).")
        return element("div", element("strong", "✓ May be promoted"), text, facts, cls="decision")
    reasons = element("ul", *(element("li", refusal.reason) for refusal in sheet.refused))
    text = element(
        "p", f"Protected: {guarded}. A refusal is overruled by name only, and that is recorded.", cls="small"
    )
    return element("div", element("strong", "✕ Refused"), reasons, facts, text, cls="decision refused")


def _examples(sheet: ProofSheet, picture: Picture) -> Iterator[Html]:
    doubtful = {suspect.example.id for suspect in sheet.suspects}
    if sheet.shown:
        yield element("h2", "The new examples")
        yield element(
            "p",
            "Before: what the station calls them today. After: what it would call them had it learned all but the one.",
            cls="small",
        )
        yield _pictures(sheet, sheet.shown, picture, doubtful)
        if sheet.shown_more:
            yield element("p", f"And {sheet.shown_more} more.")
        if not doubtful:
            yield element("p", "None of them looks mislabelled.")
    if sheet.suspects:
        yield element("h2", "Labels to look at (dashed above)")
        said = [f"{doubt(sheet, suspect)}." for suspect in sheet.suspects]
        said += [f"And {sheet.suspects_more} more."] * bool(sheet.suspects_more)
        yield element("ul", *(element("li", one) for one in said))
    if sheet.taken:
        yield element("h2", "What would be forgotten")
        rows = [
            (_name(sheet, row.slug), _number(row.asked), span(row.before), called(sheet, row.called_after))
            for row in sheet.taken
        ]
        yield table(("class", _right("samples"), "recognised before", "would then be called"), rows)


def _recalls(sheet: ProofSheet) -> Iterator[Html]:
    counts = {count.slug: count for count in sheet.counts}
    yield element("h2", "Recall, each sample left out")
    yield element(
        "p",
        "Every kept sample is asked about with knowledge that does not contain it, nor any variant of it. "
        "Good parts that are held out are not part of it and are asked about first, as they are. In brackets the 95 % "
        "interval (Wilson); ★ protected class.",
        cls="small",
    )
    rows = []
    for row in sheet.recalls:
        first, then = counts[row.slug].before, counts[row.slug].after
        rows.append(
            (
                _name(sheet, row.slug),
                _number(then) if first == then else element("td", f"{first} → {then}", cls="n"),
                element("td", span(row.before), cls="line"),
                element("td", span(row.after), cls="line"),
                element("td", interval(row.before, row.after)),
                _moved(row),
                called(sheet, row.called_after, row.slug) or "–",
            )
        )
    head = ("class", _right("taught"), "before ○", "after ●", "0 to 100 %", "lost, gained", "else called now")
    yield table(head, rows)


def _confusion(sheet: ProofSheet) -> Iterator[Html]:
    rows = [row for row in sheet.recalls if row.called_before or row.called_after]
    said = {slug for row in rows for slug in (*row.called_before, *row.called_after)}
    slugs = [*(row.slug for row in sheet.recalls if row in rows or row.slug in said), *(("",) if "" in said else ())]
    if not 1 < len(slugs) <= MAX_MATRIX:
        return
    yield element("h2", "Who is taken for whom")
    sides = []
    for title, calls in (("Before", [r.called_before for r in rows]), ("After", [r.called_after for r in rows])):
        head = (title, *(_right(str(i)) for i in range(1, len(slugs) + 1)))
        body = [
            (f"{slugs.index(row.slug) + 1} {sheet.name(row.slug)}", *(_met(one, row.slug, slug) for slug in slugs))
            for row, one in zip(rows, calls, strict=True)
        ]
        sides.append(table(head, body, cls="matrix"))
    yield element("div", *sides, cls="pair")
    nobody = f" Column {len(slugs)}: nothing that was taught bears on them." if "" in said else ""
    yield element("p", f"Rows: what samples are. Columns: what they are called, by number.{nobody}", cls="small")


def _golden(sheet: ProofSheet) -> Iterator[Html]:
    yield element("h2", "Golden samples, never taught")
    if not sheet.golden:
        yield element("p", "None are kept.")
        return
    rows = [
        (_name(sheet, row.slug), _number(row.asked), span(row.before), span(row.after), _moved(row))
        for row in sheet.golden
    ]
    yield table(("class", _right("golden"), "before", "after", "lost, gained"), rows)


def _lost(sheet: ProofSheet, picture: Picture) -> Iterator[Html]:
    if sheet.lost:
        there = sum(row.lost for row in (*sheet.recalls, *sheet.golden))
        some = f" ({len(sheet.lost)} of {there})" if there > len(sheet.lost) else ""
        yield element("h2", f"Recognised before, not after{some}")
        yield _pictures(sheet, sheet.lost, picture, set())


def _shift(sheet: ProofSheet, picture: Picture) -> Iterator[Html]:
    yield element("h2", "Past parts, judged again")
    shift = sheet.shift
    if shift is None:
        yield element("p", "There were none that could be.")
        return
    changed = len(shift.changes) + shift.more
    yield element(
        "p",
        f"{shift.parts} parts, {minute(shift.first_utc)} to {minute(shift.last_utc)}; {changed} would be answered "
        f"differently. {' '.join(shift_notes(sheet, shift))}",
    )
    body = [
        (element("th", f"before {a.value}"), *(_met_answer(shift.table[a][b], same=a is b) for b in ANSWERS))
        for a in ANSWERS
    ]
    yield table(("", *(_right(f"after {answer.value}") for answer in ANSWERS)), body, cls="narrow")
    figures = []
    for change in shift.changes[:MAX_PARTS_PICTURED]:
        said = "" if change.person is None else f"a person said {sheet.name(change.person)}: "
        verdict = "" if change.right is None else "right" if change.right else "WRONG"
        figures.append(
            figure(
                picture(change.picture) if change.picture else None,
                element("strong", f"{change.number}: {change.before.value} → {change.after.value}"),
                Html("<br>"),
                f"{sheet.name(change.label_before)} → {sheet.name(change.label_after)}",
                *((Html("<br>"), said, element("strong", verdict)) if said else ()),
                doubtful=change.right is False,
            )
        )
    yield element("div", *figures, cls="pictures")
    if more := changed - len(figures):
        rest = [f"{c.number} {c.before.value} → {c.after.value}" for c in shift.changes[MAX_PARTS_PICTURED:]]
        beyond = f"; and {shift.more} more" if shift.more else ""
        yield element("p", f"{more} more: {', '.join(rest)}{beyond}.", cls="small")


def _basis(sheet: ProofSheet) -> Iterator[Html]:
    yield element("h2", "What the figures rest on")
    rows = [
        (_name(sheet, c.slug), *(_number(n) for n in (c.before, c.after, c.held_out, c.golden, c.unseen)))
        for c in sheet.counts
    ]
    columns = ("taught before", "taught after", "held out", "golden", "taught, not kept")
    yield table(("class", *map(_right, columns)), rows)
    yield element("ul", *(element("li", remark) for remark in sheet.remarks), cls="small")
    digests = [("knowledge before", sheet.digest_before), ("knowledge after", sheet.digest_after)]
    bundles = [("bundle before", sheet.bundle_before), ("bundle after", sheet.bundle_after)]
    digests += bundles if sheet.bundle_before != sheet.bundle_after else [("bundle", sheet.bundle_after)]
    for name, digest in digests:
        yield element("p", f"{name}: ", element("span", digest, cls="mono"), cls="small")
    yield element("p", f"Made in {sheet.took_s:.1f} s.", cls="small")


def _signature(sheet: ProofSheet) -> Iterator[Html]:
    box = element("span", "☐", cls="box")
    choice = "Promote against the refusal, because:" if sheet.refused else "Promote"
    yield element(
        "div",
        element("h2", "Decision"),
        element("p", box, f" {choice}    ", box, " Cancel    ", box, " Teach more first"),
        element("div", *(element("div", word) for word in ("Name", "Date", "Signature")), cls="sign"),
        cls="agreement",
    )


def _pictures(sheet: ProofSheet, samples: Sequence[Shown], picture: Picture, doubtful: set[str]) -> Html:
    figures = [
        figure(
            picture(sample.picture) if sample.picture else None,
            element("strong", sheet.name(sample.label)),
            f" {sample.source}{' (golden)' if sample.golden else ''}",
            Html("<br>"),
            f"before: {_call(sheet, sample.before)}",
            Html("<br>"),
            f"after: {_call(sheet, sample.after)}",
            doubtful=sample.id in doubtful,
        )
        for sample in samples
    ]
    return element("div", *figures, cls="pictures")


def _call(sheet: ProofSheet, call: Call | None) -> str:
    if call is None:
        return "not estimable"
    return f"{sheet.name(call.label)} {call.probability:.0%}" if call.label else sheet.name(call.label)


def _name(sheet: ProofSheet, slug: str) -> str:
    return f"{'★ ' if slug in sheet.protected else ''}{sheet.name(slug)}"


def _moved(row: Recall) -> str:
    return f"{row.lost}, {row.gained}" if row.lost or row.gained else "–"


def _number(count: int) -> Html:
    return element("td", str(count), cls="n" if count else "n zero")


def _right(text: str) -> Html:
    return element("th", text, cls="n")


def _met(calls: dict[str, int], truth: str, slug: str) -> Html:
    return _met_answer(calls.get(slug, 0), same=truth == slug)


def _met_answer(count: int, *, same: bool) -> Html:
    return element("td", str(count), cls=" ".join(("n", "zero" * (not count), "same" * same)))
