"""The verb about who the station is: `identity`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.verb import AddVerb, add_verb, config_of
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.options import add_json, add_station


def add_verbs(add: AddVerb) -> None:
    """Add the verb."""
    example = "edge-agent identity request press-3.csr -c station.toml"
    verb = add_verb(add, "identity", _identity, "the station's key and certificate for the broker", example)
    what = "show what there is, make a key, request or renew a certificate, install one"
    verb.add_argument("what", choices=("show", "make", "request", "install", "renew"), metavar="WHAT", help=what)
    verb.add_argument("file", nargs="?", type=Path, metavar="FILE", help="request to write, or certificate to install")
    verb.add_argument("--ca", type=Path, metavar="FILE", help="certificate of the authority, for install")
    add_station(verb)
    add_json(verb)


def _identity(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.identity import install_certificate, make_identity, show_identity, write_request

    what, file = arguments.what, arguments.file
    config = config_of(arguments, begins=what != "show")
    if (file is None) != (what in ("show", "make")):
        needs = "needs a FILE" if file is None else "takes no FILE"
        raise WrongUsage(f"{what} {needs}", hint="edge-agent identity --help shows an example")
    if what == "show":
        return show_identity(config, as_json=arguments.json)
    if what == "make":
        return make_identity(config, as_json=arguments.json)
    if what == "install":
        return install_certificate(config, file, arguments.ca, as_json=arguments.json)
    return write_request(config, file, new_key=what == "renew", as_json=arguments.json)
