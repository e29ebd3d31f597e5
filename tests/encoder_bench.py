"""Measures two ways to get more out of a device than one part after the other: run it with Python.

    python tests/encoder_bench.py --runs 300

The vibration part of a bundle on a second thread beside the picture part, and pieces that OpenVINO computes together.
What is compared takes turns in one process, and must give the same numbers. OpenVINO changes the shape of a model that
was exported for one piece, where its reshapes name that one; onnxruntime cannot.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402
import openvino  # noqa: E402
from openvino import opset1  # noqa: E402

from edge_agent.config import SHIPPED_BUNDLES  # noqa: E402
from edge_agent.engines import DeviceName, Spot, load_engines  # noqa: E402
from models import Bundle  # noqa: E402
from models.embedding import assemble  # noqa: E402
from models.flow import Flow  # noqa: E402
from models.manifest import Part  # noqa: E402
from models.saturation import saturates  # noqa: E402
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
    golden, flow = bundle.golden(), Flow(bundle.manifest)
    whole = int(np.argmax(np.count_nonzero(golden.z, axis=1)))
    sources = {name: rows[whole] for name, rows in golden.sources.items()}
    (vibration,) = (part for part in bundle.manifest.judging if part.role == "vibration")
    feed = {tensor.name: sources[tensor.name] for tensor in vibration.inputs}
    with ThreadPoolExecutor(1) as second:

        def alone() -> Feed:
            return flow.run(sources, lambda role, given: engines[role].infer(given)).raw

        def beside() -> Feed:
            coming = second.submit(engines["vibration"].infer, feed)
            return flow.run(
                sources, lambda role, given: coming.result() if role == "vibration" else engines[role].infer(given)
            ).raw

        for name, values in alone().items():
            np.testing.assert_array_equal(values, beside()[name])
        took = in_turn(runs, (alone, beside))
    say(f"{bundle.name:<9} {runtime:<12} {np.median(took[:, 0]):6.1f} ms, beside: {said(took[:, 1] / took[:, 0])}")


def batches(bundle: Bundle, part: Part, runs: int) -> None:
    """Compare one piece after the other with pieces that are computed together, by what the processor spends."""
    rng = np.random.default_rng(0)
    feeds = {
        tensor.name: np.ones((max(BATCHES), *tensor.shape[1:]), tensor.dtype)
        if tensor.name in MASKS
        else rng.normal(size=(max(BATCHES), *tensor.shape[1:])).astype(tensor.dtype)
        for tensor in part.inputs
    }
    requests = [request_of(bundle.part_bytes(part.role), {n: a[:size] for n, a in feeds.items()}) for size in BATCHES]
    alone = []
    for at in range(max(BATCHES)):
        requests[0].infer({name: array[at : at + 1] for name, array in feeds.items()})
        alone.append([requests[0].get_output_tensor(i).data.copy() for i in range(len(part.outputs))])
    off = [
        max(
            float(np.abs(request.get_output_tensor(i).data[at : at + 1] - alone[at][i]).max())
            for i in range(len(part.outputs))
            for at in range(size)
        )
        for size, request in zip(BATCHES[1:], requests[1:], strict=True)
    ]
    took = in_turn(runs, [request.infer for request in requests], time.process_time) / np.array(BATCHES)
    ratios = ", ".join(f"{size}: {said(took[:, i] / took[:, 0])}" for i, size in enumerate(BATCHES) if i)
    say(f"{bundle.name:<9} {part.role:<10} {np.median(took[:, 0]):7.3f} ms a piece, together {ratios}; off by {off}")


def golden(bundle: Bundle) -> None:
    """Compare the embeddings of golden vectors whose pictures are computed together with what the desk has."""
    known, flow = bundle.golden(), Flow(bundle.manifest)
    engines = load_engines(bundle, Spot(DeviceName("openvino", "cpu"), 1), bundle.manifest.judging)
    (image,) = (part for part in bundle.manifest.judging if part.role == "image")
    whole = [at for at, z in enumerate(known.z) if all(np.any(z[b.start : b.stop]) for b in bundle.blocks)]
    for size in BATCHES:
        chosen = (whole * size)[:size]
        pictures = {t.name: np.concatenate([known.sources[t.name][at] for at in chosen]) for t in image.inputs}
        request = request_of(bundle.part_bytes("image"), pictures)
        together = {tensor.name: request.get_output_tensor(i).data.copy() for i, tensor in enumerate(image.outputs)}
        off = [0.0, 0.0]  # one by one, together
        for row, at in enumerate(chosen):
            own = {name: array[row : row + 1] for name, array in together.items()}
            for way, tokens in enumerate((None, own)):

                def infer(role: str, feed: Feed, tokens: Feed | None = tokens) -> Feed:
                    return tokens if role == "image" and tokens is not None else engines[role].infer(feed)

                raw = flow.run({name: rows[at] for name, rows in known.sources.items()}, infer).raw
                off[way] = max(off[way], float(np.linalg.norm(assemble(bundle.blocks, raw) - known.z[at])))
        say(
            f"{bundle.name:<9} golden: {size} one by one off by {off[0]:.3g}, together by {off[1]:.3g}; "
            f"{known.tolerance:.2g} is allowed"
        )


def request_of(model: bytes, feed: Feed) -> Any:
    """Compile a model for as many pieces as there are in `feed`, as the station does for one; it has run once."""
    core = openvino.Core()
    network = core.read_model(io.BytesIO(model))
    for op in network.get_ops():
        if op.get_type_name() == "Reshape" and op.input_value(1).get_node().get_type_name() == "Constant":
            pattern, shape = op.input_value(1).get_node().data.copy(), op.input_value(0).get_partial_shape()
            if shape.is_static and len(shape) and shape[0].get_length() == 1 and pattern.size and pattern[0] == 1:
                pattern[0] = 0 if -1 in pattern else -1
                op.input(1).replace_source_output(opset1.constant(pattern).output(0))
    network.reshape({port.get_any_name(): list(feed[port.get_any_name()].shape) for port in network.inputs})
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY"}
    settings |= {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    if saturates():
        settings["LP_TRANSFORMS_MODE"] = False
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    request.infer(dict(feed))
    return request


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
        if arguments.only != "overlap":
            golden(bundle)
        for part in bundle.manifest.judging if arguments.only != "overlap" else ():
            batches(bundle, part, runs)


if __name__ == "__main__":
    main()
