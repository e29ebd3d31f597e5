"""Keeps what parts of bundles take on the disk: valid on one machine with the runtimes it was measured with.

Anything else is measured anew; a file that cannot be read is as good as none, and is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

import msgspec

from edge_agent.engines import DeviceName
from edge_agent.engines.pool import RUNTIMES
from edge_agent.errors import StateDamaged
from edge_agent.runtime.disk import Disk
from edge_agent.runtime.machine import cores, processor
from edge_agent.scheduler.latency import Timing, Whole
from edge_agent.scheduler.trial import Answer, spot_of, words_of

TABLE_FILE: Final = "latency.json"
"""Its name in the state directory."""

VERSION: Final = 4

MOST_BUNDLES: Final = 16
"""Bundles that are remembered; those that were measured or ran longest ago are forgotten."""

MOST_BYTES: Final = 1 << 20
"""A larger file is not read [bytes]: sixteen bundles on ten spots take a tenth of it."""


@dataclass(frozen=True)
class Record:
    """What is known of one bundle on this machine.

    Attributes:
        first: what each part took on each spot when that was measured, nothing else running; empty where it never was.
        lived: what the parts took while the station ran, where they ran.
        left_ms: 99th percentile at which its placement last left what was measured first [ms]; 0 where it never did.
        anew: why it is to be measured anew at one of the next starts; "" where it is not.
        ways: what whole placements took when they were run in turn, nothing else running.
        devices: those that `first` is about, each with its model and driver.
    """

    first: tuple[Timing, ...] = ()
    lived: tuple[Timing, ...] = ()
    left_ms: float = 0.0
    anew: str = ""
    ways: tuple[Whole, ...] = ()
    devices: Mapping[DeviceName, str] = field(default_factory=dict)


Records = dict[str, Record]
"""By the bundle's digest, those that changed longest ago first."""


class _Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    spots: dict[str, tuple[str, str, int]]
    p50_ms: float
    p99_ms: float
    beside: bool
    error: str


class _Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: tuple[Answer, ...]
    lived: tuple[Answer, ...]
    left_ms: float
    anew: str
    ways: tuple[_Way, ...]
    devices: tuple[tuple[str, str, str], ...]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    machine: dict[str, str]
    bundles: dict[str, _Bundle]


class _Head(msgspec.Struct, frozen=True):
    version: int


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    body: msgspec.Raw


def fingerprint() -> dict[str, str]:
    """Say what the times depend on, but for the bundle."""
    return {"processor": processor(), "cores": str(cores())} | {runtime: version(runtime) for runtime in RUNTIMES}


def save_records(disk: Disk, machine: Mapping[str, str], records: Records) -> None:
    """Write the records: the old file or the new one after a power cut; raises `Unavailable` where the disk fails."""
    bundles = {digest: _written(record) for digest, record in list(records.items())[-MOST_BUNDLES:]}
    body = msgspec.json.encode(_Body(VERSION, dict(machine), bundles))
    disk.write(f"{TABLE_FILE}.new", msgspec.json.encode(_File(hashlib.sha256(body).hexdigest(), msgspec.Raw(body))))
    disk.rename(f"{TABLE_FILE}.new", TABLE_FILE)
    disk.sync()


def load_records(disk: Disk, machine: Mapping[str, str]) -> tuple[Records, str]:
    """Read what was measured on this machine.

    Args:
        disk: where the file is.
        machine: what the times depend on.

    Returns:
        The records and "", or none and why there are none.

    Raises:
        StateDamaged: the file is not what was written.
        Unavailable: the disk fails.
    """
    if not disk.exists(TABLE_FILE):
        return {}, "nothing was measured yet"
    try:
        file = msgspec.json.decode(disk.read(TABLE_FILE, MOST_BYTES), type=_File)
        if hashlib.sha256(file.body).hexdigest() != file.sha256:
            raise StateDamaged(f"{TABLE_FILE} is not what was written", hint="it is measured anew")
        if msgspec.json.decode(file.body, type=_Head).version != VERSION:
            return {}, "measured by another version of the program"
        body = msgspec.json.decode(file.body, type=_Body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise StateDamaged(f"{TABLE_FILE} cannot be read: {error}", hint="it is measured anew") from error
    if other := [key for key, value in machine.items() if body.machine.get(key) != value]:
        was = ", ".join(f"{key} {body.machine.get(key, 'none')[:40]}" for key in other)
        return {}, f"measured with other things: {was}"
    return {digest: _read(known) for digest, known in body.bundles.items()}, ""


def _written(record: Record) -> _Bundle:
    ways = tuple(
        _Way({role: words_of(spot) for role, spot in way.spots.items()}, way.p50_ms, way.p99_ms, way.beside, way.error)
        for way in record.ways
    )
    devices = tuple((*device, what) for device, what in record.devices.items())
    return _Bundle(_answers(record.first), _answers(record.lived), record.left_ms, record.anew, ways, devices)


def _read(known: _Bundle) -> Record:
    ways = tuple(
        Whole({role: spot_of(spot) for role, spot in way.spots.items()}, way.p50_ms, way.p99_ms, way.beside, way.error)
        for way in known.ways
    )
    devices = {DeviceName(runtime, kind): what for runtime, kind, what in known.devices}
    return Record(_timings(known.first), _timings(known.lived), known.left_ms, known.anew, ways, devices)


def _answers(rows: tuple[Timing, ...]) -> tuple[Answer, ...]:
    return tuple(Answer(t.role, words_of(t.spot), t.p50_ms, t.p99_ms, t.runs, t.error, t.spot.pieces) for t in rows)


def _timings(answers: tuple[Answer, ...]) -> tuple[Timing, ...]:
    return tuple(answer.timing() for answer in answers)
