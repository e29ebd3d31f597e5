"""Which part of a bundle runs where: chosen from measured times, within the shares, with what stands in for it.

Pure arithmetic on a latency table. Every combination is looked at: three parts on a handful of spots are a few hundred.
What cannot be placed is said with its reason; nothing is placed silently where a person did not want it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from edge_agent.engines.spot import SHARED, DeviceName, whereabouts
from edge_agent.errors import ConfigError, Unavailable
from edge_agent.scheduler.latency import LatencyTable, Timing, Whole
from edge_agent.scheduler.shares import Shares
from edge_agent.scheduler.together import Batch, Spots, batches_of

NPU: Final = "npu"

MOST: Final = 20_000
"""Combinations that are looked at, at the most."""

ALIKE: Final = 0.05
"""Candidates whose p99 differ by less are as quick: the one with fewer devices and less load is taken."""


@dataclass(frozen=True)
class Candidate:
    """One way to place every part.

    Attributes:
        spots: where each role runs.
        p50_ms: predicted median of all parts, one after the other [ms].
        p99_ms: predicted 99th percentile: the parts' own, added up, as if all were slow at once [ms].
        load: share of each kind of device's time at the line's rate.
        over: why it is not allowed; "" where it is.
        measured_p50_ms: median of the whole way, where it was run [ms].
        measured_p99_ms: 99th percentile of the whole way, where it was run [ms].
        beside: the parts that can begin at once run side by side, which was measured to be quicker.
        batches: what several pieces take together, by how many, where that pays.
        failed: why the parts do not run together on these devices, though each does by itself; "" where they do, or
            were not run.
    """

    spots: Spots
    p50_ms: float
    p99_ms: float
    load: Mapping[str, float]
    over: str = ""
    measured_p50_ms: float | None = None
    measured_p99_ms: float | None = None
    beside: bool = False
    batches: Mapping[int, Batch] = field(default_factory=dict)
    failed: str = ""

    def as_run(self, whole: Whole) -> Candidate:
        """Give the same with what came of running it as a whole."""
        if whole.error:
            return replace(self, failed=whole.error)
        return replace(self, measured_p50_ms=whole.p50_ms, measured_p99_ms=whole.p99_ms, beside=whole.beside)

    @property
    def devices(self) -> frozenset[DeviceName]:
        """The devices it needs."""
        return frozenset(spot.device for spot in self.spots.values())

    @property
    def best_p99_ms(self) -> float:
        """What was measured of the whole way, or else what is predicted [ms]."""
        return self.p99_ms if self.measured_p99_ms is None else self.measured_p99_ms

    def __str__(self) -> str:
        together = f", up to {max(self.batches)} together" if self.batches else ""
        return whereabouts(self.spots) + ", side by side" * self.beside + together


@dataclass(frozen=True)
class Placement:
    """Where the parts of a bundle run, what stands in for it, and what else was looked at.

    Attributes:
        bundle: name and version of the bundle.
        chain: the one that is used, then those that stand in when one of its devices fails.
        candidates: everything that was looked at: what was run as a whole, then what is predicted, quickest first.
        timings: what each part takes on each spot, or why it cannot run there.
        parts_per_s: the line's rate that the loads are for [1/s].
        cores: of the CPU.
        anew: why it was measured now and not read; "" where it was read, or is never kept.
    """

    bundle: str
    chain: tuple[Candidate, ...]
    candidates: tuple[Candidate, ...]
    timings: tuple[Timing, ...]
    parts_per_s: float
    cores: int
    anew: str = ""

    @property
    def failed(self) -> tuple[Timing, ...]:
        """What cannot run, with the reason."""
        return tuple(timing for timing in self.timings if timing.error and timing.spot.pieces == 1)

    @property
    def spots(self) -> Spots:
        """Where each role runs."""
        return self.chain[0].spots

    @property
    def fallbacks(self) -> tuple[Candidate, ...]:
        """What stands in, in this order, when a device fails."""
        return self.chain[1:]

    def explain(self, most: int = 12) -> str:
        """Give a table of the candidates with predicted and measured times, for people.

        Args:
            most: candidates that are listed; those in use always are.

        Returns:
            Lines of text.
        """
        head = ("", "p50 ms", "p99 ms", "measured", "load", "where")
        listed = [c for i, c in enumerate(self.candidates) if i < most or c in self.chain]
        rows = [self._row(candidate) for candidate in listed]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        lines = [f"{self.bundle} at {self.parts_per_s:g} parts/s on {self.cores} cores"]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (head, *rows)
        ]
        lines += [f"measured now: {self.anew}"] * bool(self.anew)
        if len(listed) < len(self.candidates):
            lines.append(f"and {len(self.candidates) - len(listed)} more")
        lines += [f"cannot run: {t.role} on {t.spot}: {t.error}" for t in self.failed]
        broken = {candidate.devices: candidate for candidate in reversed(self.candidates) if candidate.failed}
        lines += [f"does not run as a whole: {c}: {c.failed}" for c in broken.values()]
        if not self.fallbacks:
            lines.append("nothing stands in: no allowed candidate does without a device of the one in use")
        return "\n".join(lines)

    def _row(self, candidate: Candidate) -> tuple[str, ...]:
        place = self.chain.index(candidate) if candidate in self.chain else None
        mark = "" if place is None else "in use" if place == 0 else f"stands in {place}"
        measured = (
            ""
            if candidate.measured_p50_ms is None or candidate.measured_p99_ms is None
            else f"{candidate.measured_p50_ms:.2f} / {candidate.measured_p99_ms:.2f}"
        )
        load = " ".join(f"{kind} {100 * share:.1f} %" for kind, share in sorted(candidate.load.items()))
        where = f"{candidate}; not allowed: {candidate.over}" if candidate.over else str(candidate)
        return mark, f"{candidate.p50_ms:.2f}", f"{candidate.p99_ms:.2f}", measured, load, where


def candidates(
    roles: Sequence[str], table: LatencyTable, shares: Shares, cores: int, parts_per_s: float
) -> tuple[Candidate, ...]:
    """Give every way to place the roles, quickest first by predicted p99, then by load.

    Args:
        roles: the parts of the bundle that judge, in the order they run.
        table: what each takes where.
        shares: what inference may take.
        cores: of the CPU.
        parts_per_s: the line's rate [1/s].

    Returns:
        All candidates, those that are not allowed with the reason.

    Raises:
        ConfigError: a role runs nowhere, or may not go where it runs.
    """
    places: list[tuple[Timing, ...]] = []
    for role in roles:
        runnable = table.runnable(role)
        if not runnable:
            reasons = "; ".join(f"{t.spot}: {t.error}" for t in table.failed() if t.role == role)
            raise ConfigError(
                f"no device can run part {role} of the bundle ({reasons or 'none was found'})",
                hint="install the bundle again, or another one; see edge-agent bench --placement",
            )
        stuck = [t for t in table.failed() if t.role == role and t.spot.device.kind == NPU and t.spot.pieces == 1]
        if stuck and not shares.npu_fallback:
            raise ConfigError(
                f"part {role} cannot run on {stuck[0].spot}: {stuck[0].error}",
                hint="with npu_fallback = true it goes to another device",
            )
        places.append(runnable)
    if math.prod(map(len, places)) > MOST:
        places = [tuple(sorted(each, key=lambda t: t.p99_ms)[:8]) for each in places]
    made = [
        _candidate(dict(zip(roles, each, strict=True)), table, shares, cores, parts_per_s) for each in product(*places)
    ]
    return tuple(sorted(made, key=lambda c: (c.p99_ms, sum(c.load.values()))))


def choose(
    bundle: str,
    looked_at: Sequence[Candidate],
    table: LatencyTable,
    shares: Shares,
    cores: int,
    parts_per_s: float,
) -> Placement:
    """Choose the quickest candidate that is allowed, and what stands in for each device it needs.

    Args:
        bundle: name and version of the bundle.
        looked_at: the candidates, some of them measured.
        table: what each role takes where.
        shares: what inference may take.
        cores: of the CPU.
        parts_per_s: the line's rate [1/s].

    Returns:
        The placement.

    Raises:
        ConfigError: no candidate is allowed; says the least that would do.
        Unavailable: none of those that are allowed runs as a whole.
    """
    allowed = [c for c in looked_at if not c.over and not c.failed]
    if not allowed and (broken := {c.devices: c for c in reversed(looked_at) if c.failed}):
        said = "; ".join(f"{c}: {c.failed}" for c in broken.values())
        raise Unavailable(f"{bundle} does not run as a whole: {said}", hint="see edge-agent bench --placement")
    if not allowed:
        least = min(looked_at, key=lambda c: max(c.load[kind] - shares.allowed(kind) for kind in c.load))
        needs = ", ".join(f"{100 * share:.2g} % of the {kind}" for kind, share in sorted(least.load.items()))
        raise ConfigError(
            f"no placement of {bundle} fits the shares at {parts_per_s:g} parts/s; the nearest needs {needs}",
            hint="raise cpu_ratio or gpu_ratio, or choose a smaller bundle",
        )
    first = quickest(allowed)
    chain = [first]
    for device in sorted(first.devices):
        others = [c for c in allowed if device not in c.devices]
        if others and quickest(others) not in chain and (shares.npu_fallback or device.kind != NPU):
            chain.append(quickest(others))
    listed = sorted(looked_at, key=lambda c: (bool(c.over or c.failed), c.measured_p99_ms is None, c.best_p99_ms))
    return Placement(bundle, tuple(chain), tuple(listed), table.timings, parts_per_s, cores)


def quickest(among: Sequence[Candidate]) -> Candidate:
    """Give the quickest, or of those that are as quick the one with the fewest devices and the least load."""
    known = [c for c in among if c.measured_p99_ms is not None] or among
    best_ms = min(c.best_p99_ms for c in known)
    alike = [c for c in known if c.best_p99_ms <= (1.0 + ALIKE) * best_ms]
    return min(alike, key=lambda c: (len(c.devices), sum(c.load.values()), c.best_p99_ms))


def worth_running(looked_at: Sequence[Candidate], most: int = 4) -> tuple[Candidate, ...]:
    """Give the candidates whose whole way is worth being run: the quickest of each set of devices.

    Args:
        looked_at: all candidates.
        most: how many to give.

    Returns:
        At most one for each set of devices, those with fewer devices first.
    """
    sets: dict[frozenset[DeviceName], list[Candidate]] = {}
    for candidate in looked_at:
        if not candidate.over:
            sets.setdefault(candidate.devices, []).append(candidate)
    best = sorted((quickest(each) for each in sets.values()), key=lambda c: (len(c.devices), c.p99_ms))
    return tuple(best[:most])


def _candidate(
    timings: Mapping[str, Timing], table: LatencyTable, shares: Shares, cores: int, parts_per_s: float
) -> Candidate:
    load: dict[str, float] = {}
    for timing in timings.values():
        kind, threads = timing.spot.device.kind, timing.spot.threads
        used = timing.p50_ms / 1e3 * parts_per_s * (min(threads / cores, 1.0) if kind == SHARED else 1.0)
        load[kind] = load.get(kind, 0.0) + used
    over = "; ".join(
        f"{kind} {100 * share:.2g} % of its time, {100 * shares.allowed(kind):.2g} % allowed"
        for kind, share in sorted(load.items())
        if share > shares.allowed(kind) or not shares.allowed(kind)
    )
    spots = {role: timing.spot for role, timing in timings.items()}
    p50_ms, p99_ms = (sum(getattr(t, name) for t in timings.values()) for name in ("p50_ms", "p99_ms"))
    return Candidate(spots, p50_ms, p99_ms, load, over, batches=batches_of(timings, table))
