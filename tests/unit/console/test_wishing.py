"""A wish is made from the one before it: nothing that was wanted is forgotten, and versions only grow."""

import pytest

from edge_agent.console.wishing import ConfigState, Fate, is_settled, next_wish, settings_of
from edge_agent.desired import Wish
from edge_agent.errors import BadData

BEFORE = Wish(1, 4, {"recipe.false_reject": 0.005, "recipe.guided": False}, "ada")


def test_what_is_typed_is_read_as_json_and_else_as_text() -> None:
    typed = {
        "recipe.false_reject": "0.02",
        "recipe.guided": "true",
        "recipe.hurried": "image",
        "ledger.keep_evidence": '["NG"]',
    }

    assert settings_of(typed) == {
        "recipe.false_reject": 0.02,
        "recipe.guided": True,
        "recipe.hurried": "image",
        "ledger.keep_evidence": ["NG"],
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"recipe.false_reject": "0.9"}, "from 0.0001 to 0.2"),
        ({"recipe.false_reject": "x"}, "must be a number"),
        ({"station.name": "x"}, "may not be set from the console"),
        ({"recipe": "{}"}, "may not be set from the console"),
    ],
)
def test_what_can_never_be_is_refused_before_it_is_sent(typed: dict[str, str], said: str) -> None:
    with pytest.raises(BadData, match=said):
        settings_of(typed)


def test_what_was_wanted_goes_on_to_be_wanted() -> None:
    wish = next_wish(BEFORE, None, {"recipe.draw_one_in": 50}, ["recipe.guided"], "bo")

    assert wish == Wish(1, 5, {"recipe.false_reject": 0.005, "recipe.draw_one_in": 50}, "bo")


def test_dropping_what_nobody_wants_is_said() -> None:
    with pytest.raises(BadData, match="does not want recipe.draw_one_in"):
        next_wish(BEFORE, None, {}, ["recipe.draw_one_in"], "bo")


@pytest.mark.parametrize(
    ("before", "state", "version"),
    [
        (None, None, 1),
        (BEFORE, None, 5),
        (None, ConfigState(7, "x"), 8),
        (BEFORE, ConfigState(4, "x", last=Fate(9, "refused")), 10),
    ],
)
def test_its_version_is_later_than_all_that_were_heard_of(before, state, version: int) -> None:
    assert next_wish(before, state, {"recipe.guided": True}, [], "bo").version == version


@pytest.mark.parametrize("phase", ["checked", "refused", "trial", "holds", "taken_back"])
def test_it_is_settled_by_a_word_on_this_version_only(phase: str) -> None:
    state = ConfigState(1, "x", last=Fate(3, phase))

    assert is_settled(state, 3)
    assert not is_settled(state, 4)
    assert not is_settled(ConfigState(3, "x"), 3)
