"""The one door to onnxruntime: an ONNX model on one of its execution providers. Its exceptions end here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as driver

from edge_agent.engines.base import Array, checked, finite
from edge_agent.engines.spot import DeviceName
from edge_agent.errors import BadData, ConfigError, DeviceFault
from models.saturation import saturates
from models.tensor import DType, TensorSpec

DTYPES: Final[dict[str, DType]] = {
    "tensor(bool)": "bool",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
}

RUNTIME: Final = "onnxruntime"

_PROVIDER: Final = "ExecutionProvider"

_ELSEWHERE: Final = frozenset({"azure"})
"""Providers that send the tensors to somebody else's computer."""

_EXACT_BYTES: Final = "session.x64quantprecision"
"""Has 8-bit products added so that none is cut off, on processors that would."""

_LOG_ERRORS: Final = 3
"""onnxruntime's severity; it would print its warnings on the terminal otherwise."""

_MODEL_WRONG: Final = (
    driver.InvalidProtobuf,
    driver.InvalidGraph,
    driver.InvalidArgument,
    driver.NotImplemented,
    driver.NoModel,
    driver.Fail,
    driver.RuntimeException,
)
_DEVICE_FAILED: Final = (driver.Fail, driver.RuntimeException, driver.EPFail, driver.EngineError, driver.DeviceReset)


def descriptions() -> dict[str, str]:
    """Give the devices that this onnxruntime was built for, in small letters, with their execution providers."""
    return dict(sorted(_providers().items()))


class OnnxEngine:
    """Runs an ONNX model with onnxruntime.

    Args:
        model: the ONNX file's contents.
        kind: `cpu`, or another one of `kinds`.
        threads: how many threads compute; none of them spins while it waits.
        overflows: sums of its 8-bit products may not fit 16 bits, so that some processors need a slower way.
    """

    def __init__(self, model: bytes, kind: str = "cpu", threads: int = 1, *, overflows: bool = True) -> None:
        provider = _providers().get(kind)
        if provider is None:
            raise ConfigError(
                f"onnxruntime has no device {kind} here", hint='[engine] device = "cpu", or runtime = "openvino"'
            )
        self._device = str(DeviceName(RUNTIME, kind))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = _LOG_ERRORS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if overflows and saturates():
            options.add_session_config_entry(_EXACT_BYTES, "1")
        try:
            session = onnxruntime.InferenceSession(model, options, providers=[provider])
        except _MODEL_WRONG as error:
            raise BadData(f"onnxruntime cannot load the model: {_sentence(error)}") from error
        self.inputs: tuple[TensorSpec, ...] = tuple(map(_spec, session.get_inputs()))
        self.outputs: tuple[TensorSpec, ...] = tuple(map(_spec, session.get_outputs()))
        self._names = [spec.name for spec in self.outputs]
        self._session: Any = session

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once; see `Engine.infer`."""
        if self._session is None:
            raise RuntimeError("this engine is closed")
        feed = checked(self.inputs, tensors)
        try:
            values = self._session.run(self._names, feed)
        except driver.InvalidArgument as error:
            raise BadData(f"onnxruntime refuses the inputs: {_sentence(error)}") from error
        except _DEVICE_FAILED as error:
            raise DeviceFault(
                f"onnxruntime failed: {_sentence(error)}",
                hint="try another runtime: [engine] runtime",
                device=self._device,
            ) from error
        return finite(dict(zip(self._names, values, strict=True)), feed, self._device)

    def close(self) -> None:
        """Release the session."""
        self._session = None


def _providers() -> dict[str, str]:
    names = {name.removesuffix(_PROVIDER).lower(): name for name in onnxruntime.get_available_providers()}
    return {kind: name for kind, name in names.items() if kind not in _ELSEWHERE}


def _spec(port: Any) -> TensorSpec:
    shape = tuple(port.shape)
    if port.type not in DTYPES or not all(isinstance(size, int) and size > 0 for size in shape):
        raise BadData(f"tensor {port.name} has no static shape of a known type: {shape} {port.type}")
    return TensorSpec(port.name, shape, DTYPES[port.type])


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())
