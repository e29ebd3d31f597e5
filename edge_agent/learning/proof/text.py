"""The proof sheet on a terminal: one screen, in words, without colour. It decides nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from textwrap import wrap
from typing import Final

from edge_agent.learning.proof.sheet import PartChange, ProofSheet, Recall, Rejudged, Suspect
from edge_agent.learning.proof.shift import ANSWERS
from edge_agent.proportion import Proportion

WIDTH: Final = 100
"""Columns."""

NAME: Final = 16
"""Columns of a class."""

MAX_CLASSES: Final = 12
"""Classes in the table; those of which nothing changes are left out first."""

MAX_ITEMS: Final = 4
"""Doubtful examples, and changed parts."""

MAX_REMARKS: Final = 6

MAX_LINES: Final = 3
"""Lines of one sentence; the page has it whole."""


def proof_lines(sheet: ProofSheet) -> list[str]:
    """Give the lines of the screen."""
    lines = [*_heading(sheet), "", *_decision(sheet), "", *_recalls(sheet)]
    for part in (_suspects(sheet), _shift(sheet), _remarks(sheet)):
        if block := list(part):
            lines += ["", *block]
    return [line.rstrip() for line in lines]


def printable(text: str) -> str:
    """Replace what would do something to a terminal instead of being seen."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def minute(utc: float) -> str:
    """Give a wall time [s since the epoch] as date and minute."""
    return f"{datetime.fromtimestamp(utc, UTC):%Y-%m-%d %H:%M} UTC"


def span(share: Proportion | None) -> str:
    """Give a proportion and its interval in few columns."""
    return "–" if share is None else f"{share.count}/{share.of} [{100 * share.low:.0f}–{share.high:.0%}]"


def summary(sheet: ProofSheet) -> str:
    """Say in one sentence what a reader should see first."""
    taught = {count.slug for count in sheet.counts if count.before != count.after}
    facts = [
        f"{sheet.name(row.slug)} {row.after.count} of {row.after.of} recognised"
        for row in sheet.recalls
        if row.slug in taught and row.after is not None
    ]
    if sheet.golden:
        facts.append(f"{sum(row.lost for row in sheet.golden)} of {sum(row.asked for row in sheet.golden)} golden lost")
    if sheet.shift is not None:
        changed = len(sheet.shift.changes) + sheet.shift.more
        facts.append(f"{changed} of {sheet.shift.parts} past parts answered differently")
    if sheet.shown:
        doubtful = len(sheet.suspects) + sheet.suspects_more
        facts.append(f"{doubtful} doubtful label{'s' * (doubtful != 1)}")
    return "; ".join(facts)


def called(sheet: ProofSheet, calls: Mapping[str, int], but: str = "") -> str:
    """Say how many were called what, leaving out those that were called right."""
    return ", ".join(f"{sheet.name(slug)} {count}" for slug, count in calls.items() if slug != but or not but)


def _heading(sheet: ProofSheet) -> Iterator[str]:
    about = sheet.occasion
    yield _cut(f"PROOF SHEET  {about.recipe} on {about.station}: {about.change}", WIDTH)
    yield _cut(
        f"{about.who}, {minute(about.utc)}; bundle {about.bundle}; "
        f"knowledge {sheet.digest_before[:12]} → {sheet.digest_after[:12]}",
        WIDTH,
    )


def _decision(sheet: ProofSheet) -> Iterator[str]:
    guarded = ", ".join(map(sheet.name, sheet.protected))
    if not sheet.refused:
        yield from _wrapped(f"MAY BE PROMOTED: no protected class is seen to suffer ({guarded}).")
    else:
        yield "REFUSED:"
    for refusal in sheet.refused:
        yield from _wrapped(refusal.reason, "  ✕ ")
    yield from _wrapped(summary(sheet))


def _recalls(sheet: ProofSheet) -> Iterator[str]:
    golden = {row.slug: row for row in sheet.golden}
    rows = sorted(sheet.recalls, key=lambda row: not _matters(sheet, row, golden.get(row.slug)))[:MAX_CLASSES]
    samples = {count.slug: (count.before, count.after) for count in sheet.counts}
    yield (
        f"{'recall, each sample left out':<{NAME + 13}} {'before [95 %]':<18} {'after [95 %]':<18} "
        f"{'golden':<10} called otherwise now"
    )
    for row in sheet.recalls:
        if row not in rows:
            continue
        mark = "*" if row.slug in sheet.protected else " "
        first, then = samples[row.slug]
        taught = str(then) if first == then else f"{first} → {then}"
        yield _cut(
            f"{mark} {_cut(sheet.name(row.slug), NAME):<{NAME}} {taught:>10} {span(row.before):<18} "
            f"{span(row.after):<18} {_golden(golden.get(row.slug)):<10} "
            f"{called(sheet, row.called_after, row.slug)}",
            WIDTH,
        )
    if more := len(sheet.recalls) - len(rows):
        yield f"  and {more} more classes, where nothing changes" if more > 1 else "  and one more class"
    new = [example.before.label for example in sheet.shown if example.before is not None]
    if new:
        counted = {slug: new.count(slug) for slug in sorted(set(new), key=lambda slug: (-new.count(slug), slug))}
        yield from _wrapped(f"new examples were called before: {called(sheet, counted)}", "  ")
    for row in sheet.taken:
        yield from _wrapped(
            f"{row.asked} samples of {sheet.name(row.slug)} would be forgotten, and be called then: "
            f"{called(sheet, row.called_after)}",
            "  ",
        )


def _matters(sheet: ProofSheet, row: Recall, golden: Recall | None) -> bool:
    return (
        row.slug in sheet.protected or row.before != row.after or (golden is not None and golden.before != golden.after)
    )


def _golden(row: Recall | None) -> str:
    if row is None:
        return "–"
    first, then = (0 if share is None else share.count for share in (row.before, row.after))
    return f"{first} → {then}/{row.asked}"


def _suspects(sheet: ProofSheet) -> Iterator[str]:
    if not sheet.suspects:
        if sheet.shown:
            yield "No new example looks mislabelled."
        return
    yield "New examples that look mislabelled:"
    yield from _listed((doubt(sheet, suspect) for suspect in sheet.suspects), len(sheet.suspects) + sheet.suspects_more)


def doubt(sheet: ProofSheet, suspect: Suspect) -> str:
    """Say why the label of an example is doubtful, in one sentence."""
    example = suspect.example
    if example.after is None:
        return ""
    said = f"{example.source} is called {sheet.name(example.after.label)} ({example.after.probability:.0%}) by the rest"
    if not suspect.others:
        return said
    gain = suspect.right_without - suspect.right_with
    harm = "it harms its class" if gain > 0 else "it helps its class" if gain < 0 else "its class does not suffer"
    return (
        f"{said}; of {suspect.others} others of {sheet.name(example.label)}, {suspect.right_with} are recognised "
        f"with it and {suspect.right_without} without: {harm}"
    )


def _shift(sheet: ProofSheet) -> Iterator[str]:
    shift = sheet.shift
    if shift is None:
        return
    changed = len(shift.changes) + shift.more
    title = f"{shift.parts} parts judged again: {changed} change"
    yield f"{title:<46} after: {'OK':>8} {'UNSURE':>8} {'NG':>8}"
    for first in ANSWERS:
        counts = " ".join(f"{shift.table[first][then]:>8}" for then in ANSWERS)
        yield f"{'before' if first is ANSWERS[0] else '':>46} {first.value:<6} {counts}"
    yield from _listed((change_line(sheet, change) for change in shift.changes), changed)
    for note in shift_notes(sheet, shift):
        yield from _wrapped(note, "  ")


def change_line(sheet: ProofSheet, change: PartChange) -> str:
    """Say what changes for a part, in one sentence."""
    said = f"part {change.number}: {change.before.value} → {change.after.value}"
    labels = dict.fromkeys((sheet.name(change.label_before), sheet.name(change.label_after)))
    said += f" ({' → '.join(labels)})"
    if change.person is None:
        return said
    return f"{said}; a person said {sheet.name(change.person)}: the change is {'right' if change.right else 'WRONG'}"


def shift_notes(sheet: ProofSheet, shift: Rejudged) -> Iterator[str]:
    """Say what the list of changed parts does not."""
    if labelled := shift.right + shift.wrong:
        yield f"Of the changed parts, people labelled {labelled}: {shift.right} right, {shift.wrong} wrong."
    if shift.renamed:
        pairs = (f"{sheet.name(one.before)} → {sheet.name(one.after)} {one.parts}" for one in shift.renamed)
        yield f"The same answer with another class: {', '.join(pairs)}."
    if shift.by_embedding:
        yield "What is known of good parts in detail changes too; these parts were judged by their embeddings alone."
    if shift.older:
        yield f"{shift.older} older parts were not judged again."


def _remarks(sheet: ProofSheet) -> Iterator[str]:
    for remark in sheet.remarks[:MAX_REMARKS]:
        yield from _wrapped(remark, "· ")
    more = len(sheet.remarks) - MAX_REMARKS
    if more > 0:
        yield f"· {more} more remarks are on the page"
    yield f"made in {sheet.took_s:.1f} s"


def _listed(lines: Iterable[str], there: int) -> Iterator[str]:
    shown = list(lines)[:MAX_ITEMS]
    for line in shown:
        yield from _wrapped(line, "  ")
    if there > len(shown):
        yield f"  and {there - len(shown)} more"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(
        printable(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        max_lines=MAX_LINES,
        placeholder=" …",
    )


def _cut(text: str, width: int) -> str:
    text = printable(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"
