"""Splits are fair: nothing is on both sides, neighbours are on neither, and the seed decides everything."""

from __future__ import annotations

import pytest

from models.episodes import Episode, draw_episodes, number_of

CLASSES = {
    "pit": [f"pit/{n}.png" for n in range(100, 160)],
    "good": [f"good/img_{n:04d}.jpg" for n in range(1, 80, 2)],
    "plain": [f"plain/{letter}.png" for letter in "abcdefghijkl"],
}


def crosses(episode: Episode, gap: int) -> bool:
    """Say whether a test picture is a shot or lies within `gap` of one."""
    for name, tests in episode.tests.items():
        shots = episode.shots[name]
        numbers = [number_of(shot) for shot in shots]
        for test in tests:
            number = number_of(test)
            if test in shots:
                return True
            if number is not None and any(n is not None and abs(n - number) <= gap for n in numbers):
                return True
    return False


def test_no_test_picture_is_a_shot_or_a_neighbour_of_one() -> None:
    assert not any(crosses(episode, 2) for episode in draw_episodes(CLASSES, 5, 50, seed=1))


def test_a_split_that_ignores_neighbours_is_caught() -> None:
    naive = draw_episodes(CLASSES, 5, 50, seed=1, neighbours=0)

    assert any(crosses(episode, 2) for episode in naive)


def test_every_picture_is_shot_test_or_counted_as_left_out() -> None:
    total = sum(map(len, CLASSES.values()))
    for episode in draw_episodes(CLASSES, 5, 20, seed=3):
        placed = sum(len(names) for part in (episode.shots, episode.tests) for names in part.values())

        assert placed + episode.left_out == total
        assert all(len(names) == 5 for names in episode.shots.values())
        assert len(episode.tests["plain"]) == 7  # names without numbers have no neighbours


def test_the_seed_and_nothing_else_decides() -> None:
    shuffled = {name: list(reversed(CLASSES[name])) for name in reversed(list(CLASSES))}

    assert list(draw_episodes(CLASSES, 3, 4, seed=7)) == list(draw_episodes(shuffled, 3, 4, seed=7))
    assert list(draw_episodes(CLASSES, 3, 4, seed=7)) != list(draw_episodes(CLASSES, 3, 4, seed=8))
    assert len({tuple(e.shots["pit"]) for e in draw_episodes(CLASSES, 3, 20, seed=7)}) > 15


def test_more_episodes_begin_with_the_same_ones() -> None:
    assert list(draw_episodes(CLASSES, 3, 9, seed=7))[:4] == list(draw_episodes(CLASSES, 3, 4, seed=7))


@pytest.mark.parametrize(
    ("name", "number"),
    [("a/0123.jpg", 123), ("img_7_crop12.png", 12), ("3_left.bmp", 3), ("noname.png", None), ("v2/x.png", None)],
)
def test_the_last_number_of_the_name_counts(name: str, number: int | None) -> None:
    assert number_of(name) == number


def test_a_class_without_a_picture_to_spare_is_named() -> None:
    with pytest.raises(ValueError, match=r"more than 5 .*poor \(5\)"):
        next(draw_episodes({**CLASSES, "poor": list("abcde")}, 5, 1, seed=1))


def test_neighbours_may_leave_nothing_to_ask() -> None:
    episode = next(draw_episodes({"tight": ["1.png", "2.png", "3.png"]}, 1, 1, seed=0))

    assert episode.left_out == 2 - len(episode.tests["tight"])
