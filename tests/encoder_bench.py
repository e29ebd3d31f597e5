"""Measures two ways to get more out of a device than one part after the other: run it with Python.

    python tests/encoder_bench.py --runs 300

The vibration part of a bundle on a second thread beside the picture part, and pieces that OpenVINO computes together.
What is compared takes turns in one process, and must give the same numbers. OpenVINO changes the shape of a model that
was exported for one piece, where its reshapes name that one; onnxruntime cannot.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402

from edge_agent.config import SHIPPED_BUNDLES  # noqa: E402
from edge_agent.engines import DeviceName, Spot, load_engines  # noqa: E402
from edge_agent.engines.base import joined, parted  # noqa: E402
from edge_agent.engines.second import SecondThread  # noqa: E402
from models import Bundle  # noqa: E402
from models.flow import Flow  # noqa: E402
from models.manifest import Part  # noqa: E402
from models.source import MASKS  # noqa: E402

WARM_UP = 10
BATCHES = (1, 2, 4)

Feed = Mapping[str, Any]


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def in_turn(
    runs: int, ways: Sequence[Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> np.ndarray[Any, Any]:
    """Run ways in turn; give what each took [ms], (runs, ways)."""
    took = np.empty((runs, len(ways)))
    for turn in range(WARM_UP + runs):
        for at in range(len(ways)) if turn % 2 else reversed(range(len(ways))):
            began_s = clock()
            ways[at]()
            if turn >= WARM_UP:
                took[turn - WARM_UP, at] = 1e3 * (clock() - began_s)
    return took


def said(ratios: np.ndarray[Any, Any]) -> str:
    """Give the median of ratios with a bootstrapped 95 % interval."""
    rng = np.random.default_rng(0)
    low, high = np.percentile([np.median(rng.choice(ratios, len(ratios))) for _ in range(1000)], (2.5, 97.5))
    return f"{np.median(ratios):.3f} ({low:.3f} to {high:.3f})"


def overlap(bundle: Bundle, runtime: str, runs: int) -> None:
    """Compare the parts one after the other with the vibration part on a second thread."""
    engines = load_engines(bundle, Spot(DeviceName(runtime, "cpu"), 1), bundle.manifest.judging)
    golden, flow, second = bundle.golden(), Flow(bundle.manifest), SecondThread()
    whole = int(np.argmax(np.count_nonzero(golden.z, axis=1)))
    sources = {name: rows[whole] for name, rows in golden.sources.items()}

    def infer(role: str, feed: Feed) -> Feed:
        return engines[role].infer(feed)

    ways = [lambda: flow.run(sources, infer).raw, lambda: second.run(flow, sources, infer).raw]
    for name, values in ways[0]().items():
        np.testing.assert_array_equal(values, ways[1]()[name])
    took = in_turn(runs, ways)
    second.close()
    say(f"{bundle.name:<9} {runtime:<12} {np.median(took[:, 0]):6.1f} ms, beside: {said(took[:, 1] / took[:, 0])}")


def batches(bundle: Bundle, part: Part, runs: int) -> None:
    """Compare one piece after the other with pieces that are computed together, by what the processor spends."""
    rng = np.random.default_rng(0)
    spot = Spot(DeviceName("openvino", "cpu"), 1)
    feeds = [
        {
            tensor.name: np.ones(tensor.shape, tensor.dtype)
            if tensor.name in MASKS
            else rng.normal(size=tensor.shape).astype(tensor.dtype)
            for tensor in part.inputs
        }
        for _ in range(max(BATCHES))
    ]
    engines = [load_engines(bundle, spot._replace(pieces=size), [part])[part.role] for size in BATCHES]
    alone = [engines[0].infer(feed) for feed in feeds]
    wide = [joined(feeds[:size]) for size in BATCHES]
    off = [
        max(
            float(np.abs(own[n] - one[n]).max())
            for own, one in zip(parted(e.infer(w), s), alone, strict=False)
            for n in own
        )
        for e, w, s in zip(engines[1:], wide[1:], BATCHES[1:], strict=True)
    ]
    ways = [partial(engine.infer, feed) for engine, feed in zip(engines, wide, strict=True)]
    took = in_turn(runs, ways, time.process_time) / np.array(BATCHES)
    ratios = ", ".join(f"{size}: {said(took[:, i] / took[:, 0])}" for i, size in enumerate(BATCHES) if i)
    say(f"{bundle.name:<9} {part.role:<10} {np.median(took[:, 0]):7.3f} ms a piece, together {ratios}; off by {off}")


def main() -> None:
    """Measure and print; ratios with their 95 % intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--only", choices=["overlap", "batches"])
    arguments = parser.parse_args()
    runs = arguments.runs
    for name in ("castings", "generic"):
        bundle = Bundle.load(SHIPPED_BUNDLES / name)
        for runtime in ("openvino", "onnxruntime") if arguments.only != "batches" else ():
            overlap(bundle, runtime, runs)
        for part in bundle.manifest.judging if arguments.only != "overlap" else ():
            batches(bundle, part, runs)


if __name__ == "__main__":
    main()
