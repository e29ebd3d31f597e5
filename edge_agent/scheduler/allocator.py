"""`ResourceAllocator`: measures a bundle on this machine and says which part of it runs where.

ResourceAllocator({"cpu_ratio": 0.3, "gpu_ratio": 0.6, "npu_fallback": True}).optimize()
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from edge_agent.config import SHIPPED_BUNDLES
from edge_agent.engines import DeviceName
from edge_agent.engines.pool import COMPILED
from edge_agent.errors import ConfigError, StateDamaged, Unavailable
from edge_agent.runtime.disk import RealDisk
from edge_agent.runtime.machine import cores
from edge_agent.scheduler.latency import LatencyTable, Timing, Whole
from edge_agent.scheduler.measuring import (
    Progress,
    batches_to_try,
    devices_here,
    measure_parts,
    measure_ways,
    spots_to_try,
)
from edge_agent.scheduler.placement import Placement, candidates, choose, worth_running
from edge_agent.scheduler.shares import Shares
from edge_agent.scheduler.tablefile import Record, fingerprint, load_records, save_records
from edge_agent.scheduler.together import Spots
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
        number = isinstance(parts_per_s, int | float) and not isinstance(parts_per_s, bool)
        if not number or not 0.0 < parts_per_s < math.inf:
            raise ConfigError(f"parts_per_s must be a number above 0, not {parts_per_s!r}", hint="10 is a usual line")
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
        record, devices, anew = self._measured(progress, again)
        table = LatencyTable(of_present(record.first, devices))
        roles = [part.role for part in bundle.manifest.judging]
        looked_at = candidates(roles, table, shares, cores(), self._parts_per_s)
        if chosen := worth_running(looked_at):
            ran = self._ran([candidate.spots for candidate in chosen], record, lambda: progress(9, 10))
            run = [candidate.as_run(whole) for candidate, whole in zip(chosen, ran, strict=True)]
            others = [candidate for candidate in looked_at if candidate not in chosen]
            broken = {candidate.devices: candidate.failed for candidate in run if candidate.failed}
            looked_at = (*run, *(replace(other, failed=broken.get(other.devices, "")) for other in others))
        name = f"{bundle.name} {bundle.manifest.version}"
        return replace(choose(name, looked_at, table, shares, cores(), self._parts_per_s), anew=anew)

    def _measured(self, progress: Progress, again: bool) -> tuple[Record, Collection[DeviceName], str]:
        """Measure what is not known: give all that is, the devices that are there, and why something was measured now.

        That is "" where nothing was, or where it is never kept.
        """
        known, why = self._known()
        devices, trouble = devices_here(waits=lambda: progress(0, 10))
        if not devices:
            if not known.first:
                raise Unavailable(f"no device was found: {trouble}", hint="see edge-agent bench --placement")
            devices = dict(known.devices)  # a driver that is not well now is looked for at the next start
        if not known.first or (known.anew and again):
            new, why = list(devices), known.anew or why
            known = replace(known, first=(), ways=(), anew="", devices={})
        else:
            new = [device for device, what in devices.items() if known.devices.get(device) != what]
            why = f"{', '.join(map(str, new))} is new here, or its driver" if new else ""
        if not new:
            return known, devices, ""
        found = self._measure(new, progress)
        kept_rows = tuple(row for row in known.first if row.spot.device not in new)
        record = replace(known, first=(*kept_rows, *found), ways=(), devices={**known.devices, **devices})
        self._keep(record)
        return record, devices, "" if self._folder is None else why

    def _measure(self, devices: Sequence[DeviceName], progress: Progress) -> list[Timing]:
        spots = list(spots_to_try(devices, cores()).values())
        wide = [batches_to_try(spot, shared=self._batches) for each in spots for spot in each]
        # Batches are tried apart: where they fail, what one piece takes is known.
        trials = [(each, RUNS) for each in spots] + [(each, BATCH_RUNS) for each in wide if each]
        found: list[Timing] = []
        for i, (each, runs) in enumerate(trials):
            goes_on = partial(progress, i, len(trials) + 1)
            found += measure_parts(self._bundle, each, runs=runs, cache=self._cache, waits=goes_on)
        return found

    def _ran(self, ways: Sequence[Spots], record: Record, waits: Callable[[], None]) -> list[Whole]:
        """Give what whole placements take: as it was measured, where all were run in turn before, and one does run."""
        known = [whole for way in ways for whole in record.ways if whole.spots == way]
        if len(known) == len(ways) and not all(whole.error for whole in known):
            return known
        ran = measure_ways(self._bundle, ways, runs=RUNS, cache=self._cache, waits=waits)
        self._keep(replace(record, ways=tuple(ran)))
        return ran

    @property
    def _cache(self) -> Path | None:
        return None if self._folder is None else self._folder / COMPILED

    def _known(self) -> tuple[Record, str]:
        """Give what is kept of the bundle, and why there is nothing."""
        if self._folder is None:
            return Record(), ""
        try:
            records, why = load_records(RealDisk(self._folder), fingerprint())
        except StateDamaged as error:
            return Record(), error.message
        return records.get(self._bundle.digest, Record()), why or "this bundle was not measured yet"

    def _keep(self, record: Record) -> None:
        if self._folder is None:
            return
        disk, records = RealDisk(self._folder), dict[str, Record]()
        with contextlib.suppress(StateDamaged):  # then what was measured now is all there is
            records, _ = load_records(disk, fingerprint())
        records.pop(self._bundle.digest, None)
        save_records(disk, fingerprint(), records | {self._bundle.digest: record})


def of_present(rows: Iterable[Timing], devices: Collection[DeviceName]) -> list[Timing]:
    """Give what parts take on the devices that are there; on others they cannot run."""
    return [
        row if row.spot.device in devices else replace(row, error=f"there is no {row.spot.device} here any more")
        for row in rows
    ]
