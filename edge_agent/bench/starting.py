"""How long a station takes from its start to its first verdict on the disk: `edge-agent bench --start`.

The station is the program as systemd starts it, on the simulated line; the first start compiles the models, the others
find them compiled.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.config import RecipeConfig
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.inspection.encode import load_bundle
from edge_agent.ledger import Reader
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.machine import processor
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.progressbar import progress_bar

STARTS: Final = 5
"""After the first."""

TIMEOUT_S: Final = 60.0
LOOK_S: Final = 0.02


@dataclass(frozen=True)
class StartReport:
    """What was measured.

    Attributes:
        bundle: its name, or its folder.
        first_s: the first start, which compiles the models [s].
        warm_s: the others, which find them compiled [s].
        machine: processor.
    """

    bundle: str
    first_s: float
    warm_s: tuple[float, ...]
    machine: str


def run_starting(bundle: str, *, as_json: bool) -> int:
    """Measure and print.

    Args:
        bundle: a shipped one, or its folder.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        ConfigError: there is no such bundle.
        Unavailable: a station did not judge within a minute.
    """
    load_bundle(RecipeConfig(bundle=bundle).resolved(Path.cwd()).bundle_dir)
    taken_s: list[float] = []
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder, progress_bar("starts") as progress:
        named = str(Path(bundle).absolute()) if "/" in bundle else bundle
        config = Path(folder) / "station.toml"
        config.write_text(
            f"[source.simline]\nparts_per_s = 50\n[recipe]\nbundle = {json.dumps(named)}\n", encoding="utf-8"
        )
        for start in range(1 + STARTS):
            taken_s.append(_started(config, start, SystemClock()))
            progress(start + 1, 1 + STARTS)
    report = StartReport(bundle, taken_s[0], tuple(taken_s[1:]), processor())
    if as_json:
        say_json(report)
        return 0
    say(f"bundle {report.bundle}, {report.machine}: from the start of the process to the first verdict on the disk")
    say(f"first start, models to be compiled   {report.first_s:6.2f} s")
    say(
        f"models compiled before               {np.median(report.warm_s):6.2f} s "
        f"(median of {STARTS}; {min(report.warm_s):.2f} to {max(report.warm_s):.2f})"
    )
    return 0


def _started(config: Path, start: int, clock: Clock) -> float:
    """Start a station, wait for its first verdict, stop it; give how long that took [s]."""
    idle = threading.Event()
    before = _last(config)
    began_s = clock.now()
    with (config.parent / f"{start}.log").open("wb") as log:
        station = subprocess.Popen([sys.executable, "-m", "edge_agent", "run", "-c", config], stdout=log, stderr=log)
    try:
        while (committed_s := _committed_after(config, before)) is None:
            if clock.now() > began_s + TIMEOUT_S or station.poll() is not None:
                said = (config.parent / f"{start}.log").read_text(errors="replace").strip().splitlines()
                raise Unavailable(
                    f"the station gave no verdict: {said[-1] if said else f'{TIMEOUT_S:g} s have passed'}",
                    hint="run it yourself: edge-agent run -c FILE",
                )
            clock.wait(idle, clock.now() + LOOK_S)
    finally:
        station.send_signal(signal.SIGTERM)
        station.wait(TIMEOUT_S)
    return committed_s - began_s


def _last(config: Path) -> int:
    try:
        with Reader(config.parent / "state") as reader:
            return max((part.id for part in reader.parts()), default=0)
    except EdgeAgentError:
        return 0  # there is no ledger yet


def _committed_after(config: Path, number: int) -> float | None:
    """Give when the first part behind a number was committed [s, host monotonic]; None where none is yet."""
    try:
        with Reader(config.parent / "state") as reader:
            later = (part for part in reader.parts() if part.id > number and part.verdict.outcome != "MISSED")
            return next((part.times.committed_s for part in later), None)
    except EdgeAgentError:
        return None
