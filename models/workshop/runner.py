"""Runs a bundle's parts on the desk, on either runtime, as the station runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnxruntime
import openvino
from numpy.typing import NDArray

from models.embedding import assemble
from models.flow import Flow, Tensors
from models.manifest import Block, Manifest
from models.saturation import saturates

RUNTIMES: Final = ("openvino", "onnxruntime")


class Model:
    """One ONNX model on one runtime.

    Args:
        model: its bytes.
        runtime: one of `RUNTIMES`.
        threads: that compute.
        overflows: sums of its 8-bit products may not fit 16 bits; what `quantised` makes fits.
    """

    def __init__(self, model: bytes, runtime: str = "openvino", threads: int = 2, *, overflows: bool = False) -> None:
        self._request: Any = None
        self._session: Any = None
        if runtime == "openvino":
            settings: dict[str, Any] = {
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
                "EXECUTION_MODE_HINT": "ACCURACY",
            }
            if overflows and saturates():
                settings["LP_TRANSFORMS_MODE"] = False
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(model), "CPU", settings)
            self._names = [port.get_any_name() for port in compiled.outputs]
            self._request = compiled.create_infer_request()
        else:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as on a station
            if overflows and saturates():
                options.add_session_config_entry("session.x64quantprecision", "1")
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._names = [output.name for output in self._session.get_outputs()]

    def run(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """Give the outputs by name."""
        if self._session is not None:
            return dict(zip(self._names, self._session.run(None, dict(tensors)), strict=True))
        result = self._request.infer(dict(tensors))
        return {name: np.array(result[name]) for name in self._names}


class Runner:
    """All parts of a bundle on one runtime.

    Args:
        manifest: says how tensors flow.
        parts: the models by role.
        runtime: one of `RUNTIMES`.
        threads: that compute.
    """

    def __init__(
        self, manifest: Manifest, parts: Mapping[str, bytes], runtime: str = "openvino", threads: int = 2
    ) -> None:
        self._flow = Flow(manifest)
        self._blocks: tuple[Block, ...] = manifest.blocks
        self._models = {
            role: Model(model, runtime, threads, overflows=manifest.overflows) for role, model in parts.items()
        }

    def embed(self, sources: Tensors) -> NDArray[np.float64]:
        """Give z, shape (d,), of the source tensors that are there."""
        return assemble(self._blocks, self._flow.run(sources, lambda role, feed: self._models[role].run(feed)).raw)
