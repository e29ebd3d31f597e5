"""Past parts judged again: nothing that was taught counts, and the worst change comes first."""

from __future__ import annotations

import numpy as np
import pytest
from proof_states import exemplar, part

from edge_agent.learning.exemplar import Role
from edge_agent.learning.proof import shift as proof_shift
from edge_agent.learning.proof.sheet import PartChange, Rejudged, Renamed
from edge_agent.learning.proof.shift import Judging, rejudge
from edge_agent.records import Embedding, Outcome, Verdict
from edge_agent.runtime.steps import finished

OK, NG, UNSURE = Outcome.OK, Outcome.NG, Outcome.UNSURE


def answers(*outcomes: Outcome, labels: str = "") -> Judging:
    """Give a judge that answers part `n` with the n-th outcome."""

    def judge(embedding: Embedding) -> Verdict:
        number = int(embedding.q[0])
        return Verdict(outcomes[number], labels[number] if labels else outcomes[number].value)

    return judge


def judged(before: Judging, after: Judging, count: int, persons: dict[int, str] | None = None) -> Rejudged:
    parts = [part(number, person=(persons or {}).get(number)) for number in range(count)]
    shift = finished(rejudge(parts, before, after, [], "good"))
    assert shift is not None
    return shift


def test_every_part_is_counted_by_its_answer_before_and_after() -> None:
    shift = judged(answers(OK, OK, NG, UNSURE, NG), answers(OK, NG, NG, OK, UNSURE), 5)

    assert shift.table == {
        OK: {OK: 1, UNSURE: 0, NG: 1},
        UNSURE: {OK: 1, UNSURE: 0, NG: 0},
        NG: {OK: 0, UNSURE: 1, NG: 1},
    }
    assert (shift.parts, shift.first_utc, shift.last_utc) == (5, 1000.0, 1004.0)


def test_changes_are_listed_worst_first() -> None:
    before, after = answers(UNSURE, OK, NG, OK, NG, OK), answers(OK, UNSURE, OK, NG, OK, NG)

    shift = judged(before, after, 6, {5: "good"})

    assert [(c.number, c.before, c.after) for c in shift.changes] == [
        (5, OK, NG),
        (2, NG, OK),
        (4, NG, OK),
        (3, OK, NG),
        (0, UNSURE, OK),
        (1, OK, UNSURE),
    ]


@pytest.mark.parametrize(
    ("person", "before", "after", "right"),
    [
        ("good", OK, NG, False),
        ("good", NG, OK, True),
        ("good", NG, UNSURE, True),
        ("good", OK, UNSURE, False),
        ("pit", OK, NG, True),
        ("pit", OK, UNSURE, True),
        ("pit", NG, UNSURE, False),
        ("pit", NG, OK, False),
        (None, NG, OK, None),
    ],
)
def test_a_persons_word_says_whether_the_change_is_right(
    person: str | None, before: Outcome, after: Outcome, right: bool | None
) -> None:
    shift = judged(answers(before), answers(after), 1, {0: person} if person else {})

    assert shift.changes == (PartChange(0, "", before, after, before.value, after.value, person, right),)
    assert (shift.right, shift.wrong) == (right is True, right is False)


def test_another_class_with_the_same_answer_is_no_change_but_is_counted() -> None:
    shift = judged(answers(NG, NG, NG, labels="aab"), answers(NG, NG, NG, labels="bbb"), 3)

    assert shift.changes == ()
    assert shift.renamed == (Renamed("a", "b", 2),)


def test_a_part_that_was_taught_is_left_aside_by_its_embedding_and_by_its_picture() -> None:
    """It would be asked of knowledge that contains it."""
    taught, pictured, golden = exemplar("pit", 1), exemplar("pit", 2, Role.RING), exemplar("pit", 3, Role.GOLDEN)
    parts = [
        part(1, q=taught.rows[0]),
        part(2, picture=pictured.picture),
        part(3, q=golden.rows[0], picture=golden.picture),
        part(4),
    ]

    def judge(embedding: Embedding) -> Verdict:
        return Verdict(OK)

    shift = finished(rejudge(parts, judge, judge, [taught, pictured, golden], "good"))

    assert shift is not None
    assert (shift.parts, shift.examples) == (2, 2)


def test_parts_without_a_picture_are_not_taken_for_each_other() -> None:
    shift = finished(rejudge([part(0)], answers(OK), answers(OK), [exemplar("pit", 1, picture="")], "good"))

    assert shift is not None
    assert shift.examples == 0


def test_parts_of_which_nothing_is_stored_are_left_aside_and_counted() -> None:
    empty = part(1)
    object.__setattr__(empty, "embedding", None)

    assert finished(rejudge([empty], answers(), answers(), [], "good")) is None
    shift = finished(rejudge([empty, part(0)], answers(OK), answers(OK), [], "good"))
    assert shift is not None
    assert (shift.parts, shift.unstored) == (1, 1)


def test_the_newest_parts_are_judged_and_the_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_shift, "MAX_PARTS", 4)
    monkeypatch.setattr(proof_shift, "MAX_CHANGES", 3)

    shift = judged(answers(*[OK] * 6), answers(*[NG] * 6), 6)

    assert (shift.parts, shift.older, shift.more) == (4, 2, 1)
    assert [change.number for change in shift.changes] == [2, 3, 4]
    assert shift.table[OK][NG] == 4


def test_both_judges_get_the_very_same_embedding() -> None:
    seen: list[np.ndarray] = []

    def judge(embedding: Embedding) -> Verdict:
        seen.append(embedding.q)
        return Verdict(OK)

    finished(rejudge([part(7)], judge, judge, [], "good"))

    assert len(seen) == 2
    assert seen[0] is seen[1]
