"""Why a part was answered so, on one screen of a terminal; it decides nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.inspection.explanation import WIDTH, chart_of
from edge_agent.inspection.heatmap import LIMIT_LOGIT, LIMIT_SPREADS
from edge_agent.learning.proof.text import printable
from edge_agent.partview.onlooker import local_time
from edge_agent.partview.why import Why
from edge_agent.records import Verdict

STRONGEST: Final = 3
"""Regions that are named."""

MAX_LINES: Final = 2
"""Lines of one note."""


def why_lines(why: Why) -> list[str]:
    """Give the lines, of 80 columns."""
    part, verdict = why.part, why.part.verdict
    when = f"{local_time(part.decided_utc)}  {part.trigger.series} {part.trigger.number}"
    lines = [f"part {part.id}: {said(verdict)}", f"{when}{''.join(f'; {fact}' for fact in facts(verdict))}"]
    if unlike := ", ".join(anomalies(why)):
        lines.append(f"in its most unusual details: {unlike} spreads unlike good parts")
    if part.operator_label is not None:
        lines.append(f"a person said: {part.operator_label}")
    if why.now is not None and why.changed:
        lines.append(f"by what is known now: {said(why.now)}")
    lines = [printable(line)[:WIDTH] for line in lines]
    if why.explanation is not None:
        lines += ["", *map(_line, why.explanation.text(LIMIT_LOGIT).split("\n"))]
        if why.explanation.grid is not None:
            lines.append(f"strongest regions (row, column): {'; '.join(strongest(why.explanation.grid))}")
    lines += _unlike(why)
    return [*lines, *(line for note in why.notes for line in _wrapped(note))]


def said(verdict: Verdict) -> str:
    """Say a verdict in few words."""
    words = [str(verdict.outcome), verdict.label or ""]
    words += [f"{verdict.score:.2f}"] if verdict.score == verdict.score and verdict.score > 0.0 else []
    words += [f"({', '.join(filter(None, (verdict.cause, *verdict.degraded)))})"] * bool(
        verdict.cause or verdict.degraded
    )
    return " ".join(filter(None, words))


def facts(verdict: Verdict) -> Iterator[str]:
    """Give the numbers beside a verdict."""
    if verdict.p_normal is not None:
        yield f"p_normal {verdict.p_normal:.3f}"
    if verdict.distance is not None:
        yield f"distance {verdict.distance:.0f}"


def anomalies(why: Why) -> Iterator[str]:
    """Say how unlike good parts the details of a part were when it was judged."""
    if (anomaly := why.anomaly) is not None:
        for name, value in (("picture", anomaly.picture), ("window", anomaly.window)):
            if value is not None:
                yield f"{name} {value:.1f}"


def _unlike(why: Why) -> Iterator[str]:
    """Show where the picture is unlike good ones, where the shares of regions are not there or of no class."""
    unlike, explanation = why.unlike, why.explanation
    if unlike is None or (explanation is not None and explanation.grid is not None and explanation.label is not None):
        return
    limit, unusual = LIMIT_SPREADS, np.maximum(unlike, 0.0)
    yield from ("", "where the picture is unlike good parts")
    yield from chart_of(unusual, limit, together=np.max)
    yield f"█ {limit:g} spreads of good parts or more, ▓ {limit / 2:g}, ▒ {limit / 4:g}, ░ {limit / 10:g}"
    yield f"most unusual regions (row, column): {'; '.join(strongest(unusual))}"


def strongest(grid: NDArray[np.float64]) -> Iterator[str]:
    """Name the regions with the largest shares, either way, by row and column from the top left."""
    for flat in np.argsort(-np.abs(grid), axis=None, kind="stable")[:STRONGEST]:
        row, column = np.unravel_index(flat, grid.shape)
        if grid[row, column]:
            yield f"({row + 1}, {column + 1}) {grid[row, column]:+.1f}"


def _line(text: str) -> str:
    return printable(text)


def _wrapped(note: str) -> list[str]:
    return wrap(
        printable(note), WIDTH, initial_indent="· ", subsequent_indent="  ", max_lines=MAX_LINES, placeholder=" …"
    )
