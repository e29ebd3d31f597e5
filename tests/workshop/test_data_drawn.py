"""Imaginary lines, and several sources as one: keys are unique, samples are what the drawing gives."""

from __future__ import annotations

import numpy as np
import pytest

from models.workshop.data import CastingsData, DrawnData, JoinedData
from models.workshop.errors import WorkshopError
from models.workshop.textures import draw_line


def test_a_sample_is_the_picture_of_its_line_class_and_number() -> None:
    data = DrawnData([4, 9], 2)
    entry = next(e for e in data.entries if e.traits["line"] == "9" and e.label == "flaw_2" and e.key.endswith(" 1"))
    picture = data.load(entry).picture

    assert picture is not None and np.array_equal(picture, draw_line(9).picture(2, 1))
    assert data.classes == ("good", *(f"flaw_{i}" for i in range(1, 7)))
    assert len({e.things for e in data.entries}) == len(data.entries) == 2 * 7 * 2


@pytest.mark.parametrize("lines", [[], [3, 3], [-1]])
def test_lines_that_are_none_are_refused(lines: list[int]) -> None:
    with pytest.raises(WorkshopError):
        DrawnData(lines, 2)


def test_joined_sources_give_each_sample_from_its_own() -> None:
    drawn, cast = DrawnData([1], 2), CastingsData([1], 2, 1)
    both = JoinedData([drawn, cast])

    assert both.entries == drawn.entries + cast.entries
    assert both.classes[0] == "good" and {"flaw_1", "pit"} < set(both.classes)
    assert both.load(cast.entries[0]).samples is not None
    assert both.load(drawn.entries[0]).samples is None
    with pytest.raises(ValueError, match="twice"):
        JoinedData([drawn, drawn])
