"""What the command line prints: lines and tables for people, JSON for programs. It decides nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_agent.config.file import format_problems
from edge_agent.config.tomltext import Problem
from edge_agent.errors import EdgeAgentError
from edge_agent.terminal.place import placed

COLOURS: Final = {"OK": "32", "NG": "31", "UNSURE": "33", "MISSED": "35"}
"""ANSI colours of the answers."""

SHAPES: Final = {"OK": "●", "NG": "■", "UNSURE": "▲", "MISSED": "✕"}
"""So that colour is not needed to tell them apart."""


SEEN: Final = ("hurried", "rerun", "rescued", "too_late", "faulted", "refused")
"""What became of jobs that did not simply go well, in the order in which it is shown."""


def say(text: str = "") -> None:
    """Print a line for people."""
    sys.stdout.write(f"{placed(text)}\n")


def shown(value: object) -> str:
    """Give what somebody else said as text that is safe on a terminal: it cannot move the cursor, nor begin a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def say_json(value: object) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(f"{msgspec.json.encode(value).decode()}\n")


def warn(error: EdgeAgentError) -> None:
    """Print one line about something that was left out, beside the results."""
    hint = f" ({placed(error.hint)})" if error.hint else ""
    sys.stderr.write(f"edge-agent: {error.message}{hint}\n")


def confirmed(question: str) -> bool:
    """Ask on a terminal whether something is to be done; where there is none, it is not."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def outcome_word(outcome: str) -> str:
    """Give shape and word of an answer, in colour on a terminal, 8 characters wide."""
    text = f"{SHAPES[outcome]} {outcome:<6}"
    return f"\033[{COLOURS[outcome]}m{text}\033[0m" if sys.stdout.isatty() else text


def print_problems(path: Path, problems: Sequence[Problem], *, as_json: bool) -> None:
    """Print what is wrong with a configuration, or that nothing is."""
    if as_json:
        say_json({"file": str(path), "problems": problems})
    elif problems:
        say(format_problems(path, problems))
    else:
        say(f"{path}: good")


def print_status(status: dict[str, Any]) -> None:
    """Print what a running station says of itself."""
    troubles = status["troubles"]
    say(f"{status['station']}  {status['recipe']}  {status['bundle']}  edge-agent {status['version']}")
    say(f"running for {_span(status['up_s'])}, {status['number']} triggers, {status['in_flight']} in flight")
    if status["parts"]:
        say("  " + ", ".join(f"{count} {outcome}" for outcome, count in status["parts"].items()))
    known = ", ".join(f"{slug} {samples}" for slug, samples in status["knowledge"].items()) or "nothing"
    worth = "" if status["strength"] is None else f"; defects named with a prior worth {status['strength']:g} samples"
    say(f"knows {known}; {status['calibration']} good parts held out{worth}")
    if (teaching := status["teaching"]) is not None:
        say("a lesson or a change is on its way: {}, {} of {}".format(*teaching))
    _print_false_rejects(status)
    for latency in status["latencies"]:
        say(f"  {latency['hop']:<20} p50 {latency['p50_ms']:8.2f} ms   p99 {latency['p99_ms']:8.2f} ms")
    if status["wire"] is not None:
        _print_wire(status["wire"], status["gate"])
    for camera in status["cameras"]:
        _print_camera(camera)
    if status["uplink"] is not None:
        _print_uplink(status["uplink"])
    _print_dispatch(status["dispatch"])
    for times in status["part_times"]:
        print_part_times(times)
    slowest = max(status["steps"], key=lambda step: step["worst_s"], default=None)
    if slowest is not None:
        say(f"slowest component: {slowest['name']}, {slowest['worst_s'] * 1e3:.1f} ms at worst")
    custody = status["custody"]
    by = ", ".join(f"{count} {holder}" for holder, count in custody["by"].items()) or "none"
    say(f"pictures and windows in memory: {by}; {custody['held_bytes'] / 1e6:.1f} MB")
    width = max(map(len, status["mailboxes"]), default=0)
    for name, box in status["mailboxes"].items():
        say(
            f"  mailbox {name:<{width}} {box['waiting']} of {box['capacity']} waiting, at most {box['high_water']}, "
            f"{box['dropped']} dropped, {box['refused']} refused of {box['put']}"
        )
    for component in status["components"]:
        note = f": {component['last_error']}" if component["last_error"] else ""
        say(f"  {component['name']:<12} {component['state']}, {component['restarts']} restarts{note}")
    say("no trouble" if not troubles else f"{len(troubles)} troubles:")
    for trouble in troubles:
        say(f"  {shown(trouble['message'])}" + (f"\n    {shown(trouble['hint'])}" if trouble["hint"] else ""))


def _print_wire(wire: dict[str, Any], gate: dict[str, Any]) -> None:
    """Print the microcontroller, its clock and the gate."""
    known = wire["uncertainty_us"] is not None
    clock = f", clock {wire['drift_ppm']:+.1f} ppm, known to {wire['uncertainty_us']:.0f} us" if known else ""
    rate = "" if wire["rate_hz"] is None else f" at {wire['rate_hz']:.1f} Hz"
    say(f"  wire {wire['state']}{clock}" + (f": {wire['error']}" if wire["error"] else ""))
    say(
        f"    {wire['samples']} samples{rate}, {wire['samples_lost']} lost, {wire['samples_dropped']} dropped; "
        f"{wire['edges']} triggers, {wire['edges_lost']} lost; {wire['corrupt']} damaged packets"
    )
    fates = ", ".join(f"{count} {fate}" for fate, count in gate["fates"].items()) or "nothing asked"
    state = "BYPASSED: every part passes" if gate["bypassed"] else "follows" if wire["armed"] else "at its safe level"
    say(f"  gate {state}; {fates}; at worst {gate['worst_off_us']:.0f} us off")


def _print_camera(camera: dict[str, Any]) -> None:
    """Print what a camera did."""
    rate = f", {1.0 / camera['interval_s']:.1f} per second" if camera["interval_s"] else ""
    say(
        f"  camera {camera['name']} {camera['state']}{rate}: {camera['delivered']} pictures, "
        f"{camera['refused']} refused, {camera['dropped']} dropped; "
        f"lost {camera['lost']} times, {camera['hanging']} threads hang"
    )


def _print_uplink(uplink: dict[str, Any]) -> None:
    """Print the way to the console, and what it still has to tell."""
    if uplink["protocol"]:
        say(f"  uplink to {uplink['broker']}, MQTT {uplink['protocol']}")
    else:
        say(
            f"  uplink to {uplink['broker']}: not connected"
            + (f": {shown(uplink['reason'])}" if uplink["reason"] else "")
        )
    waiting = ", ".join(f"{count} {kind}" for kind, count in uplink["backlog"].items()) or "unknown"
    say(
        f"    to tell: {waiting}, the oldest {_span(uplink['behind_s'])} old; told {uplink['told']}, "
        f"refused {uplink['refused']}, set aside {uplink['set_aside']} since the start"
    )


def _print_dispatch(dispatch: dict[str, Any]) -> None:
    """Print the devices, and how long the parts wait for them."""
    for lane in dispatch["lanes"]:
        times = f", p50 {lane['p50_ms']:.2f} ms, p99 {lane['p99_ms']:.2f} ms" if lane["p50_ms"] else ""
        say(f"  {lane['name']}: {lane['state']}{times}" + (f" ({lane['reason']})" if lane["reason"] else ""))
    say(
        f"  wait for a device    p50 {dispatch['wait_p50_ms']:8.2f} ms   p99 {dispatch['wait_p99_ms']:8.2f} ms; "
        f"{dispatch['background']} background jobs wait"
    )
    counts = dispatch["counts"]
    if said := ", ".join(f"{counts[key]} {key.replace('_', ' ')}" for key in SEEN if counts[key]):
        say(f"  {said}")


def print_part_times(times: dict[str, Any]) -> None:
    """Print what a part of a bundle takes, beside what was measured at first."""
    measured = times["first_p99_ms"] is not None
    first = f", measured at first {times['first_p50_ms']:.2f} and {times['first_p99_ms']:.2f} ms" if measured else ""
    say(
        f"  {times['bundle']} {times['role']} on {times['spot']}: p50 {times['p50_ms']:.2f} ms, "
        f"p99 {times['p99_ms']:.2f} ms{first}"
    )


def _print_false_rejects(status: dict[str, Any]) -> None:
    """Print what is expected of good parts beside what was observed on the drawn ones."""
    promise, drawn = status["promise"], status["drawn"]
    if promise["expected"] is not None:
        of = f"{promise['held_out']} held out{_of_lots(promise.get('lots', 0))}"
        say(f"good parts that are stopped: {promise['expected']:.1%} expected, of {of}")
    if drawn is not None:
        _print_drawn(drawn)
    if (unshown := promise.get("unshown")) is not None:
        say(f"  of a lot never shown up to {unshown:.0%} may be found not normal, on average over lots")
    elif promise["expected"] is not None:
        say("  of a lot never shown nothing is known: teach good parts of other lots and shifts too")


def _print_drawn(drawn: dict[str, Any]) -> None:
    seen = drawn["stopped"]
    if seen["of"]:
        say(
            f"  observed {seen['count']} of {seen['of']} drawn parts that people called good: {seen['mean']:.1%} "
            f"(95 %: {seen['low']:.1%} to {seen['high']:.1%})"
        )
    if drawn["waiting"]:
        say(f"  {drawn['waiting']} drawn parts wait for a word, next: {', '.join(map(str, drawn['next']))}")


def _of_lots(lots: int) -> str:
    return f", from {lots} lots" if lots > 1 else ""


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
