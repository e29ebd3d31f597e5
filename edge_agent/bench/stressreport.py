"""What a line under load found out, as numbers for programs and as text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_agent.bench.report import Span
from edge_agent.proportion import Proportion
from edge_agent.runtime.custody import CustodyStatus
from edge_agent.scheduler.account import DispatchCounts
from edge_agent.terminal.printing import say

FEWEST_FOR_SLOPE: Final = 10_000
"""Parts; with fewer, what a start settles into reads as a leak."""

BUDGET_MS: Final = 20.0
"""From a complete pair to the committed verdict: what is left of 100 ms behind a window of 80 ms."""

SETTLED: Final = 0.2
"""Share of the run after which memory counts: before, caches fill and the allocator settles."""


@dataclass(frozen=True)
class Slope:
    """How memory grew over the run, by least squares.

    Attributes:
        start_mb: proportional set size when the slope begins [MB].
        end_mb: at the end [MB].
        per_100k_mb: growth for each 100,000 parts [MB].
        error_mb: standard error of that [MB].
        looks: how many values it is made from.
    """

    start_mb: float
    end_mb: float
    per_100k_mb: float
    error_mb: float
    looks: int


@dataclass(frozen=True)
class StressReport:
    """What was measured.

    Attributes:
        parts: triggers that were answered.
        parts_per_s: pace that was asked for; None: as fast as the station answers.
        deadline_ms: of the recipe, from the trigger [ms].
        seconds: from the first part to the last [s].
        load: what the station was run against, in words.
        outcomes: parts by outcome.
        causes: parts by cause, where there is one.
        missed: parts without a verdict of their own in time: UNSURE because it was late or no device could judge,
            judged without what came too late, or never answered at all.
        overdue: parts that the output heard of after their deadline.
        budget: parts that took longer than 20 ms from pair to commit.
        hops: of a part's life, as in `edge-agent status`.
        p999_ms: pair complete to committed, what one in a thousand exceeds [ms].
        wait_p99_ms: longest 99th percentile of the wait for a device, over looks at the newest 512 parts [ms].
        encoded: pieces of background work on the device.
        faults: how often the device was made to go wrong, by how.
        dispatch: what became of the jobs.
        events: warnings and errors that the station recorded, by kind.
        memory: None where the system does not say.
        own_mb: what of that the bench itself holds: the castings that come again and again [MB].
        custody: the pictures and windows in memory when the line had ended.
        page_faults: pages that the kernel had to give for each part, in the settled part of the run.
        machine: processor and system.
        versions: of the program and its runtimes.
    """

    parts: int
    parts_per_s: float | None
    deadline_ms: float
    seconds: float
    load: str
    outcomes: dict[str, int]
    causes: dict[str, int]
    missed: Proportion
    overdue: int
    budget: Proportion
    hops: dict[str, Span]
    p999_ms: float
    wait_p99_ms: float
    encoded: int
    faults: dict[str, int]
    dispatch: DispatchCounts
    events: dict[str, int]
    memory: Slope | None
    own_mb: float
    custody: CustodyStatus
    page_faults: float
    machine: str
    versions: dict[str, str]


def slope_of(looks: Sequence[tuple[int, float]]) -> Slope | None:
    """Give how memory grew.

    Args:
        looks: parts so far and proportional set size [MB], in the order in which they were taken.

    Returns:
        The slope after the first fifth of the parts; None of fewer than three looks.
    """
    if not looks:
        return None
    settled = [look for look in looks if look[0] >= SETTLED * looks[-1][0]]
    if len(settled) < 3:
        return None
    parts, mb = np.array(settled, np.float64).T
    spread = float(np.square(parts - parts.mean()).sum())
    if spread == 0.0:
        return None
    slope = float(((parts - parts.mean()) * (mb - mb.mean())).sum()) / spread
    left = mb - mb.mean() - slope * (parts - parts.mean())
    error = float(np.sqrt(np.square(left).sum() / (len(settled) - 2) / spread))
    return Slope(float(mb[0]), float(mb[-1]), 1e5 * slope, 1e5 * error, len(settled))


def print_stress(report: StressReport) -> None:
    """Print the report for people."""
    pace = "as fast as it answers" if report.parts_per_s is None else f"{report.parts_per_s:g} parts/s"
    say(f"{report.parts} parts in {report.seconds:.0f} s, {pace}; {report.load}")
    say(f"{report.machine}; " + ", ".join(f"{name} {number}" for name, number in report.versions.items()))
    say("  " + _listed(report.outcomes) + (f"; causes: {_listed(report.causes)}" if report.causes else ""))
    deadline = f"the deadline of {report.deadline_ms:g} ms"
    say(f"missed {deadline}: {_per_million(report.missed)}; told after it: {report.overdue}")
    say(f"more than {BUDGET_MS:g} ms from pair to commit: {_per_million(report.budget)}")
    say(f"{'hop':<28}{'p50':>9}{'p99':>9}{'worst':>9}   ms")
    for hop, span in report.hops.items():
        say(f"{hop:<28}{span.p50_ms:9.2f}{span.p99_ms:9.2f}{span.max_ms:9.2f}")
    say(f"one in a thousand takes more than {report.p999_ms:.2f} ms from pair to commit")
    say(f"wait for a device: p99 {report.wait_p99_ms:.2f} ms at worst; {report.encoded} pieces of background work done")
    counts = report.dispatch
    say(
        f"jobs: {counts.submitted} submitted, {counts.done} done, {counts.too_late} too late, "
        f"{counts.faulted} faulted, {counts.refused} refused; "
        f"{counts.rerun} rerun, {counts.rescued} rescued, {counts.saved} saved by it, {counts.in_vain} in vain"
    )
    if report.events:
        say(f"the station recorded: {_listed(report.events)}")
    if report.faults:
        say(f"the device was made to go wrong: {_listed(report.faults)}")
    if (memory := report.memory) is not None:
        grows = f"{memory.per_100k_mb:+.2f} MB (standard error {memory.error_mb:.2f}) for each 100,000 parts"
        if report.parts < FEWEST_FOR_SLOPE:
            grows = f"how it goes on takes {FEWEST_FOR_SLOPE} parts to say"
        say(f"memory (PSS): {memory.start_mb:.1f} MB, then {memory.end_mb:.1f} MB; {grows}")
        say(f"of it the bench itself holds {report.own_mb:.1f} MB; {report.page_faults:.1f} page faults for each part")
    held = report.custody
    old = f"; for more than a minute: {_listed(held.old)}" if held.old else ""
    say(f"pictures and windows: {held.given} came, at most {held.most} in memory, at the end {held.held}{old}")


def _per_million(share: Proportion) -> str:
    return (
        f"{1e6 * share.mean:.0f} per million ({share.count} of {share.of}; "
        f"95 %: {1e6 * share.low:.0f} to {1e6 * share.high:.0f})"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
