"""Measures where the parts of a bundle run and how long they take: one child process after the other, one for a device.

A device whose driver hangs, dies or refuses costs its own answers and nothing else; each is recorded with the reason.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.engines import DeviceName, Spot
from edge_agent.engines.pool import batches_of
from edge_agent.engines.spot import SHARED
from edge_agent.scheduler.latency import Timing, Whole
from edge_agent.scheduler.together import Spots
from edge_agent.scheduler.trial import Answer, Request, spot_of, words_of
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
    ways: Sequence[Spots],
    *,
    runs: int,
    cache: Path | None = None,
    timeout_s: float = TRIAL_TIMEOUT_S,
    waits: Waits = lambda: None,
) -> list[Whole]:
    """Run whole placements in turn; where one of them ends the process, each of those left by itself.

    Args:
        bundle: what to run.
        ways: where each role runs.
        runs: how often each is run.
        cache: folder for compiled models; None for none.
        timeout_s: a device hangs when it takes longer [s].
        waits: is called every few seconds meanwhile.

    Returns:
        One for each, in the same order: of those on several devices the quicker of two forms, one part after the other
        or side by side; those that do not run with the reason.
    """

    def run(those: Sequence[int]) -> tuple[dict[int, Answer], str]:
        asked = tuple({role: words_of(spot) for role, spot in ways[i].items()} for i in those)
        request = Request(str(bundle.folder), (), asked, runs, str(cache or ""))
        answers, trouble = _tried(request, timeout_s, waits)
        return {those[int(answer.name)]: answer for answer in answers}, trouble

    everything = range(len(ways))
    found, trouble = run(everything)
    troubles = dict.fromkeys(everything, trouble)
    for i in everything if trouble and len(ways) > 1 else ():
        if i not in found:
            own, troubles[i] = run([i])
            found |= own
    return [_whole(way, found.get(i), troubles[i]) for i, way in enumerate(ways)]


def devices_here(timeout_s: float = TRIAL_TIMEOUT_S, waits: Waits = lambda: None) -> tuple[dict[DeviceName, str], str]:
    """Look for the devices of this machine, in a process of its own.

    Args:
        timeout_s: a driver hangs when it takes longer [s].
        waits: is called every few seconds meanwhile.

    Returns:
        Each device with its model and driver, and what went wrong with the process.
    """
    answers, trouble = _tried(Request(find=True), timeout_s, waits)
    return {spot_of(answer.spot).device: answer.name for answer in answers}, trouble


def _whole(spots: Spots, answer: Answer | None, trouble: str) -> Whole:
    if answer is None:
        return Whole(spots, error=trouble or "the trial ended without an answer")
    if answer.error:
        return Whole(spots, error=answer.error)
    return Whole(spots, answer.p50_ms, answer.p99_ms, answer.beside)


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
