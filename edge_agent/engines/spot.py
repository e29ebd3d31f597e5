"""Names what computes: a device of one runtime, and how many of its threads a bundle part gets. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from edge_agent.config import EngineConfig

SHARED: Final = "cpu"
"""The kind of device of which a part gets some threads; it has any other for itself while it runs."""


class DeviceName(NamedTuple):
    """A device of one runtime, written `openvino/cpu`.

    Attributes:
        runtime: `onnxruntime` or `openvino`.
        kind: what it is in that runtime, in small letters (`cpu`, `gpu`, `npu`, `cuda`).
    """

    runtime: str
    kind: str

    def __str__(self) -> str:
        return f"{self.runtime}/{self.kind}"


class Spot(NamedTuple):
    """Where one part of a bundle runs, and for how many pieces at a time.

    Attributes:
        device: what computes.
        threads: how many threads of it; 1 where it is no CPU.
        pieces: that are computed together.
    """

    device: DeviceName
    threads: int = 1
    pieces: int = 1

    def __str__(self) -> str:
        where = f"{self.device} × {self.threads}" if self.device.kind == SHARED else str(self.device)
        return where if self.pieces == 1 else f"{where}, {self.pieces} together"


def whereabouts(spots: Mapping[str, Spot]) -> str:
    """Give where the parts of a bundle run, for people: once where all run at the same spot; "" for none."""
    if len(set(spots.values())) == 1:
        return str(next(iter(spots.values())))
    return ", ".join(f"{role} {spot}" for role, spot in spots.items())


def spot_of(config: EngineConfig) -> Spot:
    """Give the spot of every part as a person configured it; OpenVINO's CPU where it is left to be measured.

    Args:
        config: the engine's section.

    Returns:
        The spot.
    """
    if config.runtime == "auto":
        return Spot(DeviceName("openvino", "cpu"), config.threads)
    return Spot(DeviceName(config.runtime, config.device), config.threads)
