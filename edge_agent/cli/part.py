"""The verbs about parts: `inspect`, `label`, `why`, `escape`, `export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.verb import AddVerb, add_verb, config_of
from edge_agent.terminal.options import add_json, add_station, add_who, count, named

WHEN_HELP = "2026-11-24, 2026-11-24T06:00, or how long ago: 30m, 8h, 7d"


def add_verbs(add: AddVerb) -> None:
    """Add the verbs."""
    verb = add_verb(add, "inspect", _inspect, "judge files or folders now", "edge-agent inspect parts/ --json")
    verb.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="picture and vibration files, or folders")
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "label", _label, "say what a part really is", "edge-agent label 8123 scratch")
    verb.add_argument("part", type=count, metavar="PART", help="number of the part")
    word = verb.add_mutually_exclusive_group(required=True)
    word.add_argument("label", nargs="?", type=named, metavar="CLASS", help="what it is")
    word.add_argument("--confirm", action="store_true", help="the verdict was right")
    word.add_argument("--undo", action="store_true", help="take the last word back")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "why", _why, "say why a part got its answer", "edge-agent why 8123 --picture heat.png")
    verb.add_argument("part", type=count, metavar="PART", help="number of the part")
    verb.add_argument("--picture", type=Path, metavar="FILE", help="write the heat map as PNG")
    verb.add_argument("--page", type=Path, metavar="FILE", help="write all of it as one HTML page")
    add_station(verb)
    add_json(verb)

    verb = add_verb(
        add, "escape", _escape, "find parts like one that got past", "edge-agent escape 8123 --class scratch"
    )
    verb.add_argument("part", type=count, metavar="PART", help="number of the part that got past")
    verb.add_argument("--class", dest="label", required=True, type=named, metavar="CLASS", help="what it is")
    verb.add_argument("--since", default="24h", metavar="WHEN", help=f"{WHEN_HELP} (default: 24h)")
    verb.add_argument("--page", type=Path, metavar="FILE", help="write the list as one HTML page, to be ticked off")
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "export", _export, "write parts as CSV or Parquet", "edge-agent export --since 8h parts.csv")
    verb.add_argument("file", type=Path, metavar="FILE", help="ends in .csv or .parquet")
    verb.add_argument("--since", metavar="WHEN", help=WHEN_HELP)
    add_station(verb)
    add_json(verb)


def _inspect(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.files import inspect_files

    return inspect_files(config_of(arguments), arguments.config is not None, arguments.paths, as_json=arguments.json)


def _label(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import label_part

    return label_part(
        config_of(arguments, changes=True),
        arguments.part,
        arguments.label,
        confirm=arguments.confirm,
        who=arguments.who,
        as_json=arguments.json,
    )


def _why(arguments: argparse.Namespace) -> int:
    from edge_agent.partview.verbs import show_why

    return show_why(config_of(arguments), arguments.part, arguments.picture, arguments.page, as_json=arguments.json)


def _escape(arguments: argparse.Namespace) -> int:
    from edge_agent.partview.verbs import show_escape
    from edge_agent.runtime.clock import SystemClock
    from edge_agent.verbs.parts import parse_since

    since_utc = parse_since(arguments.since, SystemClock().utc())
    return show_escape(
        config_of(arguments), arguments.part, arguments.label, since_utc, arguments.page, as_json=arguments.json
    )


def _export(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.parts import export_since

    return export_since(config_of(arguments), arguments.file, arguments.since, as_json=arguments.json)
