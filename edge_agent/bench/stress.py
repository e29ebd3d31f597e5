"""Runs a station at a fixed pace against background work, a faulty device and full cores, and counts what it misses.

The station is the real one, with its ledger on the disk; only the castings come again and again.
"""

from __future__ import annotations

import gc
import platform
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.bench.chaos import Chaos
from edge_agent.bench.chart import draw_histogram, draw_memory
from edge_agent.bench.line import leaving
from edge_agent.bench.loads import Busy, Pace, castings_of, hostile, load_remembering
from edge_agent.bench.report import span
from edge_agent.bench.stressreport import BUDGET_MS, SETTLED, StressReport, print_stress, slope_of
from edge_agent.config import Config
from edge_agent.demo.lesson_plan import example_of, good_run
from edge_agent.engines import LoadEngines, load_engines
from edge_agent.errors import Unavailable
from edge_agent.ledger.latency import HOPS
from edge_agent.proportion import exact
from edge_agent.records import Part
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.garbage import keep_for_good, let_go
from edge_agent.runtime.machine import MemoryGauge, cores, give_back_memory, page_faults, processor
from edge_agent.runtime.release import program_version
from edge_agent.station import Station
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.printout import check_folder, write_file
from edge_agent.terminal.progressbar import progress_bar
from models.castings import CLASSES, NORMAL, CastingLine

GOOD_RUN: Final = 120
SHOTS: Final = 2
"""Enough knowledge for a head of every class; what it knows does not change what it costs."""

LOOK_S: Final = 1.0
"""How often memory and waits are looked at [s]."""

FAULTY_ONE_IN: Final = 150
"""With a faulty device, one inference in so many goes wrong: every few seconds."""

FAULTY_TIMEOUT_MS: Final = 300.0
"""With a faulty device, it is given up after this long [ms]: a few inferences, not the default of two seconds."""

FAULTY_MEMORY_MB: Final = 500
"""With a faulty device, what stands in is loaded in advance."""

WAITS: Final = 0.5
"""Share of a budget for which what belongs to a part is waited for."""

MISSED: Final = frozenset({"late", "device", "stopping"})

LOST: Final = frozenset({"no_frame", "no_window"})
"""The line loses nothing, so what a part lacks came too late for it."""


@dataclass(frozen=True)
class StressOptions:
    """What a person chose.

    Attributes:
        parts_per_s: pace of the line; None: as fast as the station answers.
        parts: how many.
        bundle: a shipped one, or its folder.
        budget_ms: deadline, counted from the end of the tap test [ms]; None: that of a new station.
        background: keep the station busy beside the line.
        faulty: have the device go wrong now and then.
        hostile: keep every core busy with other processes.
        remembered: the models answer from a table what they were asked before.
        histogram: where to draw how long parts took; None: nowhere.
        memory: where to draw memory over the parts; None: nowhere.
        as_json: print JSON.
    """

    parts_per_s: float | None
    parts: int
    bundle: str
    budget_ms: float | None
    background: bool
    faulty: bool
    hostile: bool
    remembered: bool
    histogram: Path | None
    memory: Path | None
    as_json: bool

    @property
    def load(self) -> str:
        """What the station is run against, in words."""
        words = {"background work": self.background, "a faulty device": self.faulty, "full cores": self.hostile}
        words["answers from a table"] = self.remembered
        return ", ".join(word for word, there in words.items() if there) or "nothing else"


class _Seen:
    """What came out of the line; takes all its memory at once. Filled on the loop thread.

    Args:
        parts: how many will come.
    """

    def __init__(self, parts: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.count = self.missed = 0
        self._ms = np.full((parts, len(HOPS)), np.nan, np.float32)

    def hops_ms(self) -> dict[str, NDArray[np.float32]]:
        """Give how long each hop took, of the parts that went through it [ms]."""
        table = {f"{a}-{b}": self._ms[: self.count, at] for at, (a, b) in enumerate(HOPS)}
        return {hop: values_ms[~np.isnan(values_ms)] for hop, values_ms in table.items()}

    def take(self, part: Part) -> None:
        """Hear of a part."""
        self.outcomes[str(part.verdict.outcome)] += 1
        self.missed += part.verdict.cause in MISSED or not LOST.isdisjoint(part.verdict.degraded)
        if part.verdict.cause:
            self.causes[part.verdict.cause] += 1
        times = part.times
        points = {
            "trigger": times.trigger_s,
            "paired": times.paired_s,
            "inferred": times.inferred_s,
            "decided": times.decided_s,
            "committed": times.committed_s,
            "acted": times.acted_s,
        }
        for at, (a, b) in enumerate(HOPS):
            start_s, end_s = points[a], points[b]
            if start_s is not None and end_s is not None:
                self._ms[self.count, at] = 1e3 * (end_s - start_s)
        self.count += 1


def run_stress(options: StressOptions) -> int:
    """Run the line, print and draw; give the exit code.

    Args:
        options: what the person chose.

    Returns:
        0; 1 when a component did not end in time.
    """
    for file in (options.histogram, options.memory):
        if file is not None:
            check_folder(file)
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder:
        seen, looks, report, unclean = _stressed(_config(options, Path(folder)), options)
    taken_ms = seen.hops_ms()["paired-committed"]
    if options.histogram is not None and len(taken_ms):
        marks = {f"budget {BUDGET_MS:g} ms": BUDGET_MS, "p99": report.hops["paired-committed"].p99_ms}
        title = f"pair to commit, {report.parts} parts, {report.load}"
        _draw(draw_histogram(taken_ms.tolist(), title, marks), options.histogram)
    if options.memory is not None and looks:
        _draw(draw_memory(looks, f"PSS, {report.load}"), options.memory)
    with leaving(unclean):
        if options.as_json:
            say_json(report)
        else:
            print_stress(report)
            for file in (options.histogram, options.memory):
                if file is not None:
                    say(f"drawn: {file}")
    return 0


def _draw(picture: NDArray[np.uint8], file: Path) -> None:
    _, png = cv2.imencode(".png", picture)
    write_file(file, png.tobytes())


def _config(options: StressOptions, folder: Path) -> Config:
    config = Config.defaults(folder)
    recipe = msgspec.structs.replace(config.recipe, bundle=options.bundle)
    pairing, engine = config.pairing, config.engine
    if options.budget_ms is not None:
        wait_ms = pairing.window_ms + WAITS * options.budget_ms
        pairing = msgspec.structs.replace(pairing, wait_ms=wait_ms, frame_after_ms=pairing.window_ms)
        recipe = msgspec.structs.replace(recipe, deadline_ms=pairing.window_ms + options.budget_ms)
    if options.faulty:
        engine = msgspec.structs.replace(engine, timeout_ms=FAULTY_TIMEOUT_MS, memory_mb=FAULTY_MEMORY_MB)
    return msgspec.structs.replace(config, recipe=recipe, engine=engine, pairing=pairing).resolved(Path())


def _stressed(
    config: Config, options: StressOptions
) -> tuple[_Seen, list[tuple[int, float]], StressReport, tuple[str, ...]]:
    line = CastingLine(1)
    with Station(config) as station:
        station.teach(NORMAL, list(good_run(line, GOOD_RUN)))
        for slug in CLASSES:
            if slug != NORMAL:
                station.teach(slug, [example_of(line.example(slug, i)) for i in range(SHOTS)])
    gc.collect()
    give_back_memory()  # what teaching took is no memory of a running station
    castings, seen, chaos = castings_of(line), _Seen(options.parts), Chaos(FAULTY_ONE_IN, seed=1)
    usual: LoadEngines = load_remembering if options.remembered else load_engines
    load: LoadEngines = chaos.load if options.faulty else usual
    agent = build(config, supply=Pace(castings, options.parts_per_s, options.parts), told=seen.take, load=load)
    busy = Busy(agent, castings)
    if options.background:
        agent.loop.add(busy)
    try:
        with hostile(cores() if options.hostile else 0):
            looks, faults, wait_ms, seconds = _watched(agent, seen, options.parts)
        now = agent.clock.now()
        status, custody = agent.dispatcher.status(now), agent.custody.status(now)
    finally:
        unclean = agent.close()
    if (ending := agent.supervisor.ending) is not None:
        raise Unavailable(f"{ending.component} ended the run: {ending.error}", hint="see the events that it recorded")
    hops_ms = seen.hops_ms()
    hops = {hop: span(values_ms.astype(np.float64)) for hop, values_ms in hops_ms.items() if len(values_ms)}
    taken_ms = hops_ms["paired-committed"]
    report = StressReport(
        parts=seen.count,
        parts_per_s=options.parts_per_s,
        deadline_ms=config.recipe.deadline_ms,
        seconds=seconds,
        load=options.load,
        outcomes=dict(seen.outcomes),
        causes=dict(seen.causes),
        missed=exact(seen.missed + options.parts - seen.count, options.parts),
        overdue=agent.inspector.counts.overdue,
        budget=exact(int((taken_ms > BUDGET_MS).sum()), len(taken_ms)),
        hops=hops,
        p999_ms=float(np.percentile(taken_ms, 99.9)) if len(taken_ms) else 0.0,
        wait_p99_ms=wait_ms,
        encoded=busy.encoded,
        faults={str(fault): count for fault, count in chaos.counts.items() if count},
        dispatch=status.counts,
        events=_events(agent),
        memory=slope_of(looks),
        own_mb=sum(casting.image.nbytes + casting.samples.nbytes for casting in castings) / 1e6,
        custody=custody,
        page_faults=faults,
        machine=f"{processor()}, {platform.system()} {platform.release()}",
        versions=_versions(agent),
    )
    return seen, looks, report, unclean


def _watched(agent: Agent, seen: _Seen, parts: int) -> tuple[list[tuple[int, float]], float, float, float]:
    """Run the agent to the end of its line.

    Args:
        agent: is run.
        seen: counts what comes out of it.
        parts: how many will.

    Returns:
        Parts and memory [MB] at each look, page faults for each part, the longest wait [ms], how long it took [s].
    """
    looks: list[tuple[int, float]] = []
    settled = (0, 0)
    wait_ms = 0.0
    ready = False
    clock: Clock = agent.clock
    memory = MemoryGauge(clock)
    loop = threading.Thread(target=agent.run, name="loop")
    began_s = clock.now()
    loop.start()
    try:
        with progress_bar("parts") as progress:
            while loop.is_alive():
                loop.join(LOOK_S)
                if agent.is_settled and not ready:
                    ready = True
                    keep_for_good()  # as whoever runs a station does
                progress(seen.count, parts)
                if seen.count and (mb := memory.read_mb()) is not None:
                    looks.append((seen.count, mb))
                if seen.count < SETTLED * parts:
                    settled = seen.count, page_faults()
                wait_ms = max(wait_ms, 1e3 * agent.dispatcher.waits.p99_s)
                if not seen.count:
                    began_s = clock.now()
    finally:
        agent.loop.stop()
        loop.join()
        let_go()
    faults = (page_faults() - settled[1]) / max(seen.count - settled[0], 1)
    return looks, faults, wait_ms, clock.now() - began_s


def _events(agent: Agent) -> dict[str, int]:
    """Give how often the station noticed what, the newest thousand events."""
    with agent.holdings.reader() as reader:
        return dict(Counter(event.kind for event in reader.events(1000, severities=("warning", "error"))))


def _versions(agent: Agent) -> dict[str, str]:
    recipe, runtime = agent.holdings.recipe, agent.holdings.config.engine.runtime
    return {
        "edge-agent": program_version(),
        "bundle": f"{recipe.bundle.name} {recipe.bundle.manifest.version}",
        "runtime": f"{runtime} {version(runtime)}",
        "python": platform.python_version(),
    }
