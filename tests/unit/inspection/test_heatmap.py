"""The heat map says the same number with the same colour on every picture, in colour and in grey."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_agent.errors import BadData
from edge_agent.inspection.heatmap import ANOMALY, STRIP_PX, Scale, heat_map_png

RNG = np.random.default_rng(1)
PICTURE = RNG.integers(0, 256, (480, 480, 3), dtype=np.uint8)
EXTREMES = np.repeat(np.array([[0], [255]], np.uint8), 240, axis=0).repeat(480, axis=1)[..., None].repeat(3, axis=2)


def drawn(grid: np.ndarray, picture: np.ndarray = PICTURE, limit: float = 10.0) -> np.ndarray:
    image = cv2.imdecode(
        np.frombuffer(heat_map_png(picture, grid, Scale(limit, "for", "against")), np.uint8), cv2.IMREAD_COLOR
    )
    assert image is not None
    return image[:-STRIP_PX].astype(int)


def grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_BGR2GRAY).astype(int)


def everywhere(share: float) -> np.ndarray:
    return np.full((4, 4), share)


def rescaled(grid: np.ndarray) -> np.ndarray:
    """What a map does that is stretched to what its own picture has."""
    return drawn(grid / np.abs(grid).max())


def test_the_scale_is_the_same_for_every_picture() -> None:
    """A good part looks cold because it is: its strongest share is not made the hottest colour."""
    faint = np.zeros((4, 4))
    faint[1, 2] = 0.5

    assert np.abs(drawn(faint) - drawn(everywhere(0.0))).max() < 15
    assert np.abs(drawn(20.0 * faint) - drawn(everywhere(0.0))).max() > 100
    np.testing.assert_array_equal(rescaled(faint), rescaled(20.0 * faint))


def test_what_is_hot_is_where_the_share_is() -> None:
    grid = np.zeros((4, 4))
    grid[0, 3] = 10.0
    change = np.abs(drawn(grid) - drawn(everywhere(0.0))).sum(axis=2)
    row, column = np.unravel_index(change.argmax(), change.shape)

    assert row < 120
    assert column >= 360
    assert not change[240:, :240].any()


def test_in_black_and_white_heat_is_lighter_and_cold_darker_than_anything_in_the_picture() -> None:
    plain, hot, cold = (grey(drawn(everywhere(share), EXTREMES)) for share in (0.0, 10.0, -10.0))

    assert hot.min() > plain.max() + 20
    assert cold.max() < plain.min()


def test_more_is_lighter_all_the_way_from_against_to_for() -> None:
    levels = [grey(drawn(everywhere(share), EXTREMES)).astype(float) for share in np.linspace(-10.0, 10.0, 9)]

    assert all((after > before).all() for before, after in zip(levels, levels[1:], strict=False))


def test_beyond_the_scale_nothing_changes() -> None:
    np.testing.assert_array_equal(drawn(everywhere(10.0)), drawn(everywhere(1000.0)))


def test_under_full_heat_the_picture_can_still_be_seen() -> None:
    hot = grey(drawn(everywhere(10.0), EXTREMES))

    assert hot[400, 240] > hot[80, 240] + 10


@pytest.mark.parametrize(
    ("shape", "size"),
    [((480, 480), (480, 480)), ((128, 128), (384, 384)), ((2000, 3200), (1000, 1600)), ((40, 4000), (16, 1600))],
)
def test_small_pictures_grow_and_large_ones_shrink(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert drawn(everywhere(1.0), np.zeros((*shape, 3), np.uint8)).shape == (*size, 3)


def test_the_legend_is_below_and_says_the_scale() -> None:
    def strip(limit: float) -> np.ndarray:
        png = heat_map_png(PICTURE, everywhere(0.0), Scale(limit, f"for {limit}", "against"))
        return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[-STRIP_PX:].astype(int)

    bar = grey(strip(10.0))[9, 10:-10]
    assert bar[0] < bar[len(bar) // 2] < bar[-1]
    assert (strip(10.0) != strip(60.0)).any()


def test_where_less_than_usual_means_nothing_it_looks_like_usual() -> None:
    def anomaly(value: float) -> np.ndarray:
        return cv2.imdecode(
            np.frombuffer(heat_map_png(PICTURE, everywhere(value), ANOMALY), np.uint8), cv2.IMREAD_COLOR
        )

    assert (anomaly(-5.0) == anomaly(0.0)).all()
    assert grey(anomaly(20.0))[:-STRIP_PX].mean() > grey(anomaly(5.0))[:-STRIP_PX].mean() + 20
    bar = grey(anomaly(0.0))[-STRIP_PX:][9, 10:-10]
    assert bar[0] < bar[-1]


@pytest.mark.parametrize(
    ("picture", "grid", "limit"),
    [
        (PICTURE[..., 0], everywhere(0.0), 1.0),
        (PICTURE[:0], everywhere(0.0), 1.0),
        (PICTURE.astype(np.float32), everywhere(0.0), 1.0),
        (PICTURE, np.zeros(16), 1.0),
        (PICTURE, everywhere(np.nan), 1.0),
        (PICTURE, everywhere(0.0), 0.0),
        (PICTURE, everywhere(0.0), np.inf),
    ],
)
def test_what_cannot_be_drawn_is_refused(picture: np.ndarray, grid: np.ndarray, limit: float) -> None:
    with pytest.raises(BadData):
        heat_map_png(picture, grid, Scale(limit, "for", "against"))
