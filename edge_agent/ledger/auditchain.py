"""The audit as a chain: each row's hash covers the row before, so that nobody can change one without the others. Pure.

hash = SHA-256 of: previous, newline, utc with three decimals, newline, kind, newline, body      (UTF-8)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class AuditRow:
    """A row of the audit.

    Attributes:
        id: its number; they grow, but some may never have been given out.
        utc: wall time [s since the epoch], whole milliseconds.
        kind: `command`, or `refused`.
        body: what happened, a JSON object.
        previous: hash of the row before, "" for the first.
        hash: of this one.
    """

    id: int
    utc: float
    kind: str
    body: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Verified:
    """What came of walking the chain.

    Attributes:
        rows: that fit.
        head: hash of the last of them, "" without one.
        fault: the first row that does not fit, and why; "" where all do.
    """

    rows: int
    head: str
    fault: str = ""


def hash_of(previous: str, utc: float, kind: str, body: str) -> str:
    """Give the hash of a row.

    Args:
        previous: hash of the row before, "" for the first.
        utc: wall time [s since the epoch].
        kind: of the fact.
        body: the fact, JSON.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(f"{previous}\n{utc:.3f}\n{kind}\n{body}".encode()).hexdigest()


def verify(rows: Iterable[AuditRow], head: str = "") -> Verified:
    """Walk the chain.

    Args:
        rows: all of them, oldest first.
        head: a hash that is known from elsewhere and must be among them; "" for none. A chain whose end was cut off
            still fits together; only who remembers a hash of that end can tell.

    Returns:
        How far it fits.
    """
    count, last, seen = 0, "", not head
    for row in rows:
        if row.previous != last:
            return Verified(count, last, f"row {row.id} follows another row than the one before it")
        if row.hash != hash_of(row.previous, row.utc, row.kind, row.body):
            return Verified(count, last, f"row {row.id} is not what was written")
        count, last = count + 1, row.hash
        seen = seen or last == head
    return Verified(count, last, "" if seen else f"no row has the hash {head[:64]}: the end was cut off, or exchanged")
