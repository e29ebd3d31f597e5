"""The line as the configuration describes it: where parts come from, and the gate that sorts them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.config import Config
from edge_agent.config.camera import CameraConfig
from edge_agent.config.file import load_cameras
from edge_agent.holdings import Holdings
from edge_agent.inspection.act import RejectOutput, SimulatedOutput
from edge_agent.inspection.gate import Bypass, Gate
from edge_agent.runtime.budget import RestartBudget
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.disk import RealDisk
from edge_agent.runtime.loop import Component, Loop
from edge_agent.runtime.supervisor import Entry
from edge_agent.sources.count import TriggerCount, name_series
from edge_agent.sources.feed import Feed, Supply
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.sources.source import Source

if TYPE_CHECKING:
    from edge_agent.sources.camera import Camera
    from edge_agent.sources.wire import WireSource

COUNT_FILE: Final = "source.count"
"""Where a simulated or replayed source keeps its trigger count, in the state directory."""

SOURCE_LOOK_S: Final = 0.2
"""How often the source is looked at [s]."""

REOPEN_S: Final = 0.1
"""After an outage of the wire, before the source on it is opened again [s]."""


class SourceSeat:
    """The source's seat in the loop: has the supervisor open the source again when its thread has failed.

    Args:
        source: the source.
    """

    name = "source"

    def __init__(self, source: Source) -> None:
        self._source = source

    def step(self, now: float) -> float:
        """Look whether it still delivers; raise why not."""
        self._source.check()
        return now + SOURCE_LOOK_S


class CameraSeat:
    """A camera's seat in the loop.

    Args:
        camera: the camera.
    """

    def __init__(self, camera: Camera) -> None:
        self.name = camera.name
        self._camera = camera

    def step(self, now: float) -> float:
        """Look after its thread; raise what only a person can mend."""
        self._camera.check()
        return self._camera.step(now)


@dataclass(frozen=True)
class Line:
    """What a station stands at.

    Attributes:
        source: delivers parts.
        output: sorts them.
        wire: the wire to a microcontroller; None without one.
        gate: the reject gate at its end; None without one.
        cameras: deliver pictures to the wire's source.
        bypass: keeps whether the gate is bypassed.
    """

    source: Source
    output: RejectOutput
    bypass: Bypass
    wire: WireSource | None = None
    gate: Gate | None = None
    cameras: tuple[Camera, ...] = ()

    @property
    def components(self) -> tuple[Component, ...]:
        """What has a seat in the loop."""
        seats = tuple(CameraSeat(camera) for camera in self.cameras)
        return seats if self.gate is None else (self.gate, *seats)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is opened before the source, and closed after the last part was told to the gate."""
        wire, gate = self.wire, self.gate
        if wire is None:
            return ()

        def joined(until: float) -> bool:
            ended = wire.joined(until)
            if gate is not None:
                gate.settle()
            return ended

        return (
            Entry("wire", wire.connect, wire.disconnect, RestartBudget.for_ever(), joined),
            *(Entry(c.name, c.open, c.close, RestartBudget.for_ever(), c.join) for c in self.cameras),
        )

    @property
    def budget(self) -> RestartBudget:
        """How long the source waits to be opened again: the wire does its own waiting, and parts pass meanwhile."""
        if self.wire is None:
            return RestartBudget.for_ever()
        return RestartBudget(limit=None, first_delay_s=REOPEN_S, longest_delay_s=REOPEN_S)

    @property
    def ready(self) -> bool:
        """Whether the source can be opened, or has something new to say of why not."""
        return self.wire is None or self.wire.ready


def line_of(
    config: Config, clock: Clock, loop: Loop, holdings: Holdings, supply: Supply | None, output: RejectOutput | None
) -> Line:
    """Make the line that a configuration describes.

    Args:
        config: resolved.
        clock: tells the time.
        loop: steps what has a seat.
        holdings: its ledger and its products.
        supply: delivers parts instead of the configured source.
        output: sorts parts instead of the configured one.

    Returns:
        Nothing of it is open yet.
    """
    bypass = Bypass(RealDisk(Path(config.station.state_dir)))
    if config.source.kind != "wire" or supply is not None:
        feed = _feed(config, clock, loop, holdings, supply or _supply(config, clock, holdings))
        return Line(feed, output or SimulatedOutput(), bypass)
    return _wired(config, clock, loop, holdings, output, bypass)


def _feed(config: Config, clock: Clock, loop: Loop, holdings: Holdings, supply: Supply) -> Feed:
    count = TriggerCount(
        Path(config.station.state_dir) / COUNT_FILE, lambda: name_series(clock.utc()), holdings.last_number
    )
    return Feed(supply, count, clock, ImageHealth(config.image_health), lambda: loop.poke("inspection"))


def _supply(config: Config, clock: Clock, holdings: Holdings) -> Supply:
    if config.source.kind == "replay":
        from edge_agent.sources.replay import Replay  # noqa: PLC0415 (only where there is one)

        return Replay(config.source.replay, clock, holdings.record)
    from edge_agent.sources.simline import SimLine  # noqa: PLC0415 (only where there is one)
    from models.castings import CastingLine  # noqa: PLC0415 (the same)

    line = config.source.simline
    return SimLine(CastingLine(line.seed, line.defect_share), line.parts_per_s, line.parts)


def _wired(
    config: Config, clock: Clock, loop: Loop, holdings: Holdings, output: RejectOutput | None, bypass: Bypass
) -> Line:
    """Make the line at a microcontroller; only here is what drives that, and the cameras, loaded."""
    from edge_agent.sources.camera import Camera  # noqa: PLC0415 (see above)
    from edge_agent.sources.wire import WireSource  # noqa: PLC0415 (see above)
    from edge_agent.sources.wirerecords import News  # noqa: PLC0415 (see above)

    gates = [product.recipe.config.gate for product in holdings.products]
    seen_by = load_cameras(config)
    window_s = config.pairing.window_ms / 1e3
    outputs, belt_s = frozenset(gate.output for gate in gates), max(gate.cleared_s for gate in gates)
    wire = WireSource(config.source.wire, config.gate, outputs, window_s, belt_s, len(seen_by), clock, loop.poke)

    def camera_of(seen: CameraConfig) -> Camera:
        def tell(severity: str, kind: str, message: str, data: dict[str, object]) -> None:
            wire.news.offer(News(severity, kind, message, data, f"camera {seen.name}"))

        return Camera(seen, clock, ImageHealth(config.image_health), wire.deliver, tell)

    gate = Gate(
        wire,
        config.gate.lease_ms / 1e3,
        holdings.recorder.offer,
        lambda news: holdings.note(news.severity, news.component, news.kind, news.message, **news.data),
        bypassed=bypass.load(
            lambda reason: holdings.note(
                "error",
                "gate",
                "gate_file_damaged",
                f"{reason}: the reject gate is not bypassed, whatever it was before",
            )
        ),
    )
    return Line(wire, output or gate, bypass, wire, gate, tuple(map(camera_of, seen_by)))
