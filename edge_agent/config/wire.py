"""The microcontroller and the reject gate as a person describes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from edge_agent.config.section import Conflict, OptionalPath, Section
from edge_agent.records import BeltTime

GATE_MARGIN_MS: Final = 20.0
"""An answer is told to the microcontroller within this, one repetition included [ms]; docs/wire.md."""

Line = Annotated[int, Meta(ge=0, le=7)]


class WireConfig(Section, frozen=True):
    """The microcontroller: its port, its accelerometer and its trigger input."""

    port: OptionalPath = ""
    baud: Annotated[int, Meta(ge=9600, le=12_000_000)] = 2_000_000
    rate_hz: Annotated[int, Meta(ge=100, le=200_000)] = 26_667
    range_g: Annotated[float, Meta(ge=0.1, le=1000)] = 16.0
    block_samples: Annotated[int, Meta(ge=1, le=333)] = 256
    trigger_input: Line = 0
    trigger_edge: Literal["rising", "falling"] = "rising"
    debounce_us: Annotated[int, Meta(ge=0, le=1_000_000)] = 500


class GateConfig(Section, frozen=True):
    """The reject gate on the outputs of the microcontroller."""

    active: Literal["high", "low"] = "high"
    safe: Literal["reject", "pass"] = "reject"
    lease_ms: Annotated[int, Meta(ge=50, le=10_000)] = 500


class RecipeGateConfig(Section, frozen=True):
    """When the gate moves for a part of one product, and how long."""

    output: Line = 0
    travel_ms: Annotated[float, Meta(ge=1, le=600_000)] = 400.0
    pulse_ms: Annotated[float, Meta(ge=1, le=10_000)] = 50.0

    @property
    def distance(self) -> BeltTime:
        """From the trigger to the gate."""
        return BeltTime(self.travel_ms / 1e3)

    @property
    def cleared_s(self) -> float:
        """So long after its trigger a part has passed the gate [s]."""
        return (self.travel_ms + self.pulse_ms) / 1e3


def wire_conflicts(
    wire: WireConfig, gate: RecipeGateConfig, deadline_ms: float, wait_ms: float, window_ms: float | None
) -> Iterator[Conflict]:
    """Give what cannot work together at a station with a microcontroller.

    Args:
        wire: the microcontroller.
        gate: of the recipe.
        deadline_ms: of the recipe [ms].
        wait_ms: how long after its trigger a window is waited for [ms].
        window_ms: length of a window [ms]; None for a recipe that does without vibration.

    Yields:
        What is wrong.
    """
    if not wire.port:
        yield Conflict(
            ("source.wire.port", "source.kind"),
            'must name a serial device with source.kind = "wire"',
            "those that are there have stable names in /dev/serial/by-id",
        )
    earliest_ms = deadline_ms + GATE_MARGIN_MS
    if gate.travel_ms < earliest_ms:
        yield Conflict(
            ("recipe.gate.travel_ms", "recipe.deadline_ms"),
            f"must be at least recipe.deadline_ms + {GATE_MARGIN_MS:g} ({earliest_ms:g}), not {gate.travel_ms:g}",
            "an answer at the deadline must still reach the microcontroller before the part is at the gate",
        )
    block_ms = 1e3 * wire.block_samples / wire.rate_hz
    if window_ms is not None and wait_ms <= window_ms + block_ms:
        yield Conflict(
            ("pairing.wait_ms", "source.wire.block_samples", "source.wire.rate_hz", "recipe.modalities"),
            f"must be more than pairing.window_ms ({window_ms:g}) and one block ({block_ms:.4g}), not {wait_ms:g}",
            "a window is there when its last block has come: smaller ones come sooner, source.wire.block_samples",
        )
