"""Judges the parts of the last shift again, with what is known now and with what would be known. Pure.

A part that was taught itself is no evidence and is left aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.proof.sheet import PartChange, Rejudged, Renamed
from edge_agent.records import Embedding, Outcome, Part, Verdict
from edge_agent.runtime.steps import Steps

Judging = Callable[[Embedding], Verdict]

MAX_PARTS: Final = 5000
"""The newest parts that are judged again, which takes a second: a shift at 10 parts/min, 17 minutes at 5 parts/s."""

PART: Final = 32
"""Parts that are judged again before something else is let in."""

MAX_CHANGES: Final = 50
"""Changed parts that a sheet lists; the rest is counted."""

MAX_RENAMED: Final = 20
"""Pairs of classes that a sheet lists."""

ANSWERS: Final = (Outcome.OK, Outcome.UNSURE, Outcome.NG)
"""In the order in which they suit a good part."""


def rejudge(
    parts: Sequence[Part],
    before: Judging,
    after: Judging,
    samples: Collection[Exemplar],
    normal: str,
    older: int = 0,
    *,
    by_embedding: bool = False,
) -> Steps[Rejudged | None]:
    """Judge parts again, in parts of the work of some 10 ms.

    Args:
        parts: past parts, oldest first.
        before: gives the verdict of what is known.
        after: gives the verdict of what would be known.
        samples: what either was taught with; parts that are among them are left aside.
        normal: slug of the class of good parts.
        older: parts of the shift that came before these and are not given.
        by_embedding: judge them by their embeddings alone; how unlike good ones their details were says nothing where
            what is known of good parts changes.

    Returns:
        What changes; None where no part can be judged.
    """
    stored = [(part, part.embedding) for part in parts if part.embedding is not None]
    used = [sample for sample in samples if sample.role is not Role.GOLDEN]
    rows = {sample.rows[0].tobytes() for sample in used}
    pictures = {sample.picture for sample in used if sample.picture}
    unused = [(p, e) for p, e in stored if e.q.tobytes() not in rows and p.picture not in pictures]
    asked = unused[-MAX_PARTS:]
    if not asked:
        return None
    table = {first: dict.fromkeys(ANSWERS, 0) for first in ANSWERS}
    changes: list[PartChange] = []
    renamed = Counter[tuple[str | None, str | None]]()
    embeddings = [replace(e, anomaly=None) if by_embedding else e for _, e in asked]
    answers = yield from _answers(embeddings, before, after)
    for (part, _), (first, then) in zip(asked, answers, strict=True):
        table[first.outcome][then.outcome] += 1
        if first.outcome is not then.outcome:
            changes.append(_change(part, first, then, normal))
        elif first.label != then.label:
            renamed[first.label, then.label] += 1
    changes.sort(key=_badness)
    right = Counter(change.right for change in changes)
    return Rejudged(
        parts=len(asked),
        first_utc=min(part.decided_utc for part, _ in asked),
        last_utc=max(part.decided_utc for part, _ in asked),
        examples=len(stored) - len(unused),
        unstored=len(parts) - len(stored),
        older=older + len(unused) - len(asked),
        table=table,
        changes=tuple(changes[:MAX_CHANGES]),
        more=len(changes[MAX_CHANGES:]),
        right=right[True],
        wrong=right[False],
        renamed=tuple(Renamed(*labels, parts) for labels, parts in renamed.most_common(MAX_RENAMED)),
        by_embedding=by_embedding,
    )


def _answers(embeddings: Sequence[Embedding], before: Judging, after: Judging) -> Steps[list[tuple[Verdict, Verdict]]]:
    answers = []
    for count, embedding in enumerate(embeddings, start=1):
        answers.append((before(embedding), after(embedding)))
        if count % PART == 0:
            yield None
    return answers


def _change(part: Part, before: Verdict, after: Verdict, normal: str) -> PartChange:
    person = part.operator_label
    better = ANSWERS if person == normal else ANSWERS[::-1]
    right = None if person is None else better.index(after.outcome) < better.index(before.outcome)
    return PartChange(part.id, part.picture, before.outcome, after.outcome, before.label, after.label, person, right)


def _badness(change: PartChange) -> tuple[bool, bool, bool, int]:
    """Sort what turns the answer round first, then what a person contradicts, then what lets a part pass."""
    turned = Outcome.UNSURE not in (change.before, change.after)
    return not turned, change.right is not False, change.after is not Outcome.OK, change.number
