"""Runs the demo from the good run to the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import Progress

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.config.faults import missing
from edge_agent.demo.lesson_plan import FIRST_MINUTE_PARTS, SHORT_SHARE, WHO, Tray, good_run
from edge_agent.demo.report import DemoReport, class_reports, report_lines, weak_classes
from edge_agent.demo.screen import Screen
from edge_agent.demo.stationfile import STATION, write_station
from edge_agent.demo.tally import Tally
from edge_agent.errors import BadData, ConfigError, EdgeAgentError
from edge_agent.learning.outcome import Proposal
from edge_agent.learning.proof import ProofSheet, summary
from edge_agent.learning.slots import SLOTS
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.records import Outcome, Part
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.feed import Feed
from edge_agent.sources.simline import SimLine
from edge_agent.station import Station
from models.castings import NORMAL, CastingLine

GOOD_RUN: Final = 240
"""Confirmed good parts at the start: 120 to learn from, 120 held out, enough to promise 1 % false rejects."""


@dataclass(frozen=True)
class DemoOptions:
    """What a person may choose.

    Attributes:
        state_dir: where the database goes; None for a new folder named after the time.
        parts: parts in all; 0 for no end.
        parts_per_s: pace of the line [1/s].
        fast: at full speed, however fast that is here.
        seed: of the line.
        bundle: a shipped bundle, or its folder.
        json: print the report as JSON.
    """

    state_dir: Path | None
    parts: int
    parts_per_s: float
    fast: bool
    seed: int
    bundle: str
    json: bool


class Demo:
    """One demo: what is taught when, and what is counted where.

    Args:
        options: what the person chose.
        console: where to show; not the place of the report.
    """

    def __init__(self, options: DemoOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._line = CastingLine(options.seed)
        self._before, self._after = Tally(NORMAL), Tally(NORMAL)
        short = options.parts and (options.fast or options.parts <= FIRST_MINUTE_PARTS)
        self._after_parts = min(FIRST_MINUTE_PARTS, int(SHORT_SHARE * options.parts)) if short else FIRST_MINUTE_PARTS
        self._screen = Screen(console, options.parts, self._before, self._after)
        self._taught_s: list[float] = []
        self._stopped: int | None = None

    def run(self, serve: Callable[[Callable[[], Agent]], int]) -> tuple[int, DemoReport | None]:
        """Teach the good run, judge the line, teach the tray; give the exit code and, where it is 0, the report."""
        options = self._options
        stamp = datetime.fromtimestamp(SystemClock().utc(), UTC).astimezone().strftime("%Y%m%d-%H%M%S")
        config = Config.defaults(options.state_dir or Path("state") / f"demo-{stamp}")
        recipe = msgspec.structs.replace(config.recipe, bundle=options.bundle)
        config = msgspec.structs.replace(config, recipe=recipe).resolved(Path())
        refuse_used(Path(config.station.state_dir))
        for conflict in missing(config):
            raise ConfigError(conflict.reason, hint=conflict.hint)
        write_station(config, options.seed, options.parts_per_s)
        self._begin_with_good_parts(config)
        started_s = SystemClock().now()
        self._screen.open()
        try:
            code = serve(lambda: self._build(config))
        finally:
            self._screen.close()
        return code, self._report(SystemClock().now() - started_s) if code == 0 else None

    def _build(self, config: Config) -> Agent:
        options = self._options
        pace = None if options.fast else options.parts_per_s
        agent = self._agent = build(config, supply=SimLine(self._line, pace, options.parts), told=self._told)
        assert isinstance(agent.source, Feed)
        self._feed = agent.source
        if options.fast:
            self._feed.hold(self._after_parts)
        self._tray = Tray(agent, self._line, self._after_parts, self._proven, self._learned)
        agent.loop.add(self._tray)
        agent.loop.add(self._screen)
        return agent

    def _begin_with_good_parts(self, config: Config) -> None:
        quiet = not self._console.is_terminal
        with Station(config) as station, Progress(console=self._console, transient=True, disable=quiet) as progress:
            task = progress.add_task(f"looking at {GOOD_RUN} good parts", total=GOOD_RUN)
            station.teach(
                NORMAL,
                list(good_run(self._line, GOOD_RUN)),
                who=WHO,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )

    def _told(self, part: Part) -> None:
        self._tray.seen += 1
        if self._tray.seen == self._after_parts:
            self._screen.say("the teaching tray has arrived: five examples of each defect are being taught")
        (self._after if self._taught_s else self._before).add(part)
        if part.verdict.outcome is Outcome.NG:
            self._stopped = part.id
        self._screen.told(part)

    def _proven(self, sheet: ProofSheet) -> None:
        decision = "refused" if sheet.refused else "promoted"
        self._screen.say(f"{sheet.occasion.change}: {summary(sheet)}; {decision} after {sheet.took_s:.1f} s of proof")

    def _learned(self, results: list[Proposal | EdgeAgentError]) -> None:
        self._feed.release()
        failures = [result for result in results if isinstance(result, EdgeAgentError)]
        self._taught_s = [result.taught.seconds for result in results if isinstance(result, Proposal)]
        classes = ", ".join(result.taught.label for result in results if isinstance(result, Proposal))
        self._screen.say(f"knows {classes}" + (f"; {len(failures)} lessons failed: {failures[0]}" if failures else ""))

    def _report(self, seconds: float) -> DemoReport:
        agent = self._agent
        with agent.holdings.reader() as reader:
            parts = {str(outcome): count for outcome, count in reader.counts().items()}
            latencies = tuple(reader.latencies())
        classes = class_reports(self._before, self._after, NORMAL)
        return DemoReport(
            parts=parts,
            triggers=agent.source.position().number,
            late=agent.inspector.counts.late + agent.inspector.counts.overloaded,
            taught_after=self._after_parts,
            planned=self._tray.planned,
            taught=self._tray.taught,
            teaching_s=sum(self._taught_s) if self._taught_s else None,
            right_before=self._before.right(),
            right_after=self._after.right(),
            classes=classes,
            weak=weak_classes(classes),
            latencies=latencies,
            ledger=str(Path(agent.holdings.config.station.state_dir) / "ledger.db"),
            config=str(Path(agent.holdings.config.station.state_dir) / STATION),
            part=self._stopped,
            seconds=seconds,
        )


def refuse_used(state_dir: Path) -> None:
    """Refuse a state directory that already knows something: what the demo reports would not be about its own run."""
    found = [name for name in (FILE_NAME, SLOTS, STATION) if (state_dir / name).exists()]
    if found:
        raise BadData(
            f"{state_dir} already holds a station ({', '.join(found)}), and the demo begins knowing nothing",
            hint="name a new folder: edge-agent demo --state DIR",
        )


def run_demo(options: DemoOptions, serve: Callable[[Callable[[], Agent]], int]) -> int:
    """Run the demo and print its report; give the exit code.

    Args:
        options: what the person chose.
        serve: makes an agent, runs it until it ends or is stopped, closes it, and gives the exit code.

    Returns:
        The exit code.
    """
    console = Console(stderr=options.json)
    code, report = Demo(options, console).run(serve)
    if report is None:
        return code
    if options.json:
        Console(highlight=False, soft_wrap=True).out(msgspec.json.encode(report).decode())
    else:
        for line in report_lines(report):
            console.print(line, highlight=False, soft_wrap=True)
    return code
