"""The simulated line gives the same castings for the same seed, of every severity, design by design."""

from __future__ import annotations

import numpy as np
import pytest

from models.castings import CLASSES, CastingLine
from models.workshop.data import CastingsData, check_leak, hold_out, split, survey
from models.workshop.errors import WorkshopError


def test_a_sample_is_the_casting_of_its_design_and_severity() -> None:
    data = CastingsData([3, 5], 2, seed=9)
    entry = next(e for e in data.entries if e.label == "pit" and e.traits["design"] == "5")
    sample = data.load(entry)
    severity = float((1.0 - np.random.default_rng((9, 5, CLASSES.index("pit"), 0)).random()) ** 0.5)
    casting = CastingLine(9, design=5).example("pit", 0, severity)

    assert sample.picture is not None and np.array_equal(sample.picture, casting.image)
    assert sample.samples is not None and np.array_equal(sample.samples, casting.samples)
    assert sample.rate_hz == casting.rate_hz
    assert entry.traits["severity"] == f"{severity:.3f}"


def test_all_follows_from_the_seed_and_every_casting_is_a_thing() -> None:
    one, again, other = CastingsData([1, 2], 3, 7), CastingsData([1, 2], 3, 7), CastingsData([1, 2], 3, 8)

    assert one.entries == again.entries != other.entries
    assert len({entry.things for entry in one.entries}) == len(one.entries) == 2 * 3 * len(CLASSES)
    assert one.classes == ("good", *sorted(CLASSES[1:]))


def test_severities_are_distributed_as_on_the_line() -> None:
    data = CastingsData([1], 2_000, seed=1)
    severities = np.array([float(e.traits["severity"]) for e in data.entries if e.label == "scratch"])

    for s in (0.25, 0.5, 0.75):
        assert (severities < s).mean() == pytest.approx(s**2, abs=0.03)
    assert {entry.traits["severity"] for entry in data.entries if entry.label == "good"} == {"0.000"}


def test_designs_can_be_held_out() -> None:
    data = CastingsData([1, 2, 3], 2, seed=1)
    sides = hold_out(data.entries, things={t for e in data.entries if e.traits["design"] == "2" for t in e.things})

    assert {entry.traits["design"] for entry in sides["held_out"]} == {"2"}
    assert {entry.traits["design"] for entry in sides["kept"]} == {"1", "3"}


def test_a_split_of_castings_does_not_leak() -> None:
    data = CastingsData([1], 3, seed=1)
    found = survey(data, data.entries)

    check_leak(split(found.usable, seed=1, prints=found.prints), found.prints)


@pytest.mark.parametrize(
    ("designs", "examples", "seed", "reason"),
    [
        ([], 2, 1, "no samples"),
        ([1, 1], 2, 1, "must differ"),
        ([1], 0, 1, "no samples"),
        ([1], 1, 1, "one example of good, crack"),
        ([-1], 2, 1, "from 0 to .* got -1"),
        ([1], 2, 2**32, "from 0 to .* got 4294967296"),
    ],
)
def test_what_cannot_be_cast_is_one_line(designs: list[int], examples: int, seed: int, reason: str) -> None:
    with pytest.raises(WorkshopError, match=reason):
        CastingsData(designs, examples, seed)
