"""The verbs about what a station learns: `learned`, `proof`, `promote`, `cancel`, `forget`, `undo`.

Each asks the running station where one runs, and works on the stopped one otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from edge_agent import api
from edge_agent.config import Config
from edge_agent.errors import BadData
from edge_agent.learning.label import slug_of
from edge_agent.learning.outcome import Changed, ClassKnown
from edge_agent.learning.proof import ProofSheet, proof_lines
from edge_agent.runtime.steps import finished
from edge_agent.station import Station
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.progressbar import progress_bar
from edge_agent.verbs.proofpage import write_page
from edge_agent.verbs.typed import checked
from edge_agent.verbs.watched import call_watched


def show_learned(config: Config, label: str | None, *, as_json: bool) -> int:
    """Print the classes that are known, or one class with its samples.

    Args:
        config: the station's.
        label: the class, by name or slug; None for all of them.
        as_json: print JSON, always with the samples.

    Returns:
        0.

    Raises:
        BadData: there is no such class.
    """
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        known = msgspec.convert(api.call(socket, "learned"), list[ClassKnown])
    else:
        with Station(config) as station:
            known = station.lessons.classes()
    if label is not None:
        known = [one for one in known if one.slug == slug_of(label)]
        if not known:
            raise BadData(f"nothing was learned that is called {label}", hint="`edge-agent learned` lists the classes")
    if as_json:
        say_json(known)
        return 0
    if not known:
        say("nothing yet: `edge-agent teach good FOLDER` begins with good parts")
    for one in known:
        more = [f"{one.held_out} held out"] * bool(one.held_out) + [f"{one.golden} golden"] * bool(one.golden)
        say(f"{one.name} ({one.slug}): {', '.join([f'{one.fitted} learned', *more])}")
        for sample in one.samples if label is not None else ():
            taught = datetime.fromtimestamp(sample.utc, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
            say(f"  {sample.id}  {sample.role:<6}  {taught}  {sample.who}  {sample.source}")
    return 0


def show_proof(config: Config, page: Path | None, *, as_json: bool) -> int:
    """Print the proof sheet of the change that waits, and write it as a page where wanted; 1 where it refuses."""
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        sheet = msgspec.convert(call_watched(socket, "proof", {}, title="proving"), ProofSheet)
    else:
        with Station(config) as station, progress_bar("proving") as progress:
            sheet = finished(station.lessons.sheet(), progress)
    if page is not None:
        write_page(config, sheet, page)
    if as_json:
        say_json(sheet)
    else:
        print_sheet(sheet, page)
    return 1 if sheet.refused else 0


def promote(config: Config, who: str, *, overrule: bool, as_json: bool) -> int:
    """Judge by the change that waits."""
    return _say_change(change(config, "promote", {"who": who, "overrule": overrule}), as_json=as_json)


def forget(config: Config, what: str, who: str, *, as_json: bool) -> int:
    """Forget a class or samples."""
    return _say_change(
        change(config, "forget", {"what": what, "who": who}, title=f"forgetting {what}"), as_json=as_json
    )


def undo(config: Config, who: str, *, as_json: bool) -> int:
    """Go back to what was known before the last change."""
    return _say_change(change(config, "undo", {"who": who}), as_json=as_json)


def cancel(config: Config, who: str, *, as_json: bool) -> int:
    """Give up the lesson that is being given, or the change that waits."""
    checked("cancel", who=who)
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        answer = api.call(socket, "cancel", {"who": who})
    else:
        with Station(config) as station:
            station.cancel(who)
        answer = {"cancelled": "candidate"}
    if as_json:
        say_json(answer)
    else:
        say("the lesson was given up" if answer["cancelled"] == "lesson" else "the change that waited was dropped")
    return 0


def change(config: Config, name: str, arguments: dict[str, Any], title: str = "") -> Changed:
    """Have the running station, or the stopped one, change what it has learned.

    Args:
        config: the station's.
        name: `promote`, `forget` or `undo`.
        arguments: of it.
        title: what takes a while, for a bar on a terminal.

    Returns:
        The change.
    """
    checked(name, **arguments)
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        return msgspec.convert(call_watched(socket, name, arguments, title=title), Changed)
    with Station(config) as station, progress_bar(title) as progress:
        changes: dict[str, Callable[..., Changed]] = {
            "promote": station.promote,
            "forget": partial(station.forget, progress=progress),
            "undo": station.undo,
        }
        return changes[name](**arguments)


def _say_change(changed: Changed, *, as_json: bool) -> int:
    if as_json:
        say_json(changed)
        return 0
    what = {"teach": "learned", "forget": "forgot", "undo": "took back the last change of"}[changed.action]
    count = len(changed.sources)
    examples = f" ({count} example{'' if count == 1 else 's'})" if count else ""
    say(f"{what} {changed.name or changed.slug or 'several classes'}{examples}")
    for reason in changed.overruled:
        say(f"  overruled: {reason}")
    say(f"  knowledge {changed.before[:12] or 'nothing'} → {changed.after[:12] or 'nothing'}")
    return 0


def print_sheet(sheet: ProofSheet, page: Path | None) -> None:
    """Print a proof sheet, and where it went as a page."""
    for line in proof_lines(sheet):
        say(line)
    if page is not None:
        say(f"the same as a page, with pictures: {page}")
