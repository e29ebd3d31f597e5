"""Which samples belong on one side of a split: those that show the same thing, or have the same content.

Pure; names in, groups of names out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.workshop.data.sample import Entry
from models.workshop.data.survey import Fingerprint
from models.workshop.errors import WorkshopError

ROWS: Final = 1024
"""Looks compared with all others at a time: bounds the memory."""

Prints = Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Tie:
    """Why samples belong together.

    Attributes:
        why: what they share.
        keys: of the samples, two or more.
    """

    why: str
    keys: tuple[str, ...]


def ties(entries: Sequence[Entry], prints: Prints, near_bits: int | None = None) -> list[Tie]:
    """Find everything that ties samples together.

    Args:
        entries: the samples; the same one twice is tied to itself.
        prints: fingerprints by key; empty where content does not matter.
        near_bits: pictures of a class whose looks differ in at most so many of 128 bits are tied too; None for none.

    Returns:
        The ties; a sample may be in several or in none.

    Raises:
        WorkshopError: there are fingerprints, but not of every sample.
    """
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(f"sample {entry.key!r}", []).append(entry.key)
        for thing in set(entry.things):
            groups.setdefault(f"thing {thing!r}", []).append(entry.key)
    if prints:
        for entry in entries:
            found = _print_of(entry, prints)
            if found.picture:
                groups.setdefault(f"the same picture (SHA-256 {found.picture[:12]}…)", []).append(entry.key)
            if found.samples:
                groups.setdefault(f"the same vibration (SHA-256 {found.samples[:12]}…)", []).append(entry.key)
    made = [Tie(why, tuple(keys)) for why, keys in groups.items() if len(keys) > 1]
    return made if near_bits is None else [*made, *_near(entries, prints, near_bits)]


def units(entries: Sequence[Entry], tied: Iterable[Tie]) -> list[list[Entry]]:
    """Give the groups of samples that are tied directly or through others, in the order of their first samples."""
    parent = {entry.key: entry.key for entry in entries}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    for tie in tied:
        first = root(tie.keys[0])
        for key in tie.keys[1:]:
            parent[root(key)] = first
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(root(entry.key), []).append(entry)
    return list(groups.values())


def _print_of(entry: Entry, prints: Prints) -> Fingerprint:
    try:
        return prints[entry.key]
    except KeyError:
        raise WorkshopError(
            f"no fingerprint of sample {entry.key!r}", hint="survey the samples, and split the usable ones"
        ) from None


def _near(entries: Sequence[Entry], prints: Prints, near_bits: int) -> Iterator[Tie]:
    """Find pairs of pictures of a class that look almost the same."""
    looks: dict[str, dict[str, bytes]] = {}
    for entry in entries:
        if look := _print_of(entry, prints).look:
            looks.setdefault(entry.label, {})[entry.key] = look
    for of_class in looks.values():
        keys = list(of_class)
        bits = np.unpackbits(np.frombuffer(b"".join(of_class.values()), np.uint8).reshape(len(keys), -1), axis=1)
        signs = bits.astype(np.float32) * 2.0 - 1.0
        for start in range(0, len(keys), ROWS):
            differing = (signs.shape[1] - signs[start : start + ROWS] @ signs.T) / 2.0
            for i, j in np.argwhere(differing <= near_bits).tolist():
                if start + i < j:
                    yield Tie(f"pictures that differ in {differing[i, j]:.0f} of 128 bits", (keys[start + i], keys[j]))
