"""Evidence to hand to the tests of what keeps it: pictures and windows of numbered parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ledger_parts import part

from edge_agent.ledger import EvidenceStore, windows
from edge_agent.records import Outcome, Part
from edge_agent.runtime.disk import Disk


def opened(disk: Disk, max_bytes: int = 10**6, kind: type[EvidenceStore] = EvidenceStore) -> EvidenceStore:
    store = kind(disk, max_bytes)
    store.open()
    return store


def picture(number: int, size_bytes: int = 100) -> bytes:
    return bytes([number]) * size_bytes


def window(number: int) -> bytes:
    return windows.encoded(np.full((8, 3), number, np.float32), 1000.0)


WINDOW_BYTES = len(window(1))


def put(store: EvidenceStore, number: int, outcome: Outcome = Outcome.NG, size_bytes: int = 100) -> Part:
    """Keep a picture of part `number`; give the part as its row has it."""
    judged = part(number, outcome=outcome)
    return replace(judged, picture=store.put(judged, picture(number, size_bytes)))


def put_both(store: EvidenceStore, number: int, outcome: Outcome = Outcome.NG, shown: int | None = None) -> Part:
    judged = part(number, outcome=outcome)
    shown = number if shown is None else shown
    return replace(judged, picture=store.put(judged, picture(shown), window(number)))


def has(store: EvidenceStore, *parts: Part) -> list[tuple[bool, bool]]:
    """Whether picture and window of each part are there."""
    return [(store.picture(p) is not None, store.window(p) is not None) for p in parts]
