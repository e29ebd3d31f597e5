"""What a session tells of the microcontroller, on the host's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from firmware_bridge.messages import Block, ConfigAck, Edge, Hello, Log, Status
from firmware_bridge.reject import RejectReport


@dataclass(frozen=True)
class Up:
    """The session has come up: edges and samples follow.

    Attributes:
        hello: who answered.
        config: what is in force.
        edges: number of the last edge before the session came up.
    """

    hello: Hello
    config: ConfigAck
    edges: int

    @property
    def series(self) -> str:
        """Name of the count of edges: that of the microcontroller's start."""
        return f"{self.hello.boot_id:016x}"


@dataclass(frozen=True)
class Rebooted:
    """The microcontroller has started anew: the session is down until the next `Up`."""


@dataclass(frozen=True)
class Lapsed:
    """The lease ran out: the outputs are at their safe level until they are armed again."""


@dataclass(frozen=True)
class Armed:
    """The outputs follow the station."""


@dataclass(frozen=True)
class Arrival:
    """An edge, on the host's clock.

    Attributes:
        edge: as it was said.
        time_s: host monotonic time [s].
        uncertainty_s: half width of the interval that `time_s` is known to [s].
    """

    edge: Edge
    time_s: float
    uncertainty_s: float


@dataclass(frozen=True, eq=False)
class Samples:
    """A block, on the host's clock.

    Attributes:
        block: as it was said.
        missing: samples missing right before it.
        start_s: host monotonic time of its first sample [s].
        uncertainty_s: half width of the interval that `start_s` is known to [s].
    """

    block: Block
    missing: int
    start_s: float
    uncertainty_s: float


Heard: TypeAlias = Up | Rebooted | Lapsed | Armed | Arrival | Samples | RejectReport | Log | Status
