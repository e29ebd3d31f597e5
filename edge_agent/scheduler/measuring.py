"""Measures where the parts of a bundle run and how long they take: one child process after the other, one for a device.

A device whose driver hangs, dies or refuses costs its own answers and nothing else; each is recorded with the reason.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.engines import DeviceName, Spot
from edge_agent.engines.pool import batches_of
from edge_agent.engines.spot import SHARED
from edge_agent.errors import Unavailable
from edge_agent.scheduler.latency import Timing
from edge_agent.scheduler.placement import Candidate
from edge_agent.scheduler.trial import Answer, Request, words_of
from models import Bundle

TRIAL_TIMEOUT_S: Final = 60.0
"""Compiling for an NPU may take a minute for each part; what takes longer hangs."""

MOST_THREADS: Final = 4
"""More threads than these gain nothing on models of this size."""

WAIT_S: Final = 5.0
"""How often whoever waits for a trial hears that it goes on [s]: systemd's watchdog wants to hear every half minute."""

Progress = Callable[[int, int], None]

Waits = Callable[[], object]


def spots_to_try(devices: Iterable[DeviceName], cores: int) -> dict[DeviceName, tuple[Spot, ...]]:
    """Give the spots of each device: on a CPU one for each sensible number of threads."""
    counts = sorted({1, min(2, cores), min(MOST_THREADS, cores)})
    return {
        device: tuple(Spot(device, n) for n in counts) if device.kind == SHARED else (Spot(device),)
        for device in devices
    }


def batches_to_try(spot: Spot, *, shared: bool) -> tuple[Spot, ...]:
    """Give a spot for several pieces together, as far as its runtime can; none of a CPU, unless `shared`."""
    if spot.device.kind == SHARED and not shared:
        return ()
    return tuple(spot._replace(pieces=pieces) for pieces in batches_of(spot.device.runtime))


def measure_parts(
    bundle: Bundle,
    spots: Sequence[Spot],
    *,
    runs: int,
    cache: Path | None = None,
    timeout_s: float = TRIAL_TIMEOUT_S,
    waits: Waits = lambda: None,
) -> list[Timing]:
    """Measure every part of a bundle on the spots of one device.

    Args:
        bundle: what to run.
        spots: of one device.
        runs: how often each is run.
        cache: folder for compiled models; None for none.
        timeout_s: the device hangs when it takes longer [s].
        waits: is called every few seconds meanwhile.

    Returns:
        One row for each part and spot; those that cannot run with the reason.
    """
    asked = tuple((*words_of(spot), spot.pieces) for spot in spots)
    request = Request(str(bundle.folder), asked, (), runs, str(cache or ""))
    answers, trouble = _tried(request, timeout_s, waits)
    rows = [answer.timing() for answer in answers]
    known = {(row.role, row.spot) for row in rows}
    for spot in spots:
        for part in bundle.manifest.judging:
            if (part.role, spot) not in known:
                rows.append(Timing(part.role, spot, error=trouble or "the trial ended without an answer"))
    return rows


def measure_ways(
    bundle: Bundle,
    ways: Sequence[Candidate],
    *,
    runs: int,
    cache: Path | None = None,
    timeout_s: float = TRIAL_TIMEOUT_S,
    waits: Waits = lambda: None,
) -> list[Candidate]:
    """Run whole placements in turn.

    Args:
        bundle: what to run.
        ways: placements.
        runs: how often each is run.
        cache: folder for compiled models; None for none.
        timeout_s: a device hangs when it takes longer [s].
        waits: is called every few seconds meanwhile.

    Returns:
        The same with what was measured, in the same order: of those on several devices the quicker of two forms, one
        part after the other or side by side.

    Raises:
        Unavailable: they do not run together, though each part did by itself.
    """
    asked = tuple({role: words_of(spot) for role, spot in way.spots.items()} for way in ways)
    answers, trouble = _tried(Request(str(bundle.folder), (), asked, runs, str(cache or "")), timeout_s, waits)
    found = {answer.name: answer for answer in answers if not answer.error}
    missing = [str(way) for i, way in enumerate(ways) if str(i) not in found]
    if missing:
        why = trouble or "; ".join(answer.error for answer in answers if answer.error)
        raise Unavailable(
            f"{', '.join(missing)} did not run as a whole: {why}", hint="see edge-agent bench --placement"
        )
    return [
        replace(way, measured_p50_ms=answer.p50_ms, measured_p99_ms=answer.p99_ms, beside=answer.beside)
        for way, answer in zip(ways, (found[str(i)] for i in range(len(ways))), strict=True)
    ]


def _tried(request: Request, timeout_s: float, waits: Waits) -> tuple[list[Answer], str]:
    """Run a trial; give its answers, and what went wrong with the process."""
    command = [sys.executable, "-m", "edge_agent.scheduler.trial"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as trial:
        try:
            out, said = _heard(trial, msgspec.json.encode(request), timeout_s, waits)
            code: int | None = trial.returncode
        except subprocess.TimeoutExpired as error:
            trial.kill()
            out, said, code = error.output or b"", b"", None
        except BaseException:
            trial.kill()
            raise
    answers = [msgspec.json.decode(line, type=Answer) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
    if code == 0:
        return answers, ""
    if code is None:
        return answers, f"did not answer within {timeout_s:g} s"
    if code < 0:
        return answers, f"its driver died (signal {-code})"
    last = said.decode(errors="replace").strip().splitlines()
    return answers, last[-1] if last else f"the trial ended with code {code}"


def _heard(trial: subprocess.Popen[bytes], asked: bytes, timeout_s: float, waits: Waits) -> tuple[bytes, bytes]:
    """Ask a trial, and wait for its end; give what it wrote, or raise `TimeoutExpired`."""
    turns = math.ceil(timeout_s / WAIT_S)
    for turn in range(turns):
        waits()
        try:
            return trial.communicate(None if turn else asked, min(WAIT_S, timeout_s))  # goes on where it was
        except subprocess.TimeoutExpired:
            if turn == turns - 1:
                raise
    raise AssertionError("a trial has some time")
