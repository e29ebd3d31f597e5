"""The verbs that measure: `evaluate`, `bench`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from edge_agent.cli.verb import AddVerb, add_verb
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.options import FAST, add_json, budget_ms, count, minutes, rate_or_fast, some

BUNDLE: Final = "generic"

LINE_OPTIONS: Final = (
    "--minutes",
    "--budget",
    "--background",
    "--chaos-device",
    "--hostile",
    "--remembered",
    "--histogram",
    "--memory",
)
"""What makes sense with `bench --line` only."""


def add_verbs(add: AddVerb) -> None:
    """Add the verbs."""
    verb = add_verb(
        add,
        "evaluate",
        _evaluate,
        "honest numbers on a folder of class folders",
        "edge-agent evaluate steel --shots 5",
    )
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="holds one folder of pictures for each class")
    verb.add_argument("--shots", type=some, default=5, help="examples taught of each class (default: 5)")
    verb.add_argument("--episodes", type=some, default=20, help="random choices of them (default: 20)")
    verb.add_argument("--seed", type=count, default=1, help="of the choices (default: 1)")
    verb.add_argument("--bundle", default="generic", help="a shipped bundle, or its folder (default: generic)")
    question = verb.add_mutually_exclusive_group()
    question.add_argument(
        "--incremental", action="store_true", help="the classes come one after the other: what is forgotten?"
    )
    question.add_argument(
        "--unknown",
        action="append",
        default=[],
        metavar="CLASS",
        help="a class that is never taught: is it noticed? may be given several times; `all` for each in turn",
    )
    question.add_argument(
        "--good-only", action="store_true", help="only the pictures in good/ are learned: do the others stand out?"
    )
    verb.add_argument(
        "--train-good", type=count, metavar="N", help="good pictures that --good-only learns (default: 100, or half)"
    )
    verb.add_argument(
        "--lots",
        type=count,
        metavar="K",
        help="with --good-only: learn K lots, named LOT_NUMBER.png; do good parts of the other lots stand out?",
    )
    add_json(verb)

    verb = add_verb(add, "bench", _bench, "measure latency, overhead and memory here", "edge-agent bench --parts 1000")
    verb.add_argument("--parts", type=some, default=1000, help="parts to measure (default: 1000)")
    verb.add_argument("--bundle", help=f"a shipped bundle, or its folder (default: {BUNDLE})")
    question = verb.add_mutually_exclusive_group()
    question.add_argument(
        "--placement", action="store_true", help="measure instead which part of the bundle runs best on which device"
    )
    where = verb.add_mutually_exclusive_group()
    where.add_argument(
        "--state", type=Path, metavar="DIR", help="with --placement: what the station with this state measured and took"
    )
    where.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="with --placement: as this station places its recipe's bundle, and what it measured and took",
    )
    verb.add_argument(
        "--batches", action="store_true", help="with --placement: measure several pieces together on a CPU too"
    )
    question.add_argument("--start", action="store_true", help="measure instead how soon the first verdict comes")
    question.add_argument(
        "--sharing", action="store_true", help="measure instead the memory of recipes that share a bundle"
    )
    question.add_argument("--teaching", action="store_true", help="measure instead how long a lesson takes")
    verb.add_argument("--threads", type=some, metavar="N", help="with --teaching: threads that compute (default: 1)")
    question.add_argument("--decisions", action="store_true", help="measure instead how long the scheduler decides")
    question.add_argument(
        "--line",
        type=rate_or_fast,
        metavar="RATE",
        help="run a line at RATE parts/s instead, or `fast`, and count what it misses",
    )
    verb.add_argument("--minutes", type=minutes, help="with --line: how long it runs (default: 1)")
    verb.add_argument(
        "--budget", type=budget_ms, metavar="MS", help="with --line: the deadline, counted from the end of the tap test"
    )
    verb.add_argument("--background", action="store_true", help="with --line: background work without end beside it")
    verb.add_argument("--chaos-device", action="store_true", help="with --line: a device that goes wrong now and then")
    verb.add_argument("--hostile", action="store_true", help="with --line: other processes take every core")
    verb.add_argument(
        "--remembered", action="store_true", help="with --line: answer from a table what was asked before"
    )
    verb.add_argument("--memory", type=Path, metavar="PNG", help="with --line: draw memory over the parts")
    verb.add_argument("--histogram", type=Path, metavar="PNG", help="with --line: draw how long parts took")
    add_json(verb)


def _evaluate(arguments: argparse.Namespace) -> int:
    from edge_agent.evaluate import EvaluateOptions, run_evaluate

    options = EvaluateOptions(
        arguments.folder,
        arguments.shots,
        arguments.episodes,
        arguments.seed,
        arguments.bundle,
        arguments.json,
        incremental=arguments.incremental,
        unknown=tuple(arguments.unknown),
        good_only=arguments.good_only,
        train_good=arguments.train_good,
        lots=arguments.lots,
    )
    return run_evaluate(options)


def _bench(arguments: argparse.Namespace) -> int:
    if arguments.config is not None and arguments.bundle is not None:
        raise WrongUsage("the station says which bundle it is about", hint="leave out --bundle, or -c FILE")
    arguments.bundle = arguments.bundle or BUNDLE
    for option in LINE_OPTIONS:
        if arguments.line is None and getattr(arguments, option.removeprefix("--").replace("-", "_")):
            raise WrongUsage(f"{option} goes with --line", hint="edge-agent bench --line 10 " + option)
    if arguments.state is not None and not arguments.placement:
        raise WrongUsage("--state goes with --placement", hint="edge-agent bench --placement --state state")
    if arguments.config is not None and not arguments.placement:
        raise WrongUsage("--config goes with --placement", hint="edge-agent bench --placement -c station.toml")
    if arguments.batches and not arguments.placement:
        raise WrongUsage("--batches goes with --placement", hint="edge-agent bench --placement --batches")
    if arguments.threads is not None and not arguments.teaching:
        raise WrongUsage("--threads goes with --teaching", hint="edge-agent bench --teaching --threads 2")
    lasts = "a few seconds" if arguments.decisions else "some minutes"
    sys.stderr.write(f"edge-agent: this measures for {lasts}; let nothing else run\n")
    return _bench_of(arguments)()


def _placing_of(arguments: argparse.Namespace) -> Callable[[], int]:
    """Give what measures where a bundle would run: with all that this machine has, or as a station may."""
    from edge_agent.bench.placing import run_placing
    from edge_agent.config import EngineConfig
    from edge_agent.config.file import load_config

    bundle, state, engine = arguments.bundle, arguments.state, EngineConfig()
    if arguments.config is not None:
        config = load_config(arguments.config)
        bundle, state, engine = config.recipe.bundle_dir, Path(config.station.state_dir), config.engine
    return partial(run_placing, bundle, state, engine, as_json=arguments.json, batches=arguments.batches)


def _bench_of(arguments: argparse.Namespace) -> Callable[[], int]:
    """Give what measures what was asked for; only that is loaded."""
    bundle, as_json = arguments.bundle, arguments.json
    if arguments.line is not None:
        return _line_of(arguments)
    if arguments.placement:
        return _placing_of(arguments)
    if arguments.start:
        from edge_agent.bench.starting import run_starting as run
    elif arguments.sharing:
        from edge_agent.bench.sharing import run_sharing as run
    elif arguments.teaching:
        from edge_agent.bench.teaching import run_teaching

        run = partial(run_teaching, threads=arguments.threads or 1)
    elif arguments.decisions:
        from edge_agent.bench.deciding import run_deciding

        return partial(run_deciding, as_json=as_json)
    else:
        from edge_agent.bench import run_bench

        run = partial(run_bench, arguments.parts)
    return partial(run, bundle, as_json=as_json)


def _line_of(arguments: argparse.Namespace) -> Callable[[], int]:
    from edge_agent.bench.stress import StressOptions, run_stress

    pace = None if arguments.line == FAST else arguments.line
    parts = arguments.parts if pace is None else round(pace * (arguments.minutes or 1.0) * 60)
    options = StressOptions(
        pace,
        max(parts, 1),
        arguments.bundle,
        arguments.budget,
        arguments.background,
        arguments.chaos_device,
        arguments.hostile,
        arguments.remembered,
        arguments.histogram,
        arguments.memory,
        arguments.json,
    )
    return partial(run_stress, options)
