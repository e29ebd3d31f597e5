"""Where the recipe's bundle runs on this station: as configured, or as measured, with what stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_agent.config import EngineConfig
from edge_agent.engines import DeviceName, LoadEngines, Spot, load_engines
from edge_agent.engines.pool import COMPILED
from edge_agent.engines.spot import spot_of
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.inspection.headstart import HeadStart
from edge_agent.runtime.machine import pss_mb
from edge_agent.scheduler import ResourceAllocator
from edge_agent.scheduler.lane import Way
from edge_agent.scheduler.shares import Shares
from models import Bundle

STAND_IN_MB: Final = 70
"""What a second runtime with its models takes: 64 MB measured with the largest of the shipped bundles."""

ANY: Final = "all parts"

OTHER: Final = {"openvino": "onnxruntime", "onnxruntime": "openvino"}


def ways_of(
    bundles: Sequence[Bundle],
    config: EngineConfig,
    state_dir: Path,
    evictions: Evictions,
    load: LoadEngines = load_engines,
    said: Callable[[str], None] = lambda text: None,
    ahead: HeadStart | None = None,
) -> list[Way[Encoders]]:
    """Give the ways to run the recipes' bundles, in the order in which they are to be used.

    With `runtime = "auto"` the first bundle is placed. A part of another bundle runs where the same part of the first
    does, or where its picture part does.

    Args:
        bundles: what to run; the first in any case, the others as there is room.
        config: the engine's section.
        state_dir: keeps what was measured.
        evictions: counts the bundles that are let go for room.
        load: loads the parts.
        said: hears where the parts were placed, and why that was measured now.
        ahead: has begun to load the first way; None where nobody has.

    Returns:
        At least one.

    Raises:
        ConfigError: nothing fits the ratios, or a part runs nowhere.
        Unavailable: the disk fails.
    """
    bundle = bundles[0]
    if config.runtime == "auto":
        shares = Shares(config.cpu_ratio, config.gpu_ratio, config.npu_fallback)
        allocator = ResourceAllocator(shares, bundle=bundle, parts_per_s=config.parts_per_s, folder=state_dir)
        placement = allocator.optimize()
        chain: list[Mapping[str, Spot]] = [candidate.spots for candidate in placement.chain]
        said(f"{placement.chain[0]}" + (f"; measured now: {placement.anew}" if placement.anew else ""))
    else:
        first = spot_of(config)
        runtime = OTHER[first.device.runtime] if first.device.kind == "cpu" else "openvino"
        chain = [{ANY: first}, {ANY: Spot(DeviceName(runtime, "cpu"), config.threads)}]
    begun = [ahead, *[None] * (len(chain) - 1)]
    return [
        _way(bundles, spots, state_dir, load, config, evictions, own) for spots, own in zip(chain, begun, strict=True)
    ]


def has_room(config: EngineConfig) -> bool:
    """Say whether one more runtime or bundle may be loaded within `memory_mb`."""
    return (pss_mb() or 0.0) + STAND_IN_MB <= config.memory_mb


def _way(
    bundles: Sequence[Bundle],
    spots: Mapping[str, Spot],
    state_dir: Path,
    load: LoadEngines,
    config: EngineConfig,
    evictions: Evictions,
    ahead: HeadStart | None,
) -> Way[Encoders]:
    same = len(set(spots.values())) == 1
    first = next(iter(spots.values()))
    name = str(first) if same else ", ".join(f"{role} {spot}" for role, spot in spots.items())

    def made(bundle: Bundle) -> Encoder:
        where = {part.role: spots.get(part.role, first) for part in bundle.manifest.judging}
        begun = None if ahead is None else ahead.take(bundle, where)
        return begun or Encoder.at_spots(bundle, where, state_dir / COMPILED, load)

    def loaded() -> Encoders:
        encoders = Encoders(made, lambda: has_room(config), evictions)
        try:
            encoders.load(bundles)
        finally:
            if ahead is not None:
                ahead.close()
        return encoders

    return Way(
        name=name,
        devices={role: str(spot.device) for role, spot in spots.items()},
        load=loaded,
        prove=Encoders.prove,
        at=lambda encoders: encoders.at,
        loading=lambda encoders: encoders.loading,
    )
