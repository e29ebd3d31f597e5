"""A wish is made from the one before it: nothing that was wanted is forgotten, and versions only grow."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.console.wishing import ConfigState, Fate, is_settled, next_wish, settings_of, wanted_of, way_out
from edge_agent.desired import Wish
from edge_agent.errors import BadData
from edge_agent.trust.signing import Envelope, key_id, public_bytes, sealed

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
    with pytest.raises(BadData, match="nobody wants recipe.draw_one_in"):
        next_wish(BEFORE, None, {}, ["recipe.draw_one_in"], "bo")


@pytest.mark.parametrize(
    ("before", "state", "version"),
    [
        (None, None, 1),
        (BEFORE, None, 5),
        (BEFORE, ConfigState(4, "x"), 5),
        (BEFORE, ConfigState(4, "x", last=Fate(9, "refused")), 10),
        (None, ConfigState(0, "x", last=Fate(3, "taken_back")), 4),
    ],
)
def test_its_version_is_later_than_all_that_were_heard_of(before, state, version: int) -> None:
    assert next_wish(before, state, {"recipe.guided": True}, [], "bo").version == version


@pytest.mark.parametrize("before", [None, BEFORE])
def test_what_a_station_runs_by_is_never_forgotten_because_it_did_not_come(before: Wish | None) -> None:
    with pytest.raises(BadData, match="runs by wish 41"):
        next_wish(before, ConfigState(41, "x"), {"recipe.guided": True}, [], "bo")


def test_a_station_that_has_heard_of_far_too_late_a_wish_is_not_believed() -> None:
    with pytest.raises(BadData, match="heard of wish 9000"):
        next_wish(BEFORE, ConfigState(4, "x", last=Fate(9000, "refused")), {}, [], "bo")


def test_only_what_somebody_known_has_signed_for_this_station_was_wanted() -> None:
    key, other = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"a", b"b"))
    known = {key_id(public_bytes(key)): public_bytes(key)}
    text = msgspec.json.encode(BEFORE).decode()

    assert wanted_of(sealed(text, "t", key), "t", known) == BEFORE
    forged = msgspec.json.encode(Envelope(text, key_id(public_bytes(key)), "AAAA"))
    for payload, topic in ((sealed(text, "t", other), "t"), (sealed(text, "t", key), "u"), (forged, "t"), (b"{}", "t")):
        with pytest.raises(BadData):
            wanted_of(payload, topic, known)


@pytest.mark.parametrize("phase", ["checked", "refused", "trial", "holds", "taken_back"])
def test_it_is_settled_by_a_word_on_this_wish_and_on_no_other_of_its_version(phase: str) -> None:
    wish = Wish(1, 3, {"recipe.guided": True}, "bo")

    assert is_settled(ConfigState(1, "x", last=Fate(3, phase, wish.digest)), wish)
    assert not is_settled(ConfigState(1, "x", last=Fate(3, phase, "another")), wish)
    assert not is_settled(ConfigState(1, "x", last=Fate(4, phase, wish.digest)), wish)
    assert not is_settled(ConfigState(3, "x"), wish)


@pytest.mark.parametrize(
    ("phase", "errors", "drops"),
    [
        ("refused", ("recipe.guided: must be true",), "--drop recipe.guided"),
        ("refused", ("recipe.deadline_ms: must be more than recipe.false_reject",), "--drop recipe.false_reject"),
        ("taken_back", ("no part could be judged with it",), "--drop recipe.false_reject --drop recipe.guided"),
        ("trial", (), ""),
        ("holds", (), ""),
    ],
)
def test_a_wish_that_could_not_be_names_the_way_out(phase: str, errors: tuple[str, ...], drops: str) -> None:
    assert way_out(BEFORE, Fate(4, phase, "", errors)).endswith(drops)
    assert bool(way_out(BEFORE, Fate(4, phase, "", errors))) == bool(drops)


def test_the_way_out_leads_out() -> None:
    after = next_wish(BEFORE, ConfigState(0, "", last=Fate(4, "refused")), {}, ["recipe.guided"], "ada")

    assert after.settings == {"recipe.false_reject": 0.005}
