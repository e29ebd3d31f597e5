"""Imaginary lines are the same for the same seed, differ for others, and their flaws show."""

from __future__ import annotations

import numpy as np
import pytest

from models.workshop.textures import draw_line


def test_the_same_seed_gives_the_same_pictures_in_any_order() -> None:
    first, again = draw_line(4), draw_line(4)
    later = again.picture(2, 5)

    assert first == again
    assert np.array_equal(first.picture(2, 5), later)


def test_another_number_class_or_seed_gives_another_picture() -> None:
    line = draw_line(4)
    pictures = [line.picture(2, 5), line.picture(2, 6), line.picture(3, 5)]

    assert len({picture.tobytes() for picture in pictures}) == 3
    assert draw_line(5) != line


@pytest.mark.parametrize("seed", range(8))
def test_pictures_are_square_bgr_and_neither_black_nor_burnt_out(seed: int) -> None:
    line = draw_line(seed)
    for index in range(len(line.classes)):
        picture = line.picture(index, 0)

        assert picture.shape == (line.size_px, line.size_px, 3)
        assert picture.dtype == np.uint8
        assert 5 < picture.mean() < 250
        assert picture.std() > 1.0


def test_good_is_the_first_class_and_every_line_has_several_kinds_of_flaw() -> None:
    for seed in range(20):
        classes = draw_line(seed).classes

        assert classes[0] == "good"
        assert len(set(classes)) == 7
