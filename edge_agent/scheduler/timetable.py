"""The timetable: what each part of each bundle was measured to take on this machine, and what it takes since.

A component. What ran is stored now and then, so that the next start knows what to expect; a placement that takes
something else than it was chosen by says so, and is measured anew at one of the next starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from edge_agent.engines import Spot
from edge_agent.errors import EdgeAgentError, StateDamaged, Unavailable
from edge_agent.runtime.background import Chore
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.disk import Disk
from edge_agent.scheduler.bank import Noted
from edge_agent.scheduler.drift import PartTimes, by_place, differs, left, merged, side_by_side
from edge_agent.scheduler.latency import WINDOW, Timing
from edge_agent.scheduler.lived import Lived
from edge_agent.scheduler.tablefile import Record, Records, fingerprint, load_records, save_records
from models import Bundle

LOOK_S: Final = 60.0
"""How often what ran is looked at [s]."""

STORE_S: Final = 600.0
"""It is stored at most so often [s]: a card wears out by being written."""

KNOWN: Final = 100
"""Runs from which on what a part takes is worth being stored: one of them lies above the 99th percentile."""

STEADY: Final = 3
"""Windows of new runs in a row that must have left what was measured: a busy minute is no other machine."""

Placed = Mapping[str, tuple[str, Mapping[str, Spot]]]
"""Of each bundle by its digest: its name, and where its parts run."""


class Timetable:
    """Knows what parts take. Every method belongs to the loop thread but `ran`.

    Args:
        disk: the state directory.
        clock: tells the time.
        submit: has a chore done beside the line; False where there is too much to do.
        noted: hears what a person should know.
    """

    name = "timetable"

    def __init__(self, disk: Disk, clock: Clock, submit: Callable[[Chore], bool], noted: Noted) -> None:
        self.clock = clock
        self._disk = disk
        self._submit = submit
        self._noted = noted
        self._lived = Lived()
        self._machine: dict[str, str] = {}
        self._records: Records = {}
        self._placed: Placed = {}
        self._stored: Records = {}
        self._storing = False
        self._fails = False  # it could not be stored the last time
        self._by_measuring = False
        self._apart: dict[
            str, tuple[int, int]
        ] = {}  # windows in a row that left what was measured, and runs until then
        self._stored_s = clock.now()

    def open(self, placed: Placed, *, by_measuring: bool) -> None:
        """Read what is known; raises `Unavailable` where the disk fails.

        Args:
            placed: where the bundles run now.
            by_measuring: whether that was chosen by what was measured; what a person chose is not outgrown.
        """
        self._placed, self._by_measuring, self._machine = placed, by_measuring, fingerprint()
        try:
            self._records, _ = load_records(self._disk, self._machine)
        except StateDamaged as error:
            self._records = {}
            self._noted("warning", "timetable_damaged", error.message, {})
        self._stored = dict(self._records)

    def ran(self, bundle: Bundle, role: str, spot: Spot, took_s: float) -> None:
        """Hear what a part took [s]; from any thread."""
        self._lived.ran(bundle.digest, role, spot, took_s)

    def p99_s(self, digest: str, spots: Mapping[str, Spot]) -> float:
        """Give what one run in a hundred of a bundle's parts exceeds, as far as is known; 0 where nothing is [s]."""
        record = self._records.get(digest, Record())
        known = by_place(record.first) | by_place(record.lived)
        return sum(known[place].p99_ms for place in spots.items() if place in known) / 1e3

    def rows(self) -> tuple[PartTimes, ...]:
        """Give what each part that ran takes, beside what was measured."""
        found: list[PartTimes] = []
        now = self._lived.rows()
        for digest, (name, spots) in self._placed.items():
            record = self._records.get(digest, Record())
            since = {place: row for place, row in by_place(now.get(digest, ())).items() if row.runs >= KNOWN}
            before = {place: replace(row, runs=0) for place, row in by_place(record.lived).items()}
            rows = {p: r for p, r in before.items() if p in spots.items()} | since
            found += side_by_side(name, record.first, tuple(rows.values()))
        return tuple(found)

    def step(self, now: float) -> float:
        """Look at what ran; store it where it has changed, and say where a placement took something else.

        Args:
            now: host monotonic time [s].

        Returns:
            When to look again [s, host monotonic].
        """
        self._look()
        if self._worth_storing(now):
            self._store(now)
        return now + LOOK_S

    def close(self) -> None:
        """Store what has changed since it was stored, at the end of a run; where the disk fails, that is lost."""
        self._look()
        if not self._storing and self._has_changed():
            with contextlib.suppress(Unavailable):
                save_records(self._disk, self._machine, self._records)
                self._stored = dict(self._records)

    def _look(self) -> None:
        for digest, rows in self._lived.rows().items():
            record = self._looked(digest, rows)
            self._records.pop(digest, None)
            self._records[digest] = record  # the one that changed last stands last

    def _looked(self, digest: str, rows: Sequence[Timing]) -> Record:
        """Give what is known of a bundle with what ran; say where that left what its placement was chosen by."""
        record = self._records.get(digest, Record())
        record = replace(record, lived=merged(record.lived, [row for row in rows if row.runs >= KNOWN]))
        name, spots = self._placed.get(digest, ("", {}))
        apart = left(record, rows, spots) if self._by_measuring else None
        windows, since = self._apart.get(digest, (0, 0))
        placed = [row.runs for row in rows if (row.role, row.spot) in spots.items() and row.runs >= WINDOW]
        runs = min(placed, default=0)  # a window is new when that of every part is
        if apart is None:
            windows, since = 0, runs
        elif runs - since >= WINDOW:
            windows, since = windows + 1, runs
        self._apart[digest] = windows, since
        if apart is None or windows < STEADY or record.anew:
            return record
        first_ms, lived_ms = apart
        said = f"parts took {lived_ms:.1f} ms (99th percentile) where {first_ms:.1f} ms were measured"
        values: dict[str, object] = {"first_ms": first_ms, "lived_ms": lived_ms}
        message = f"bundle {name}: {said}; one of the next starts measures anew where its parts run"
        self._noted("warning", "placement_outgrown", message, values)
        return replace(record, left_ms=lived_ms, anew=said)

    def _worth_storing(self, now: float) -> bool:
        if self._storing:
            return False
        due = now - self._stored_s >= STORE_S
        if any(self._stored.get(digest, Record()).anew != record.anew for digest, record in self._records.items()):
            return due or not self._fails
        return due and self._has_changed()

    def _has_changed(self) -> bool:
        pairs = [(self._stored.get(digest, Record()), record) for digest, record in self._records.items()]
        return any(was.anew != record.anew or differs(was.lived, record.lived) for was, record in pairs)

    def _store(self, now: float) -> None:
        records = dict(self._records)

        def ended(result: EdgeAgentError | None) -> None:
            self._storing = False
            if result is None:
                self._stored = records
            elif not self._fails:
                self._noted("warning", "timetable_unsaved", result.message, {})
            self._fails = result is not None

        self._storing = True
        if self._submit(Chore(lambda: save_records(self._disk, self._machine, records), ended)):
            self._stored_s = now
        else:
            self._storing = False
