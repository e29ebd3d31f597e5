"""Good parts alone say where a part is unlike them, on a scale that good parts set, whatever their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.normality import Heard, Seen, grid_of, highest, picture_score, window_score
from models.source import PictureSpec
from models.tokenbank import KEPT, Bank, chosen, placed, rounded, smoothed

ROWS, COLUMNS, WIDTH = 4, 5, 12
GRID = (ROWS, COLUMNS)
PLACES = np.random.default_rng(0).normal(size=(ROWS * COLUMNS, WIDTH))
"""What each place of a good part looks like."""


def pictures(count: int, seed: int, noise: float = 0.3) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (PLACES + noise * rng.normal(size=(count, *PLACES.shape))).astype(np.float32)


GOOD = pictures(40, 1)
SEEN = Seen.of(GOOD, GRID)


def same(one: Seen, other: Seen) -> bool:
    return (
        one.tokens.tobytes() == other.tokens.tobytes()
        and one.scale.count == other.scale.count
        and one.scale.total.tobytes() == other.scale.total.tobytes()
        and one.scale.squares.tobytes() == other.scale.squares.tobytes()
    )


def test_a_foreign_region_stands_out_where_it_is() -> None:
    (part,) = pictures(1, 2)
    part[2 * COLUMNS + 3] = np.random.default_rng(5).normal(size=WIDTH)
    anomaly = SEEN.anomaly(part)

    assert np.unravel_index(anomaly.argmax(), anomaly.shape) == (2, 3)
    assert picture_score(anomaly) > max(picture_score(SEEN.anomaly(good)) for good in pictures(50, 3))


def test_what_is_usual_at_one_place_is_not_at_another_far_away() -> None:
    (part,) = pictures(1, 2)
    part[0] = PLACES[-1]

    assert SEEN.anomaly(part)[0, 0] > 5.0


def test_what_lies_a_place_further_is_still_usual() -> None:
    (part,) = pictures(1, 2)
    part[COLUMNS + 1] = PLACES[0]

    assert SEEN.anomaly(part)[1, 1] < 1.0


def test_the_scale_is_that_of_good_pictures_that_were_not_learned() -> None:
    maps = np.array([SEEN.anomaly(good) for good in pictures(200, 4)])

    assert abs(float(maps.mean())) < 0.25
    assert 0.8 < float(maps.std()) < 1.6  # above 1, because places here are less alike than those of a picture


def test_a_scale_with_the_own_picture_in_it_would_be_wrong() -> None:
    """Measured against a bank that holds them, good pictures are near it, and new ones seem far."""
    small = np.stack([rounded(placed(tokens, GRID)) for tokens in GOOD[:KEPT]])
    bank = Bank(chosen(small)[0])
    own = np.mean([bank.distances(tokens) for tokens in small])
    new = np.mean([bank.distances(rounded(placed(tokens, GRID))) for tokens in pictures(20, 4)])
    honest = float(Seen.of(GOOD[:KEPT], GRID).scale.mean.mean())

    assert own < 0.8 * new
    assert honest == pytest.approx(new, rel=0.08)


def test_brightness_and_contrast_of_a_token_do_not_count() -> None:
    (part,) = pictures(1, 6)

    np.testing.assert_array_equal(SEEN.anomaly(part), SEEN.anomaly(part * np.float32(4.0)))


def test_the_order_of_the_pictures_makes_no_difference() -> None:
    assert same(SEEN, Seen.of(np.random.default_rng(7).permutation(GOOD), GRID))


def test_equal_tokens_in_several_pictures_make_no_difference_to_that() -> None:
    good = GOOD[:6].copy()
    good[1:4, 3] = good[0, 3]
    good[:, 9] = 0.0

    assert same(Seen.of(good, GRID), Seen.of(good[::-1], GRID))


def test_two_stations_agree_whoever_is_first() -> None:
    one, other = Seen.of(GOOD[:25], GRID), Seen.of(GOOD[25:], GRID)
    merged = one.merged(other)

    assert same(merged, other.merged(one))
    assert merged.scale.count == len(GOOD)
    assert merged.tokens.shape == SEEN.tokens.shape
    union = np.concatenate([one.tokens, other.tokens], axis=2)
    kept = (merged.tokens[:, :, :, None] == union[:, :, None]).all(axis=-1).any(axis=-1)
    assert kept.all()


def test_stations_with_other_tokens_do_not_merge() -> None:
    with pytest.raises(ValueError, match="different bundles"):
        SEEN.merged(Seen.of(GOOD[:, :-COLUMNS], (ROWS - 1, COLUMNS)))


def cosine_distance(one: NDArray[np.int8], others: NDArray[np.int8]) -> NDArray[np.float64]:
    a, b = one.astype(float), others.astype(float)
    return 1 - b @ a / np.linalg.norm(a) / np.linalg.norm(b, axis=-1)


def covered(tokens: NDArray[np.int8], kept: NDArray[np.int8]) -> float:
    return max(float(cosine_distance(token, kept).min()) for token in tokens)


def first_ones(small: NDArray[np.int8]) -> NDArray[np.int8]:
    return small[:KEPT].transpose(1, 2, 0, 3)


def the_farthest(small: NDArray[np.int8]) -> NDArray[np.int8]:
    return chosen(small)[0]


def radii(choose: Callable[[NDArray[np.int8]], NDArray[np.int8]]) -> tuple[float, float]:
    """How far the worst token is from a kept one at places with a rare look, and how far it may be."""
    good = pictures(60, 8, noise=0.05)
    good[-3:] = np.random.default_rng(9).normal(size=(3, *PLACES.shape))
    small = np.stack([rounded(placed(tokens, GRID)) for tokens in good])
    kept = choose(small)
    return max(covered(small[:, r, c], kept[r, c]) for r in range(ROWS) for c in range(COLUMNS)), 0.05


def test_a_rare_look_is_kept() -> None:
    worst, bound = radii(the_farthest)
    assert worst < bound


def test_keeping_the_first_ones_would_lose_it() -> None:
    worst, bound = radii(first_ones)
    assert worst > bound


@pytest.mark.parametrize("count", [2, 3, KEPT, KEPT + 1])
def test_few_pictures_are_enough_to_begin_with(count: int) -> None:
    seen = Seen.of(GOOD[:count], GRID)

    assert seen.tokens.shape == (ROWS, COLUMNS, min(count, KEPT), WIDTH)
    assert np.isfinite(seen.anomaly(GOOD[-1])).all()


@pytest.mark.parametrize(
    ("good", "grid", "said"),
    [
        (GOOD[:1], GRID, "1 good pictures"),
        (GOOD[:0], GRID, "0 good pictures"),
        (GOOD, (ROWS, COLUMNS + 1), "want 24 tokens"),
        (np.full_like(GOOD, np.nan), GRID, "not finite"),
        (GOOD, (0, 5), "a grid of"),
        (np.zeros((3, 1, 1025), np.float32), (1, 1), "1 to 1024 numbers"),
    ],
)
def test_what_cannot_be_learned_is_refused(good: NDArray[np.float32], grid: tuple[int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Seen.of(good, grid)


@pytest.mark.parametrize("part", [GOOD[0, :-1], GOOD[0][:, :-1], np.full_like(GOOD[0], np.inf)])
def test_tokens_of_another_bundle_or_broken_ones_are_refused(part: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"want tokens|not finite"):
        SEEN.anomaly(part)


def test_rounding_is_exact_the_second_time_and_moves_little_the_first() -> None:
    small = rounded(GOOD[0])

    np.testing.assert_array_equal(rounded(small), small)
    assert max(cosine_distance(one, two[None])[0] for one, two in zip(GOOD[0], small, strict=True)) < 1e-4


def test_smoothing_is_the_mean_over_what_there_is() -> None:
    values = np.arange(9.0).reshape(3, 3)

    assert smoothed(values)[1, 1] == 4.0
    assert smoothed(values)[0, 0] == 2.0


def test_the_score_is_the_mean_of_the_highest() -> None:
    assert highest(np.array([[1.0, 5.0], [3.0, 2.0]]), 0.5) == 4.0
    assert highest(np.array([1.0, 7.0, 3.0]), 0.001) == 7.0


def test_regions_lie_as_the_picture_does() -> None:
    def spec(width: int, height: int) -> PictureSpec:
        return PictureSpec(width, height, "rgb", (0.0,) * 3, (1.0,) * 3, "squash")

    assert grid_of((1, 400, 8), spec(320, 320)) == (20, 20)
    assert grid_of((1, 200, 8), spec(320, 160)) == (10, 20)
    for regions, side in ((397, (320, 320)), (300, (10, 3000))):
        with pytest.raises(ValueError, match="no grid"):
            grid_of((1, regions, 8), spec(*side))
    for shape in ((400, 8), (2, 400, 8), (1, 400, 1025)):
        with pytest.raises(ValueError, match="want tokens"):
            grid_of(shape, spec(320, 320))


WINDOWS = np.random.default_rng(11).normal(-3.0, [0.5, 0.1, 2.0, 1.0] * 25, (30, 100))


def test_a_band_that_sounds_unlike_good_ones_is_found_either_way() -> None:
    heard = Heard.of(WINDOWS)
    window = WINDOWS.mean(axis=0)
    window[4:9] += np.array([9.0, 0.1, -40.0, 0.0, 0.0]) * 0.5

    anomaly = heard.anomaly(window)
    assert set(np.argsort(anomaly)[-2:]) == {4, 6}
    assert window_score(anomaly) > max(window_score(heard.anomaly(one)) for one in WINDOWS)


def test_windows_merge_exactly() -> None:
    whole, merged = Heard.of(WINDOWS), Heard.of(WINDOWS[20:]).merged(Heard.of(WINDOWS[:20]))

    assert merged.scale.total.tobytes() == whole.scale.total.tobytes()
    np.testing.assert_array_equal(merged.anomaly(WINDOWS[3]), whole.anomaly(WINDOWS[3]))


@pytest.mark.parametrize("windows", [WINDOWS[:1], WINDOWS[None], WINDOWS[:0]])
def test_too_few_windows_are_refused(windows: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="good windows or more"):
        Heard.of(windows)


def test_features_of_another_bundle_are_refused() -> None:
    for features in (WINDOWS[0, :-1], np.full(100, np.nan)):
        with pytest.raises(ValueError, match="finite features"):
            Heard.of(WINDOWS).anomaly(features)


def test_a_value_of_normality_is_not_changed_by_asking() -> None:
    before = replace(SEEN, tokens=SEEN.tokens.copy())
    SEEN.anomaly(GOOD[0])

    assert same(before, SEEN)
