"""Tries the parts of a bundle on one device, in a process of its own: a driver that hangs or dies takes nobody along.

Started by `measuring`, never by a person: it reads one request from its standard input and writes one line of JSON for
each answer. What cannot run is an answer too.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace

from edge_agent.engines import DeviceName, Engine, Spot, find_devices, load_engines
from edge_agent.engines.base import together
from edge_agent.engines.second import SecondThread, is_quicker
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.clock import SystemClock
from edge_agent.scheduler.latency import Timing
from models import Bundle
from models.errors import BundleRefused
from models.flow import Flow, Flown
from models.source import MASKS
from models.tensor import TensorSpec

WARM_UP: Final = 10
"""Runs that are not counted: caches fill, clocks rise."""

K = TypeVar("K")

Run = Callable[[], object]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to try.

    Attributes:
        bundle: its folder.
        spots: where each part is tried by itself, and last for how many pieces.
        ways: placements that are run as a whole.
        runs: how often each is run.
        cache: folder for compiled models; "" for none.
        find: say instead which devices there are.
    """

    bundle: str = ""
    spots: tuple[tuple[str, str, int, int], ...] = ()
    ways: tuple[dict[str, tuple[str, str, int]], ...] = ()
    runs: int = 100
    cache: str = ""
    find: bool = False


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What came of one trial.

    Attributes:
        name: the part, or the number of the way, or the model and driver of a device that was found.
        spot: where the part was tried; the first spot of a way.
        p50_ms: median [ms].
        p99_ms: 99th percentile [ms].
        runs: how often it was run.
        error: why it cannot run.
        pieces: that were run together.
        beside: of a way, it was surely quicker with the parts that can begin at once side by side, and run so.
    """

    name: str
    spot: tuple[str, str, int]
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    runs: int = 0
    error: str = ""
    pieces: int = 1
    beside: bool = False

    def timing(self) -> Timing:
        """Give it as a row of the table."""
        return Timing(self.name, spot_of(self.spot, self.pieces), self.p50_ms, self.p99_ms, self.runs, self.error)


def spot_of(words: tuple[str, str, int], pieces: int = 1) -> Spot:
    """Give the spot that a request or an answer means."""
    runtime, kind, threads = words
    return Spot(DeviceName(runtime, kind), threads, pieces)


def words_of(spot: Spot) -> tuple[str, str, int]:
    """Give a spot as a request or an answer holds it."""
    return spot.device.runtime, spot.device.kind, spot.threads


def answers(request: Request) -> Iterator[Answer]:
    """Try everything that is asked for; runs of what is compared take turns, so that all see the same machine."""
    if request.find:
        for device, what in find_devices().items():
            yield Answer(what, words_of(Spot(device)))
        return
    bundle = Bundle.load(Path(request.bundle))
    cache = Path(request.cache) if request.cache else None
    tried: dict[Answer, Run] = {}
    for runtime, kind, threads, pieces in request.spots:
        for part in bundle.manifest.judging:
            asked = Answer(part.role, (runtime, kind, threads), pieces=pieces)
            try:
                engine = load_engines(bundle, spot_of(asked.spot, pieces), [part], cache)[part.role]
            except (EdgeAgentError, BundleRefused) as error:
                yield replace(asked, error=str(error))
                continue
            tried[asked] = _once(engine, {t.name: _example(together(t, pieces)) for t in part.inputs})
    sources = {name: rows[0] for name, rows in bundle.golden().sources.items()}
    flow = Flow(bundle.manifest)
    second = SecondThread()
    for number, way in enumerate(request.ways):
        first = next(iter(way.values()))
        try:
            engines = load_engines(bundle, {r: spot_of(w) for r, w in way.items()}, bundle.manifest.judging, cache)
        except (EdgeAgentError, BundleRefused) as error:
            yield Answer(str(number), first, error=str(error))
            continue
        forms = {False: _whole(flow.run, sources, engines), True: _whole(partial(second.run, flow), sources, engines)}
        devices = {spot_of(way[role]).device for role in flow.beginnings(sources)}
        beside = len(devices) > 1 and _is_quicker(forms, request.runs // 2)
        tried[Answer(str(number), first, beside=beside)] = forms[beside]
    times, errors = _in_turn(tried, request.runs)
    second.close()
    for asked, values in times.items():
        if asked in errors:
            yield replace(asked, error=errors[asked])
        else:
            p50, p99 = np.percentile(values, (50, 99))
            yield replace(asked, p50_ms=float(p50), p99_ms=float(p99), runs=len(values))


def _is_quicker(forms: Mapping[bool, Run], runs: int) -> bool:
    """Say whether a way is surely quicker side by side; by itself, so that both forms come as often after either."""
    times, errors = _in_turn(forms, runs)
    return not errors and is_quicker(times[True], times[False])


def _in_turn(tried: Mapping[K, Run], runs: int) -> tuple[dict[K, list[float]], dict[K, str]]:
    """Run everything in turn, so that all see the same machine; give what each took [ms], and what went wrong.

    Whoever comes after the same models finds them in the caches: the order changes with each turn.
    """
    clock = SystemClock()
    times: dict[K, list[float]] = {key: [] for key in tried}
    errors: dict[K, str] = {}
    for turn in range(WARM_UP + runs):
        for key in tried if turn % 2 else reversed(list(tried)):
            if key in errors:
                continue
            began_s = clock.now()
            try:
                tried[key]()
            except EdgeAgentError as error:
                errors[key] = str(error)
            if turn >= WARM_UP:
                times[key].append(1e3 * (clock.now() - began_s))
    return times, errors


def _once(engine: Engine, feed: dict[str, Any]) -> Run:
    return lambda: engine.infer(feed)


def _whole(run: Callable[..., Flown], sources: dict[str, Any], engines: dict[str, Engine]) -> Run:
    return lambda: run(sources, lambda role, feed: engines[role].infer(feed))


def _example(tensor: TensorSpec) -> Any:
    """Give an input that no part is quicker with than with a real one: everything is there, nothing is zero."""
    if tensor.name in MASKS or tensor.dtype == "bool":
        return np.ones(tensor.shape, tensor.dtype)
    return np.random.default_rng(0).normal(size=tensor.shape).astype(tensor.dtype)


def main() -> int:
    """Read a request, write the answers; 1 where the bundle cannot be used at all."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})  # the agent blocks them in its children
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    try:
        for answer in answers(request):
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()
    except (EdgeAgentError, BundleRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
