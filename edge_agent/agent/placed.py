"""Where the recipes' bundles run on this station: as configured, or as measured, with what stands in for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_agent.config import EngineConfig
from edge_agent.engines import DeviceName, LoadEngines, Spot, load_engines
from edge_agent.engines.pool import COMPILED
from edge_agent.engines.spot import SHARED, spot_of, whereabouts
from edge_agent.engines.watched import watched, watching
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.inspection.headstart import HeadStart
from edge_agent.runtime import systemd
from edge_agent.runtime.machine import pss_mb
from edge_agent.scheduler import ResourceAllocator
from edge_agent.scheduler.joint import joined
from edge_agent.scheduler.lane import LOAD_TIMEOUT_S
from edge_agent.scheduler.measuring import TRIAL_TIMEOUT_S
from edge_agent.scheduler.placement import Candidate, Placement
from edge_agent.scheduler.shares import Shares
from edge_agent.scheduler.timetable import Timetable
from edge_agent.scheduler.way import Way
from models import Bundle

STAND_IN_MB: Final = 70
"""What a second runtime with its models takes: 64 MB measured with the largest of the shipped bundles."""

GROWS_MB: Final = 25
"""What a station takes more once parts come than when its first lane was proven: 18 to 25 MB measured at 6 parts/s."""

STEP_S: Final = TRIAL_TIMEOUT_S + LOAD_TIMEOUT_S
"""A start that measures may still take so long after each step [s]: a device that hangs, then what is loaded."""

NO_STAND_IN: Final = "it cannot do without the device that this lane stands in for"

OTHER: Final = {"openvino": "onnxruntime", "onnxruntime": "openvino"}

Places = Mapping[str, Candidate | None]
"""How each bundle runs on a lane, by its digest; None where it cannot."""


def ways_of(
    bundles: Sequence[Bundle],
    config: EngineConfig,
    state_dir: Path,
    evictions: Evictions,
    timetable: Timetable,
    load: LoadEngines = load_engines,
    said: Callable[[str], None] = lambda text: None,
    ahead: HeadStart | None = None,
    extend: Callable[[float], object] = systemd.extend,
) -> list[Way[Encoders]]:
    """Give the ways to run the recipes' bundles, in the order in which they are to be used.

    Args:
        bundles: what to run; the first in any case, the others as there is room.
        config: the engine's section; with `runtime = "auto"` each bundle is placed.
        state_dir: keeps what was measured.
        evictions: counts the bundles that are let go for room.
        timetable: knows what parts took, and hears what they take.
        load: loads the parts.
        said: hears where the parts of each bundle were placed, and why that was measured now.
        ahead: has begun to load the first way; None where nobody has.
        extend: hears before each step of measuring how long the start may still take [s].

    Returns:
        At least one.

    Raises:
        ConfigError: nothing fits the ratios, or a part runs nowhere.
        Unavailable: the disk fails.
    """
    measured = config.runtime == "auto"
    lanes = _measured(bundles, config, state_dir, said, extend) if measured else _configured(bundles, config)
    names = _names_of(bundles)
    placed = {b.digest: (name, _spots(lanes[0][b.digest])) for b, name in zip(bundles, names, strict=True)}
    timetable.open(placed, by_measuring=measured)
    begun = [ahead, *[None] * (len(lanes) - 1)]
    return [
        _way(bundles, places, state_dir, load, config, evictions, timetable, own)
        for places, own in zip(lanes, begun, strict=True)
    ]


def has_room(config: EngineConfig, grows_mb: float = 0.0) -> bool:
    """Say whether one more runtime or bundle may be loaded within `memory_mb`.

    Args:
        config: the engine's section.
        grows_mb: what the station itself is going to take yet [MB].

    Returns:
        Whether it fits; yes where the system does not say what is taken.
    """
    return (pss_mb() or 0.0) + STAND_IN_MB + grows_mb <= config.memory_mb


def fits(config: EngineConfig) -> bool:
    """Say whether what is loaded fits in `memory_mb`; yes where the system does not say what is taken."""
    return (pss_mb() or 0.0) <= config.memory_mb


def may_stand_by(config: EngineConfig) -> bool:
    """Say whether what stands in for the lane in use may be loaded before it is needed, beside a line at work."""
    return has_room(config, GROWS_MB)


def _measured(
    bundles: Sequence[Bundle],
    config: EngineConfig,
    state_dir: Path,
    said: Callable[[str], None],
    extend: Callable[[float], object],
) -> list[Places]:
    """Place each bundle; of those whose placement was outgrown measure one anew, so that no start takes for ever."""
    shares = Shares(config.cpu_ratio, config.gpu_ratio, config.npu_fallback)
    placements: list[Placement] = []

    def goes_on(done: int, total: int) -> None:
        extend(STEP_S)

    for bundle in bundles:
        extend(STEP_S)
        allocator = ResourceAllocator(shares, bundle=bundle, parts_per_s=config.parts_per_s, folder=state_dir)
        again = not any(placement.anew for placement in placements)
        placement = allocator.optimize(goes_on, again=again)
        anew = f"; measured now: {placement.anew}" if placement.anew else ""
        said(f"{placement.bundle} runs on {placement.chain[0]}{anew}")
        placements.append(placement)
    return [{bundle.digest: way for bundle, way in zip(bundles, lane, strict=True)} for lane in joined(placements)]


def _configured(bundles: Sequence[Bundle], config: EngineConfig) -> list[Places]:
    first = spot_of(config)
    runtime = OTHER[first.device.runtime] if first.device.kind == SHARED else "openvino"
    return [
        {b.digest: Candidate({part.role: spot for part in b.manifest.judging}, 0.0, 0.0, {}) for b in bundles}
        for spot in (first, Spot(DeviceName(runtime, SHARED), config.threads))
    ]


def _way(
    bundles: Sequence[Bundle],
    places: Places,
    state_dir: Path,
    load: LoadEngines,
    config: EngineConfig,
    evictions: Evictions,
    timetable: Timetable,
    ahead: HeadStart | None,
) -> Way[Encoders]:
    placed = {digest: way for digest, way in places.items() if way is not None}

    def loaded() -> Encoders:
        def made(bundle: Bundle) -> Encoder:
            way = placed[bundle.digest]
            taken = None if ahead is None else ahead.take(bundle, way.spots)
            if taken is None:
                batches = [batch.spots for batch in way.batches.values()]
                return Encoder.at_spots(bundle, way.spots, state_dir / COMPILED, telling, batches, beside=way.beside)
            taken.put_around(
                lambda engines: watching(
                    engines, bundle, way.spots, timetable.clock, encoders.began, encoders.ended, timetable.ran
                )
            )
            return taken

        def refused(bundle: Bundle) -> str:
            return NO_STAND_IN if places[bundle.digest] is None else ""

        encoders = Encoders(made, lambda: has_room(config), evictions, refused, lambda: fits(config))
        telling = watched(load, timetable.clock, encoders.began, encoders.ended, timetable.ran)
        try:
            encoders.load(bundles)
        finally:
            if ahead is not None:
                ahead.close()
        return encoders

    def batches_s(encoders: Encoders, digest: str) -> dict[int, float]:
        batches = placed[digest].batches if digest in placed else {}
        return {size: batches[size].p99_ms / 1e3 for size in encoders.sizes.get(digest, ())}

    return Way(
        name=_name_of(bundles, places),
        devices=frozenset(str(device) for way in placed.values() for device in way.devices),
        load=loaded,
        prove=Encoders.prove,
        at=lambda encoders: encoders.at,
        loading=lambda encoders: encoders.loading,
        p99_s={digest: timetable.p99_s(digest, way.spots) for digest, way in placed.items()},
        prove_together=Encoders.prove_together,
        complaints=Encoders.complaints,
        batches_s=batches_s,
    )


def _name_of(bundles: Sequence[Bundle], places: Places) -> str:
    """Give a lane's name: its spots, by bundle where they differ."""
    words = [whereabouts(_spots(places[bundle.digest])) or "nowhere" for bundle in bundles]
    if len(set(words)) == 1:
        return words[0]
    return "; ".join(f"{name}: {said}" for name, said in zip(_names_of(bundles), words, strict=True))


def _spots(way: Candidate | None) -> Mapping[str, Spot]:
    return {} if way is None else way.spots


def _names_of(bundles: Sequence[Bundle]) -> list[str]:
    """Give the bundles' names, with the beginning of the digest where two have the same."""
    often = Counter(bundle.name for bundle in bundles)
    return [bundle.name if often[bundle.name] == 1 else f"{bundle.name} {bundle.digest[:8]}" for bundle in bundles]
