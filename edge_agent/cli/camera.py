"""The verb about cameras: `camera`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.verb import AddVerb, add_verb
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.options import add_json, some


def add_verbs(add: AddVerb) -> None:
    """Add the verb."""
    verb = add_verb(
        add, "camera", _camera, "list cameras, or look through one", "edge-agent camera shot -c station.toml"
    )
    verb.add_argument("what", choices=("list", "shot"), metavar="WHAT", help="list cameras, or take a shot with one")
    verb.add_argument("-c", "--config", type=Path, metavar="FILE", help="the station's configuration, for shot")
    verb.add_argument("--camera", default="", metavar="NAME", help="which of its cameras (default: the first)")
    verb.add_argument("--out", type=Path, metavar="PNG", help="write the last picture there")
    verb.add_argument("--frames", type=some, default=30, metavar="N", help="pictures to measure by (default: 30)")
    add_json(verb)


def _camera(arguments: argparse.Namespace) -> int:
    from edge_agent.config.file import load_config
    from edge_agent.verbs.camera import list_cameras, take_shot

    if arguments.what == "list":
        return list_cameras(as_json=arguments.json)
    if arguments.config is None:
        raise WrongUsage("shot needs a configuration with a [camera]", hint="edge-agent camera shot -c station.toml")
    config = load_config(arguments.config)
    return take_shot(config, arguments.camera, arguments.out, arguments.frames, as_json=arguments.json)
