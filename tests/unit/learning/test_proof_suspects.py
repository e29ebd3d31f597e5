"""New examples that look mislabelled: found by what the rest says of them, with what they do to their class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from proof_states import PRIOR, exemplar, learned, line, several, sheet_of

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.proof import comparison as proof
from models.embedding import dequantise


def called(exemplars: Sequence[Exemplar], q: np.ndarray) -> str:
    knowledge = learned(exemplars).knowledge
    head = knowledge.head(PRIOR, ("image", "vibration"))
    return head.classes[int(np.argmax(head.probabilities(dequantise(q))))]


def test_a_mislabelled_example_is_found_and_its_harm_is_measured() -> None:
    wrong = exemplar("scratch", 9, looks_like="pit")
    lesson = [*several("scratch", 3), wrong]
    state = [*line(), *lesson]

    sheet = sheet_of(line(), state)

    suspect = sheet.suspects[0]
    assert suspect.example.id == wrong.id
    assert (suspect.others, suspect.right_with, suspect.right_without) == (3, 0, 3)
    others = [one for one in lesson if one is not wrong]
    for right, left_out in ((suspect.right_with, []), (suspect.right_without, [wrong])):
        rest = [[o for o in state if o.role is Role.FIT and o not in (one, *left_out)] for one in others]
        said = [called(known, one.rows[0]) for known, one in zip(rest, others, strict=True)]
        assert said.count("scratch") == right


def test_examples_that_harm_their_class_come_before_those_that_are_only_called_something_else() -> None:
    """With three right examples and a wrong one, all four are called pit; only the wrong one makes it so."""
    lesson = [*several("scratch", 3), exemplar("scratch", 9, looks_like="pit")]

    suspects = sheet_of(line(), [*line(), *lesson]).suspects

    assert [suspect.right_without - suspect.right_with for suspect in suspects] == [3, 0, 0, 0]


def test_one_wrong_example_among_many_is_the_only_suspect() -> None:
    wrong = exemplar("scratch", 9, looks_like="pit")

    suspects = sheet_of(line(), [*line(), *several("scratch", 5), wrong]).suspects

    assert [suspect.example.id for suspect in suspects] == [wrong.id]


def test_an_old_example_is_no_suspect_and_a_good_lesson_has_none() -> None:
    before = [*line(), exemplar("pit", 70, looks_like="crack")]

    assert sheet_of(before, [*before, *several("scratch", 4)]).suspects == ()


def test_of_a_long_lesson_a_choice_is_looked_at_and_the_sheet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MAX_ASKED", 6)
    monkeypatch.setattr(proof, "MAX_SHOWN", 3)
    monkeypatch.setattr(proof, "MAX_SUSPECTS", 1)

    sheet = sheet_of(line(), [*line(), *several("stain", 8, looks_like="pit")])

    monkeypatch.setattr(proof, "MAX_SHOWN", 100)
    after = sheet_of(line(), [*line(), *several("stain", 8, looks_like="pit")]).shown
    assert (len(sheet.shown), sheet.shown_more, sheet.examined) == (3, 5, 6)
    assert len(sheet.suspects) + sheet.suspects_more == sum(one.after.label != "stain" for one in after if one.after)
    assert [bool(suspect.others) for suspect in sheet.suspects] == [True, False, False][: len(sheet.suspects)]
    assert any("6 of 8 new examples" in remark for remark in sheet.remarks)
