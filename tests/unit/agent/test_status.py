"""What is wrong with a station, in sentences: counts since the start, and nothing for one slow step."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from ledger_parts import part
from status_values import box_of, status_of

from edge_agent.agent.status import Status, Trouble, drawn_of
from edge_agent.agent.troubles import troubles_of
from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.inspection.judge import Promise
from edge_agent.ledger import LedgerStatus
from edge_agent.records import Outcome, Part
from edge_agent.runtime.custody import CustodyStatus
from edge_agent.runtime.loop import StepTimes
from edge_agent.terminal.printing import print_status


def only(status: Status) -> Trouble:
    (trouble,) = troubles_of(status)
    return trouble


def test_a_station_that_is_well_has_no_trouble() -> None:
    assert list(troubles_of(status_of())) == []


@pytest.mark.parametrize(
    ("status", "kind", "count"),
    [
        (replace(status_of(), inspection=InspectionCounts(late=7)), "late", 7),
        (replace(status_of(), evidence_dropped=3), "evidence", 3),
        (replace(status_of(), ledger=LedgerStatus(lost=2)), "lost", 2),
        (replace(status_of(), mailboxes={"calls": replace(box_of(), dropped=1, refused=4)}), "mailbox_calls", 5),
    ],
)
def test_what_is_counted_says_since_when_and_how_often(status: Status, kind: str, count: int) -> None:
    trouble = only(status)

    assert (trouble.kind, trouble.count) == (kind, count)
    assert "since the start" in trouble.message


def test_background_work_that_starves_and_memory_beyond_the_budget_are_troubles() -> None:
    status = status_of()
    hungry = replace(status, dispatch=replace(status.dispatch, background_oldest_s=61.0))
    assert (only(hungry).kind, "61 s" in only(hungry).message) == ("starved", True)
    assert not list(troubles_of(replace(status, dispatch=replace(status.dispatch, background_oldest_s=59.0))))
    fat = replace(status, memory_mb=251.0, memory_limit_mb=250.0)
    assert (only(fat).kind, only(fat).message) == ("memory", "251 MB are used, 250 MB are allowed")
    assert not list(troubles_of(replace(fat, memory_mb=250.0)))


@pytest.mark.parametrize(
    ("old", "kinds"),
    [({"evidence": 65}, ["held"]), ({"evidence": 40, "inspection": 24}, []), ({"teaching": 500, "inspection": 9}, [])],
)
def test_what_is_never_let_go_of_is_a_trouble_and_named_but_for_a_lesson(old: dict[str, int], kinds: list[str]) -> None:
    troubles = list(troubles_of(replace(status_of(), custody=CustodyStatus(held=600, old=old))))

    assert [trouble.kind for trouble in troubles] == kinds
    assert all("65 by evidence" in trouble.message for trouble in troubles)


@pytest.mark.parametrize(("known", "kinds"), [(True, []), (False, []), (None, ["clock_unknown"])])
def test_a_kernel_that_may_not_be_asked_for_the_clock_is_a_trouble(known: bool | None, kinds: list[str]) -> None:
    status = replace(status_of(), clock_synchronised=known)

    assert [trouble.kind for trouble in troubles_of(status)] == kinds


@pytest.mark.parametrize(
    ("steps", "over_budget", "worst_s", "slow"),
    [
        (1000, 11, 0.2, True),
        (1000, 10, 0.2, False),
        (1000, 500, 0.05, False),
    ],
)
def test_a_component_is_slow_when_it_was_so_more_than_once(
    steps: int, over_budget: int, worst_s: float, slow: bool
) -> None:
    status = replace(status_of(), steps=(StepTimes("inspection", steps, worst_s, over_budget, 0, False),))

    assert [trouble.kind for trouble in troubles_of(status)] == ["slow_inspection"] * slow


def printed(status: Status, capsys: pytest.CaptureFixture[str]) -> str:
    print_status(msgspec.json.decode(msgspec.json.encode(status)))
    return capsys.readouterr().out


def test_a_lesson_that_is_on_its_way_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "on its way: good, 81 of 139\n" in printed(replace(status_of(), teaching=("good", 81, 139)), capsys)
    assert "on its way" not in printed(replace(status_of(), teaching=None), capsys)


def test_every_queue_is_printed_whatever_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("api", "a_queue_with_a_long_name", "x")
    lines = printed(replace(status_of(), mailboxes={name: box_of() for name in names}), capsys).splitlines()
    queues = [line for line in lines if line.startswith("  mailbox")]

    assert [line.split()[1] for line in queues] == list(names)
    assert len({line.index(" of ") for line in queues}) == 1


def test_a_status_without_a_readable_ledger_is_printed_with_its_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(replace(status_of(), troubles=(Trouble("reader", "cannot be read", "look"),)), capsys)

    assert "1 troubles:\n  cannot be read\n    look" in text
    assert "  \n" not in text


@pytest.mark.parametrize(
    ("held_out", "possible", "kinds"),
    [(99, 0.01, []), (98, 1 / 99, ["few_held_out"]), (40, 1 / 41, ["few_held_out"]), (0, 1.0, [])],
)
def test_too_few_held_out_parts_for_what_is_asked_are_a_trouble(
    held_out: int, possible: float, kinds: list[str]
) -> None:
    status = replace(status_of(), promise=Promise(held_out, 0.01, possible, None))

    assert [trouble.kind for trouble in troubles_of(status)] == kinds


def test_it_says_what_can_be_promised_and_how_many_parts_are_missing() -> None:
    trouble = only(replace(status_of(), promise=Promise(40, 0.01, 1 / 41, 0.05)))

    assert "of 40 held-out good parts: at best 2.4 %" in trouble.message
    assert "not 1 %" in trouble.message
    assert "teach 118 more good parts" in trouble.hint


def word(number: int, outcome: Outcome, label: str | None) -> Part:
    return replace(part(number, outcome=outcome), id=number, operator_label=label)


def test_what_was_observed_is_the_share_of_good_parts_that_were_stopped() -> None:
    counted = [word(1, Outcome.NG, "good"), word(2, Outcome.UNSURE, "good"), word(3, Outcome.NG, "pit")]
    counted += [word(number, Outcome.OK, "good") for number in range(4, 42)]
    drawn = drawn_of(counted, [word(number, Outcome.OK, None) for number in range(50, 62)], "good")

    assert (drawn.stopped.count, drawn.stopped.of) == (2, 40)
    assert (drawn.waiting, drawn.next) == (12, (50, 51, 52))
    assert (drawn.stopped.low, drawn.stopped.high) == pytest.approx((0.0061, 0.1692), abs=1e-4)  # Clopper-Pearson


def test_expected_and_observed_false_rejects_stand_one_below_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    counted = [word(number, Outcome.NG if number == 1 else Outcome.OK, "good") for number in range(1, 41)]
    drawn = drawn_of(counted, [word(77, Outcome.OK, None)], "good")
    lines = printed(replace(status_of(), drawn=drawn), capsys).splitlines()
    at = next(i for i, line in enumerate(lines) if "expected" in line)

    assert lines[at : at + 3] == [
        "good parts that are stopped: 1.2% expected, of 200 held out",
        "  observed 1 of 40 drawn parts that people called good: 2.5% (95 %: 0.1% to 13.2%)",
        "  1 drawn parts wait for a word, next: 77",
    ]


@pytest.mark.parametrize(
    ("lots", "unshown", "said"),
    [
        (0, None, "of a lot never shown nothing is known: teach good parts of other lots and shifts too"),
        (1, None, "of a lot never shown nothing is known: teach good parts of other lots and shifts too"),
        (4, 0.208, "of a lot never shown up to 21% may be found not normal, on average over lots"),
    ],
)
def test_what_is_promised_of_a_lot_never_shown_is_said(
    lots: int, unshown: float | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = replace(status_of(), promise=Promise(200, 0.01, 0.01, 0.012, lots, unshown))
    text = printed(status, capsys)

    assert said in text
    assert ("from 4 lots" in text) == (lots == 4)


def test_what_a_station_of_an_older_release_says_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    status = msgspec.json.decode(msgspec.json.encode(status_of()))
    del status["promise"]["lots"], status["promise"]["unshown"]
    print_status(status)

    assert "of 200 held out\n" in capsys.readouterr().out


def test_before_anybody_said_anything_there_is_nothing_observed(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(replace(status_of(), drawn=drawn_of([], [], "good")), capsys)

    assert "1.2% expected" in text
    assert "observed" not in text and "wait for a word" not in text
