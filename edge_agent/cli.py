"""The `edge-agent` command: what may be typed, and for each verb the few lines that call what does it.

It parses; exit codes are 0 fine, 1 failed, 2 wrong usage, 78 configuration, 130 interrupted. A verb loads
only what it needs.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.errors import ConfigError, EdgeAgentError
from edge_agent.options import add_json, add_station, add_who, count, rate

if TYPE_CHECKING:
    from edge_agent.agent import Agent
    from edge_agent.config import Config

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h; the systemd unit does not restart on it."""

EXIT_INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell makes of Ctrl-C."""

AddVerb = Callable[..., argparse.ArgumentParser]
"""`add_parser` of argparse's collection of sub-commands."""

Serve = Callable[[Callable[[], "Agent"]], int]
"""Makes an agent, runs it until it ends or is stopped, closes it, and gives the exit code."""


def main(argv: Sequence[str], serve: Serve) -> int:
    """Do what was typed; give the exit code.

    Args:
        argv: the words after the program's name.
        serve: runs an agent under the process's signals.

    Returns:
        The exit code.
    """
    arguments = parser().parse_args(argv)
    arguments.serve = serve
    try:
        return int(arguments.verb(arguments))
    except ConfigError as error:
        return _fail(error, EXIT_CONFIG)
    except EdgeAgentError as error:
        return _fail(error, EXIT_FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("edge-agent: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone; nothing is left to say
        return EXIT_OK


def parser() -> argparse.ArgumentParser:
    """Describe every verb; the documents are checked against it."""
    top = argparse.ArgumentParser(
        prog="edge-agent", description="An inspection station: picture and vibration in, OK / NG / UNSURE out."
    )
    top.add_argument("--version", action="store_true", help="print the version of the program and its runtimes")
    top.set_defaults(verb=_version_or_help, parser=top)
    add = top.add_subparsers(title="verbs", metavar="VERB").add_parser
    _add_station_verbs(add)
    _add_part_verbs(add)
    _add_measuring_verbs(add)
    return top


def _add_station_verbs(add: AddVerb) -> None:
    verb = _verb(add, "demo", _demo, "watch a simulated line being judged and taught", "edge-agent demo --fast")
    verb.add_argument("--parts", type=count, default=600, help="parts in all; 0 for no end (default: 600)")
    verb.add_argument("--rate", type=rate, default=5.0, help="parts per second (default: 5)")
    verb.add_argument("--fast", action="store_true", help="as fast as this machine can")
    verb.add_argument("--seed", type=count, default=1, help="of the simulated line (default: 1)")
    verb.add_argument("--bundle", default="castings", help="a shipped bundle, or its folder (default: castings)")
    verb.add_argument("--state", type=Path, help="folder for the database (default: state/demo-<time>)")
    add_json(verb)

    verb = _verb(add, "run", _run, "run the station that a file describes", "edge-agent run -c station.toml")
    verb.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")

    verb = _verb(add, "check", _check, "name every error of a configuration", "edge-agent check -c station.toml")
    verb.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    add_json(verb)

    verb = _verb(add, "status", _status, "ask the running station how it is", "edge-agent status")
    add_station(verb)
    add_json(verb)

    verb = _verb(add, "events", _events, "list what the station noticed", "edge-agent events --limit 20")
    verb.add_argument("--limit", type=count, default=50, help="how many (default: 50)")
    add_station(verb)
    add_json(verb)


def _add_part_verbs(add: AddVerb) -> None:
    verb = _verb(add, "inspect", _inspect, "judge files or folders now", "edge-agent inspect parts/ --json")
    verb.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="picture and vibration files, or folders")
    add_station(verb)
    add_json(verb)

    verb = _verb(add, "teach", _teach, "learn a class from examples", "edge-agent teach scratch examples/scratch")
    verb.add_argument("label", metavar="CLASS", help="what the examples are, a-z 0-9 _; `good` for good parts")
    verb.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="picture and vibration files, or folders")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = _verb(add, "label", _label, "say what a part really is", "edge-agent label 8123 scratch")
    verb.add_argument("part", type=count, metavar="PART", help="number of the part")
    word = verb.add_mutually_exclusive_group(required=True)
    word.add_argument("label", nargs="?", metavar="CLASS", help="what it is")
    word.add_argument("--confirm", action="store_true", help="the verdict was right")
    word.add_argument("--undo", action="store_true", help="take the last word back")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = _verb(add, "export", _export, "write parts as CSV or Parquet", "edge-agent export --since 8h parts.csv")
    verb.add_argument("file", type=Path, metavar="FILE", help="ends in .csv or .parquet")
    verb.add_argument("--since", metavar="WHEN", help="2026-11-24, 2026-11-24T06:00, or how long ago: 30m, 8h, 7d")
    add_station(verb)
    add_json(verb)


def _add_measuring_verbs(add: AddVerb) -> None:
    verb = _verb(
        add,
        "evaluate",
        _evaluate,
        "honest numbers on a folder of class folders",
        "edge-agent evaluate steel --shots 5",
    )
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="holds one folder of pictures for each class")
    verb.add_argument("--shots", type=count, default=5, help="examples taught of each class (default: 5)")
    verb.add_argument("--episodes", type=count, default=20, help="random choices of them (default: 20)")
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
    add_json(verb)

    verb = _verb(add, "bench", _bench, "measure latency, overhead and memory here", "edge-agent bench --parts 1000")
    verb.add_argument("--parts", type=count, default=1000, help="parts to measure (default: 1000)")
    verb.add_argument("--bundle", default="generic", help="a shipped bundle, or its folder (default: generic)")
    add_json(verb)


def _demo(arguments: argparse.Namespace) -> int:
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
    from edge_agent.configfile import load_config

    config = load_config(arguments.config)

    def make() -> Agent:
        from edge_agent.app import build

        return build(config)

    return int(arguments.serve(make))


def _check(arguments: argparse.Namespace) -> int:
    from edge_agent.configfile import check_config
    from edge_agent.printing import print_problems

    problems = check_config(arguments.config)
    print_problems(arguments.config, problems, as_json=arguments.json)
    return EXIT_CONFIG if problems else EXIT_OK


def _inspect(arguments: argparse.Namespace) -> int:
    from edge_agent.filework import inspect_files

    return inspect_files(_config(arguments), arguments.config is not None, arguments.paths, as_json=arguments.json)


def _teach(arguments: argparse.Namespace) -> int:
    from edge_agent.filework import teach_files

    return teach_files(_config(arguments), arguments.label, arguments.paths, arguments.who, as_json=arguments.json)


def _label(arguments: argparse.Namespace) -> int:
    from edge_agent.partwork import label_part

    return label_part(
        _config(arguments),
        arguments.part,
        arguments.label,
        confirm=arguments.confirm,
        who=arguments.who,
        as_json=arguments.json,
    )


def _export(arguments: argparse.Namespace) -> int:
    from edge_agent.partwork import export_since

    return export_since(_config(arguments), arguments.file, arguments.since, as_json=arguments.json)


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
    )
    return run_evaluate(options)


def _bench(arguments: argparse.Namespace) -> int:
    from edge_agent.bench import run_bench

    return run_bench(arguments.parts, arguments.bundle, as_json=arguments.json)


def _status(arguments: argparse.Namespace) -> int:
    from edge_agent.partwork import show_status

    return show_status(_config(arguments), as_json=arguments.json)


def _events(arguments: argparse.Namespace) -> int:
    from edge_agent.partwork import show_events

    return show_events(_config(arguments), arguments.limit, as_json=arguments.json)


def _version_or_help(arguments: argparse.Namespace) -> int:
    if not arguments.version:
        arguments.parser.print_help(sys.stderr)
        return 2
    from importlib.metadata import version

    names = ("edge-agent", "onnxruntime", "openvino", "numpy")
    sys.stdout.write("".join(f"{name} {version(name)}\n" for name in names))
    return EXIT_OK


def _verb(
    add: AddVerb,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    verb = add(name, help=summary, description=f"{summary}.", epilog=f"example: {example}")
    verb.set_defaults(verb=run)
    return verb


def _config(arguments: argparse.Namespace) -> Config:
    from edge_agent.config import Config
    from edge_agent.configfile import load_config

    return load_config(arguments.config) if arguments.config is not None else Config.defaults(arguments.state)


def _fail(error: EdgeAgentError, code: int) -> int:
    sys.stderr.write(f"edge-agent: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"  {error.hint}\n")
    return code
