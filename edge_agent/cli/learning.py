"""The verbs about what a station learns, from `teach` and `proof` to `undo` and `adopt`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge_agent.cli.verb import AddVerb, add_verb, config_of
from edge_agent.terminal.options import add_json, add_station, add_who, count, named, whole

PAGE_HELP = "write the proof sheet as one HTML page"


def add_verbs(add: AddVerb) -> None:
    """Add the verbs."""
    verb = add_verb(add, "teach", _teach, "learn a class from examples", "edge-agent teach scratch examples/scratch")
    verb.add_argument("label", type=named, metavar="CLASS", help="what the examples are; `good` for good parts")
    verb.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="picture and vibration files, or folders")
    verb.add_argument(
        "--part",
        type=count,
        action="append",
        default=[],
        metavar="N",
        help="a recorded part; may be given several times",
    )
    verb.add_argument("--next", type=whole(1, 100), default=0, metavar="N", help="the next parts of the running line")
    verb.add_argument("--golden", action="store_true", help="learn nothing, ask about them whenever knowledge changes")
    verb.add_argument("--yes", action="store_true", help="promote without asking, unless the proof sheet refuses")
    verb.add_argument("--now", action="store_true", help="promote at once, without proof")
    verb.add_argument("--page", type=Path, metavar="FILE", help=PAGE_HELP)
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(
        add, "learned", _learned, "list the classes that are known, or a class's samples", "edge-agent learned"
    )
    verb.add_argument("label", nargs="?", type=named, metavar="CLASS", help="list its samples")
    add_station(verb)
    add_json(verb)

    verb = add_verb(
        add, "proof", _proof, "show what the change that waits would do", "edge-agent proof --page proof.html"
    )
    verb.add_argument("--page", type=Path, metavar="FILE", help=PAGE_HELP)
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "promote", _promote, "judge by the change that waits", "edge-agent promote")
    verb.add_argument("--overrule", action="store_true", help="also where the proof sheet refuses it, in your name")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "cancel", _cancel, "give up a lesson, or the change that waits", "edge-agent cancel")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(
        add, "forget", _forget, "forget a class or a sample as if never learned", "edge-agent forget scratch"
    )
    verb.add_argument("what", metavar="WHAT", help="a class, a sample's id, or what it was taught from")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(add, "undo", _undo, "go back to what was known before the last change", "edge-agent undo")
    add_who(verb)
    add_station(verb)
    add_json(verb)

    verb = add_verb(
        add, "adopt", _adopt, "carry what is known over to another bundle", "edge-agent adopt castings --yes"
    )
    verb.add_argument("bundle", metavar="BUNDLE", help="a shipped bundle, or its folder")
    verb.add_argument("--page", type=Path, metavar="FILE", help=PAGE_HELP)
    verb.add_argument("--yes", action="store_true", help="carry it over without asking, unless the proof sheet refuses")
    verb.add_argument("--overrule", action="store_true", help="also where the proof sheet refuses it, in your name")
    add_who(verb)
    add_station(verb)
    add_json(verb)


def _teach(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.teach import TeachOptions, teach

    options = TeachOptions(
        label=arguments.label,
        paths=tuple(arguments.paths),
        parts=tuple(arguments.part),
        next=arguments.next,
        who=arguments.who,
        golden=arguments.golden,
        now=arguments.now,
        yes=arguments.yes,
        page=arguments.page,
        json=arguments.json,
    )
    return teach(config_of(arguments, begins=True), options)


def _learned(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import show_learned

    return show_learned(config_of(arguments, changes=True), arguments.label, as_json=arguments.json)


def _proof(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import show_proof

    return show_proof(config_of(arguments, changes=True), arguments.page, as_json=arguments.json)


def _promote(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import promote

    return promote(
        config_of(arguments, changes=True), arguments.who, overrule=arguments.overrule, as_json=arguments.json
    )


def _cancel(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import cancel

    return cancel(config_of(arguments, changes=True), arguments.who, as_json=arguments.json)


def _forget(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import forget

    return forget(config_of(arguments, changes=True), arguments.what, arguments.who, as_json=arguments.json)


def _undo(arguments: argparse.Namespace) -> int:
    from edge_agent.verbs.learned import undo

    return undo(config_of(arguments, changes=True), arguments.who, as_json=arguments.json)


def _adopt(arguments: argparse.Namespace) -> int:
    from edge_agent.runtime.priority import run_when_idle

    run_when_idle()
    from edge_agent.verbs.adopt import AdoptOptions, adopt

    options = AdoptOptions(
        bundle=arguments.bundle,
        who=arguments.who,
        yes=arguments.yes,
        overrule=arguments.overrule,
        page=arguments.page,
        json=arguments.json,
    )
    return adopt(config_of(arguments), options)
