"""onnxruntime on the CPU with its own defaults; only the number of threads is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import onnxruntime
from numpy.typing import NDArray

PACKAGES: Final = ("onnxruntime",)


def load(path: Path, precision: str, threads: int) -> tuple[Callable[[list[NDArray[Any]]], list[NDArray[Any]]], str]:
    """Load a model; see `service.Runtime`."""
    del precision  # it is in the file
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = session.run(None, dict(zip(names, inputs, strict=True)))
        return outputs

    return run, ""
