"""`python -m models.workshop.bench`: one trained model on every runtime, with a table, a JSON document and a chart.

It reads the command line and joins the rest; the measuring is in `measure`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.workshop.bench import environment, report
from models.workshop.bench.measure import TIMED, Bench
from models.workshop.bench.peers import PEERS, chosen
from models.workshop.bench.subjects import SUBJECTS, fused
from models.workshop.errors import WorkshopError

EXAMPLE: Final = """\
example: python -m models.workshop.bench --threads 1,2 --json bench.json --png bench.png

The first call makes a virtual environment for each runtime, which takes some minutes and five gigabytes.
Close what else computes on this machine: the column 'cores' and the load tell whether it did."""

STOPPED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; give the exit code."""
    arguments = _arguments(argv)
    try:
        _bench(arguments)
    except (WorkshopError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return 0


def _bench(arguments: argparse.Namespace) -> None:
    load_before = os.getloadavg()[0]
    console, errors = Console(), Console(stderr=True)
    with _work_folder(arguments.out) as work, _progress(errors) as (begin, step):
        subject_folder = work / "subject"
        subject_folder.mkdir(parents=True, exist_ok=True)
        step(f"writing the subject {arguments.weights or arguments.subject}")
        if arguments.weights is not None:
            subject = fused(subject_folder, arguments.weights)
        else:
            subject = SUBJECTS[arguments.subject](subject_folder)
        bench = Bench(subject, arguments.peers, arguments.envs, work, step)
        begin(bench.steps(arguments.threads, arguments.rounds))
        bench.prepare()
        rows = [row for threads in arguments.threads for row in bench.run(threads, arguments.rounds)]
    made = [
        env for env in dict.fromkeys(p.environment for p in arguments.peers) if environment.is_made(env, arguments.envs)
    ]
    result = report.Report(
        subject=subject.title,
        machine=report.machine(load_before),
        rounds=arguments.rounds,
        rows=rows,
        environments={env.name: environment.installed(env, arguments.envs) for env in made},
    )
    for threads in arguments.threads:
        console.print(report.table(result, threads))
    for line in (
        report.LEGEND,
        str(result.machine),
        result.versions,
        f"{arguments.rounds} rounds of {TIMED} inferences",
    ):
        console.print(line, highlight=False)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result.document(), indent=1, ensure_ascii=False) + "\n")
    if arguments.png is not None:
        arguments.png.write_bytes(report.chart(result))


@contextmanager
def _work_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)


@contextmanager
def _progress(console: Console) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Say what begins: a bar on a terminal, lines elsewhere; drawn between turns only, so that it disturbs none."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as bar:
        row = bar.add_task("", total=None)

        def step(text: str) -> None:
            bar.update(row, advance=1, description=text, refresh=True)
            if not console.is_terminal:
                console.print(text, highlight=False, soft_wrap=True)

        yield lambda total: bar.update(row, total=total + 1), step


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m models.workshop.bench",
        description="The same trained model on every runtime, batch 1, taking turns.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ",".join(peer.name for peer in PEERS)
    parser.add_argument(
        "--subject", choices=sorted(SUBJECTS), default="encoder", help="what is measured (default: encoder)"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a fusion model instead: RUN/weights.pth of learn")
    parser.add_argument("--peers", type=_peers, default=PEERS, metavar="A,B", help=f"which runtimes (default: {names})")
    parser.add_argument("--rounds", type=_count, default=10, help=f"turns of {TIMED} inferences each (default: 10)")
    parser.add_argument("--threads", type=_threads, default=(1, 2), metavar="N,M", help="threads (default: 1,2)")
    parser.add_argument("--envs", type=Path, default=Path(".bench-envs"), help="environments (default: .bench-envs)")
    parser.add_argument("--out", type=Path, help="keep models, logs and answers in this folder")
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write everything measured")
    parser.add_argument("--png", type=_drawing, metavar="FILE", help="draw a chart")
    return parser.parse_args(argv)


def _peers(text: str) -> object:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def _threads(text: str) -> tuple[int, ...]:
    counts = tuple(dict.fromkeys(_count(part.strip()) for part in text.split(",")))
    cpus = os.cpu_count() or 1
    if max(counts) > cpus:
        raise argparse.ArgumentTypeError(f"{max(counts)} threads on {cpus} CPUs would measure their quarrel")
    return counts


def _new_file(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path.name} into")
    return path


def _drawing(text: str) -> Path:
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("drawing needs matplotlib: pip install matplotlib")
    return _new_file(text)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite end leaves no child behind either
    sys.exit(main())
