"""Splits samples by physical thing, and proves that no side knows what another one is asked.

Pure and deterministic: names in, names out. A figure measured on things that a model has seen is worth nothing, so a
split that leaks is an error and not a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from models.workshop.data.sample import Entry, ordered_classes, refuse_single_examples
from models.workshop.data.ties import Prints, ties, units
from models.workshop.errors import WorkshopError

SHARES: Final[Mapping[str, float]] = {"train": 0.7, "val": 0.15, "test": 0.15}

KEPT: Final = "kept"
HELD: Final = "held_out"

SHOWN: Final = 5
"""Leaks named in the message; more are counted only."""
ROWS: Final = 30
"""Classes in the table; more are counted only."""

Sides = Mapping[str, tuple[Entry, ...]]
"""The samples of each side, by its name."""


def split(
    entries: Sequence[Entry],
    shares: Mapping[str, float] = SHARES,
    *,
    seed: int,
    prints: Prints | None = None,
    near_bits: int | None = None,
) -> Sides:
    """Share samples out so that no thing is on two sides and every class is on every side, as far as things allow.

    Of every class, large things are placed before small ones, each where most of the class is missing; the last ones go
    to the sides that still lack the class. So a class of few things is on the largest side first, then on the last.

    Args:
        entries: the samples.
        shares: of the samples of each class that each side should get; they add up to 1.
        seed: names the choice.
        prints: fingerprints by key, so that copies of a sample stay together too.
        near_bits: see `ties`; what looks almost the same stays together too.

    Returns:
        The sides, in the order of `shares`, each in the order of `entries`.

    Raises:
        WorkshopError: the shares are no shares, a class has one example, or all of its examples belong together.
    """
    _check_shares(shares)
    refuse_single_examples(entries, "the samples to split")
    groups = units(entries, ties(entries, prints or {}, near_bits))
    counts = [Counter(entry.label for entry in group) for group in groups]
    if len(shares) > 1:
        _refuse_single_units(counts, groups)
    placed = _placed(counts, shares, seed)
    side_of = {entry.key: side for group, side in zip(groups, placed, strict=True) for entry in group}
    return {side: tuple(entry for entry in entries if side_of[entry.key] == side) for side in shares}


def hold_out(entries: Sequence[Entry], *, classes: Collection[str] = (), things: Collection[str] = ()) -> Sides:
    """Set samples apart that are of one of some classes or show one of some things.

    Args:
        entries: the samples.
        classes: slugs.
        things: names of things.

    Returns:
        What is `kept` and what is `held_out`. Where held-out samples show things that kept ones show too, `check_leak`
        says so.

    Raises:
        WorkshopError: no sample is of such a class or shows such a thing, or none is kept.
    """
    known = {entry.label for entry in entries}, {thing for entry in entries for thing in entry.things}
    if unknown := sorted({*classes} - known[0] | {*things} - known[1]):
        raise WorkshopError(f"nothing to hold out: no sample of {', '.join(map(repr, unknown))}")
    held = {e.key for e in entries if e.label in classes or not set(things).isdisjoint(e.things)}
    kept = tuple(entry for entry in entries if entry.key not in held)
    if not kept or not held:
        raise WorkshopError(f"{len(held)} of {len(entries)} samples would be held out", hint="leave some on each side")
    return {KEPT: kept, HELD: tuple(entry for entry in entries if entry.key in held)}


def check_leak(sides: Sides, prints: Prints, *, near_bits: int | None = None) -> None:
    """Make sure that no side shows what another side shows.

    Args:
        sides: the split.
        prints: fingerprints of all samples, by key.
        near_bits: see `ties`; None where pictures may look alike.

    Raises:
        WorkshopError: the same sample, a thing or a content is on two sides; names them.
    """
    entries = [entry for side in sides.values() for entry in side]
    if entries and not prints:
        raise WorkshopError("without fingerprints nobody can say whether a split leaks", hint="survey the samples")
    on: dict[str, set[str]] = {}
    for side, members in sides.items():
        for entry in members:
            on.setdefault(entry.key, set()).add(side)
    leaks = []
    for tie in ties(entries, prints, near_bits):
        found = {side: [key for key in tie.keys if side in on[key]] for side in sides}
        where = [f"{side} ({_named(keys)})" for side, keys in found.items() if keys]
        if len(where) > 1:
            leaks.append(f"{tie.why} is in {' and '.join(where)}")
    if leaks:
        more = f"; and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
        raise WorkshopError(
            f"the split leaks: {'; '.join(leaks[:SHOWN])}{more}", hint="split by thing, with the fingerprints"
        )


def describe(sides: Sides) -> str:
    """Give a table of the samples and, in brackets, the things of each class on each side; 0 stands for none there."""
    classes = ordered_classes(entry.label for side in sides.values() for entry in side)
    rows = [["samples (things)", *sides]]
    for label in classes[:ROWS]:
        rows.append([label, *(_cell(e for e in side if e.label == label) for side in sides.values())])
    if len(classes) > ROWS:
        rows.append([f"… and {len(classes) - ROWS} more classes", *("" for _ in sides)])
    rows.append(["all", *map(_cell, sides.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def _check_shares(shares: Mapping[str, float]) -> None:
    if not shares or not all(0.0 < share <= 1.0 for share in shares.values()) or abs(sum(shares.values()) - 1.0) > 1e-6:
        raise WorkshopError(
            f"shares must be above 0 and add up to 1, got {dict(shares)}", hint="for example train 0.7, test 0.3"
        )


def _refuse_single_units(counts: Sequence[Counter[str]], groups: Sequence[Sequence[Entry]]) -> None:
    """Make sure that every class can be on two sides."""
    having = Counter(label for count in counts for label in count)
    for label in ordered_classes(having):
        if having[label] == 1:
            (group,) = [group for group, count in zip(groups, counts, strict=True) if label in count]
            examples = [entry for entry in group if entry.label == label]
            things = sorted({thing for entry in examples for thing in entry.things})
            raise WorkshopError(
                f"class {label} cannot be split: all {len(examples)} examples belong together ({_named(things)})",
                hint="add examples of other things; where neighbouring numbers are other things, say neighbours=0",
            )


def _placed(counts: Sequence[Counter[str]], shares: Mapping[str, float], seed: int) -> list[str]:
    """Choose a side for each unit.

    Args:
        counts: samples of each class in each unit.
        shares: of each side.
        seed: of the order of units of about the same size.

    Returns:
        The side of each unit.
    """
    totals: Counter[str] = sum(counts, Counter())
    missing = {side: {label: share * totals[label] for label in totals} for side, share in shares.items()}
    lacking = {label: [*shares][::-1] for label in totals}
    left = Counter(label for count in counts for label in count)
    shuffled = np.random.default_rng(seed).permutation(len(counts)).tolist()
    placed = [""] * len(counts)
    for i in sorted(shuffled, key=lambda i: -counts[i].total().bit_length()):
        reserved = [side for label in counts[i] if left[label] <= len(lacking[label]) for side in lacking[label]]
        need = {
            side: sum(n * missing[side][label] / totals[label] for label, n in counts[i].items())
            for side in reserved or [*shares][::-1]
        }
        placed[i] = side = max(need, key=lambda side: need[side])
        for label, n in counts[i].items():
            missing[side][label] -= n
            left[label] -= 1
            lacking[label] = [other for other in lacking[label] if other != side]
    return placed


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _cell(entries: Iterable[Entry]) -> str:
    of_class = list(entries)
    return f"{len(of_class)} ({len({thing for entry in of_class for thing in entry.things})})" if of_class else "0"
