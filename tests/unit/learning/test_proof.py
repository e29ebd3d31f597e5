"""The proof sheet asks no knowledge about what it contains; wrong ways of asking are shown to flatter."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from proof_states import (
    BLOCKS,
    BUNDLE,
    PRIOR,
    exemplar,
    learned,
    line,
    ok,
    rows_of,
    several,
    sheet_of,
    whole_sheet,
)

from edge_agent.errors import StateDamaged
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.proof import comparison as proof
from edge_agent.learning.proof.sheet import Count, ProofSheet, Recall
from edge_agent.learning.proof.witness import Witness
from edge_agent.runtime.steps import finished
from models import Knowledge
from models.embedding import dequantise
from models.head import Head

LONERS = [
    exemplar("pit", seed, rows=rows_of(np.random.default_rng(seed).normal(size=6), seed, spread=0.001))
    for seed in range(6)
]
"""Samples of one class that have nothing in common, each with variants that hardly differ from it."""


def row(sheet: ProofSheet, slug: str) -> Recall:
    return next(row for row in sheet.recalls if row.slug == slug)


def recognised(sheet: ProofSheet, slug: str) -> int:
    share = row(sheet, slug).after
    assert share is not None
    return share.count


def called(exemplars: Sequence[Exemplar], q: np.ndarray) -> str:
    knowledge = learned(exemplars).knowledge
    head = knowledge.head(PRIOR, ("image", "vibration"))
    return head.classes[int(np.argmax(head.probabilities(dequantise(q))))]


class AsksWhatItWasTaught(Witness):
    """The deliberately wrong one: nothing is left out."""

    def _solved(self, left_out: Sequence[Exemplar], present: tuple[str, ...]) -> Head | None:
        return super()._solved([], present)


class LeavesOneVariantOut(Witness):
    """The deliberately wrong one: the variants of a sample stay when it is left out."""

    def _solved(self, left_out: Sequence[Exemplar], present: tuple[str, ...]) -> Head | None:
        rest = learned(_without_row_0(one) if one in left_out else one for one in self.fitted.values())
        return rest.knowledge.head(PRIOR, present)


def _without_row_0(sample: Exemplar) -> Exemplar:
    return exemplar(sample.label, 0, id=sample.id, rows=sample.rows[1:])


def test_each_sample_is_asked_about_with_everything_but_itself() -> None:
    state = [*line(), exemplar("pit", 50, looks_like="crack"), exemplar("crack", 51, looks_like="good")]
    fitted = [one for one in state if one.role is Role.FIT]
    want = {
        slug: [called([o for o in fitted if o is not one], one.rows[0]) for one in fitted if one.label == slug]
        for slug in ("pit", "crack")
    }

    sheet = sheet_of(state, state)

    assert {slug: row(sheet, slug).called_after for slug in want} == {
        slug: {label: labels.count(label) for label in labels} for slug, labels in want.items()
    }
    assert row(sheet, "pit").called_before == row(sheet, "pit").called_after
    assert recognised(sheet, "pit") == 6
    assert recognised(sheet, "crack") == 6


@pytest.mark.parametrize("wrong", [AsksWhatItWasTaught, LeavesOneVariantOut])
def test_asking_about_what_was_taught_would_flatter(wrong: type[Witness], monkeypatch: pytest.MonkeyPatch) -> None:
    state = [*several("good", 12), *LONERS]
    honest = recognised(sheet_of(state, state), "pit")
    monkeypatch.setattr(proof, "Witness", wrong)
    flattering = recognised(sheet_of(state, state), "pit")

    assert honest < flattering


def test_new_examples_are_asked_of_the_old_knowledge_too() -> None:
    sheet = sheet_of(line(), [*line(), *several("scratch", 4, looks_like="pit"), exemplar("scratch", 9)])

    scratch = row(sheet, "scratch")
    assert scratch.before is None
    assert scratch.called_before == {"pit": 5}
    assert scratch.called_after == {"pit": 4, "scratch": 1}
    assert [example.before.label for example in sheet.shown if example.before] == ["pit"] * 5


def test_more_examples_of_a_class_are_compared_on_the_same_samples() -> None:
    more = several("pit", 3, start=20)

    pit = row(sheet_of(line(), [*line(), *more]), "pit")

    assert pit.before is not None
    assert pit.after is not None
    assert pit.before.of == pit.after.of == pit.paired == 9


def test_a_class_with_one_sample_is_not_estimable() -> None:
    sheet = sheet_of(line(), [*line(), exemplar("scratch", 0)])

    scratch = row(sheet, "scratch")
    assert (scratch.asked, scratch.after, scratch.called_after) == (1, None, {})
    assert sheet.shown[0].after is None
    assert not sheet.suspects
    assert any("scratch: not estimable" in remark for remark in sheet.remarks)


def test_a_station_that_knew_nothing_has_said_nothing() -> None:
    sheet = sheet_of([], line())

    assert row(sheet, "good").before is None
    assert row(sheet, "good").called_before == {"": 24}
    assert not sheet.refused


def test_of_many_samples_a_choice_is_asked_about_that_does_not_depend_on_their_order() -> None:
    many = [*line(good=2), *several("pit", proof.MAX_ASKED + 5, start=100)]
    mixed = random.Random(1).sample(many, len(many))
    pits, mixed_pits = ([one for one in samples if one.label == "pit"] for samples in (many, mixed))

    asked = proof._chosen(pits)

    assert len(asked) == proof.MAX_ASKED
    assert {one.id for one in asked} == {one.id for one in proof._chosen(mixed_pits)}
    assert asked != pits[: proof.MAX_ASKED]


def test_held_out_samples_are_asked_about_first_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MAX_ASKED", 5)
    good = [*several("good", 9), *several("good", 4, Role.RING, start=20)]

    assert [one.role for one in proof._chosen(good)] == [*[Role.RING] * 4, Role.FIT]
    sheet = sheet_of(good, good)
    assert (row(sheet, "good").asked, row(sheet, "good").there) == (5, 13)
    assert any("5 of 13 samples" in remark for remark in sheet.remarks)


def test_golden_samples_are_asked_of_all_that_is_known_and_of_nothing_else() -> None:
    golden = [exemplar("pit", 90, Role.GOLDEN), exemplar("pit", 91, Role.GOLDEN, looks_like="crack")]
    state = [*line(), *golden]

    sheet = sheet_of(state, state)

    assert [(one.slug, one.asked, one.called_after) for one in sheet.golden] == [("pit", 2, {"pit": 1, "crack": 1})]
    assert row(sheet, "pit").asked == 6
    assert sheet.counts[2] == Count("pit", 6, 6, held_out=0, golden=2, unseen=0)


def test_what_came_as_sums_alone_is_counted_and_not_asked_about() -> None:
    base = learned(several("pit", 3)).knowledge
    state = Learned.of(base, learned(line()).lessons, {})

    sheet = sheet_of(state, state)

    assert sheet.counts[2] == Count("pit", 9, 9, held_out=0, golden=0, unseen=3)
    assert row(sheet, "pit").asked == 6


def test_a_kept_sample_that_knowledge_does_not_contain_is_damage() -> None:
    state = learned(line())
    lying = Learned(state.base, state.lessons, {}, learned(line(defects=5)).knowledge)

    with pytest.raises(StateDamaged, match="is not part of the knowledge"):
        sheet_of(lying, lying)


def test_what_is_forgotten_is_asked_of_what_remains() -> None:
    gone = several("scratch", 3, looks_like="pit")

    sheet = sheet_of([*line(), *gone], line())

    assert [(one.slug, one.asked, one.called_after) for one in sheet.taken] == [("scratch", 3, {"pit": 3})]
    assert row(sheet, "scratch").after is None
    assert not sheet.shown


def test_samples_lost_are_listed_with_protected_classes_first_and_golden_samples_before_others() -> None:
    """Dents and knobs look like the scratches that are taught: half of what is said of them then is scratch."""
    dents = [*several("dent", 6, looks_like="scratch"), exemplar("dent", 50, Role.GOLDEN, looks_like="scratch")]
    knobs = [*several("knob", 6, looks_like="crack"), exemplar("knob", 50, Role.GOLDEN, looks_like="crack")]
    before = [*several("good", 12), *several("pit", 6), *dents, *knobs]
    after = [*before, *several("scratch", 9), *several("fissure", 9, looks_like="crack")]

    unprotected, protected = sheet_of(before, after).lost, sheet_of(before, after, ["knob"]).lost

    assert [one.label for one in unprotected] == [*["dent", "knob"], *["dent"] * 6, *["knob"] * 2]
    assert [one.label for one in protected] == [*["knob"] * 7, *["dent"] * 3]
    assert [one.golden for one in protected] == [True, *[False] * 6, True, *[False] * 2]
    assert len(protected) == proof.MAX_LOST


def test_a_relabelled_example_is_new_and_left_out_under_the_label_that_each_state_gave_it() -> None:
    as_pit, as_crack = exemplar("pit", 40, looks_like="crack"), exemplar("crack", 40, looks_like="crack")
    as_crack = exemplar("crack", 40, id=as_pit.id, rows=as_pit.rows)

    sheet = sheet_of([*line(), as_pit], [*line(), as_crack])

    assert [(one.id, one.label) for one in sheet.shown] == [(as_pit.id, "crack")]
    assert sheet.taken == ()


def test_between_two_bundles_each_is_asked_with_its_own_embeddings() -> None:
    """The new bundle has turned the axes: asked with the old embeddings it would know nothing."""
    turned = [exemplar(o.label, 0, o.role, id=o.id, rows=o.rows[:, [1, 2, 3, 0, 5, 4]].copy()) for o in line()]
    other = Learned.of(Knowledge.empty("rings", "1" * 64, BLOCKS), (), {})
    for one in turned:
        other = other.with_exemplars(one.label, [one])

    sheet = sheet_of(line(), other.with_exemplars("scratch", several("scratch", 3)))

    assert (sheet.bundle_before, sheet.bundle_after) == (BUNDLE, "1" * 64)
    assert all(r.after is not None and r.after.mean == 1.0 for r in sheet.recalls if r.slug in ("good", "pit", "crack"))
    assert row(sheet, "pit").before == row(sheet, "pit").after
    assert row(sheet, "scratch").called_before == {}


def test_the_sheet_says_what_it_is_about_and_how_long_it_took() -> None:
    before, after = learned(line()), learned([*line(), *several("scratch", 5)])

    sheet = sheet_of(before, after, ["pit", "good"])

    assert (sheet.digest_before, sheet.digest_after) == (before.knowledge.digest, after.knowledge.digest)
    assert (sheet.protected, sheet.took_s, sheet.name("pit"), sheet.name(None)) == (
        ("good", "pit"),
        2.5,
        "Loch",
        "no class",
    )
    assert [count.slug for count in sheet.counts] == ["good", "crack", "pit", "scratch"]


def test_a_sheet_survives_being_written_as_json() -> None:
    sheet = whole_sheet()

    assert msgspec.json.decode(msgspec.json.encode(sheet), type=ProofSheet) == sheet


def test_progress_is_told_and_can_end_the_work() -> None:
    heard: list[tuple[int, int]] = []

    def hear(done: int, total: int) -> None:
        heard.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    states = [proof.State(learned(known), PRIOR, ok) for known in (line(), [*line(), *several("scratch", 2)])]
    with pytest.raises(KeyboardInterrupt):
        finished(
            proof.prove(
                *states,
                normal="good",
                protected=(),
                parts=(),
                occasion=whole_sheet().occasion,
                clock=lambda: 0.0,
            ),
            hear,
        )

    assert heard == [(1, 40), (2, 40), (3, 40)]


def test_a_sample_without_a_modality_is_asked_about_by_what_it_has() -> None:
    blind = exemplar("pit", 60)
    blind.rows[:, :4] = 0
    state = [*line(), blind]

    sheet = sheet_of(line(), state)

    knowledge = learned(line()).knowledge
    head = knowledge.head(PRIOR, ("vibration",))
    want = head.classes[int(np.argmax(head.probabilities(dequantise(blind.rows[0]))))]
    assert sheet.shown[0].before is not None
    assert sheet.shown[0].before.label == want
