"""What becomes of a wish: it is tried, it holds or is taken back, and never a second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.desired.settings import Change
from edge_agent.desired.standing import TRIES, Standing, Wish
from edge_agent.errors import BadData

UTC = 1.7e9
MADE = (Change("recipe.false_reject", 0.01, 0.05),)


def wish(version: int, share: float = 0.01) -> Wish:
    return Wish(1, version, {"recipe.false_reject": share}, "ada")


NOTHING = Standing()


def tried(version: int, before: Standing = NOTHING) -> Standing:
    return before.on_trial(wish(version), MADE)


def test_a_new_wish_is_run_by_from_the_next_start_and_holds_once_it_is_proven() -> None:
    trial = tried(1).started()
    held = trial.held(wish(1), UTC)

    assert trial.settings == held.settings == wish(1).settings
    assert (trial.holds, held.holds, held.trial, held.held_since_utc) == (None, wish(1), None, UTC)
    assert [s.newest.phase for s in (trial, held)] == ["trial", "holds"]
    assert held.newest.changes == MADE


def test_what_does_not_come_up_is_taken_back_after_its_tries() -> None:
    standing = tried(2, tried(1).held(wish(1), UTC))
    for _ in range(TRIES):
        standing = standing.started()
        assert standing.settings == wish(2).settings

    standing = standing.started()

    assert standing.settings == wish(1).settings
    assert (standing.newest.phase, standing.newest.version) == ("taken_back", 2)


def test_a_start_that_ended_because_somebody_wanted_it_to_is_not_counted() -> None:
    standing = tried(2)
    for _ in range(10):
        standing = standing.started().stopped()

    assert standing == tried(2)


@pytest.mark.parametrize(
    "known",
    [
        tried(5),
        tried(5).held(wish(5), UTC),
        tried(5).taken_back("no"),
        Standing().refused(wish(5), ("no",)),
        tried(5, tried(4).taken_back("no")).taken_back("no"),  # 4 went before it, and did not do either
        Standing().refused(wish(5), ("no",)).taken_back("there is nothing to take back"),
    ],
)
def test_whatever_became_of_it_an_older_wish_is_nothing_and_another_one_of_the_same_version_neither(
    known: Standing,
) -> None:
    assert known.is_known(wish(5))
    assert not known.is_known(wish(6))
    with pytest.raises(BadData, match="older than 5"):
        known.is_known(wish(4))
    with pytest.raises(BadData, match="another wish of version 5"):
        known.is_known(wish(5, share=0.07))


def test_a_newer_wish_that_was_refused_is_the_newest_also_when_the_trial_before_it_ends() -> None:
    standing = tried(5).refused(wish(6), ("no",)).held(wish(5), UTC)

    assert standing.holds == wish(5)
    assert (standing.newest.version, standing.newest.phase) == (6, "refused")


def test_wishes_are_told_apart_by_what_they_want_and_not_by_who_says_them() -> None:
    other = Wish(1, 1, {"recipe.false_reject": 0.01}, "bo", dry_run=True)

    assert wish(1).digest == other.digest
    assert len({wish(1).digest, wish(2).digest, wish(1, 0.02).digest}) == 3


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["want", "refuse"]), st.integers(1, 6)),
        st.tuples(st.sampled_from(["start", "stop", "prove", "back"]), st.just(0)),
    ),
    max_size=40,
)


def walk(script: list[tuple[str, int]]) -> tuple[list[Standing], list[int]]:
    """Every standing on the way, and the versions that came to be considered."""
    standing, seen, considered = Standing(), [Standing()], []
    for what, version in script:
        match what:
            case "want" | "refuse":
                try:
                    if not standing.is_known(wish(version)):
                        considered.append(version)
                        tries = standing.on_trial(wish(version), MADE)
                        standing = tries if what == "want" else standing.refused(wish(version), ("no",))
                except BadData:
                    pass
            case "start":
                standing = standing.started()
            case "stop":
                standing = standing.stopped()
            case "prove" if standing.trial is not None:
                standing = standing.held(standing.trial, UTC)
            case _:
                standing = standing.taken_back("no")
        seen.append(standing)
    return seen, considered


@given(steps)
def test_each_version_is_considered_once_in_order_and_nothing_is_tried_for_ever(script: list[tuple[str, int]]) -> None:
    seen, considered = walk(script)
    held = [standing.holds.version for standing in seen if standing.holds is not None]

    assert considered == sorted(set(considered))
    assert held == sorted(held)
    last = seen[-1]
    for _ in range(TRIES + 1):
        last = last.started()
    assert last.trial is None


def test_a_floor_that_only_knows_what_holds_would_be_found_out() -> None:
    class Forgetful(Standing):
        def is_known(self, wish: Wish) -> bool:
            return self.holds is not None and wish.version <= self.holds.version

    known = Forgetful().on_trial(wish(5), MADE).taken_back("no")

    assert not known.is_known(wish(5))
    with pytest.raises(BaseException, match="DID NOT RAISE"), pytest.raises(BadData):
        known.is_known(wish(4))
