"""What becomes of a wish: it is tried, it holds or is taken back, and never a second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.desired.standing import TRIES, Standing, Wish
from edge_agent.errors import BadData

UTC = 1.7e9


def wish(version: int, *, share: float = 0.01, dry_run: bool = False) -> Wish:
    return Wish(1, version, {"recipe.false_reject": share}, "ada", dry_run)


def test_a_new_wish_is_run_by_from_the_next_start_and_holds_once_it_is_proven() -> None:
    tried = Standing().on_trial(wish(1), ()).started()
    held = tried.proven(UTC)

    assert tried.settings == held.settings == wish(1).settings
    assert (tried.holds, held.holds, held.trial) == (None, wish(1), None)
    assert held.held_since_utc == UTC
    assert [s.last.phase for s in (tried, held)] == ["trial", "holds"]


def test_what_does_not_come_up_is_taken_back_after_its_tries() -> None:
    standing = Standing().on_trial(wish(1), ()).proven(UTC).on_trial(wish(2, share=0.05), ())
    for _ in range(TRIES):
        standing = standing.started()
        assert standing.settings == wish(2, share=0.05).settings

    standing = standing.started()

    assert standing.settings == wish(1).settings
    assert (standing.last.phase, standing.last.version) == ("taken_back", 2)


def test_a_wish_that_was_taken_back_or_refused_is_not_tried_again() -> None:
    back = Standing().on_trial(wish(3), ()).taken_back("no")
    refused = Standing().refused(wish(3), ("no",))

    assert back.is_old(wish(3))
    assert refused.is_old(wish(3))
    assert not back.is_old(wish(4))


@pytest.mark.parametrize("known", [Standing().on_trial(wish(5), ()), Standing().on_trial(wish(5), ()).proven(UTC)])
def test_an_older_wish_and_another_one_of_the_same_version_are_refused(known: Standing) -> None:
    assert known.is_old(wish(5))
    with pytest.raises(BadData, match="older than 5"):
        known.is_old(wish(4))
    with pytest.raises(BadData, match="another wish of version 5"):
        known.is_old(wish(5, share=0.07))


def test_a_dry_run_may_be_asked_for_again_and_changes_nothing() -> None:
    known = Standing().on_trial(wish(5), ()).proven(UTC)
    asked = known.checked(wish(6, dry_run=True), ())

    assert asked.settings == known.settings
    assert not asked.is_old(wish(6, dry_run=True))
    assert not asked.is_old(wish(6))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["start", "prove", "back"]), st.just(0)),
    ),
    max_size=40,
)


def walk(script: list[tuple[str, int]]) -> list[Standing]:
    standing, seen = Standing(), [Standing()]
    for what, version in script:
        match what:
            case "want":
                try:
                    if not standing.is_old(wish(version)):
                        standing = standing.on_trial(wish(version), ())
                except BadData:
                    pass
            case "start":
                standing = standing.started()
            case "prove":
                standing = standing.proven(UTC)
            case _:
                standing = standing.taken_back("no")
        seen.append(standing)
    return seen


@given(steps)
def test_versions_only_grow_and_nothing_runs_on_trial_for_ever(script: list[tuple[str, int]]) -> None:
    held = [standing.holds.version for standing in walk(script) if standing.holds is not None]

    assert held == sorted(held)
    last = walk(script)[-1]
    for _ in range(TRIES + 1):
        last = last.started()
    assert last.trial is None
