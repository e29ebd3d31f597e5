"""Measures: every part goes through the bare runtime, the running agent and the bare runtime again, in one process.

So both see the same machine. What is compared is the difference part by part to the mean of the two bare runs; the
difference of the two to each other says how much of that is the machine's own unrest.
"""

from __future__ import annotations

import platform
import queue
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import Progress

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.bench.floor import Floor
from edge_agent.bench.line import Bare, HandFed, Line, leaving, running
from edge_agent.bench.report import WARM_UP, Measurement, print_measurement, span
from edge_agent.config import Config
from edge_agent.demo.lesson_plan import example_of, good_run
from edge_agent.errors import DeviceFault
from edge_agent.ledger.latency import HOPS
from edge_agent.records import Part
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.machine import processor, pss_mb
from edge_agent.runtime.release import program_version
from edge_agent.station import Station
from edge_agent.terminal.printing import say_json
from models.castings import CLASSES, NORMAL, Casting, CastingLine

GOOD_RUN: Final = 120
SHOTS: Final = 2
"""Enough knowledge for a head of every class; what it knows does not change what it costs."""

SPACING_S: Final = 0.02
"""Between two parts [s]: more than an unpaced source needs to tell their triggers apart."""


def run_bench(parts: int, bundle: str, *, as_json: bool) -> int:
    """Measure and print; give the exit code.

    Args:
        parts: how many to measure.
        bundle: a shipped one, or its folder.
        as_json: print JSON.

    Returns:
        0; what cannot be measured raises.
    """
    console = Console(stderr=True)
    unclean: list[str] = []
    with leaving(unclean):
        with (
            tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder,
            Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        ):
            config = Config.defaults(Path(folder))
            recipe = msgspec.structs.replace(config.recipe, bundle=bundle)
            config = msgspec.structs.replace(config, recipe=recipe).resolved(Path())
            measurement = measure(config, parts, progress, unclean)
        if as_json:
            say_json(measurement)
        else:
            print_measurement(measurement)
    return 0


def measure(config: Config, parts: int, progress: Progress, unclean: list[str]) -> Measurement:
    """Run parts through the bare runtime and through an agent, in turn.

    Args:
        config: of the agent; its state directory is used.
        parts: how many to measure.
        progress: shows how far it is.
        unclean: takes the components of the agent that did not end in time.

    Returns:
        What was measured.

    Raises:
        EdgeAgentError: why the agent cannot run here.
    """
    castings = CastingLine(1)
    with Station(config) as station:
        task = progress.add_task("teaching good parts")
        station.teach(
            NORMAL,
            list(good_run(castings, GOOD_RUN)),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        progress.remove_task(task)
        for slug in CLASSES:
            if slug != NORMAL:
                station.teach(slug, [example_of(castings.example(slug, i)) for i in range(SHOTS)])
    supply = HandFed()
    told: queue.SimpleQueue[Part] = queue.SimpleQueue()
    agent = build(config, supply=supply, told=told.put)
    with running(agent, supply, unclean):
        return _measured(agent, Line(agent, supply, told, agent.clock), castings, parts, progress)


def hops_of(part: Part) -> dict[str, float]:
    """Give what each hop of a part took [ms].

    Args:
        part: an answered part.

    Returns:
        By hop, as in `edge-agent status`.

    Raises:
        DeviceFault: it did not go all the way, so that it says nothing about how long that takes.
    """
    points = {
        "trigger": part.times.trigger_s,
        "paired": part.times.paired_s,
        "inferred": part.times.inferred_s,
        "decided": part.times.decided_s,
        "committed": part.times.committed_s,
        "acted": part.times.acted_s,
    }
    times = {name: time_s for name, time_s in points.items() if time_s is not None}
    if missing := points.keys() - times.keys():
        never = ", ".join(name for name in points if name in missing)
        why = part.verdict.cause or "no cause"
        raise DeviceFault(
            f"part {part.trigger.number} cannot be measured: it was never {never} ({part.verdict.outcome}, {why})",
            hint="let nothing else run on this machine, and try fewer --parts",
        )
    return {f"{start}-{end}": 1e3 * (times[end] - times[start]) for start, end in HOPS}


def _measured(agent: Agent, line: Line, castings: CastingLine, parts: int, progress: Progress) -> Measurement:
    clock, idle = agent.clock, threading.Event()
    recipe, config = agent.holdings.recipe, agent.holdings.config
    line.wait_until_ready()
    for number in range(WARM_UP):
        line.judge(castings.part(number))
    memory_start_mb = pss_mb()
    bare = Bare(recipe.bundle, config)
    floor = Floor(Path(config.station.state_dir), clock)
    first_ms: list[float] = []
    again_ms: list[float] = []
    floor_ms: list[float] = []
    hops: dict[str, list[float]] = {f"{start}-{end}": [] for start, end in HOPS}
    task = progress.add_task("measuring", total=parts)
    try:
        for number in range(-WARM_UP, parts):
            casting = castings.part(WARM_UP + WARM_UP + number)
            before_ms = _bare_ms(bare, casting, clock, idle)
            part = line.judge(casting)
            after_ms = _bare_ms(bare, casting, clock, idle)
            needed_s = floor.measure()
            if number < 0:
                continue
            first_ms.append(before_ms)
            again_ms.append(after_ms)
            floor_ms.append(1e3 * needed_s)
            for hop, hop_ms in hops_of(part).items():
                hops[hop].append(hop_ms)
            progress.advance(task)
    finally:
        bare.close()
        floor.close()
    agent_ms = hops["paired-committed"]
    bare_ms = np.add(first_ms, again_ms) / 2
    runtime = config.engine.runtime
    return Measurement(
        parts=parts,
        hops={hop: span(values_ms) for hop, values_ms in hops.items()},
        bare=span(first_ms + again_ms),
        agent=span(agent_ms),
        overhead=span(np.subtract(agent_ms, bare_ms)),
        unrest=span(np.subtract(again_ms, first_ms)),
        floor=span(floor_ms),
        ratio=float(np.median(np.divide(agent_ms, bare_ms))),
        memory_start_mb=memory_start_mb,
        memory_end_mb=pss_mb(),
        threads=config.engine.threads,
        versions={
            "edge-agent": program_version(),
            "bundle": f"{recipe.bundle.name} {recipe.bundle.manifest.version}",
            "runtime": f"{runtime} {version(runtime)}",
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
        machine=f"{processor()}, {platform.system()} {platform.release()}",
    )


def _bare_ms(bare: Bare, casting: Casting, clock: Clock, idle: threading.Event) -> float:
    """Give what the bundle alone takes for a part [ms]; then wait, so that what follows begins at rest."""
    began_s = clock.now()
    bare.run(casting)
    ended_s = clock.now()
    clock.wait(idle, ended_s + SPACING_S)
    return 1e3 * (ended_s - began_s)
