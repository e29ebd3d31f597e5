"""The one door to OpenVINO: an ONNX model on one of its devices. Its exceptions end here.

Input tensors are allocated once and written in place: a call with inputs as arguments costs several times more.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
from openvino import opset1

from edge_agent.engines.base import Array, checked, finite, together
from edge_agent.engines.spot import DeviceName
from edge_agent.errors import BadData, ConfigError, DeviceFault, Unavailable
from models.saturation import saturates
from models.tensor import DType, TensorSpec

DTYPES: Final[dict[str, DType]] = {
    "boolean": "bool",
    "u8": "uint8",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
}


_LOW_PRECISION: Final = "LP_TRANSFORMS_MODE"
"""Has quantised layers computed in 8 bits; without, they are computed in floating point with the same rounding."""

RUNTIME: Final = "openvino"

BATCHES: Final = (2, 4, 8)
"""Pieces that it can compute together, where a device gains by it."""


_TOLD: Final = ("FULL_DEVICE_NAME", "NPU_DRIVER_VERSION")
"""What may make a device another one than it was; OpenVINO says of no other device which driver it has."""


def kinds() -> tuple[str, ...]:
    """Give the devices that OpenVINO finds on this machine: `cpu`, `gpu`, `npu`."""
    return tuple(sorted({_kind_of(available) for available in openvino.Core().available_devices}))


def descriptions() -> dict[str, str]:
    """Give each of `kinds` with its model and driver, as far as the driver tells."""
    core = openvino.Core()
    found: dict[str, list[str]] = {}
    for name in core.available_devices:
        found.setdefault(_kind_of(name), []).append(_told_by(core, name))
    return {kind: "; ".join(found[kind]) for kind in sorted(found)}


def _kind_of(name: str) -> str:
    return name.split(".", maxsplit=1)[0].lower()


def _told_by(core: Any, name: str) -> str:
    try:
        told = core.get_property(name, "SUPPORTED_PROPERTIES")
        return " ".join(str(core.get_property(name, key)) for key in _TOLD if key in told)
    except RuntimeError as error:  # a driver that cannot even say this may yet compute, or not: trying it shows
        return f"says nothing of itself: {' '.join(str(error).split())[:200]}"


class OpenVinoEngine:
    """Runs an ONNX model with OpenVINO.

    Args:
        model: the ONNX file's contents.
        kind: `cpu`, `gpu` or `npu`.
        threads: how many threads compute, where the device is the CPU.
        cache: folder for compiled models, so that the next start need not compile; None for none.
        overflows: sums of its 8-bit products may not fit 16 bits, so that some processors need a slower way.
        pieces: that are computed together; the model is for one.
    """

    def __init__(
        self,
        model: bytes,
        kind: str = "cpu",
        threads: int = 1,
        cache: Path | None = None,
        *,
        overflows: bool = True,
        pieces: int = 1,
    ) -> None:
        core = openvino.Core()
        self._device = str(DeviceName(RUNTIME, kind))
        if kind not in (there := kinds()):
            raise ConfigError(
                f"OpenVINO finds no device {kind} here", hint=f"[engine] device can be {', '.join(there)}"
            )
        name = kind.upper()
        if cache is not None:
            _keep_compiled(core, cache)
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY"}
        if name == "CPU":
            settings |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
            if overflows and saturates():
                settings[_LOW_PRECISION] = False
        try:
            network = core.read_model(io.BytesIO(model))
            if pieces > 1:
                _widen(network, pieces)
        except RuntimeError as error:
            raise BadData(f"OpenVINO cannot read the model: {_sentence(error)}") from error
        self.inputs: tuple[TensorSpec, ...] = tuple(map(_spec, network.inputs))
        self.outputs: tuple[TensorSpec, ...] = tuple(map(_spec, network.outputs))
        try:
            request = core.compile_model(network, name, settings).create_infer_request()
        except RuntimeError as error:
            raise DeviceFault(
                f"OpenVINO cannot compile the model for {kind}: {_sentence(error)}",
                hint="try another device or runtime: [engine] device, runtime",
                device=self._device,
            ) from error
        self._held = [np.empty(spec.shape, spec.dtype) for spec in self.inputs]
        for i, array in enumerate(self._held):
            request.set_input_tensor(i, openvino.Tensor(array, shared_memory=True))
        self._request: Any = request

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once; see `Engine.infer`."""
        if self._request is None:
            raise RuntimeError("this engine is closed")
        feed = checked(self.inputs, tensors)
        for held, array in zip(self._held, feed.values(), strict=True):
            held[...] = array
        try:
            self._request.infer(share_outputs=True)
            values = [self._request.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]
        except RuntimeError as error:
            raise DeviceFault(
                f"OpenVINO failed: {_sentence(error)}",
                hint="try another device or runtime: [engine] device, runtime",
                device=self._device,
            ) from error
        return finite({spec.name: v for spec, v in zip(self.outputs, values, strict=True)}, feed, self._device)

    def close(self) -> None:
        """Release the compiled model."""
        self._request = None


def _keep_compiled(core: Any, cache: Path) -> None:
    try:
        core.set_property({"CACHE_DIR": str(cache)})
    except RuntimeError as error:
        raise Unavailable(
            f"{cache}: OpenVINO cannot keep compiled models there: {_sentence(error)}",
            hint="see that the folder of station.state_dir can be written",
        ) from error


def _widen(network: Any, pieces: int) -> None:
    """Have a model that was exported for one piece compute several; its reshapes name that one, and have to be freed.

    The free size of a reshape is worked out from what comes in; where it has one already, that of the pieces is copied.
    """
    for op in network.get_ops():
        if op.get_type_name() != "Reshape" or op.input_value(1).get_node().get_type_name() != "Constant":
            continue
        pattern, given = op.input_value(1).get_node().data.copy(), op.input_value(0).get_partial_shape()
        if given.is_static and len(given) and given[0].get_length() == 1 and pattern.size and pattern[0] == 1:
            pattern[0] = 0 if -1 in pattern else -1
            op.input(1).replace_source_output(opset1.constant(pattern).output(0))
    wide = {spec.name: list(together(spec, pieces).shape) for spec in map(_spec, network.inputs)}
    network.reshape(wide)


def _spec(port: Any) -> TensorSpec:
    name, shape = port.get_any_name(), port.get_partial_shape()
    dtype = port.get_element_type().to_string()
    if dtype not in DTYPES or not shape.is_static:
        raise BadData(f"tensor {name} has no static shape of a known type: {shape} {dtype}")
    return TensorSpec(name, tuple(shape.to_shape()), DTYPES[dtype])


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())
