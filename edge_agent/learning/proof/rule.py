"""What refuses a change, and what a reader should know about the figures: a function of the proof sheet alone.

**The rule.** A class is protected where the recipe says so, and good parts always are. A change is refused

1. where a protected class would not be known any more;
2. where a protected class with golden samples recognises fewer of them than before, be it one. Somebody chose them as
   what must never be missed, and they were never taught;
3. where a protected class has no golden samples and fewer of its samples are recognised when each is left out:
   (a) more than `MARGIN` of them net, or
   (b) fewer, and McNemar's exact one-sided test on the samples whose answer changed gives p <= `LEVEL`.

**Why.** Before and after are asked about the same samples, so only those whose answer changed say anything about the
change (McNemar, Psychometrika 12, 1947; recommended for comparing two classifiers on one set of samples by
Dietterich, Neural Computation 10, 1998). Comparing two separate intervals would throw the pairing away: 200 of 200
against 194 of 200 overlap, and yet six losses without a gain have p = 0.016. The test alone is no guard for small
classes: it cannot reach 0.05 with fewer than five losses, so that a class of four could be lost whole. Therefore (a):
a net loss above five percentage points is refused however little it proves, which with fewer than 20 samples is a
single one. Below 20 samples the rule is thus as strict as a golden set. Refusing costs a person a signature; what
passes costs parts.

Several protected classes are tested at one level each, not jointly: correcting for their number would make the guard
weaker the more is protected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge_agent.learning.proof.mcnemar import loss_p_value
from edge_agent.learning.proof.sheet import ProofSheet, Recall, Refusal

MARGIN: Final = 0.05
"""Share of the samples of a protected class that may be lost net without proof that it is more than chance."""

LEVEL: Final = 0.05
"""Largest p at which a loss is taken as real."""

WIDE: Final = 0.3
"""An interval of recall that is wider is said to be wide."""

LEFT_OUT: Final = "samples, each left out,"


def refusals(sheet: ProofSheet) -> tuple[Refusal, ...]:
    """Give the reasons against the change, in the order of the protected classes; empty where there are none."""
    golden = {row.slug: row for row in sheet.golden}
    recalls = {row.slug: row for row in sheet.recalls}
    gone = {count.slug for count in sheet.counts if count.before and not count.after}
    reasons = []
    for slug in sheet.protected:
        if slug in gone:
            reasons.append(Refusal(slug, f"{sheet.name(slug)} is protected and would not be known any more."))
        elif slug in golden:
            if _net(row := golden[slug]) > 0:
                reasons.append(Refusal(slug, f"{_fewer(sheet, row, 'golden samples')})."))
        elif slug in recalls and is_loss(row := recalls[slug]):
            p = loss_p_value(row.lost, row.gained)
            reasons.append(Refusal(slug, f"{_fewer(sheet, row, LEFT_OUT)}; p = {p:.2g})."))
    return tuple(reasons)


def is_loss(row: Recall) -> bool:
    """Say whether samples that are asked about before and after tell of a loss; see the rule above."""
    net = _net(row)
    return net > MARGIN * row.paired or (net > 0 and loss_p_value(row.lost, row.gained) <= LEVEL)


def remarks(sheet: ProofSheet) -> tuple[str, ...]:
    """Give what a reader should know about the figures, one sentence each."""
    return tuple(_on_classes(sheet)) + tuple(_on_everything(sheet))


def _on_classes(sheet: ProofSheet) -> Iterator[str]:
    golden = {row.slug for row in sheet.golden}
    wide = [
        f"{sheet.name(row.slug)} {row.after.low:.0%} to {row.after.high:.0%} with {row.after.of} samples"
        for row in sheet.recalls
        if row.after is not None and row.after.high - row.after.low > WIDE
    ]
    if wide:
        yield f"Few samples, so the recall may be anywhere in a wide interval: {', '.join(wide)}."
    for row in sheet.recalls:
        name = sheet.name(row.slug)
        if row.asked < row.there:
            yield f"{name}: {row.asked} of {row.there} samples were asked about: held-out ones first, else by lot."
        if row.asked and row.after is None and not row.called_after:
            yield f"{name}: not estimable, for nothing is known of it without its one sample. Teach a second one."
        if is_loss(row) and row.slug not in sheet.protected:
            yield f"{_fewer(sheet, row, LEFT_OUT)}); it is not protected."
        if is_loss(row) and row.slug in sheet.protected and row.slug in golden:
            yield f"{_fewer(sheet, row, LEFT_OUT)}); its golden samples decide."
    for count in sheet.counts:
        if count.unseen:
            yield (
                f"{sheet.name(count.slug)}: {count.unseen} samples came as sums, without themselves, "
                "and cannot be asked about."
            )


def _on_everything(sheet: ProofSheet) -> Iterator[str]:
    counted = {count.slug for count in sheet.counts}
    paired = {row.slug for row in (*sheet.golden, *sheet.recalls) if row.paired}
    for slug in sheet.protected:
        if slug not in counted:
            yield f"{sheet.name(slug)} is protected, and nothing is known of it."
        elif slug not in paired:
            yield f"{sheet.name(slug)} is protected, and there is nothing to prove it by: keep golden samples of it."
    if sum(1 for count in sheet.counts if count.before) == 1:
        yield "Before, only one class was known: whatever was asked about was called that."
    if any(count.slug == sheet.normal and count.before != count.after for count in sheet.counts):
        yield _on_lots(sheet.lots)
    if sheet.examined < (new := len(sheet.shown) + sheet.shown_more):
        yield f"{sheet.examined} of {new} new examples were looked at for wrong labels, drawn by lot."
    if not sheet.golden:
        yield "There are no golden samples, so samples that were taught are asked about, each left out in turn."
    if sheet.shift is None:
        yield "No past parts could be judged again."
    elif sheet.shift.examples:
        yield f"{sheet.shift.examples} parts of the shift were taught themselves and are not judged again."
    yield (
        "The intervals take samples as independent; several of one piece, or of one lot, make the figures look "
        "better than they are."
    )


def _on_lots(lots: int) -> str:
    if lots < 2:
        return (
            "Good parts are of one lot, or nearly all: how unlike them good parts of another lot are, nothing here "
            "says. Teach some of each lot and shift, one lesson for each."
        )
    return f"Good parts are of {lots} lots, each held against the others; of the next one no more than that is known."


def _net(row: Recall) -> int:
    return row.lost - row.gained


def _fewer(sheet: ProofSheet, row: Recall, what: str) -> str:
    first, then = (0 if share is None else share.count for share in (row.before, row.after))
    return (
        f"{sheet.name(row.slug)} would be recognised in {then} of {row.paired} {what} instead of {first} "
        f"({row.lost} lost, {row.gained} gained"
    )
