"""The verbs about who may ask and who asked: `audit`, `trust`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.verb import AddVerb, add_verb, config_of
from edge_agent.terminal.options import add_json, add_station, add_who, count, digest


def add_verbs(add: AddVerb) -> None:
    """Add the verbs."""
    verb = add_verb(add, "audit", _audit, "list or verify who changed what", "edge-agent audit verify")
    verb.add_argument("to", metavar="TO", choices=("list", "verify"), help="list: the newest rows, verify: all of them")
    verb.add_argument("--ledger", type=Path, metavar="FILE", help="a copy of ledger.db instead of the station's own")
    verb.add_argument("--head", type=digest, metavar="HASH", help="with verify: a row with this hash must be there")
    verb.add_argument("--limit", type=count, default=50, help="with list: how many (default: 50)")
    add_station(verb)
    add_json(verb)

    example = "edge-agent trust add console console.pub --role administer"
    verb = add_verb(add, "trust", _trust, "list, add or remove the keys that are obeyed", example)
    verb.add_argument("to", metavar="TO", choices=("list", "add", "remove"), help="list, add or remove")
    verb.add_argument("name", nargs="?", metavar="NAME", help="whose key it is")
    verb.add_argument("key", nargs="?", metavar="KEY", help="with add: the public key in base64, or its file (PEM)")
    roles = ("operate", "administer", "acknowledge")
    verb.add_argument("--role", choices=roles, help="with add: operate, administer or acknowledge")
    add_who(verb)
    add_station(verb)
    add_json(verb)


def _audit(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.audit import list_audit, verify_audit

    place = arguments.ledger or Path(config_of(arguments).station.state_dir)
    if arguments.to == "list":
        return list_audit(place, arguments.limit, as_json=arguments.json)
    return verify_audit(place, arguments.head or "", as_json=arguments.json)


def _trust(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.trust import change_trust

    return change_trust(
        config_of(arguments, begins=arguments.to == "add"),
        arguments.to,
        arguments.name,
        arguments.role,
        arguments.key,
        arguments.who,
        as_json=arguments.json,
    )
