"""The verbs about recorded parts and the running station: `label`, `export`, `status`, `events`."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edge_agent import api
from edge_agent.commands.arguments import GateAnswer, Used
from edge_agent.config import Config
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.slots import SLOTS, decode_slots
from edge_agent.ledger import ExportFormat, Reader, export_parts
from edge_agent.ledger.reader import LAST_PART
from edge_agent.records import Outcome, Part
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.disk import RealDisk, load_checked
from edge_agent.terminal.exits import EXIT_FAILED, EXIT_OK, WrongUsage
from edge_agent.terminal.printing import print_status, say, say_json, shown, warn
from edge_agent.verbs.typed import checked

if TYPE_CHECKING:
    from edge_agent.station import Station

BYPASS_WORDS: Final = {
    True: "BYPASSED: every part passes, whatever its verdict, until: edge-agent gate follow",
    False: "the gate follows the station",
}

UNMOVED: Final = {
    "late": "the microcontroller heard of it when its moment was past",
    "safe": "it was at its safe level; `edge-agent events` says why",
    "full": "too many movements wait already",
    "down": "the wire is down; see the cable, and `edge-agent status`",
    "rebooted": "the microcontroller restarted meanwhile",
    "busy": "too many movements wait for the wire's thread",
    "forgotten": "too many parts came after it",
    "unknown": "the microcontroller was asked and did not say",
    "cancelled": "the microcontroller says that it was taken back",
    "bad_output": "the microcontroller has no such output: recipe.gate.output",
}
"""Why a trial did not move the gate, by the word of docs/gate.md."""

AGO: Final = re.compile(r"(\d{1,6})([smhd])")

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def label_part(config: Config, part: int, label: str | None, *, confirm: bool, who: str, as_json: bool) -> int:
    """Record a person's word on a part.

    Args:
        config: the station's.
        part: the part's number.
        label: what it is; None with `confirm` stands for the verdict's own class, else it takes the last word back.
        confirm: the verdict was right.
        who: the person.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: there is no such part, or nothing to confirm or to take back.
    """
    checked("label", part=part, label=label, who=who)
    if part > LAST_PART:
        raise BadData(f"there is no part {part}", hint="`edge-agent export` lists the parts")
    if confirm:
        with Reader(Path(config.station.state_dir)) as reader:
            verdict = reader.part(part).verdict
        label = verdict.label
        if label is None or verdict.outcome not in (Outcome.OK, Outcome.NG):
            raise BadData(
                f"part {part} was {verdict.outcome} without a class that could be confirmed",
                hint=f"say what it is: edge-agent label {part} CLASS",
            )
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        _recorded(socket, {"part": part, "label": label, "who": who})
    else:
        with _stopped(config) as station:
            station.label(part, label, who)
    with Reader(Path(config.station.state_dir)) as reader:
        labelled = reader.part(part)
    now = labelled.operator_label
    if label is not None and now is not None and now != labelled.verdict.label:
        _warn_of_unknown(config, labelled, now)
    if as_json:
        say_json({"part": part, "label": now})
    else:
        say(f"part {part}: {now or 'nobody has said what it is'}")
    return 0


def export_since(config: Config, file: Path, since: str | None, *, as_json: bool) -> int:
    """Write the recorded parts to a file.

    Args:
        config: the station's.
        file: ends in `.csv` or `.parquet`.
        since: see `parse_since`; None for all.
        as_json: print JSON.

    Returns:
        0.
    """
    forms = {".csv": ExportFormat.CSV, ".parquet": ExportFormat.PARQUET}
    form = forms.get(file.suffix.lower())
    if form is None:
        raise WrongUsage(f"{file}: what it should be is not clear", hint="end the name in .csv or .parquet")
    since_utc = None if since is None else parse_since(since, SystemClock().utc())
    with Reader(Path(config.station.state_dir)) as reader:
        rows = export_parts(reader, file, since_utc, form)
    if as_json:
        say_json({"file": str(file), "parts": rows})
    else:
        say(f"{rows} part{'' if rows == 1 else 's'} written to {file}")
    return 0


def show_status(config: Config, *, as_json: bool) -> int:
    """Print how the running station is.

    Args:
        config: the station's.
        as_json: print JSON.

    Returns:
        0; 1 when something is wrong with it.
    """
    status = api.call(Path(config.api.socket), "status")
    if as_json:
        say_json(status)
    else:
        print_status(status)
    return EXIT_FAILED if status["troubles"] else EXIT_OK


def show_events(config: Config, limit: int, *, as_json: bool) -> int:
    """Print what the station noticed, oldest first; from the ledger when it is not running."""
    checked("events", limit=limit)
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        events: list[dict[str, Any]] = api.call(socket, "events", {"limit": limit})
    else:
        with Reader(Path(config.station.state_dir)) as reader:
            events = msgspec.to_builtins(reader.events(limit)[::-1])
    for event in events:
        if as_json:
            say_json(event)
        else:
            time = datetime.fromtimestamp(event["time_utc"], UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            say(f"{time}  {event['severity']:<7}  {event['component']:<10}  {shown(event['message'])}")
    return 0


def use_recipe(config: Config, recipe: str, who: str, *, as_json: bool) -> int:
    """Have the running station, or the stopped one from its next start on, inspect another product.

    Args:
        config: the station's.
        recipe: the name of one of its recipes.
        who: the person who asks for it.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: there is no such recipe.
        DeviceFault: the device cannot run its bundle.
        Unavailable: no device works now, or the disk fails.
    """
    checked("use", recipe=recipe, who=who)
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        used = msgspec.convert(api.call(socket, "use", {"recipe": recipe, "who": who}), Used)
    else:
        with _stopped(config) as station:
            station.use(recipe, who)
        used = Used(recipe, 0.0)
    if as_json:
        say_json(used)
    else:
        say(f"{recipe} is inspected" + (f"; the change took {used.took_ms:.1f} ms" if used.took_ms else ""))
    return 0


def move_gate(config: Config, to: str, who: str, *, as_json: bool) -> int:
    """Bypass the reject gate of the running station, end that, or try the gate.

    Args:
        config: the station's.
        to: `follow`, `bypass` or `try`.
        who: the person who asks for it.
        as_json: print JSON.

    Returns:
        0; 1 when a trial did not move the gate.

    Raises:
        Unavailable: no station runs, or it has no gate.
    """
    checked("gate", to=to, who=who)
    gate = msgspec.convert(api.call(Path(config.api.socket), "gate", {"to": to, "who": who}), GateAnswer)
    if as_json:
        say_json(gate)
    elif gate.fate == "done":
        say(f"the gate moved, {gate.off_us or 0.0:.0f} us after the moment that was asked for")
    elif gate.fate:
        say(f"the gate did not move: {UNMOVED.get(gate.fate, 'see docs/gate.md')} ({gate.fate})")
    else:
        say(BYPASS_WORDS[gate.bypassed])
        if not gate.armed:
            say("it is at its safe level now: see edge-agent status")
    return 0 if gate.fate in ("", "done") else 1


def parse_since(text: str, now_utc: float) -> float:
    """Give a wall time [s since the epoch].

    Args:
        text: a date or a time in ISO 8601 (local unless it names a zone), or how long ago: `30m`, `8h`, `7d`.
        now_utc: wall time now [s since the epoch].

    Returns:
        Seconds since the epoch.

    Raises:
        WrongUsage: it is neither.
    """
    if match := AGO.fullmatch(text):
        return now_utc - int(match[1]) * SECONDS[match[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise WrongUsage(
            f"{text!r} is not a time", hint="write 2026-11-24, 2026-11-24T06:00, or how long ago: 30m, 8h, 7d"
        ) from None


def _recorded(socket: Path, word: dict[str, Any]) -> None:
    """Have the running station record a word; say where its disk is what keeps it from doing so."""
    try:
        api.call(socket, "label", word)
    except Unavailable as error:
        troubles: list[dict[str, Any]] = []
        with suppress(EdgeAgentError):
            troubles = api.call(socket, "status")["troubles"]
        for disk in (trouble for trouble in troubles if trouble["kind"] == "disk"):
            raise Unavailable(f"{error.message}: {disk['message']}", hint=disk["hint"]) from error
        raise


def _warn_of_unknown(config: Config, part: Part, label: str) -> None:
    """Say where nobody taught a class that a person names, and which one was perhaps meant."""
    try:
        slots = decode_slots(load_checked(RealDisk(Path(config.station.state_dir)), SLOTS))
    except EdgeAgentError:  # nothing was taught, or the next start will say what is wrong
        return
    names = slots.class_names(part.recipe)
    if names and label not in names:
        near = get_close_matches(label, names, n=1)
        other = f"if {near[0]} is meant: edge-agent label {part.id} {near[0]}" if near else ""
        hint = other or "`edge-agent learned` lists the classes"
        warn(BadData(f"nobody has taught a class {label} yet; the word is recorded", hint=hint))


def _stopped(config: Config) -> Station:
    """Open a station that does not run; only here is all of it loaded, which a running one need not be asked with."""
    from edge_agent.station import Station  # noqa: PLC0415 (see above)

    return Station(config)
