"""`ResourceAllocator`: measures a bundle on this machine and says which part of it runs where.

ResourceAllocator({"cpu_ratio": 0.3, "gpu_ratio": 0.6, "npu_fallback": True}).optimize()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from edge_agent.config import SHIPPED_BUNDLES
from edge_agent.engines import find_devices
from edge_agent.engines.pool import COMPILED
from edge_agent.errors import ConfigError, StateDamaged
from edge_agent.runtime.disk import RealDisk
from edge_agent.runtime.machine import cores
from edge_agent.scheduler.latency import LatencyTable, Timing
from edge_agent.scheduler.measuring import Progress, batches_to_try, measure_parts, measure_ways, spots_to_try
from edge_agent.scheduler.placement import Placement, candidates, choose, worth_running
from edge_agent.scheduler.shares import Shares
from edge_agent.scheduler.tablefile import Record, Records, fingerprint, load_records, save_records
from models import Bundle
from models.bundle import shipped_names
from models.errors import BundleRefused

RUNS: Final = 100
"""How often each part is run: the second slowest is the 99th percentile."""

BATCH_RUNS: Final = 30
"""How often for several pieces together, each run of which takes longer: the slowest is the 99th percentile."""


class ResourceAllocator:
    """Places the parts of a bundle on the devices of this machine.

    Args:
        ratios: `cpu_ratio` and `gpu_ratio`, the share of each device's time that inference may take (0 to 1), and
            `npu_fallback`; what is not given is allowed whole.
        bundle: a shipped one, or its folder.
        parts_per_s: the line's rate, which the shares are taken at [1/s].
        folder: where what was measured is kept, and compiled models; None to measure each time.
        batches: whether several pieces together are tried on a CPU too, which gains nothing by it.

    Raises:
        ConfigError: a ratio makes no sense, or there is no such bundle.
    """

    def __init__(
        self,
        ratios: Mapping[str, object] | Shares,
        *,
        bundle: str | Path | Bundle = "generic",
        parts_per_s: float = 10.0,
        folder: Path | None = None,
        batches: bool = False,
    ) -> None:
        self._shares = ratios if isinstance(ratios, Shares) else Shares.of(ratios)
        if not parts_per_s > 0.0:
            raise ConfigError(f"parts_per_s must be more than 0, not {parts_per_s!r}", hint="10 is a usual line")
        self._parts_per_s = parts_per_s
        self._folder = folder
        self._batches = batches
        try:
            self._bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(SHIPPED_BUNDLES / bundle)
        except BundleRefused as error:
            there = ", ".join(shipped_names())
            raise ConfigError(str(error), hint=f"name another one: {there}, or a folder written with a /") from error

    def optimize(self, progress: Progress = lambda done, total: None, *, again: bool = True) -> Placement:
        """Measure what is not known yet, and choose; takes some ten seconds the first time.

        Args:
            progress: hears how many steps of how many are done; every few seconds, and before each step.
            again: whether what was outgrown may be measured anew now.

        Returns:
            Where each part runs, what stands in for it, and why.

        Raises:
            ConfigError: nothing fits the ratios, or a part runs nowhere.
            Unavailable: what was chosen does not run as a whole, or the disk fails.
        """
        bundle, shares = self._bundle, self._shares
        cache = None if self._folder is None else self._folder / COMPILED
        rows, anew = self._measured(progress, cache, again)
        table = LatencyTable(rows)
        roles = [part.role for part in bundle.manifest.judging]
        looked_at = candidates(roles, table, shares, cores(), self._parts_per_s)
        chosen = worth_running(looked_at)
        if chosen:
            run = measure_ways(bundle, chosen, runs=RUNS, cache=cache, waits=lambda: progress(9, 10))
            looked_at = (*run, *(candidate for candidate in looked_at if candidate not in chosen))
        name = f"{bundle.name} {bundle.manifest.version}"
        return replace(choose(name, looked_at, table, shares, cores(), self._parts_per_s), anew=anew)

    def _measured(self, progress: Progress, cache: Path | None, again: bool) -> tuple[tuple[Timing, ...], str]:
        """Give the rows, and why they were measured now; "" where they were not, or are never kept."""
        machine, digest = fingerprint(), self._bundle.digest
        disk = None if self._folder is None else RealDisk(self._folder)
        records: Records = {}
        anew = ""
        if disk is not None:
            try:
                records, anew = load_records(disk, machine)
            except StateDamaged as error:
                anew = error.message
        known = records.pop(digest, Record())
        if known.first and not (known.anew and again):
            return known.first, ""
        spots = list(spots_to_try(find_devices(), cores()).values())
        wide = [batches_to_try(spot, shared=self._batches) for each in spots for spot in each]
        # Batches are tried apart: where they fail, what one piece takes is known.
        trials = [(each, RUNS) for each in spots] + [(each, BATCH_RUNS) for each in wide if each]
        found: list[Timing] = []
        for i, (each, runs) in enumerate(trials):
            goes_on = partial(progress, i, len(trials) + 1)
            found += measure_parts(self._bundle, each, runs=runs, cache=cache, waits=goes_on)
        if disk is not None:
            records[digest] = replace(known, first=tuple(found), anew="")
            save_records(disk, machine, records)
            anew = known.anew or anew or "this bundle was not measured yet"
        return tuple(found), anew
