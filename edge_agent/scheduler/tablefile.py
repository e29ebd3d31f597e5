"""Keeps what was measured on the disk: valid for one bundle on one machine with the runtimes it was measured with.

Anything else is measured anew; a file that cannot be read is as good as none, and is said.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Final

import msgspec

from edge_agent.engines.pool import RUNTIMES
from edge_agent.errors import StateDamaged
from edge_agent.runtime.disk import Disk
from edge_agent.runtime.machine import cores, processor
from edge_agent.scheduler.latency import Timing
from edge_agent.scheduler.trial import Answer, words_of
from models import Bundle

VERSION: Final = 1


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    machine: dict[str, str]
    rows: tuple[Answer, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    body: msgspec.Raw


def fingerprint(bundle: Bundle) -> dict[str, str]:
    """Say what the times depend on."""
    known = {"processor": processor(), "cores": str(cores()), "bundle": bundle.digest}
    return known | {runtime: version(runtime) for runtime in RUNTIMES}


def save_table(disk: Disk, name: str, machine: dict[str, str], rows: tuple[Timing, ...]) -> None:
    """Write the rows: the old file or the new one after a power cut; raises `Unavailable` where the disk fails."""
    answers = tuple(Answer(t.role, words_of(t.spot), t.p50_ms, t.p99_ms, t.runs, t.error) for t in rows)
    body = msgspec.json.encode(_Body(VERSION, machine, answers))
    disk.write(f"{name}.new", msgspec.json.encode(_File(hashlib.sha256(body).hexdigest(), msgspec.Raw(body))))
    disk.rename(f"{name}.new", name)
    disk.sync()


def load_table(disk: Disk, name: str, machine: dict[str, str]) -> tuple[tuple[Timing, ...], str]:
    """Read the rows of this machine and bundle.

    Args:
        disk: where the file is.
        name: of the file.
        machine: what the times depend on.

    Returns:
        The rows and "", or no rows and why there are none.

    Raises:
        StateDamaged: the file is not what was written.
        Unavailable: the disk fails.
    """
    if not disk.exists(name):
        return (), "nothing was measured yet"
    try:
        file = msgspec.json.decode(disk.read(name), type=_File)
        if hashlib.sha256(file.body).hexdigest() != file.sha256:
            raise StateDamaged(f"{name} is not what was written", hint="it is measured anew")
        body = msgspec.json.decode(file.body, type=_Body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise StateDamaged(f"{name} cannot be read: {error}", hint="it is measured anew") from error
    if other := [key for key, value in machine.items() if body.machine.get(key) != value]:
        was = ", ".join(f"{key} {body.machine.get(key, 'none')[:40]}" for key in other)
        return (), f"measured with other things: {was}"
    return tuple(answer.timing() for answer in body.rows), ""
