"""The `edge-console` command: what may be typed, and for each verb the few lines that call what does it.

Exit codes are 0 fine, 1 failed, 2 wrong usage, 78 configuration, 130 interrupted. A verb loads only what it needs.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.console.options import add_broker, default_by, seconds
from edge_agent.errors import BadData
from edge_agent.terminal.exits import EXIT_USAGE, done, failed
from edge_agent.terminal.options import add_json

if TYPE_CHECKING:
    from edge_agent.config.uplink import UplinkConfig

PROGRAM: Final = "edge-console"

Verb = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """Describe every verb; the documents are checked against it."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The console of a fleet of inspection stations: what they tell, what they shall do.",
    )
    top.set_defaults(verb=None, parser=top)
    add = top.add_subparsers(title="verbs", metavar="VERB").add_parser

    def verb(name: str, run: Verb, summary: str, example: str) -> argparse.ArgumentParser:
        made = add(name, help=summary, description=f"{summary}.", epilog=f"example: {example}")
        made.set_defaults(verb=run)
        return made

    made = verb("key", _key, "make a key that signs commands or acknowledgements", "edge-console key ada")
    made.add_argument("name", metavar="NAME", help="of the key; its file is NAME.key")
    made.add_argument(
        "--role",
        choices=("operate", "administer", "acknowledge"),
        default="operate",
        help="what stations shall take it for (default: operate)",
    )
    add_json(made)

    made = verb(
        "send", _send, "ask a station to do something", "edge-console send press-3 gate to=bypass --sign ada.key"
    )
    made.add_argument("station", metavar="STATION", help="who is asked")
    made.add_argument("command", metavar="CMD", help="for what; a command of docs/commands.md")
    made.add_argument("given", nargs="*", metavar="KEY=VALUE", help="arguments of the command")
    made.add_argument("--sign", type=Path, metavar="KEYFILE", help="sign with this key")
    made.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="RESOURCE=FINGERPRINT",
        help="do it only if that is still so; may be given again",
    )
    made.add_argument("--ttl", type=seconds, default=30.0, metavar="S", help="how long it may be begun (default: 30)")
    made.add_argument("--wait", type=seconds, default=30.0, metavar="S", help="for the answer (default: 30)")
    made.add_argument("--id", default="", metavar="ID", help="of an earlier request, to ask again without harm")
    made.add_argument("--by", default=default_by(), metavar="NAME", help="who asks, for the record")
    add_broker(made)
    add_json(made)

    made = verb(
        "watch", _watch, "show what stations tell, and keep it", "edge-console watch --store fleet --ack fleet.key"
    )
    made.add_argument("stations", nargs="*", metavar="STATION", help="whom to listen to (default: all)")
    made.add_argument("--store", type=Path, metavar="DIR", help="keep everything in DIR/console.db")
    made.add_argument("--ack", type=Path, metavar="KEYFILE", help="tell stations, signed, what is stored")
    add_broker(made)
    add_json(made)

    made = verb(
        "configure",
        _configure,
        "change settings of a station, or show what is wanted of it",
        "edge-console configure press-3 recipe.false_reject=0.005 --sign ada.key",
    )
    made.add_argument("station", metavar="STATION", help="whose settings")
    made.add_argument("given", nargs="*", metavar="KEY=VALUE", help="settings; none: show what is wanted")
    made.add_argument(
        "--drop", action="append", default=[], metavar="KEY", help="as the station's file says; may be given again"
    )
    made.add_argument("--sign", type=Path, metavar="KEYFILE", help="sign with this key, which may administer")
    made.add_argument(
        "--trusted", type=Path, metavar="FILE", help="keys whose wishes count here, as a station's trusted.toml"
    )
    made.add_argument("--anew", action="store_true", help="what was wanted before does not matter")
    made.add_argument("--dry-run", action="store_true", help="only ask what it would change")
    made.add_argument("--wait", type=seconds, default=30.0, metavar="S", help="for the station's word (default: 30)")
    made.add_argument("--by", default=default_by(), metavar="NAME", help="who wants it, for the record")
    add_broker(made)
    add_json(made)

    made = verb("tail", _tail, "show the parts of one station as they come", "edge-console tail press-3")
    made.add_argument("station", metavar="STATION", help="whose")
    add_broker(made)
    add_json(made)

    made = verb("stations", _stations, "list the stations and how they are", "edge-console stations")
    add_broker(made)
    add_json(made)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was typed; give the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager ends it as a person does
    arguments = parser().parse_args(argv)
    if arguments.verb is None:
        arguments.parser.print_help(sys.stderr)
        return EXIT_USAGE
    return done(PROGRAM, lambda: int(arguments.verb(arguments)))


def _way(arguments: argparse.Namespace) -> UplinkConfig:
    from edge_agent.console.settings import settings_of

    typed = {
        "url": arguments.broker,
        "root": arguments.root,
        "ca": arguments.ca,
        "certificate": arguments.certificate,
        "key": arguments.key,
    }
    return settings_of(None if arguments.config is None else Path(arguments.config), typed)


def _key(arguments: argparse.Namespace) -> int:
    from edge_agent.console.keywork import make_signing_key

    return make_signing_key(arguments.name, arguments.role, as_json=arguments.json)


def _send(arguments: argparse.Namespace) -> int:
    from edge_agent.console.send import Order, send_command

    order = Order(
        station=arguments.station,
        command=arguments.command,
        given=arguments.given,
        expect=arguments.expect,
        request_id=arguments.id,
        by=arguments.by,
        sign=arguments.sign,
        ttl_s=arguments.ttl,
        wait_s=arguments.wait,
    )
    try:
        return send_command(_way(arguments), order, as_json=arguments.json)
    except BadData as error:
        return failed(PROGRAM, error, EXIT_USAGE)


def _configure(arguments: argparse.Namespace) -> int:
    from edge_agent.console.configure import Change, configure_station

    change = Change(
        station=arguments.station,
        given=arguments.given,
        dropped=arguments.drop,
        by=arguments.by,
        sign=arguments.sign,
        trusted=arguments.trusted,
        anew=arguments.anew,
        dry_run=arguments.dry_run,
        wait_s=arguments.wait,
    )
    try:
        return configure_station(_way(arguments), change, as_json=arguments.json)
    except BadData as error:
        return failed(PROGRAM, error, EXIT_USAGE)


def _watch(arguments: argparse.Namespace) -> int:
    from edge_agent.console.watch import watch_stations

    return watch_stations(
        _way(arguments), arguments.stations, store=arguments.store, ack=arguments.ack, as_json=arguments.json
    )


def _tail(arguments: argparse.Namespace) -> int:
    from edge_agent.console.watch import watch_stations

    return watch_stations(_way(arguments), (arguments.station,), parts_only=True, as_json=arguments.json)


def _stations(arguments: argparse.Namespace) -> int:
    from edge_agent.console.fleet import list_stations

    return list_stations(_way(arguments), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
