"""Loads the parts of a bundle once, and refuses it where a model is not what the manifest says.

It runs nothing: whether the numbers are right is shown by the golden vectors, by whoever can make the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.engines.base import Engine
from edge_agent.errors import BadData, ConfigError
from models import Bundle
from models.errors import BundleRefused
from models.manifest import Part
from models.tensor import TensorSpec

RUNTIMES = ("onnxruntime", "openvino")


def load_engines(
    bundle: Bundle, runtime: str, device: str, threads: int, parts: Sequence[Part] = ()
) -> dict[str, Engine]:
    """Load the parts of a bundle.

    Args:
        bundle: what to load.
        runtime: `onnxruntime` or `openvino`.
        device: `cpu`, or another device of OpenVINO.
        threads: how many threads compute in each part.
        parts: which of them; all where not given.

    Returns:
        One engine for each role; whoever asked closes them.

    Raises:
        BundleRefused: a part cannot be loaded, or has other tensors than the manifest says.
        ConfigError: there is no such runtime or device here.
        DeviceFault: the device cannot compile a part.
    """
    engines: dict[str, Engine] = {}
    try:
        for part in parts or bundle.manifest.parts:
            try:
                engines[part.role] = _engine(bundle.part_bytes(part.role), runtime, device, threads)
            except BadData as error:
                raise BundleRefused(bundle.name, part.file, error.message) from error
            if wrong := _differences(part, engines[part.role]):
                raise BundleRefused(bundle.name, part.file, "; ".join(wrong))
    except BaseException:
        for engine in engines.values():
            engine.close()
        raise
    return engines


def _engine(model: bytes, runtime: str, device: str, threads: int) -> Engine:
    """Load a model; a runtime is imported only when it is used, because each costs memory and start-up time."""
    if runtime == "onnxruntime":
        if device != "cpu":
            raise ConfigError(
                f"onnxruntime has no device {device} here", hint='[engine] device = "cpu", or runtime = "openvino"'
            )
        from edge_agent.engines.onnxruntime_engine import OnnxEngine  # noqa: PLC0415 (see above)

        return OnnxEngine(model, threads)
    if runtime == "openvino":
        from edge_agent.engines.openvino_engine import OpenVinoEngine  # noqa: PLC0415 (see above)

        return OpenVinoEngine(model, device, threads)
    raise ConfigError(f"no runtime {runtime}", hint=f"[engine] runtime can be {' or '.join(RUNTIMES)}")


def _differences(part: Part, engine: Engine) -> list[str]:
    """Say how a model's tensors differ from the manifest's; their order does not matter."""
    return _unlike("input", part.inputs, engine.inputs) + _unlike("output", part.outputs, engine.outputs)


def _unlike(what: str, declared: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> list[str]:
    wrong = [f"{what} {spec} is in the manifest and not in the model" for spec in declared if spec not in found]
    return wrong + [f"{what} {spec} is in the model and not in the manifest" for spec in found if spec not in declared]
