"""The demo's teaching tray, which never stops the line for good, and the report of what came of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from proof_states import several, sheet_of
from rich.console import Console

from edge_agent.agent.teacher import Plan
from edge_agent.config.file import parse_config
from edge_agent.demo import lesson_plan
from edge_agent.demo.lesson_plan import Tray
from edge_agent.demo.report import DemoReport, class_reports, report_lines, weak_classes
from edge_agent.demo.show import Demo, DemoOptions
from edge_agent.demo.stationfile import station_text
from edge_agent.demo.tally import Tally
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.outcome import Proposal, Taught
from edge_agent.learning.proof import summary
from edge_agent.learning.proof.sheet import Refusal
from edge_agent.ledger import Latency
from edge_agent.records import Outcome, Part, Times, Trigger, Verdict
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.steps import Paused, Steps
from edge_agent.testing.clock import ManualClock

DEFECTS = [slug for slug in lesson_plan.CLASSES if slug != lesson_plan.NORMAL]


SHEET = sheet_of([], several("scratch", 5))
REFUSED = replace(SHEET, refused=(Refusal("good", "good parts suffer."),))


class Station:
    """Stands in for the agent: lessons end when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: Callable[[Proposal | EdgeAgentError], None] | None = None
        self.somebody_teaches = False
        self.busy = False
        self.triggers = 0
        self.waiting = 0
        self.background = self.teacher = self.holdings = self.lessons = self.source = self.items = self.inspector = self
        self.recorder = self.products = self.in_use = self
        self.clock = ManualClock()
        self.in_flight = 0
        self.chores: list[Any] = []
        self.proposed = False
        self.said: list[str] = []

    def submit(self, chore: Any) -> bool:
        if not self.busy:
            self.chores.append(chore)
        return not self.busy

    def do_chores(self) -> None:
        while self.chores:
            chore = self.chores.pop()
            made = chore.run() if self.proposed else ["an example"]
            while isinstance(made, Paused):
                made = chore.run()
            chore.then(made)

    def stats(self) -> Any:
        return self

    def begin(self, *asked: Any) -> Any:
        """A lesson is begun by the station with its examples, and given by the teacher to a product with a plan."""
        if asked[1:] == (["an example"],):
            return asked[0]
        product, lesson, how, done, _ = asked
        assert (product, how) == (self, Plan(lesson, lesson_plan.WHO))
        self._give(lesson, done)
        return lesson

    def _give(self, lesson: str, done: Callable[[Proposal | EdgeAgentError], None]) -> None:
        if self.somebody_teaches or self.done is not None:
            raise Unavailable("the station is learning something else")
        self.asked.append(lesson)
        self.done = done

    def end(self, result: Proposal | EdgeAgentError | None = None) -> None:
        done, self.done = self.done, None
        assert done is not None
        taught = Taught(self.asked[-1], ("x",), (), 5, 0, "", 1.0, promoted=True)
        self.proposed = result is None
        done(result or Proposal(taught, SHEET))

    def promote(self, who: str) -> Steps[tuple[str, list[str]]]:
        yield None
        self.said.append(f"promoted by {who}")
        return "changed", ["row"]

    def cancel(self, who: str) -> str:
        self.said.append(f"cancelled by {who}")
        return "row"

    def apply(self, product: object, made: tuple[str, list[str]]) -> None:
        assert (product, made) == (self, ("changed", ["row"]))
        self.proposed = False

    def offer(self, row: str) -> None:
        self.proposed = False


@pytest.fixture
def station() -> Station:
    return Station()


@pytest.fixture
def finished() -> list[list[Proposal | EdgeAgentError]]:
    return []


@pytest.fixture
def tray(station: Station, finished: list[list[Proposal | EdgeAgentError]]) -> Tray:
    return Tray(station, SimpleNamespace(), 3, lambda sheet: station.said.append(summary(sheet)), finished.append)


def turn(tray: Tray, times: int = 5) -> float:
    for _ in range(times):
        wake = tray.step(0.0)
        tray._agent.do_chores()
    return wake


def test_the_tray_comes_after_the_parts_before_it(tray: Tray, station: Station) -> None:
    tray.seen = 2
    turn(tray)
    assert station.asked == []
    tray.seen = 3
    turn(tray)
    assert station.asked == DEFECTS[:1]


def test_a_part_that_is_never_seen_does_not_keep_the_tray_away(tray: Tray, station: Station) -> None:
    tray.seen, station.triggers, station.in_flight = 2, 3, 1
    turn(tray)
    station.in_flight, station.waiting = 0, 1
    turn(tray)
    assert station.asked == []
    station.waiting = 0
    turn(tray)
    assert station.asked == DEFECTS[:1]


def test_each_class_is_taught_once_and_a_lesson_that_fails_does_not_stop_the_tray(
    tray: Tray, station: Station, finished: list[list[Proposal | EdgeAgentError]]
) -> None:
    tray.seen = 3
    failure = BadData("cannot learn that")
    for i in range(len(DEFECTS)):
        turn(tray)
        assert len(station.asked) == i + 1
        station.end(failure if i == 1 else None)
        tray._agent.do_chores()

    assert turn(tray, 1) == NEVER
    assert station.said == [summary(SHEET), "promoted by demo"] * (len(DEFECTS) - 1)
    assert station.asked == DEFECTS
    (results,) = finished
    assert [result is failure for result in results] == [i == 1 for i in range(len(DEFECTS))]


def test_while_somebody_else_teaches_or_the_background_is_full_the_tray_waits_and_leaves_no_class_out(
    tray: Tray, station: Station
) -> None:
    tray.seen = 3
    station.busy = True
    turn(tray)
    station.busy, station.somebody_teaches = False, True
    assert turn(tray) != NEVER
    assert station.asked == []

    station.somebody_teaches = False
    for _ in DEFECTS:
        turn(tray)
        station.end()
        tray._agent.do_chores()
    assert station.asked == DEFECTS


def test_a_class_that_its_proof_sheet_refuses_is_cancelled_and_said(
    tray: Tray, station: Station, finished: list[list[Proposal | EdgeAgentError]]
) -> None:
    tray.seen = 3
    for i in range(len(DEFECTS)):
        turn(tray)
        station.end(
            Proposal(Taught(DEFECTS[i], ("x",), (), 5, 0, "", 1.0, promoted=False), REFUSED) if i == 0 else None
        )
        station.proposed = True
        tray._agent.do_chores()
    turn(tray)

    assert station.said[1] == "cancelled by demo"
    assert str(finished[0][0]) == "refused: good parts suffer."
    assert all(isinstance(result, Proposal) for result in finished[0][1:])


def test_a_held_line_is_released_at_the_end_of_a_tray_whatever_came_of_it() -> None:
    options = DemoOptions(state_dir=None, parts=40, parts_per_s=5.0, fast=True, seed=1, bundle="generic", json=True)
    text = io.StringIO()
    demo = Demo(options, Console(file=text))
    released: list[bool] = []
    demo._feed = SimpleNamespace(release=lambda: released.append(True))

    demo._learned([BadData("cannot learn that")])
    assert released == [True]
    assert "1 lessons failed: cannot learn that" in text.getvalue()


def part(truth: str, outcome: Outcome, label: str | None = None) -> Part:
    return Part(Trigger("s", 1, 0.0, truth), Verdict(outcome, label), Times(0.0), "default")


def tally(*parts: Part) -> Tally:
    counted = Tally("good")
    for each in parts:
        counted.add(each)
    return counted


BEFORE = tally(part("good", Outcome.OK), part("crack", Outcome.OK))
AFTER = tally(
    *[part("good", Outcome.OK)] * 9,
    part("good", Outcome.UNSURE),
    *[part("crack", Outcome.NG, "crack")] * 3,
    part("crack", Outcome.UNSURE),
)


def test_each_class_has_what_was_right_before_and_after() -> None:
    reports = class_reports(BEFORE, AFTER, "good")

    assert list(reports) == ["good", "crack"]
    assert (reports["good"].recall.count, reports["good"].recall_before.count, reports["good"].named) == (9, 1, None)
    crack = reports["crack"]
    assert crack.named is not None
    assert (crack.recall.count, crack.named.count, crack.stopped.count, crack.recall_before.count) == (3, 3, 4, 0)
    assert weak_classes(reports) == ("crack",)


def test_without_teaching_the_classes_are_those_before() -> None:
    reports = class_reports(BEFORE, tally(), "good")

    assert list(reports) == ["good", "crack"]
    assert weak_classes(reports) == ()


def report(teaching_s: float | None, late: int = 0, taught: int = 7, part: int | None = 11) -> DemoReport:
    classes = class_reports(BEFORE, AFTER, "good")
    return DemoReport(
        parts={"OK": 10, "NG": 3, "UNSURE": 2, "MISSED": 1},
        triggers=16,
        late=late,
        taught_after=2,
        planned=7,
        taught=taught,
        teaching_s=teaching_s,
        right_before=BEFORE.right(),
        right_after=AFTER.right(),
        classes=classes,
        weak=weak_classes(classes),
        latencies=(
            Latency("paired-committed", 15, 22.25, 28.75, 30.0),
            Latency("inferred-decided", 15, 0.5, 0.75, 0.9),
        ),
        ledger="state/demo/ledger.db",
        config="state/my demo/station.toml",
        part=part,
        seconds=3.0,
    )


def test_the_report_says_what_it_counted() -> None:
    text = "\n".join(report_lines(report(2.5)))

    assert text.startswith("16 triggers = 15 verdicts + 1 declared misses\n  10 OK, 3 NG, 2 UNSURE, 1 MISSED\n")
    assert "taught in 2.5 s" in text
    assert "no answer in time" not in text
    assert "  2 are UNSURE because this machine had no answer in time" in "\n".join(report_lines(report(2.5, late=2)))
    assert "weak: crack" in text
    assert "p50   22.2 ms   p99   28.8 ms" in text and "0.75" not in text
    assert "database: state/demo/ledger.db" in text


def test_the_report_ends_with_commands_that_work_with_what_was_judged() -> None:
    ask = "why a part was stopped: edge-agent why 11 -c 'state/my demo/station.toml'"
    know = "what it knows: edge-agent learned -c 'state/my demo/station.toml'"

    assert list(report_lines(report(2.5)))[-2:] == [ask, know]
    assert not any("why" in line for line in report_lines(report(2.5, part=None)))


@pytest.mark.parametrize(
    ("taught", "said"), [(1, "  1 of 7 classes was taught before the line ended"), (0, "  0 of 7 classes were taught")]
)
def test_a_line_that_ended_before_its_teaching_says_so_and_what_to_try(taught: int, said: str) -> None:
    text = "\n".join(report_lines(report(None, taught=taught)))

    assert said in text and "--parts 200, or" in text
    assert "before the line ended" not in "\n".join(report_lines(report(2.5)))


def test_the_tray_counts_the_classes_that_were_taught(tray: Tray, station: Station) -> None:
    tray.seen = 3
    for failure in (None, BadData("cannot learn that"), None):
        turn(tray)
        station.end(failure)
        tray._agent.do_chores()

    assert (tray.taught, tray.planned) == (2, len(DEFECTS))


@pytest.mark.parametrize("bundle", ["castings", '/tmp/a "b" \\ \u00fc/mine'])
def test_the_demo_describes_its_station_for_every_other_verb(bundle: str) -> None:
    config, problems = parse_config(station_text(bundle, 3, 2.5), Path("/state/demo"), ())

    assert problems == []
    assert Path(config.station.state_dir) == Path("/state/demo")
    assert config.recipe.bundle == bundle
    assert (config.source.simline.seed, config.source.simline.parts_per_s) == (3, 2.5)


def test_a_demo_that_was_not_taught_claims_nothing_about_teaching() -> None:
    assert "teaching tray" not in "\n".join(report_lines(report(None)))
