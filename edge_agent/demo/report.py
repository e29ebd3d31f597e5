"""What the demo found out, as numbers for programs and as text for people. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from edge_agent.demo.lesson_plan import FIRST_MINUTE_PARTS, SHORT_SHARE
from edge_agent.demo.tally import Tally
from edge_agent.ledger import Latency
from edge_agent.proportion import Proportion

WEAK_BELOW = 0.8
"""A class whose recall is lower is named as weak."""


@dataclass(frozen=True)
class ClassReport:
    """One class after teaching.

    Attributes:
        recall: parts called NG (for good parts: called OK).
        named: parts called NG by the right name; None for good parts.
        stopped: parts not let through.
        recall_before: `recall` before teaching.
    """

    recall: Proportion
    named: Proportion | None
    stopped: Proportion
    recall_before: Proportion


@dataclass(frozen=True)
class DemoReport:
    """The whole demo.

    Attributes:
        parts: recorded parts by outcome.
        triggers: what the source counted.
        late: parts that are UNSURE because this machine had no answer in time.
        taught_after: parts judged before the tray arrived.
        planned: classes on the tray.
        taught: those of them that were taught before the line ended.
        teaching_s: from the first lesson to the last promotion [s]; None when the tray was not taught to its end.
        right_before: right verdicts before teaching.
        right_after: right verdicts after teaching.
        classes: by truth.
        weak: classes with a recall below 0.8 after teaching.
        latencies: of the last parts.
        ledger: the database.
        config: the file that describes the demo's station.
        part: the last one that was stopped; None where none was.
        seconds: from the first part to the last [s].
    """

    parts: dict[str, int]
    triggers: int
    late: int
    taught_after: int
    planned: int
    taught: int
    teaching_s: float | None
    right_before: Proportion
    right_after: Proportion
    classes: dict[str, ClassReport]
    weak: tuple[str, ...]
    latencies: tuple[Latency, ...]
    ledger: str
    config: str
    part: int | None
    seconds: float


def class_reports(before: Tally, after: Tally, normal: str) -> dict[str, ClassReport]:
    """Give every class that was seen."""
    reports = {}
    for slug in after.classes or before.classes:
        good = slug == normal
        reports[slug] = ClassReport(
            recall=after.specificity() if good else after.recall(slug),
            named=None if good else after.named(slug),
            stopped=after.stopped(slug),
            recall_before=before.specificity() if good else before.recall(slug),
        )
    return reports


def weak_classes(reports: dict[str, ClassReport]) -> tuple[str, ...]:
    """Name the classes whose recall is low."""
    return tuple(slug for slug, report in reports.items() if report.recall.of and report.recall.mean < WEAK_BELOW)


def report_lines(report: DemoReport) -> Iterator[str]:
    """Write the report for people."""
    judged = sum(count for outcome, count in report.parts.items() if outcome != "MISSED")
    yield f"{report.triggers} triggers = {judged} verdicts + {report.parts['MISSED']} declared misses"
    yield "  " + ", ".join(f"{count} {outcome}" for outcome, count in report.parts.items())
    if report.late:
        yield f"  {report.late} are UNSURE because this machine had no answer in time: it is slow, or busy with others"
    yield ""
    yield f"right verdicts, knowing only good parts     {report.right_before}"
    if report.teaching_s is not None:
        yield f"right verdicts, after the teaching tray     {report.right_after}"
        yield f"  (five examples of each defect, taught in {report.teaching_s:.1f} s while the line ran)"
    else:
        were = "was" if report.taught == 1 else "were"
        yield f"  {report.taught} of {report.planned} classes {were} taught before the line ended; for all of them"
        yield f"  try --parts {_enough(report)}, or a slower line, --rate"
    yield ""
    yield f"{'class':<14}{'right':>8}{'before':>9}{'by name':>9}{'stopped':>9}   parts"
    for slug, row in report.classes.items():
        named = "" if row.named is None else _percent(row.named)
        stopped = "" if row.named is None else _percent(row.stopped)
        yield (
            f"{slug:<14}{_percent(row.recall):>8}{_percent(row.recall_before):>9}{named:>9}"
            f"{stopped:>9}{row.recall.of:>8}"
        )
    yield "  right: good parts called OK, defective ones NG. stopped: not let through (NG or UNSURE)."
    if report.weak:
        yield f"  weak: {', '.join(report.weak)}. The simulated line makes faint defects on purpose."
    yield ""
    for latency in report.latencies:
        if latency.hop in ("paired-committed", "trigger-acted"):
            what = "pair complete to verdict on disk" if latency.hop == "paired-committed" else "trigger to action"
            yield f"{what:<34} p50 {latency.p50_ms:6.1f} ms   p99 {latency.p99_ms:6.1f} ms"
    yield ""
    yield f"database: {report.ledger}"
    config = shlex.quote(report.config)
    if report.part is not None:
        yield f"why a part was stopped: edge-agent why {report.part} -c {config}"
    yield f"what it knows: edge-agent learned -c {config}"


def _enough(report: DemoReport) -> int:
    """Estimate how many parts must come for the whole tray to be taught while they do, at the pace that was seen."""
    seen = max(report.triggers - report.taught_after, 1)
    needed = seen * report.planned / max(report.taught, 1)
    return 100 * ceil(min(needed + FIRST_MINUTE_PARTS, needed / (1.0 - SHORT_SHARE)) / 100)


def _percent(value: Proportion) -> str:
    return f"{value.mean:.0%}" if value.of else "–"
