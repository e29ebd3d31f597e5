"""Measures what the agent adds to the bare runtime, and its memory, on this machine.

Every part is first encoded by the bare pre-processing and runtime, then goes through the running agent, in one process
and in turn, so that both see the same machine; what is compared is the difference part by part.
"""

from __future__ import annotations

import platform
import queue
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from edge_agent.agent import Agent, program_version
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.demo.lesson_plan import example_of, good_run
from edge_agent.engines import Engine, load_engines
from edge_agent.printing import say, say_json
from edge_agent.records import Part
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.schedule import Material
from edge_agent.station import Station
from models import Bundle
from models.castings import CLASSES, NORMAL, Casting, CastingLine
from models.features import prepare_picture, vibration_features

WARM_UP: Final = 20
"""Parts that are not counted: caches fill, the allocator settles."""

GOOD_RUN: Final = 120
SHOTS: Final = 2
"""Enough knowledge for a head of every class; what it knows does not change what it costs."""

ANSWER_TIMEOUT_S: Final = 10.0

SPACING_S: Final = 0.02
"""Between two parts [s]: more than an unpaced source needs to tell their triggers apart."""


@dataclass(frozen=True)
class Span:
    """How long something took over all parts [ms]."""

    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        parts: how many.
        hops: each hop of a part's life.
        bare: pre-processing and inference alone.
        agent: pair complete to verdict on the disk.
        overhead: `agent` minus `bare`, part by part.
        ratio: median of `agent` over `bare`, part by part.
        memory_start_mb: proportional set size (PSS) after the first parts [MB]; None where the system has none.
        memory_end_mb: the same after the last part [MB].
        threads: that compute.
        versions: of the program and its runtimes.
        machine: processor and system.
    """

    parts: int
    hops: dict[str, Span]
    bare: Span
    agent: Span
    overhead: Span
    ratio: float
    memory_start_mb: float | None
    memory_end_mb: float | None
    threads: int
    versions: dict[str, str]
    machine: str


class HandFed:
    """A supply that gives what it is handed, one part at a time. `feed` belongs to the measuring thread.

    Its `take` waits, which is right only because no part is handed over before the one before it was answered.
    """

    name = "bench"
    counts_anew = True
    unusable = 0

    def __init__(self) -> None:
        self._parts: queue.SimpleQueue[Material | None] = queue.SimpleQueue()

    def open(self, first: int) -> None:
        """Nothing to get ready."""

    def take(self) -> Material | None:
        """Wait for the next part."""
        return self._parts.get()

    def feed(self, casting: Casting | None) -> None:
        """Hand over a part, or None as the end."""
        self._parts.put(
            None
            if casting is None
            else Material(None, casting.image, 0.01, casting.samples, casting.rate_hz, casting.truth)
        )


class Bare:
    """The bundle without an agent around it.

    Args:
        bundle: what to run.
        config: the runtime and its threads.
    """

    def __init__(self, bundle: Bundle, config: Config) -> None:
        self._bundle = bundle
        engine = config.engine
        self._engines: Mapping[str, Engine] = load_engines(bundle, engine.runtime, engine.device, engine.threads)

    def run(self, casting: Casting) -> None:
        """Pre-process and infer."""
        manifest = self._bundle.manifest
        known: dict[str, NDArray[Any]] = {}
        if manifest.picture is not None:
            known["picture"] = prepare_picture(casting.image, manifest.picture)
        if manifest.vibration is not None:
            known["vibration"] = vibration_features(casting.samples, casting.rate_hz, manifest.vibration)
        for part in manifest.parts:
            known |= self._engines[part.role].infer({t.name: known[t.name] for t in part.inputs})

    def close(self) -> None:
        """Release the engines."""
        for engine in self._engines.values():
            engine.close()


def run_bench(parts: int, *, as_json: bool) -> int:
    """Measure and print; give the exit code."""
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        measurement = measure(Config.defaults(Path(folder)), max(parts, 1), progress)
    if as_json:
        say_json(measurement)
    else:
        _print(measurement)
    return 0


def measure(config: Config, parts: int, progress: Progress) -> Measurement:
    """Run parts through the bare runtime and through an agent, in turn.

    Args:
        config: of the agent; its state directory is used.
        parts: how many to measure.
        progress: shows how far it is.

    Returns:
        What was measured.
    """
    line = CastingLine(1)
    with Station(config) as station:
        station.teach(NORMAL, list(good_run(line, GOOD_RUN)))
        for slug in CLASSES:
            if slug != NORMAL:
                station.teach(slug, [example_of(line.example(slug, i)) for i in range(SHOTS)])
    supply = HandFed()
    told: queue.SimpleQueue[Part] = queue.SimpleQueue()
    agent = build(config, supply=supply, told=told.put)
    agent.on_stop = lambda: supply.feed(None)
    loop = threading.Thread(target=agent.run, name="loop")
    loop.start()
    try:
        return _measure(agent, supply, told, line, parts, progress)
    finally:
        agent.loop.stop()
        loop.join()
        agent.close()


def _measure(
    agent: Agent, supply: HandFed, told: queue.SimpleQueue[Part], line: CastingLine, parts: int, progress: Progress
) -> Measurement:
    clock, idle = SystemClock(), threading.Event()
    while not agent.device.ready and agent.supervisor.ending is None:
        clock.wait(idle, clock.now() + 0.02)
    for number in range(WARM_UP):
        supply.feed(line.part(number))
        told.get(timeout=ANSWER_TIMEOUT_S)
    memory_start_mb = pss_mb()
    bare = Bare(agent.station.recipe.bundle, agent.station.config)
    bare_ms, agent_ms = [], []
    hops: dict[str, list[float]] = {}
    task = progress.add_task("measuring", total=parts)
    for number in range(-WARM_UP, parts):
        casting = line.part(WARM_UP + WARM_UP + number)
        began_s = clock.now()
        bare.run(casting)
        span_ms = 1e3 * (clock.now() - began_s)
        clock.wait(idle, began_s + SPACING_S)
        supply.feed(casting)
        part = told.get(timeout=ANSWER_TIMEOUT_S)
        if number < 0:
            continue
        bare_ms.append(span_ms)
        for hop, hop_ms in _hops_of(part):
            hops.setdefault(hop, []).append(hop_ms)
        agent_ms.append(hops["paired-committed"][-1])
        progress.advance(task)
    bare.close()
    return Measurement(
        parts=parts,
        hops={hop: _span(values) for hop, values in hops.items()},
        bare=_span(bare_ms),
        agent=_span(agent_ms),
        overhead=_span(np.subtract(agent_ms, bare_ms).tolist()),
        ratio=float(np.median(np.divide(agent_ms, bare_ms))),
        memory_start_mb=memory_start_mb,
        memory_end_mb=pss_mb(),
        threads=agent.station.config.engine.threads,
        versions={
            "edge-agent": program_version(),
            "bundle": f"{agent.station.recipe.bundle.name} {agent.station.recipe.bundle.manifest.version}",
            "runtime": f"{agent.station.config.engine.runtime} {version(agent.station.config.engine.runtime)}",
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
        machine=f"{_processor()}, {platform.system()} {platform.release()}",
    )


def _hops_of(part: Part) -> list[tuple[str, float]]:
    """Give what each hop of a part took [ms]; hops that it has not are left out."""
    times = part.times
    points = {
        "trigger": times.trigger_s,
        "paired": times.paired_s,
        "inferred": times.inferred_s,
        "decided": times.decided_s,
        "committed": times.committed_s,
        "acted": times.acted_s,
    }
    pairs = [("paired", "inferred"), ("inferred", "decided"), ("decided", "committed"), ("committed", "acted")]
    spans = []
    for start, end in (*pairs, ("paired", "committed")):
        begun, ended = points[start], points[end]
        if begun is not None and ended is not None:
            spans.append((f"{start}-{end}", 1e3 * (ended - begun)))
    return spans


def pss_mb() -> float | None:
    """Give the process's proportional set size [MB] (proc(5), smaps_rollup); None where the system does not say."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text()
    except OSError:
        return None
    sizes_kb = [int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")]
    return sizes_kb[0] * 1024 / 1e6 if sizes_kb else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def _span(values_ms: list[float]) -> Span:
    p50, p99 = np.percentile(values_ms, (50, 99))
    return Span(float(p50), float(p99), float(max(values_ms)))


def _print(measurement: Measurement) -> None:
    say(f"{measurement.parts} parts, {measurement.threads} thread(s), {measurement.machine}")
    say(", ".join(f"{name} {number}" for name, number in measurement.versions.items()))
    say(f"{'hop':<36}{'p50':>9}{'p99':>9}{'worst':>9}   ms")
    rows = {
        **measurement.hops,
        "bare pre-processing and inference": measurement.bare,
        "agent: pair complete to committed": measurement.agent,
        "overhead, part by part": measurement.overhead,
    }
    for name, span in rows.items():
        say(f"{name:<36}{span.p50_ms:9.3f}{span.p99_ms:9.3f}{span.max_ms:9.3f}")
    say(f"agent / bare, median part by part: {measurement.ratio:.2f}")
    if measurement.memory_start_mb is not None and measurement.memory_end_mb is not None:
        say(
            f"memory (PSS, with the simulated line): {measurement.memory_start_mb:.0f} MB after {WARM_UP} parts, "
            f"{measurement.memory_end_mb:.0f} MB after all"
        )
