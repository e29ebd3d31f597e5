"""OpenVINO on the CPU, set up as the station does it: latency first, one stream, inputs written in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import openvino
from numpy.typing import NDArray

PACKAGES: Final = ("openvino",)

HINTS: Final = {"fp32": "f32", "bf16": "bf16"}
"""What is said about the precision of the arithmetic; an INT8 model says it itself, as on the station."""


def load(path: Path, precision: str, threads: int) -> tuple[Callable[[list[NDArray[Any]]], list[NDArray[Any]]], str]:
    """Load a model; see `service.Runtime`."""
    core = openvino.Core()
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    if precision in HINTS:
        settings["INFERENCE_PRECISION_HINT"] = HINTS[precision]
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    request = compiled.create_infer_request()
    held = [request.get_input_tensor(i).data for i in range(len(compiled.inputs))]

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        for place, array in zip(held, inputs, strict=True):
            place[...] = array
        request.infer(share_outputs=True)
        return [request.get_output_tensor(i).data for i in range(len(compiled.outputs))]

    native = precision != "bf16" or "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return run, "" if native else "this CPU has no bfloat16 arithmetic"
