"""What is forgotten was never there: not in what is known, not in where it looks, not in what good parts are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import guided_world
import pytest
from guided_world import everything, forget, known, teach
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from edge_agent.errors import BadData
from edge_agent.learning import goodparts, guiding
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.exemplar import Exemplar
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Lesson, Sample
from edge_agent.learning.raw import keeping
from edge_agent.runtime.steps import Steps
from edge_agent.testing.disk import FakeDisk

Taught = tuple[str, bool, range]
"""A class, whether its examples are golden, and their seeds."""

Story = tuple[list[Taught], list[frozenset[int]]]
"""Lessons, and what is forgotten of them, one after the other."""


@st.composite
def stories(draw: st.DrawFn) -> Story:
    sizes = st.tuples(st.sampled_from(["good", "good", "good", "pit", "dent"]), st.booleans(), st.integers(1, 5))
    lessons = [
        (label, golden, range(10 * n, 10 * n + count))
        for n, (label, golden, count) in enumerate(draw(st.lists(sizes, min_size=1, max_size=5)))
    ]
    seeds = [seed for _, _, lesson in lessons for seed in lesson]
    gone = draw(st.lists(st.frozensets(st.sampled_from(seeds), min_size=1), min_size=1, max_size=2))
    return lessons, gone


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two good parts are enough for a guide, and three are as many as are learned in detail."""
    monkeypatch.setattr(guiding, "MEMBERS", 2)
    monkeypatch.setattr(guiding, "MAX_DETAILED", 3)
    monkeypatch.setattr(goodparts, "MAX_DETAILED", 3)


def station(lessons: Sequence[Taught], without: Iterable[int] = ()) -> FakeDisk:
    disk, never = FakeDisk(), frozenset(without)
    for label, golden, seeds in lessons:
        if not never.issuperset(seeds):
            teach(disk, label, seeds, golden=golden, without=never, held_out=[seed for seed in seeds if seed % 3 == 2])
    return disk


def leaves_no_trace(story: Story) -> bool:
    """Teach all of it and forget some; teach another station what is left. Nothing tells the two apart."""
    lessons, gone = story
    forgetful = station(lessons)
    for seeds in gone:
        for label in ("good", "pit", "dent"):
            forget(forgetful, seeds, label)
    return everything(known(forgetful)) == everything(known(station(lessons, frozenset().union(*gone))))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories())
def test_what_is_forgotten_was_never_learned_whatever_the_guide_was_made_of(story: Story) -> None:
    assert leaves_no_trace(story)


def keeps_details_of_the_first(blobs: Blobs, samples: Sequence[Sample], learned: Learned) -> Steps[list[Exemplar]]:
    """The wrong implementation: details of as many as there is room for, so that nobody can take a place."""
    room = 3 - sum(bool(exemplar.details) for exemplar in learned.exemplars)
    kept = yield from keeping(blobs, samples, learned)
    return [replace(exemplar, details=exemplar.details if n < room else "") for n, exemplar in enumerate(kept)]


def keeps_tokens_where_it_looks(*args: Any, tokens: bool, **options: Any) -> Lesson:
    """The wrong implementation: no tokens of what was taught before there was a guide."""
    return Lesson(*args, **options)


@pytest.mark.parametrize(
    ("name", "wrong"), [("keeping", keeps_details_of_the_first), ("Lesson", keeps_tokens_where_it_looks)]
)
def test_the_same_test_rejects_what_is_wrong(
    name: str, wrong: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guided_world, name, wrong)

    def is_found_out(story: Story) -> bool:
        try:
            return not leaves_no_trace(story)
        except BadData:
            return True

    assert find(stories(), is_found_out, settings=settings(max_examples=500, phases=[Phase.generate]))
