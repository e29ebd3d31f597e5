"""What the configuration asks of a microcontroller, and what its session says, each in the words of the other. Pure."""

from __future__ import annotations

from edge_agent.config.wire import GateConfig, WireConfig
from edge_agent.sources.vibration import WindowCutter
from edge_agent.sources.wirerecords import WireStatus
from firmware_bridge.messages import Config
from firmware_bridge.session import Session


def figures_of(session: Session, cutter: WindowCutter, now: float) -> WireStatus:
    """Give how the wire is, but for what only its thread knows.

    Args:
        session: with the microcontroller.
        cutter: cuts the windows.
        now: host monotonic time [s].

    Returns:
        The figures.
    """
    totals, link, decoder, clock = session.totals, session.link.counts, session.link.decoder, session.clock
    return WireStatus(
        samples=totals.samples,
        samples_dropped=totals.samples_dropped,
        samples_lost=totals.samples_lost,
        rate_hz=cutter.rate_hz,
        edges=totals.edges,
        edges_lost=totals.edges_lost,
        glitches=totals.glitches,
        corrupt=decoder.corrupt + decoder.oversize + session.damaged_there.total,
        retried=link.retried,
        asked_anew=session.rejects.asked_anew,
        drift_ppm=clock.drift_ppm,
        residual_us=1e6 * clock.residual_p99_s,
        uncertainty_us=1e6 * clock.uncertainty_s(now) if clock.ready else None,
        windows=cutter.cut,
        windows_unfinished=cutter.unfinished,
        windows_clipped=cutter.clipped,
    )


def wanted_of(wire: WireConfig, gate: GateConfig, outputs: frozenset[int]) -> Config:
    """Give what the microcontroller is asked to do.

    Args:
        wire: sampling and trigger.
        gate: levels and lease.
        outputs: outputs that are used.

    Returns:
        The configuration to send.
    """
    used = sum(1 << output for output in outputs)
    active = used if gate.active == "high" else 0
    rejecting = gate.safe == "reject"
    return Config(
        rate_hz=wire.rate_hz,
        range_mg=round(1000 * wire.range_g),
        block_samples=wire.block_samples,
        lease_ms=gate.lease_ms,
        debounce_us=wire.debounce_us,
        trigger_input=wire.trigger_input,
        trigger_rising=int(wire.trigger_edge == "rising"),
        active_levels=active,
        safe_levels=active if rejecting else used & ~active,
    )
