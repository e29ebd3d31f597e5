"""How long a running station takes to be taught: `edge-agent bench --teaching`.

Five classes of five examples are taught through the local API, as `edge-agent teach` does it; the line stands still.
Right before each class the bare runtime encodes the same variants in the same process.
"""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from edge_agent import api
from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.bench.line import Bare, HandFed, Line, leaving, running
from edge_agent.bench.report import Span, span
from edge_agent.config import Config
from edge_agent.demo.lesson_plan import example_of, good_run
from edge_agent.learning.example import Example, pack
from edge_agent.learning.guiding import space_of
from edge_agent.learning.lesson import variant_of
from edge_agent.product.recipe import Recipe
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.machine import processor
from edge_agent.station import Station
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.progressbar import progress_bar
from models.augment import AUGMENTATIONS
from models.castings import CLASSES, NORMAL, CastingLine

CLASSES_TAUGHT: Final = 5
SHOTS: Final = 5
GOOD_RUN: Final = 40
SOLVED: Final = 20
"""How often the classifier is solved."""

WHO: Final = "bench"


@dataclass(frozen=True)
class TeachingReport:
    """What was measured.

    Attributes:
        bundle: its name and version.
        encodings: variants that were encoded.
        taught_s: from the request to the answer, all classes [s].
        bare_s: preparing and inference of the same variants by the bare runtime [s].
        inference_s: of that, inference [s].
        solve: solving the classifier of all classes, both modalities there.
        threads: that compute.
        runtime: its name and version.
        machine: processor.
    """

    bundle: str
    encodings: int
    taught_s: float
    bare_s: float
    inference_s: float
    solve: Span
    threads: int
    runtime: str
    machine: str


def run_teaching(bundle: str, threads: int, *, as_json: bool) -> int:
    """Measure and print.

    Args:
        bundle: a shipped one, or its folder.
        threads: that compute.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        ConfigError: there is no such bundle.
        EdgeAgentError: why the station could not be taught.
    """
    unclean: list[str] = []
    with leaving(unclean):
        with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as folder, progress_bar("classes") as progress:
            defaults = Config.defaults(Path(folder))
            config = msgspec.structs.replace(
                defaults,
                recipe=msgspec.structs.replace(defaults.recipe, bundle=bundle),
                engine=msgspec.structs.replace(defaults.engine, threads=threads),
            ).resolved(Path())
            lessons = _lessons()
            report = _measured(config, lessons, unclean, lambda done: progress(done, len(lessons)))
        if as_json:
            say_json(report)
        else:
            _print(report)
    return 0


def _lessons() -> list[tuple[str, list[Example]]]:
    line = CastingLine(1)
    slugs = [slug for slug in CLASSES if slug != NORMAL][:CLASSES_TAUGHT]
    return [(slug, [example_of(line.example(slug, i)) for i in range(SHOTS)]) for slug in slugs]


def _measured(
    config: Config, lessons: Sequence[tuple[str, list[Example]]], unclean: list[str], progress: Callable[[int], None]
) -> TeachingReport:
    """Teach a running agent; `unclean` takes the components of it that did not end in time."""
    with Station(config) as station:
        station.teach(NORMAL, list(good_run(CastingLine(1), GOOD_RUN)))
    supply = HandFed()
    agent = build(config, supply=supply)
    with running(agent, supply, unclean):
        Line(agent, supply, queue.SimpleQueue(), agent.clock).wait_until_ready()
        return _taught(agent, lessons, progress)


def _taught(
    agent: Agent, lessons: Sequence[tuple[str, list[Example]]], progress: Callable[[int], None]
) -> TeachingReport:
    clock, config = agent.clock, agent.holdings.config
    bare = Bare(agent.holdings.recipe.bundle, config)
    taught_s = bare_s = inference_s = 0.0
    try:
        _alone(bare, lessons[0][1], clock)  # kernels are chosen and memory is touched in it
        for done, (slug, examples) in enumerate(lessons, 1):
            alone = _alone(bare, examples, clock)
            bare_s, inference_s = bare_s + sum(alone), inference_s + alone[1]
            body = pack(examples)
            began_s = clock.now()
            api.call(Path(config.api.socket), "teach", {"label": slug, "who": WHO, "now": True}, body)
            taught_s += clock.now() - began_s
            progress(done)
    finally:
        bare.close()
    runtime = config.engine.runtime
    bundle = agent.holdings.recipe.bundle
    return TeachingReport(
        bundle=f"{bundle.name} {bundle.manifest.version}",
        encodings=AUGMENTATIONS * sum(len(examples) for _, examples in lessons),
        taught_s=taught_s,
        bare_s=bare_s,
        inference_s=inference_s,
        solve=span(_solved_ms(agent.holdings.recipe, clock)),
        threads=config.engine.threads,
        runtime=f"{runtime} {version(runtime)}",
        machine=processor(),
    )


def _alone(bare: Bare, examples: Sequence[Example], clock: Clock) -> tuple[float, float]:
    """Encode all variants; give what preparing them took, and what inference did [s]."""
    prepared_s = inferred_s = 0.0
    for example in examples:
        for k in range(AUGMENTATIONS):
            began_s = clock.now()
            variant = variant_of(example, k)
            sources = bare.prepared(variant.image, variant.samples, variant.rate_hz)
            ready_s = clock.now()
            bare.infer(sources)
            prepared_s, inferred_s = prepared_s + ready_s - began_s, inferred_s + clock.now() - ready_s
    return prepared_s, inferred_s


def _solved_ms(recipe: Recipe, clock: Clock) -> list[float]:
    """Solve the classifier of what was learned, again and again; give what each took [ms]."""
    knowledge, taken_ms = recipe.learned.knowledge, []
    prior = space_of(recipe.bundle, recipe.learned.guiding).prior()
    for _ in range(SOLVED):
        began_s = clock.now()
        knowledge.head(prior, normal=recipe.bundle.normal)
        taken_ms.append(1e3 * (clock.now() - began_s))
    return taken_ms


def _print(report: TeachingReport) -> None:
    say(f"bundle {report.bundle}, {report.runtime}, {report.threads} thread(s), {report.machine}")
    say(f"{CLASSES_TAUGHT} classes of {SHOTS} examples taught, {report.encodings} encodings   {report.taught_s:6.2f} s")
    say(f"the bare runtime, prepared and computed            {report.bare_s:6.2f} s")
    say(f"of that, computed                                  {report.inference_s:6.2f} s")
    say(f"taught / computed                                  {report.taught_s / report.inference_s:6.2f}")
    say(f"solving the classifier, median and worst           {report.solve.p50_ms:6.2f}, {report.solve.max_ms:.2f} ms")
