"""What refuses a change, and what does not; weaker rules are shown to let a loss through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof_states import line, several, sheet_of

from edge_agent.learning.exemplar import Role
from edge_agent.learning.proof.mcnemar import loss_p_value
from edge_agent.learning.proof.rule import is_loss, refusals, remarks
from edge_agent.learning.proof.sheet import Count, ProofSheet, Recall
from edge_agent.proportion import wilson


def recall(slug: str, of: int, lost: int, gained: int = 0) -> Recall:
    first = of - gained
    then = first - lost + gained
    return Recall(slug, of, of, wilson(first, of), wilson(then, of), lost, gained, of, {slug: first}, {slug: then})


def sheet(
    recalls: tuple[Recall, ...] = (), golden: tuple[Recall, ...] = (), protected: tuple[str, ...] = ("good",)
) -> ProofSheet:
    counts = tuple(Count(row.slug, 10, 10, 0, 0, 0) for row in {r.slug: r for r in (*recalls, *golden)}.values())
    whole = sheet_of(line(), line())
    return replace(whole, counts=counts, recalls=recalls, golden=golden, protected=protected, refused=(), remarks=())


def reasons(*arguments: object, **named: object) -> list[str]:
    return [refusal.reason for refusal in refusals(sheet(*arguments, **named))]


def test_one_golden_sample_lost_of_a_protected_class_refuses_and_is_said() -> None:
    assert reasons(golden=(recall("good", 200, lost=1),)) == [
        "good would be recognised in 199 of 200 golden samples instead of 200 (1 lost, 0 gained)."
    ]


def test_a_golden_sample_lost_and_one_gained_refuses_nothing() -> None:
    assert reasons(golden=(recall("good", 20, lost=1, gained=1),)) == []


def test_golden_samples_of_a_class_that_is_not_protected_refuse_nothing() -> None:
    assert reasons(golden=(recall("pit", 20, lost=20),)) == []
    assert len(reasons(golden=(recall("pit", 20, lost=20),), protected=("good", "pit"))) == 1


def test_golden_samples_decide_where_there_are_any_and_the_rest_is_said() -> None:
    both = sheet((recall("good", 100, lost=30),), (recall("good", 5, lost=0),))

    assert refusals(both) == ()
    assert any("its golden samples decide" in remark for remark in remarks(both))


@pytest.mark.parametrize(
    ("of", "lost", "gained", "refused"),
    [
        (200, 0, 0, False),
        (200, 4, 0, False),
        (200, 5, 0, True),
        (200, 6, 0, True),
        (200, 6, 5, False),
        (200, 30, 19, True),
        (200, 30, 20, False),
        (200, 5, 6, False),
        (20, 1, 0, False),
        (20, 2, 0, True),
        (19, 1, 0, True),
        (19, 1, 1, False),
        (4, 4, 0, True),
        (1, 1, 0, True),
    ],
)
def test_without_golden_samples_a_proven_loss_refuses_and_so_does_a_large_one(
    of: int, lost: int, gained: int, refused: bool
) -> None:
    row = recall("good", of, lost, gained)

    assert is_loss(row) is refused
    assert bool(reasons((row,))) is refused


def test_the_reason_names_the_class_and_its_numbers() -> None:
    named = replace(sheet((recall("pit", 10, 2, 1),), protected=("good", "pit")), names={"pit": "Loch"})

    assert [(one.slug, one.reason) for one in refusals(named)] == [
        ("pit", "Loch would be recognised in 8 of 10 samples, each left out, instead of 9 (2 lost, 1 gained; p = 0.5).")
    ]


def test_comparing_two_intervals_would_let_a_proven_loss_through() -> None:
    """The deliberately wrong rule: refuse where the intervals before and after do not overlap."""
    row = recall("good", 200, lost=6)
    assert row.before is not None
    assert row.after is not None

    assert row.after.high > row.before.low
    assert is_loss(row)


def test_the_test_alone_would_let_a_whole_small_class_go() -> None:
    """The deliberately wrong rule: refuse where McNemar's test does, and nowhere else."""
    assert loss_p_value(4, 0) > 0.05
    assert is_loss(recall("good", 4, lost=4))


def test_a_large_loss_alone_would_let_a_proven_small_one_through() -> None:
    """The deliberately wrong rule: refuse above five percentage points, and nowhere else."""
    row = recall("good", 200, lost=8)

    assert row.lost <= 0.05 * row.paired
    assert is_loss(row)


def test_forgetting_a_protected_class_refuses_and_another_does_not() -> None:
    before = [*line(), *several("scratch", 3)]

    assert sheet_of(before, line()).refused == ()
    refused = sheet_of(before, line(), protected=("scratch",)).refused
    assert [one.reason for one in refused] == ["scratch is protected and would not be known any more."]


def test_good_parts_are_protected_without_being_named() -> None:
    state = [*line(), *several("good", 3, Role.GOLDEN, start=90)]
    lesson = several("stain", 8, looks_like="good", start=300)

    sheet = sheet_of(state, [*state, *lesson])

    assert [one.slug for one in sheet.refused] == ["good"]


def test_a_loss_of_a_class_that_is_not_protected_is_said() -> None:
    said = remarks(sheet((recall("good", 50, 0), recall("pit", 10, 3))))

    assert any(one.startswith("pit would be recognised in 7 of 10") or "Loch would" in one for one in said)
    assert any("it is not protected" in one for one in said)


def test_a_protected_class_that_nothing_is_kept_of_is_said() -> None:
    nothing = Recall("good", 0, 0, None, None, 0, 0, 0, {}, {})

    said = remarks(sheet((nothing,), protected=("good", "burr")))

    assert any("good is protected, and there is nothing to prove it by" in one for one in said)
    assert any("burr is protected, and nothing is known of it" in one for one in said)


def test_wide_intervals_and_missing_evidence_are_said() -> None:
    said = " ".join(remarks(sheet((recall("good", 5, 0),))))

    assert "good 57% to 100% with 5 samples" in said
    assert "no golden samples" in said
    assert "No past parts could be judged again" in said
