"""Shows what was measured: a table for a terminal, a document for programs, a chart. It measures nothing."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from models.workshop.bench.figures import AGREES_COSINE, Row
from models.workshop.bench.peers import EAGER, PRODUCT

FEATURES: Final = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp", "i8mm")
"""Instructions that decide which kernels a runtime can use."""

COLUMNS: Final = ("median\nms", "p99\nms", "×\nproduct", "×\neager", "cores", "MB", "max\ndiff", "cosine")
LEGEND: Final = (
    "median, p99: ms of one inference · × product: its time over that of the product's default · "
    "× eager: how much faster than PyTorch eager · cores: kept busy, on average · MB: files that it loads · "
    "max diff, cosine: against PyTorch, the worst of all samples; cosine of what tells them apart (mean subtracted)"
)

QUIET: Final = 0.9
"""On a quiet machine the busiest runtime keeps at least this share of its threads' processors busy."""

DISTURBED: Final = (
    "No runtime had more than {kept_busy:.2f} processors for {threads}: something else computed here meanwhile. "
    "Repeat it on a quiet machine before you quote it."
)

DARK, LIGHT, MARKED = "#1b4f72", "#aab7c4", "#1e8449"


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    Attributes:
        processor: its name.
        cpus: logical processors.
        features: instruction sets that matter here.
        system: operating system and Python.
        load_before: tasks running on average in the minute before; 0 is an idle machine.
        load_after: likewise at the end, where the bench itself counts.
    """

    processor: str
    cpus: int
    features: list[str]
    system: str
    load_before: float
    load_after: float

    def __str__(self) -> str:
        load = f"load {self.load_before:.1f} before, {self.load_after:.1f} after"
        return f"{self.processor}, {self.cpus} CPUs ({', '.join(self.features)}), {self.system}, {load}"


@dataclass(frozen=True)
class Report:
    """Everything that one call of the bench has to say.

    Attributes:
        subject: what was measured.
        machine: where.
        rounds: turns of each peer, for each number of threads.
        rows: all of them.
        environments: what is installed, by environment.
    """

    subject: str
    machine: Machine
    rounds: int
    rows: Sequence[Row]
    environments: dict[str, list[str]]

    @property
    def versions(self) -> str:
        """Say what computed, in one line."""
        found = dict(sorted(item for row in self.rows for item in row.versions.items()))
        return ", ".join(f"{name} {version}" for name, version in found.items())

    def kept_busy(self, threads: int) -> float:
        """Give how many processors the busiest runtime had; as many as it may have where nothing was measured."""
        found = [row.figures.cores for row in self.rows if row.threads == threads and row.figures is not None]
        return max(found, default=float(threads))

    def document(self) -> dict[str, Any]:
        """Give all of it for a program."""
        return {
            "batch": 1,
            "ratios": {"times_product": PRODUCT, "times_faster_than_eager": EAGER},
            "least_cosine": AGREES_COSINE,
            **asdict(self),
        }


def machine(load_before: float) -> Machine:
    """Look at this machine; `load_before` was its load average at the beginning."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    lines = [line.partition(":") for line in text.splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in lines}
    flags = set(f"{fields.get('flags', '')} {fields.get('Features', '')}".split())
    return Machine(
        processor=fields.get("model name", platform.machine()),
        cpus=os.cpu_count() or 1,
        features=[name for name in FEATURES if name in flags],
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def table(report: Report, threads: int) -> Group:
    """Give the table for one number of threads, and below it what does not fit into numbers, one line each."""
    title = f"{report.subject}, batch 1, {_threads(threads)}"
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)  # 80 columns
    shown.add_column("runtime", no_wrap=True)
    for name in COLUMNS:
        shown.add_column(name, justify="right", no_wrap=True)
    lines = []
    for row in report.rows:
        if row.threads == threads:
            shown.add_row(*_cells(row), style="bold" if row.peer == PRODUCT else "")
            lines += [Text(f"{row.title}: {text}", style=style) for text, style in _remarks(row)]
    if (kept_busy := report.kept_busy(threads)) < QUIET * threads:
        lines.append(Text(DISTURBED.format(kept_busy=kept_busy, threads=_threads(threads)), style="yellow"))
    return Group(shown, *lines)


def _cells(row: Row) -> list[str]:
    size = "–" if row.artefact_bytes is None else f"{row.artefact_bytes / 1e6:.1f}"
    if row.figures is None:
        return [row.title, "[red]failed[/red]", "–", "–", "–", "–", size, "–", "–"]
    figures, agreement = row.figures, row.figures.agreement
    return [
        row.title,
        f"{figures.median_ms:.2f}",
        f"{figures.p99_ms:.2f}",
        _ratio(figures.times_product),
        _ratio(figures.times_faster_than_eager),
        f"{figures.cores:.2f}",
        size,
        f"{agreement.max_difference:.0e}",
        f"{agreement.cosine:.4f}" if agreement.is_close else f"[red]{agreement.cosine:.4f}[/red]",
    ]


def _remarks(row: Row) -> list[tuple[str, str]]:
    """Give lines with their style."""
    if row.figures is None:
        return [(row.error, "red")]
    remarks = [(row.note, "yellow")] if row.note else []
    if not row.figures.agreement.is_close:
        remarks.append((f"its answers are not torch's (cosine below {AGREES_COSINE:g}): compared with nobody", "red"))
    return remarks


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def chart(report: Report) -> bytes:
    """Draw medians as bars with the 99th percentile as whisker, a panel for each number of threads, as PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second that only drawing should cost)

    counts = sorted({row.threads for row in report.rows})
    tall = 1.4 + 0.36 * len(report.rows) / len(counts)
    figure = Figure(figsize=(9.0, tall * len(counts) + 0.6), layout="constrained")
    panels = figure.subplots(len(counts), 1, squeeze=False).flat
    for panel, threads in zip(panels, counts, strict=True):
        rows = [row for row in report.rows if row.threads == threads][::-1]
        longest = max((row.figures.p99_ms for row in rows if row.figures is not None), default=1.0)
        for place, row in enumerate(rows):
            if row.figures is None:
                panel.text(
                    0.01 * longest, place, f"no figure: {row.error[:90]}", va="center", fontsize=7, color="firebrick"
                )
                continue
            median, p99 = row.figures.median_ms, row.figures.p99_ms
            agrees = row.figures.agreement.is_close
            colour = "white" if not agrees else MARKED if row.peer == PRODUCT else LIGHT
            panel.barh(place, median, color=colour, edgecolor=DARK, hatch=None if agrees else "//")
            panel.errorbar(median, place, xerr=[[0.0], [p99 - median]], color=DARK, capsize=3)
            panel.text(p99 + 0.01 * longest, place, f"{median:.2f}", va="center", fontsize=8)
        panel.set_yticks(range(len(rows)), [row.title for row in rows])
        panel.set_xlim(0.0, 1.12 * longest)
        panel.set_xlabel("ms: bar is the median, whisker the 99th percentile")
        quiet = report.kept_busy(threads) >= QUIET * threads
        panel.set_title(_threads(threads) + ("" if quiet else ", on a machine that was not quiet"), loc="left")
    figure.suptitle(f"{report.subject}, batch 1, interleaved", x=0.01, ha="left")
    foot = f"{report.machine}; {report.rounds} rounds\n{report.versions}"
    figure.supxlabel(foot, x=0.01, ha="left", fontsize=6)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150)
    return stream.getvalue()
