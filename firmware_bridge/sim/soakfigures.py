"""What a long run gave, and whether it adds up. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SoakFigures:
    """What one run gave.

    Attributes:
        wire: how bad it was.
        seconds: how long it ran [s].
        harmed: packets that the wire lost, damaged, doubled or swapped.
        sessions: sessions that were begun.
        lapses: leases that ran out.
        samples_received: samples that arrived.
        samples_dropped: samples that the microcontroller dropped, by its word.
        samples_lost: samples that were lost on the wire.
        samples_spanned: samples by the numbers of the first and last of each session.
        rule_broken: blocks after which those did not add up.
        blocks_wrong: blocks whose samples were not those that the sensor gave.
        blocks_stale: blocks that came twice or out of order.
        edges: edges from the first session's beginning on, by the microcontroller's count.
        edges_received: edges that arrived.
        edges_lost: edges that never arrived.
        edges_between: edges between sessions.
        edges_false: edges that arrived and never were.
        pulses: that were asked for and taken.
        pulses_refused: that were not taken.
        fates: what became of those taken.
        pulse_error_p50_us: of the pulse against the part's true time and the true distance, half of them at most [us].
        pulse_error_p99_us: 99 % of them at most [us].
        pulse_error_max_us: the largest [us].
        clock_error_p50_us: of an edge's time against the true one, half of them at most [us].
        clock_error_p99_us: 99 % of them at most [us].
        clock_error_max_us: the largest [us].
        arrival_error_p99_us: the same had the time of arrival been taken [us].
        uncertainty_p99_us: what was said to be the largest error [us].
        clock_beyond: edges whose error was larger than that.
        bridge_cpu_share: of one core, taken by the bridge's thread.
    """

    wire: str
    seconds: float
    harmed: int
    sessions: int
    lapses: int
    samples_received: int
    samples_dropped: int
    samples_lost: int
    samples_spanned: int
    rule_broken: int
    blocks_wrong: int
    blocks_stale: int
    edges: int
    edges_received: int
    edges_lost: int
    edges_between: int
    edges_false: int
    pulses: int
    pulses_refused: int
    fates: dict[str, int]
    pulse_error_p50_us: float
    pulse_error_p99_us: float
    pulse_error_max_us: float
    clock_error_p50_us: float
    clock_error_p99_us: float
    clock_error_max_us: float
    arrival_error_p99_us: float
    uncertainty_p99_us: float
    clock_beyond: int
    bridge_cpu_share: float

    @property
    def samples_hold(self) -> bool:
        """Whether every sample is accounted for, and is the one that was taken."""
        adds_up = self.samples_received + self.samples_dropped + self.samples_lost == self.samples_spanned
        return adds_up and not self.rule_broken and not self.blocks_wrong

    @property
    def edges_hold(self) -> bool:
        """Whether every part is accounted for."""
        return self.edges_received + self.edges_lost + self.edges_between == self.edges and not self.edges_false

    @property
    def pulses_hold(self) -> bool:
        """Whether every pulse has exactly one report."""
        return sum(self.fates.values()) == self.pulses


def report(figures: SoakFigures) -> str:
    """Give the figures for people."""
    f = figures
    fates = ", ".join(f"{n} {fate}" for fate, n in sorted(f.fates.items())) or "none"
    return "\n".join(
        (
            f"{f.wire} wire, {f.seconds:.0f} s: {f.harmed} packets harmed, {f.sessions} sessions, {f.lapses} lapses",
            f"  samples {_holds(f.samples_hold)}: {f.samples_received} received + {f.samples_dropped} dropped + "
            f"{f.samples_lost} lost = {f.samples_spanned} by their numbers; {f.blocks_wrong} blocks wrong",
            f"  edges {_holds(f.edges_hold)}: {f.edges_received} received + {f.edges_lost} lost + {f.edges_between} "
            f"between sessions = {f.edges} that were; {f.edges_false} false",
            f"  pulses {_holds(f.pulses_hold)}: {f.pulses} taken ({f.pulses_refused} refused): {fates}",
            f"  pulse off its tick: p50 {f.pulse_error_p50_us} us, p99 {f.pulse_error_p99_us} us, "
            f"max {f.pulse_error_max_us} us",
            f"  edge off its time: p50 {f.clock_error_p50_us} us, p99 {f.clock_error_p99_us} us, "
            f"max {f.clock_error_max_us} us; stated p99 {f.uncertainty_p99_us} us, {f.clock_beyond} beyond; "
            f"by arrival p99 {f.arrival_error_p99_us} us",
            f"  bridge thread: {100 * f.bridge_cpu_share:.1f} % of a core",
        )
    )


def _holds(holds: bool) -> str:
    return "add up" if holds else "DO NOT ADD UP"
