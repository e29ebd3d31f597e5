"""Tries the parts of a bundle on one device, in a process of its own: a driver that hangs or dies takes nobody along.

Started by `measuring`, never by a person: it reads one request from its standard input and writes one line of JSON for
each answer. What cannot run is an answer too.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from edge_agent.engines import DeviceName, Engine, Spot, load_engines
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.clock import SystemClock
from edge_agent.scheduler.latency import Timing
from models import Bundle
from models.errors import BundleRefused
from models.flow import Flow
from models.source import MASKS
from models.tensor import TensorSpec

WARM_UP: Final = 10
"""Runs that are not counted: caches fill, clocks rise."""

Parts = dict[str, Spot]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to try.

    Attributes:
        bundle: its folder.
        spots: where each part is tried by itself.
        ways: placements that are run as a whole.
        runs: how often each is run.
        cache: folder for compiled models; "" for none.
    """

    bundle: str
    spots: tuple[tuple[str, str, int], ...] = ()
    ways: tuple[dict[str, tuple[str, str, int]], ...] = ()
    runs: int = 100
    cache: str = ""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one trial.

    Attributes:
        name: the part, or the number of the way.
        spot: where the part was tried; the first spot of a way.
        p50_ms: median [ms].
        p99_ms: 99th percentile [ms].
        runs: how often it was run.
        error: why it cannot run.
    """

    name: str
    spot: tuple[str, str, int]
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    runs: int = 0
    error: str = ""

    def timing(self) -> Timing:
        """Give it as a row of the table."""
        return Timing(self.name, spot_of(self.spot), self.p50_ms, self.p99_ms, self.runs, self.error)


def spot_of(words: tuple[str, str, int]) -> Spot:
    """Give the spot that a request or an answer means."""
    runtime, kind, threads = words
    return Spot(DeviceName(runtime, kind), threads)


def words_of(spot: Spot) -> tuple[str, str, int]:
    """Give a spot as a request or an answer holds it."""
    return spot.device.runtime, spot.device.kind, spot.threads


def answers(request: Request) -> Iterator[Answer]:
    """Try everything that is asked for; runs of what is compared take turns, so that all see the same machine."""
    bundle = Bundle.load(Path(request.bundle))
    cache = Path(request.cache) if request.cache else None
    tried: dict[tuple[str, tuple[str, str, int]], Any] = {}
    for words in request.spots:
        for part in bundle.manifest.judging:
            try:
                engine = load_engines(bundle, spot_of(words), [part], cache)[part.role]
            except (EdgeAgentError, BundleRefused) as error:
                yield Answer(part.role, words, error=str(error))
                continue
            tried[part.role, words] = _once(engine, {t.name: _example(t) for t in part.inputs})
    sources = {name: rows[0] for name, rows in bundle.golden().sources.items()}
    flow = Flow(bundle.manifest)
    for number, way in enumerate(request.ways):
        engines = load_engines(bundle, {r: spot_of(w) for r, w in way.items()}, bundle.manifest.judging, cache)
        tried[str(number), next(iter(way.values()))] = _whole(flow, sources, engines)
    clock = SystemClock()
    times: dict[Any, list[float]] = {key: [] for key in tried}
    errors: dict[Any, str] = {}
    for turn in range(WARM_UP + request.runs):
        for key, run in tried.items():
            if key in errors:
                continue
            began_s = clock.now()
            try:
                run()
            except EdgeAgentError as error:
                errors[key] = str(error)
            if turn >= WARM_UP:
                times[key].append(1e3 * (clock.now() - began_s))
    for (name, words), values in times.items():
        if error_text := errors.get((name, words), ""):
            yield Answer(name, words, error=error_text)
        else:
            p50, p99 = np.percentile(values, (50, 99))
            yield Answer(name, words, float(p50), float(p99), len(values))


def _once(engine: Engine, feed: dict[str, Any]) -> Any:
    return lambda: engine.infer(feed)


def _whole(flow: Flow, sources: dict[str, Any], engines: dict[str, Engine]) -> Any:
    return lambda: flow.run(sources, lambda role, feed: engines[role].infer(feed))


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
