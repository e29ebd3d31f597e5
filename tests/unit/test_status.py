"""What is wrong with a station, in sentences: counts since the start, and nothing for one slow step."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from status_values import box_of, status_of

from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.ledger import LedgerStatus
from edge_agent.printing import print_status
from edge_agent.runtime.loop import StepTimes
from edge_agent.status import Status, Trouble, troubles_of


def only(status: Status) -> Trouble:
    (trouble,) = troubles_of(status)
    return trouble


def test_a_station_that_is_well_has_no_trouble() -> None:
    assert list(troubles_of(status_of())) == []


@pytest.mark.parametrize(
    ("status", "kind", "count"),
    [
        (replace(status_of(), inspection=InspectionCounts(late=7)), "late", 7),
        (replace(status_of(), pictures_dropped=3), "pictures", 3),
        (replace(status_of(), ledger=LedgerStatus(lost=2)), "lost", 2),
        (replace(status_of(), mailboxes={"calls": replace(box_of(), dropped=1, refused=4)}), "mailbox_calls", 5),
    ],
)
def test_what_is_counted_says_since_when_and_how_often(status: Status, kind: str, count: int) -> None:
    trouble = only(status)

    assert (trouble.kind, trouble.count) == (kind, count)
    assert "since the start" in trouble.message


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
