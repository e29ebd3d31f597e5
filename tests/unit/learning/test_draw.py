"""The draw of parts for a person's word, and why nothing else may say how far good parts lie from good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from ledger_parts import SERIES, missed, part

from edge_agent.inspection.ring import Ring
from edge_agent.learning.draw import GROUP, MAX_WORDS, Drawing, good_among
from edge_agent.records import Outcome, Part

DRAWING = Drawing("default", 5)
KNOWN = {"ab" * 32}


@dataclass
class Rows:
    """As much of a ledger's reading side as the draw looks at."""

    parts: dict[int, Part] = field(default_factory=dict)

    def labelled(self, most: int) -> list[tuple[str, int]]:
        assert most == MAX_WORDS
        return [(SERIES, number) for number, row in self.parts.items() if row.operator_label is not None]

    def parts_of(self, series: str, numbers: Sequence[int]) -> Iterable[Part]:
        return [self.parts[number] for number in sorted(numbers) if series == SERIES and number in self.parts]

    def last_series(self) -> str | None:
        return SERIES if self.parts else None

    def last_number(self, series: str) -> int:
        return max(self.parts, default=0)


def line(parts: int, words: Callable[[Part], str | None]) -> Rows:
    """A line on which every third part is stopped, with what a person says of each drawn one."""
    rows = Rows()
    for number in range(1, parts + 1):
        made = part(number, outcome=Outcome.NG if number % 3 == 0 else Outcome.OK)
        said = words(made) if DRAWING.has(SERIES, number) else None
        rows.parts[number] = replace(made, id=number, operator_label=said)
    return rows


def numbers(parts: Iterable[Part]) -> list[int]:
    return [found.trigger.number for found in parts]


def test_one_part_of_each_block_is_drawn_whatever_it_is() -> None:
    drawn = [number for number in range(1, 10_001) if DRAWING.has("line", number)]

    assert [(number - 1) // 5 for number in drawn] == list(range(2000))
    assert drawn == [DRAWING.number("line", block) for block in range(2000)]
    assert np.bincount([(number - 1) % 5 for number in drawn]) == pytest.approx([400] * 5, abs=72)  # 4 deviations


def test_series_are_drawn_differently_and_the_same_one_always_alike() -> None:
    first, second = ([DRAWING.number(series, block) for block in range(100)] for series in ("a", "b"))

    assert first == [Drawing("other", 5).number("a", block) for block in range(100)]
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 50


def test_one_in_one_is_every_part() -> None:
    assert all(Drawing("default", 1).has("line", number) for number in range(1, 100))


def test_words_count_where_everything_that_was_drawn_has_one() -> None:
    rows = line(5 * GROUP * 2, lambda made: "good")

    counted = DRAWING.counted(rows, KNOWN)

    assert numbers(counted) == [DRAWING.number(SERIES, block) for block in range(2 * GROUP)]
    assert len(good_among(counted, "good")) == 2 * GROUP
    assert DRAWING.waiting(rows, KNOWN) == []


def test_a_person_who_only_answers_for_what_was_stopped_changes_nothing() -> None:
    rows = line(1000, lambda made: "good" if made.verdict.outcome is Outcome.NG else None)

    assert DRAWING.counted(rows, KNOWN) == []
    assert {found.verdict.outcome for found in DRAWING.waiting(rows, KNOWN)} == {Outcome.OK}


def test_one_word_that_is_missing_or_taken_back_holds_up_its_group_alone() -> None:
    rows = line(5 * GROUP * 3, lambda made: "good")
    silent = DRAWING.number(SERIES, GROUP + 3)
    rows.parts[silent] = replace(rows.parts[silent], operator_label=None)

    counted = numbers(DRAWING.counted(rows, KNOWN))

    assert counted == DRAWING.group(SERIES, 0) + DRAWING.group(SERIES, 2)
    assert numbers(DRAWING.waiting(rows, KNOWN)) == [silent]


def test_a_group_that_the_line_has_not_reached_the_end_of_is_not_complete() -> None:
    last = DRAWING.group(SERIES, 0)[-1]

    assert DRAWING.counted(line(last - 1, lambda made: "good"), KNOWN) == []
    assert len(DRAWING.counted(line(last, lambda made: "good"), KNOWN)) == GROUP


def test_nobody_has_to_answer_for_parts_that_showed_nothing() -> None:
    rows = line(5 * GROUP, lambda made: "good")
    blind, lost, foreign, older = (DRAWING.number(SERIES, block) for block in range(4))
    rows.parts[blind] = missed(blind)
    del rows.parts[lost]
    rows.parts[foreign] = replace(rows.parts[foreign], recipe="other", operator_label=None)
    rows.parts[older] = replace(rows.parts[older], knowledge="", operator_label=None)

    assert numbers(DRAWING.counted(rows, KNOWN)) == DRAWING.group(SERIES, 0)[4:]
    assert DRAWING.waiting(rows, KNOWN) == []


def test_defective_parts_count_as_answered_and_are_not_held_out() -> None:
    rows = line(5 * GROUP, lambda made: "scratch" if made.verdict.outcome is Outcome.NG else "good")
    counted = DRAWING.counted(rows, KNOWN)

    assert len(counted) == GROUP
    assert 0 < len(good_among(counted, "good")) < GROUP


def test_words_on_parts_that_were_not_drawn_count_nothing() -> None:
    rows = line(5 * GROUP, lambda made: None)
    for number, row in rows.parts.items():
        if not DRAWING.has(SERIES, number):
            rows.parts[number] = replace(row, operator_label="good")

    assert DRAWING.counted(rows, KNOWN) == []


def test_an_empty_ledger_has_nothing_to_wait_for() -> None:
    assert DRAWING.counted(Rows(), KNOWN) == DRAWING.waiting(Rows(), KNOWN) == []


ROUNDS, HELD_OUT, ASKED = 60, 120, 0.01
Feeds = Callable[[int, bool], bool]
"""Says by a part's number, and whether it is judged OK, whether it joins the held-out parts."""


def fed(feeds: Feeds) -> tuple[float, float]:
    """Run a line of good parts for a long time; give the share of them stopped at its end, and of defects let through.

    The held-out parts are always the newest ones.
    """
    rng = np.random.default_rng(4)
    held_out = rng.chisquare(8, HELD_OUT)
    number = 0
    for _ in range(ROUNDS):
        ring, joined = Ring(held_out), []
        while len(joined) < HELD_OUT and number < ROUNDS * HELD_OUT * DRAWING.one_in:
            scores = rng.chisquare(8, 600)
            ok = ring.p_value(scores) > ASKED
            joined += [s for i, s in enumerate(scores, number + 1) if feeds(i, bool(ok[i - number - 1]))]
            number += len(scores)
        held_out = np.array([*held_out, *joined])[-HELD_OUT:]
    ring = Ring(held_out)
    good, bad = rng.chisquare(8, 5000), 22.0 + rng.chisquare(8, 5000)
    return float(np.mean(ring.p_value(good) <= ASKED)), float(np.mean(ring.p_value(bad) > ASKED))


@pytest.fixture(scope="module")
def drawn() -> tuple[float, float]:
    return fed(lambda number, ok: DRAWING.has("line", number))


def test_held_out_parts_that_are_drawn_keep_their_promise_for_ever(drawn: tuple[float, float]) -> None:
    assert drawn[0] < 0.04


def test_held_out_parts_that_were_judged_ok_stop_more_and_more_good_parts(drawn: tuple[float, float]) -> None:
    stopped, _ = fed(lambda number, ok: ok)

    assert stopped > 0.25 > 5 * drawn[0]


def test_held_out_parts_that_were_stopped_and_corrected_let_more_and_more_defects_through(
    drawn: tuple[float, float],
) -> None:
    _, passed = fed(lambda number, ok: not ok)

    assert passed > 0.8 > 2 * drawn[1]
