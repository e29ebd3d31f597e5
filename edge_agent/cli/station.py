"""The verbs about a station as a whole: `demo`, `run`, `check`, `config`, `status`, `events`, `use`, `gate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.verb import AddVerb, add_verb, config_of
from edge_agent.terminal.exits import EXIT_CONFIG, WrongUsage
from edge_agent.terminal.options import add_json, add_station, add_who, count, rate, whole

if TYPE_CHECKING:
    from edge_agent.agent import Agent


def add_verbs(add: AddVerb) -> None:
    """Add the verbs."""
    verb = add_verb(add, "demo", _demo, "watch a simulated line being judged and taught", "edge-agent demo --fast")
    verb.add_argument("--parts", type=count, default=600, help="parts in all; 0 for no end (default: 600)")
    verb.add_argument("--rate", type=rate, default=5.0, help="parts per second (default: 5)")
    verb.add_argument("--fast", action="store_true", help="as fast as this machine can")
    verb.add_argument("--seed", type=whole(0, 2**32 - 1), default=1, help="of the simulated line (default: 1)")
    verb.add_argument("--bundle", default="castings", help="a shipped bundle, or its folder (default: castings)")
    verb.add_argument("--state", type=Path, help="folder for the database (default: state/demo-<time>)")
    verb.add_argument(
        "--examples", type=Path, metavar="DIR", help="write example folders of the simulated parts instead"
    )
    verb.add_argument(
        "--count", type=whole(1, 10_000), metavar="N", help="with --examples: parts of each class (default: 40)"
    )
    add_json(verb)

    verb = add_verb(add, "run", _run, "run the station that a file describes", "edge-agent run -c station.toml")
    verb.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")

    verb = add_verb(add, "check", _check, "name every error of a configuration", "edge-agent check -c station.toml")
    verb.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    add_json(verb)

    verb = add_verb(
        add, "config", _config, "show which settings hold, and who set them", "edge-agent config -c station.toml"
    )
    verb.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    verb.add_argument("--all", action="store_true", help="also those that nobody set")
    add_json(verb)

    verb = add_verb(add, "status", _status, "ask the running station how it is", "edge-agent status")
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "events", _events, "list what the station noticed", "edge-agent events --limit 20")
    verb.add_argument("--limit", type=whole(1, 1000), default=50, help="how many (default: 50)")
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "use", _use, "inspect another product", "edge-agent use bolts")
    verb.add_argument("recipe", metavar="RECIPE", help="the name of one of the station's recipes")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "gate", _gate, "bypass the reject gate, end that, or try it", "edge-agent gate try")
    what = "follow the station, bypass: every part passes, or try: move once"
    verb.add_argument("to", metavar="TO", choices=("follow", "bypass", "try"), help=what)
    add_who(verb)
    add_station(verb)
    add_json(verb)


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.examples is not None:
        from edge_agent.demo.examples import run_examples

        return run_examples(arguments.examples, arguments.count or 40, arguments.seed, as_json=arguments.json)
    if arguments.count is not None:
        raise WrongUsage("--count goes with --examples", hint="edge-agent demo --examples parts --count 40")
    from edge_agent.demo import DemoOptions, run_demo

    options = DemoOptions(
        state_dir=arguments.state,
        parts=arguments.parts,
        parts_per_s=arguments.rate,
        fast=arguments.fast,
        seed=arguments.seed,
        bundle=arguments.bundle,
        json=arguments.json,
    )
    return run_demo(options, arguments.serve)


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.config.faults import api_faults
    from edge_agent.config.file import check_config, format_problems, load_config

    read = [load_config(arguments.config)]  # what is wrong with the file is said before anything begins
    if problems := check_config(arguments.config, api_faults):
        # A line is judged also where nobody can ask how it is; what can be made later is tried again.
        sys.stderr.write(f"{format_problems(arguments.config, problems)}\n")

    def make() -> Agent:
        config = read.pop() if read else load_config(arguments.config)
        from edge_agent.inspection.headstart import HeadStart

        ahead = HeadStart(config)
        ahead.begin()  # while the rest of the program is read
        from edge_agent.running import begin

        return begin(arguments.config, ahead)

    return int(arguments.serve(make))


def _check(arguments: argparse.Namespace) -> int:
    from edge_agent.config.faults import api_faults
    from edge_agent.config.file import check_config
    from edge_agent.engines.pool import device_faults
    from edge_agent.terminal.printing import print_problems

    problems = check_config(arguments.config, api_faults, device_faults)
    print_problems(arguments.config, problems, as_json=arguments.json)
    return EXIT_CONFIG if problems else 0


def _config(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.config import show_settings

    return show_settings(arguments.config, every=arguments.all, as_json=arguments.json)


def _status(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import show_status

    return show_status(config_of(arguments), as_json=arguments.json)


def _events(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import show_events

    return show_events(config_of(arguments), arguments.limit, as_json=arguments.json)


def _gate(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import move_gate

    return move_gate(config_of(arguments), arguments.to, arguments.who, as_json=arguments.json)


def _use(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import use_recipe

    return use_recipe(config_of(arguments, changes=True), arguments.recipe, arguments.who, as_json=arguments.json)
