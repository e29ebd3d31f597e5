"""Where the recipe's bundle runs on this station: as configured, or as measured, with what stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge_agent.config import EngineConfig
from edge_agent.engines import DeviceName, LoadEngines, Spot, load_engines
from edge_agent.engines.spot import spot_of
from edge_agent.inspection.encode import Encoder
from edge_agent.runtime.machine import give_back_memory, pss_mb
from edge_agent.scheduler import ResourceAllocator
from edge_agent.scheduler.lane import Way
from edge_agent.scheduler.shares import Shares
from models import Bundle

COMPILED: Final = "compiled"
"""Folder of compiled models in the state directory; it may be removed at any time."""

STAND_IN_MB: Final = 70
"""What a second runtime with its models takes: 64 MB measured with the largest of the shipped bundles."""

OTHER: Final = {"openvino": "onnxruntime", "onnxruntime": "openvino"}


def ways_of(
    bundle: Bundle, config: EngineConfig, state_dir: Path, load: LoadEngines = load_engines
) -> list[Way[Encoder]]:
    """Give the ways to run the bundle, in the order in which they are to be used.

    Args:
        bundle: what to run.
        config: the engine's section.
        state_dir: keeps what was measured.
        load: loads the parts.

    Returns:
        At least one.

    Raises:
        ConfigError: nothing fits the ratios, or a part runs nowhere.
        Unavailable: the disk fails.
    """
    roles = [part.role for part in bundle.manifest.judging]
    if config.runtime == "auto":
        shares = Shares(config.cpu_ratio, config.gpu_ratio, config.npu_fallback)
        allocator = ResourceAllocator(shares, bundle=bundle, parts_per_s=config.parts_per_s, folder=state_dir)
        return [_way(bundle, candidate.spots, state_dir, load) for candidate in allocator.optimize().chain]
    first = spot_of(config)
    runtime = OTHER[first.device.runtime] if first.device.kind == "cpu" else "openvino"
    spots = (first, Spot(DeviceName(runtime, "cpu"), config.threads))
    return [_way(bundle, dict.fromkeys(roles, spot), state_dir, load) for spot in spots]


def may_be_warm(config: EngineConfig) -> Callable[[object], bool]:
    """Give what says whether something more may be loaded in advance within `memory_mb`."""
    return lambda way: (pss_mb() or 0.0) + STAND_IN_MB <= config.memory_mb


def _way(bundle: Bundle, spots: Mapping[str, Spot], state_dir: Path, load: LoadEngines) -> Way[Encoder]:
    def loaded() -> Encoder:
        encoder = Encoder.at_spots(bundle, spots, state_dir / COMPILED, load)
        give_back_memory()
        return encoder

    same = len(set(spots.values())) == 1
    name = str(next(iter(spots.values()))) if same else ", ".join(f"{role} {spot}" for role, spot in spots.items())
    return Way(
        name=name,
        devices={role: str(spot.device) for role, spot in spots.items()},
        load=loaded,
        prove=Encoder.prove,
        at=lambda encoder: encoder.at,
    )
