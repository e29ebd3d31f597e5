"""What people say about drawn parts, on a real ledger: it counts at once and after a restart, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from ledger_parts import SERIES, missed, part

from edge_agent.config import Config
from edge_agent.learning.draw import GROUP
from edge_agent.learning.example import Example
from edge_agent.ledger import Reader
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.product.lessons import Lessons
from edge_agent.records import Embedding, Frame, Modality, Outcome, Part
from edge_agent.runtime.steps import finished
from edge_agent.station import Station
from models.embedding import assemble, quantise

TAUGHT = 40


def config_in(folder: Path) -> Config:
    config = Config.defaults(folder)
    return msgspec.structs.replace(config, recipe=msgspec.structs.replace(config.recipe, draw_one_in=2))


def embedding(station: Station, seed: int) -> Embedding:
    """Somewhere near the middle of good parts."""
    middle, noise = np.random.default_rng(1), np.random.default_rng(seed)
    raw = {
        block.modality: middle.normal(size=block.stop - block.start) + 0.1 * noise.normal(size=block.stop - block.start)
        for block in station.recipe.bundle.blocks
    }
    return Embedding(quantise(assemble(station.recipe.bundle.blocks, raw)), frozenset(Modality))


def example(seed: int) -> Example:
    return Example(f"{seed}.png", np.random.default_rng(seed).integers(60, 190, (64, 64, 3), dtype=np.uint8))


def judged(station: Station, number: int) -> Part:
    seen = embedding(station, number)
    verdict = station.recipe.judge.judge(seen)
    return replace(part(number), embedding=seen, verdict=verdict, knowledge=station.recipe.judge.digest)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """A station that was taught good parts, and has judged as many as make a group."""
    with Station(config_in(tmp_path)) as opened:
        lesson = opened.lessons.begin("good", [example(i) for i in range(TAUGHT)])
        while lesson.next_variant() is not None:
            lesson.take(embedding(opened, 10_000 + lesson.done))
        finished(opened.lessons.learn(lesson, "ann"))
        for number in range(1, 2 * GROUP + 1):
            opened._committed(judged(opened, number))
        yield opened


def drawn(station: Station) -> list[int]:
    with station.reader() as reader:
        parts = reader.parts_of(SERIES, station.holdings.drawing.group(SERIES, 0))
        return [found.id for found in parts]


def held_out(station: Station) -> int:
    return station.recipe.judge.promise().held_out


def test_a_group_of_words_joins_the_held_out_parts_and_no_smaller_number_does(station: Station) -> None:
    first, *rest = drawn(station)
    for id_ in rest:
        station.label(id_, "good", who="ann")
    before = held_out(station)
    station.label(first, "good", who="ann")

    assert (before, held_out(station)) == (TAUGHT // 2, TAUGHT // 2 + GROUP)


def test_nothing_of_it_is_stored_as_knowledge(station: Station) -> None:
    state_dir = Path(station.config.station.state_dir)
    slots, learned = (state_dir / "slots.json").read_bytes(), station.recipe.learned
    for id_ in drawn(station):
        station.label(id_, "good", who="ann")

    assert (state_dir / "slots.json").read_bytes() == slots
    assert station.recipe.learned is learned
    assert station.recipe.judge.digest == learned.knowledge.digest


def test_words_that_are_taken_back_count_no_more(station: Station) -> None:
    ids = drawn(station)
    for id_ in ids:
        station.label(id_, "good", who="ann")
    station.label(ids[3], None, who="ann")

    assert held_out(station) == TAUGHT // 2


def test_they_are_there_after_a_restart_and_while_the_knowledge_that_judged_them_is_kept(station: Station) -> None:
    for id_ in drawn(station):
        station.label(id_, "good", who="ann")
    station.close()

    with Station(station.config) as again:
        assert held_out(again) == TAUGHT // 2 + GROUP
        again.undo("ann")
        again.holdings.hold_out_drawn()
        assert again.recipe.judge.promise().held_out == 0
        assert len(again.recipe.held_out.rows) == 0


def test_a_part_that_was_taught_itself_is_not_held_out_as_well(station: Station) -> None:
    ids = drawn(station)
    for id_ in ids:
        station.label(id_, "good", who="ann")
    with station.reader() as reader:
        seen = reader.part(ids[0]).embedding
    lesson = station.lessons.begin("good", [example(TAUGHT)])
    lesson.take(seen)
    finished(station.lessons.learn(lesson, "ann"))

    assert len(station.recipe.learned.exemplars) == TAUGHT + 1
    assert held_out(station) == TAUGHT // 2 + GROUP - 1


def test_a_candidate_is_judged_with_the_same_held_out_parts(station: Station) -> None:
    lesson = station.lessons.begin("pit", [example(TAUGHT)])
    while lesson.next_variant() is not None:
        lesson.take(embedding(station, 20_000 + lesson.done))
    finished(station.lessons.propose(lesson, "ann"))
    for id_ in drawn(station):
        station.label(id_, "good", who="ann")

    assert station.recipe.candidate is not None
    assert station.recipe.candidate.judge.promise().held_out == held_out(station) == TAUGHT // 2 + GROUP


def test_the_picture_of_a_drawn_part_is_kept_whatever_it_was_judged(station: Station) -> None:
    numbers = range(1, 2 * GROUP + 1)
    frame = Frame(np.full((8, 8, 3), 7, np.uint8), 0.0)
    kept = [n for n in numbers if station.holdings.keep(replace(part(n), verdict=part(n).verdict), frame, None)]

    assert kept == station.holdings.drawing.group(SERIES, 0)
    assert all(part(n).verdict.outcome is Outcome.OK for n in kept)


def test_the_ledger_gives_parts_by_number_and_those_that_people_spoke_about(station: Station) -> None:
    with station.reader() as reader:
        assert [p.trigger.number for p in reader.parts_of(SERIES, [7, 3, 999])] == [3, 7]
        assert list(reader.parts_of("other", [3])) == []
        assert reader.labelled(10) == []
    for id_, label in ((3, "good"), (5, "pit"), (7, "good")):
        station.label(id_, label, who="ann")
    station.label(7, None, who="ann")

    with station.reader() as reader:
        assert sorted(reader.labelled(10)) == [(SERIES, 3), (SERIES, 5)]
        assert reader.labelled(1) == []  # the newest word is on part 7, and was taken back
        assert reader.labelled(3) == [(SERIES, 5)]


def test_more_numbers_than_fit_a_page_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.ledger.reader.PAGE_ROWS", 4)
    store = Store(tmp_path / "ledger.db")
    store.open()
    store.write(Batch([*(part(n) for n in range(1, 10)), missed(10)]))
    store.close()
    with Reader(tmp_path) as reader:
        assert [p.trigger.number for p in reader.parts_of(SERIES, range(10, 0, -1))] == list(range(1, 11))


def propose_good(station: Station, start: int, *, goes_on: bool) -> None:
    lesson = station.lessons.begin("good", [example(start + i) for i in range(8)])
    while lesson.next_variant() is not None:
        lesson.take(embedding(station, 20_000 + start + lesson.done))
    finished(station.lessons.propose(lesson, "ann", goes_on=goes_on))


def taught_in_batches(station: Station, *, goes_on: bool) -> set[float]:
    """Times at which good parts count as taught that came in two batches."""
    propose_good(station, 500, goes_on=goes_on)
    propose_good(station, 540, goes_on=False)
    return {e.utc for chunk in station.recipe.candidate.learned.lessons[1:] for e in chunk.exemplars}


def test_batches_of_one_command_are_one_lot_and_two_commands_are_two(station: Station) -> None:
    assert len(taught_in_batches(station, goes_on=True)) == 1
    station.lessons.cancel("ann")
    assert len(taught_in_batches(station, goes_on=False)) == 2


@pytest.mark.parametrize(
    "act",
    [
        lambda lessons: lessons.cancel("ann"),
        lambda lessons: finished(lessons.promote("ann", overrule=True)),
        lambda lessons: (finished(lessons.promote("ann", overrule=True)), finished(lessons.undo("ann"))),
    ],
    ids=["cancel", "promote", "undo"],
)
def test_after_something_else_was_done_a_lesson_is_of_another_lot(
    station: Station, act: Callable[[Lessons], object]
) -> None:
    propose_good(station, 500, goes_on=True)
    (first,) = {e.utc for e in station.recipe.candidate.learned.exemplars[TAUGHT:]}
    act(station.lessons)
    propose_good(station, 540, goes_on=False)

    assert station.recipe.candidate.learned.exemplars[-1].utc > first


def test_what_is_forgotten_or_taken_back_is_called_what_people_called_it(station: Station) -> None:
    lesson = station.lessons.begin("Pit Mark", [example(900)])
    while lesson.next_variant() is not None:
        lesson.take(embedding(station, 30_000 + lesson.done))
    finished(station.lessons.learn(lesson, "ann"))

    assert station.forget("Pit Mark", "ann").name == "Pit Mark"
    assert station.undo("ann").name == "Pit Mark"
    assert [one.name for one in station.lessons.classes()] == ["good", "Pit Mark"]
