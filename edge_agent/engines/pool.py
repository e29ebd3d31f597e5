"""Loads the parts of a bundle once, and refuses it where a model is not what the manifest says.

It runs nothing: whether the numbers are right is shown by the golden vectors, by whoever can make the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_agent.config import Config
from edge_agent.config.section import Conflict
from edge_agent.engines.base import Engine, together
from edge_agent.engines.spot import SHARED, DeviceName, Spot
from edge_agent.errors import BadData, ConfigError
from models import Bundle
from models.errors import BundleRefused
from models.manifest import Part
from models.tensor import TensorSpec

RUNTIMES = ("onnxruntime", "openvino")

COMPILED: Final = "compiled"
"""Folder of compiled models in the state directory; it may be removed at any time."""

LoadEngines = Callable[[Bundle, Spot | Mapping[str, Spot], Sequence[Part], Path | None], dict[str, Engine]]
"""Loads the parts of a bundle, as `load_engines` does."""


def find_devices() -> dict[DeviceName, str]:
    """Give every device of every runtime on this machine, with its model and driver; loads the runtimes."""
    from edge_agent.engines import onnxruntime_engine, openvino_engine  # noqa: PLC0415 (see `load_runtime`)

    return {
        DeviceName(door.RUNTIME, kind): what
        for door in (onnxruntime_engine, openvino_engine)
        for kind, what in door.descriptions().items()
    }


def device_faults(config: Config) -> Iterator[Conflict]:
    """Say where the device that a configuration names is not on this machine; loads OpenVINO where it is no CPU."""
    engine = config.engine
    if engine.runtime == "openvino" and engine.device != SHARED:
        from edge_agent.engines.openvino_engine import kinds  # noqa: PLC0415 (see `load_runtime`)

        if engine.device not in (there := kinds()):
            yield Conflict(
                ("engine.device",),
                f'there is no "{engine.device}" here that OpenVINO can use',
                f'it finds {", ".join(there)}; with runtime = "auto" a station takes what there is',
            )


def batches_of(runtime: str) -> tuple[int, ...]:
    """Give how many pieces a runtime can compute together, beside one; loads it."""
    if runtime == "openvino":
        from edge_agent.engines.openvino_engine import BATCHES  # noqa: PLC0415 (see `load_runtime`)

        return BATCHES
    return ()  # onnxruntime runs a model in the shape in which it was exported


def load_engines(
    bundle: Bundle, spots: Spot | Mapping[str, Spot], parts: Sequence[Part] = (), cache: Path | None = None
) -> dict[str, Engine]:
    """Load the parts of a bundle.

    Args:
        bundle: what to load.
        spots: where each role runs, or where all do.
        parts: which of them; all where not given.
        cache: folder for compiled models; None for none.

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
            spot = spots if isinstance(spots, Spot) else spots[part.role]
            try:
                engines[part.role] = load_runtime(spot.device.runtime)(
                    bundle.part_bytes(part.role), spot, cache, bundle.manifest.overflows
                )
            except BadData as error:
                raise BundleRefused(bundle.name, part.file, error.message) from error
            if wrong := _differences(part, engines[part.role], spot.pieces):
                raise BundleRefused(bundle.name, part.file, "; ".join(wrong))
    except BaseException:
        for engine in engines.values():
            engine.close()
        raise
    return engines


LoadModel = Callable[[bytes, Spot, Path | None, bool], Engine]
"""Loads a model at a spot, with a folder for what is compiled; last, whether sums of its products may overflow."""


def load_runtime(runtime: str) -> LoadModel:
    """Import a runtime, which is done only when it is used, because each costs memory and start-up time.

    Args:
        runtime: its name.

    Returns:
        What loads a model with it.

    Raises:
        ConfigError: there is no such runtime.
    """
    if runtime == "onnxruntime":
        from edge_agent.engines.onnxruntime_engine import OnnxEngine  # noqa: PLC0415 (see above)

        return lambda model, spot, cache, overflows: OnnxEngine(
            model, spot.device.kind, spot.threads, overflows=overflows
        )
    if runtime == "openvino":
        from edge_agent.engines.openvino_engine import OpenVinoEngine  # noqa: PLC0415 (see above)

        return lambda model, spot, cache, overflows: OpenVinoEngine(
            model, spot.device.kind, spot.threads, cache, overflows=overflows, pieces=spot.pieces
        )
    raise ConfigError(f"no runtime {runtime}", hint=f"[engine] runtime can be {' or '.join(RUNTIMES)}")


def _differences(part: Part, engine: Engine, pieces: int) -> list[str]:
    """Say how a model's tensors differ from the manifest's for so many pieces; their order does not matter."""
    inputs, outputs = ([together(spec, pieces) for spec in specs] for specs in (part.inputs, part.outputs))
    return _unlike("input", inputs, engine.inputs) + _unlike("output", outputs, engine.outputs)


def _unlike(what: str, declared: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> list[str]:
    wrong = [f"{what} {spec} is in the manifest and not in the model" for spec in declared if spec not in found]
    return wrong + [f"{what} {spec} is in the model and not in the manifest" for spec in found if spec not in declared]
