"""How fast and how large a bundle is on the runtimes that a station can use, taking turns in one process.

`python -m models.workshop.speed models/bundles/castings --card`

Several bundles take turns with each other, so that what one gained over another does not hang on the hour.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time  # noqa: TID251 (it measures how long inference takes; that is its purpose)
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from models.bundle import Bundle
from models.errors import BundleRefused
from models.workshop.bench.report import machine
from models.workshop.card import table, write_section
from models.workshop.errors import WorkshopError
from models.workshop.runner import RUNTIMES, Model, Runner

THREADS: Final = (1, 2)
TURNS: Final = 200
WARM: Final = 20
"""Turns that are not counted: kernels are chosen and memory is touched in them."""


@dataclass(frozen=True)
class Row:
    """What one runtime takes.

    Attributes:
        bundle: its name and version.
        part: `image` for the picture's part, `all` for the whole bundle.
        runtime: one of `RUNTIMES`.
        threads: that computed.
        median_ms: of one inference [ms].
        p99_ms: likewise [ms].
    """

    bundle: str
    part: str
    runtime: str
    threads: int
    median_ms: float
    p99_ms: float


def measured(bundles: Sequence[Bundle], turns: int = TURNS) -> list[Row]:
    """Let every runtime run the golden vectors in turn.

    Args:
        bundles: what to run, each of another name or version.
        turns: of each.

    Returns:
        A row for each bundle, part, runtime and number of threads.
    """
    subjects: dict[tuple[str, str, str, int], Callable[[], object]] = {}
    for bundle in bundles:
        subjects |= _subjects(bundle)
    taken_ms = {key: np.empty(turns) for key in subjects}
    for turn in range(-WARM, turns):
        for key, run in subjects.items():
            started_s = time.perf_counter()
            run()
            if turn >= 0:
                taken_ms[key][turn] = (time.perf_counter() - started_s) * 1e3
    return [Row(*key, float(np.median(ms)), float(np.quantile(ms, 0.99))) for key, ms in sorted(taken_ms.items())]


def _subjects(bundle: Bundle) -> dict[tuple[str, str, str, int], Callable[[], object]]:
    name = f"{bundle.name} {bundle.manifest.version}"
    parts = {part.role: bundle.part_bytes(part.role) for part in bundle.manifest.parts}
    sources = {source: vectors[0] for source, vectors in bundle.golden().sources.items()}
    subjects: dict[tuple[str, str, str, int], Callable[[], object]] = {}
    for threads in THREADS:
        for runtime in RUNTIMES:
            runner = Runner(bundle.manifest, parts, runtime, threads)
            subjects[name, "all", runtime, threads] = partial(runner.embed, sources)
            if "image" in parts:
                model = Model(parts["image"], runtime, threads, overflows=bundle.manifest.overflows)
                subjects[name, "image", runtime, threads] = partial(model.run, {"picture": sources["picture"]})
    return subjects


def sizes(folder: Path) -> Mapping[str, int]:
    """Give the size of each file of a bundle [bytes]."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def section(rows: list[Row], files: Mapping[str, int], turns: int) -> str:
    """Give the text for the card."""
    names = {"image": "picture part", "all": "all parts"}
    lines = [
        [names[row.part], row.runtime, str(row.threads), f"{row.median_ms:.1f}", f"{row.p99_ms:.1f}"] for row in rows
    ]
    whole = {row.runtime: row.median_ms for row in rows if row.part == "all" and row.threads == THREADS[-1]}
    fast, slow = sorted(whole, key=lambda runtime: whole[runtime])
    here = machine(os.getloadavg()[0])
    weights = sum(size for name, size in files.items() if name.endswith(".onnx"))
    return (
        f"Batch 1, {turns} turns each, taking turns in one process on {here.cpus} x {here.processor} "
        f"({', '.join([*here.features, ''])}openvino {version('openvino')}, onnxruntime {version('onnxruntime')}):\n\n"
        f"{table(['', 'runtime', 'threads', 'median ms', 'p99 ms'], lines)}\n\n"
        f"{fast} is {whole[slow] / whole[fast]:.1f} times as fast as {slow} on {THREADS[-1]} threads. "
        f"Models {weights / 1e6:.1f} MB, all files {sum(files.values()) / 1e6:.1f} MB."
    )


def main() -> int:
    """Measure and print one JSON line for each row; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="+", help="folder of a bundle")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each (default: %(default)s)")
    parser.add_argument("--card", action="store_true", help="writes the table into the card of the one bundle")
    arguments = parser.parse_args()
    if arguments.turns < 1 or (arguments.card and len(arguments.bundle) > 1):
        parser.error("--turns must be at least 1, and --card is for one bundle")
    try:
        rows = measured([Bundle.load(folder) for folder in arguments.bundle], arguments.turns)
        if arguments.card:
            (folder,) = arguments.bundle
            write_section(folder, "Speed", section(rows, sizes(folder), arguments.turns))
    except (BundleRefused, WorkshopError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for row in rows:
        print(json.dumps(asdict(row)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
