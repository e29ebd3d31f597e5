"""How long a station takes to its first verdict on the disk, and its memory: `edge-agent bench --start`.

The station is the program as systemd starts it, on the simulated line, its Python compiled as an installer leaves it;
the first start compiles the models, the others find them compiled.
"""

from __future__ import annotations

import compileall
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

import edge_agent
import firmware_bridge
import models
from edge_agent.config import RecipeConfig
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.inspection.encode import load_bundle
from edge_agent.ledger import Reader
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.machine import processor, pss_mb
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.progressbar import progress_bar

STARTS: Final = 5
"""After the first."""

SETTLED_S: Final = 15.0
"""After its last start the station runs so long before its memory is read [s]."""

TIMEOUT_S: Final = 60.0
LOOK_S: Final = 0.02


@dataclass(frozen=True)
class StartReport:
    """What was measured.

    Attributes:
        bundle: its name, or its folder.
        first_s: the first start, which compiles the models [s].
        warm_s: the others, which find them compiled [s].
        memory_mb: proportional set size of the station when it has run for a while [MB]; None where nobody says.
        machine: processor.
    """

    bundle: str
    first_s: float
    warm_s: tuple[float, ...]
    memory_mb: float | None
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
    for package in (edge_agent, firmware_bridge, models):
        compileall.compile_dir(package.__path__[0], quiet=2)
    taken_s: list[float] = []
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder, progress_bar("starts") as progress:
        named = str(Path(bundle).absolute()) if "/" in bundle else bundle
        config = Path(folder) / "station.toml"
        config.write_text(
            f"[source.simline]\nparts_per_s = 50\n[recipe]\nbundle = {json.dumps(named)}\n", encoding="utf-8"
        )
        for start in range(1 + STARTS):
            committed_s, memory_mb = _started(config, start, SystemClock(), SETTLED_S if start == STARTS else 0.0)
            taken_s.append(committed_s)
            progress(start + 1, 1 + STARTS)
    report = StartReport(bundle, taken_s[0], tuple(taken_s[1:]), memory_mb, processor())
    if as_json:
        say_json(report)
        return 0
    say(f"bundle {report.bundle}, {report.machine}: from the start of the process to the first verdict on the disk")
    say(f"first start, models to be compiled   {report.first_s:6.2f} s")
    say(
        f"models compiled before               {np.median(report.warm_s):6.2f} s "
        f"(median of {STARTS}; {min(report.warm_s):.2f} to {max(report.warm_s):.2f})"
    )
    if report.memory_mb is not None:
        say(f"memory (PSS) {SETTLED_S:g} s later          {report.memory_mb:6.1f} MB")
    return 0


def _started(config: Path, start: int, clock: Clock, settled_s: float) -> tuple[float, float | None]:
    """Start a station, stop it `settled_s` after its first verdict; give how long that took [s], its memory [MB]."""
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
        clock.wait(idle, clock.now() + settled_s)
        memory_mb = pss_mb(station.pid)
    finally:
        station.send_signal(signal.SIGTERM)
        station.wait(TIMEOUT_S)
    return committed_s - began_s, memory_mb


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
