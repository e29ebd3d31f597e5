"""What the demo shows while it runs: a live screen on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_agent.demo.tally import Tally
from edge_agent.records import Outcome, Part

ROWS: Final = 12
"""Verdicts that are shown at once."""

PERIOD_S: Final = 0.25
"""How often the screen is drawn."""

LINE_EVERY: Final = 50
"""Parts between two lines where there is no terminal."""

LOOK: Final = {
    Outcome.OK: ("●", "bold green"),
    Outcome.NG: ("■", "bold red"),
    Outcome.UNSURE: ("▲", "bold yellow"),
    Outcome.MISSED: ("✕", "bold magenta"),
}
"""Shape and colour of each answer, so that neither is needed to tell them apart."""


class Screen:
    """Shows parts as they are judged. A component; `told` and `say` belong to the loop thread.

    Args:
        console: where to show.
        total: parts that will come; 0 when the line has no end.
        before: counts what is judged before teaching.
        after: counts what is judged after teaching.
    """

    name = "screen"

    def __init__(self, console: Console, total: int, before: Tally, after: Tally) -> None:
        self._console = console
        self._total = total
        self._before, self._after = before, after
        self._rows: deque[Part] = deque(maxlen=ROWS)
        self._outcomes: Counter[Outcome] = Counter()
        self._spans_ms: deque[float] = deque(maxlen=1000)
        self._headline = "knows only good parts"
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def open(self) -> None:
        """Begin to show."""
        if self._live is not None:
            self._live.start()

    def close(self) -> None:
        """Clear the screen for the report."""
        if self._live is not None:
            self._live.stop()

    def say(self, headline: str) -> None:
        """Show what the line is doing."""
        self._headline = headline
        if self._live is None:
            self._console.print(headline, highlight=False, soft_wrap=True)

    def told(self, part: Part) -> None:
        """Take in a recorded part."""
        self._rows.append(part)
        self._outcomes[part.verdict.outcome] += 1
        times = part.times
        if times.paired_s is not None and times.committed_s is not None:
            self._spans_ms.append(1e3 * (times.committed_s - times.paired_s))
        if self._live is None and sum(self._outcomes.values()) % LINE_EVERY == 0:
            self._console.print(self._counters(), self._figures(), highlight=False, soft_wrap=True)

    def step(self, now: float) -> float:
        """Draw."""
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)
        return now + PERIOD_S

    def _draw(self) -> RenderableType:
        table = Table(box=None, padding=(0, 1), expand=True)
        for title in ("part", "verdict", "class", "why", "probability", "truth", "ms"):
            table.add_column(title, justify="right" if title in ("part", "probability", "ms") else "left")
        for part in reversed(self._rows):
            shape, colour = LOOK[part.verdict.outcome]
            table.add_row(
                str(part.id),
                Text(f"{shape} {part.verdict.outcome}", style=colour),
                part.verdict.label or "",
                part.verdict.cause or " ".join(part.verdict.degraded),
                f"{part.verdict.score:.2f}",
                part.trigger.truth or "",
                _span_ms(part),
            )
        body = Group(self._headline, "", table, "", self._counters(), self._figures())
        return Panel(body, title="edge-agent demo", width=100)

    def _counters(self) -> Text:
        done = sum(self._outcomes.values())
        text = Text(f"{done} of {self._total} parts " if self._total else f"{done} parts ")
        for outcome, (shape, colour) in LOOK.items():
            if self._outcomes[outcome] or outcome is not Outcome.MISSED:
                text.append(f"  {shape} {self._outcomes[outcome]} {outcome}", style=colour)
        return text

    def _figures(self) -> Text:
        text = Text()
        for name, tally in (("before", self._before), ("after", self._after)):
            if tally.parts:
                text.append(f"{name} teaching {tally.right().mean:.0%} right   ")
        if self._spans_ms:
            spans = sorted(self._spans_ms)
            p99 = spans[min(len(spans) - 1, round(0.99 * len(spans)))]
            text.append(f"pair to disk p50 {spans[len(spans) // 2]:.1f} ms  p99 {p99:.1f} ms")
        return text


def _span_ms(part: Part) -> str:
    paired_s, committed_s = part.times.paired_s, part.times.committed_s
    return "" if paired_s is None or committed_s is None else f"{1e3 * (committed_s - paired_s):.1f}"
