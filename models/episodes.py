"""Few-shot episodes: which pictures of a labelled folder are shown as shots and which are asked about.

Pure: names in, splits out, the same for the same seed on every machine. It opens no picture and judges nothing.

Recordings come in runs: pictures with consecutive numbers often show the same piece a moment later, and a shot next to
its test picture would make any classifier look good. So a picture whose number is within `NEIGHBOURS` of a shot's, in
the same class, is neither shot nor test in that episode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np

NEIGHBOURS: Final = 2
"""How far numbers may differ and still be taken for the same scene."""

_NUMBER: Final = re.compile(r"(\d+)\D*\Z")


@dataclass(frozen=True)
class Episode:
    """One split.

    Attributes:
        shots: names taught, by class.
        tests: names asked about, by class; empty where neighbours left nothing.
        left_out: how many names are neither, because they are neighbours of a shot.
    """

    shots: dict[str, tuple[str, ...]]
    tests: dict[str, tuple[str, ...]]
    left_out: int


def number_of(name: str) -> int | None:
    """Give the last number in a file's name without its suffix; None where it has none."""
    found = _NUMBER.search(PurePath(name).stem)
    return int(found[1]) if found else None


def draw_episodes(
    classes: Mapping[str, Sequence[str]], shots: int, episodes: int, seed: int, neighbours: int = NEIGHBOURS
) -> Iterator[Episode]:
    """Draw splits of a labelled collection.

    Args:
        classes: names of the pictures by class; their order does not matter.
        shots: how many of each class are taught, 1 or more.
        episodes: how many splits.
        seed: names the draw.
        neighbours: how far numbers may differ and still be left out; 0 leaves out nothing but equal numbers.

    Yields:
        The splits; each is drawn anew from all names.

    Raises:
        ValueError: a class has not even one picture more than `shots`; names it.
    """
    if shots < 1:
        raise ValueError(f"shots must be 1 or more, got {shots}")
    if poor := [f"{name} ({len(names)})" for name, names in sorted(classes.items()) if len(names) <= shots]:
        raise ValueError(f"more than {shots} pictures are needed of each class: {', '.join(poor)}")
    ordered = {name: sorted(classes[name]) for name in sorted(classes)}
    for episode in range(episodes):
        rng = np.random.default_rng((seed, episode))
        taught: dict[str, tuple[str, ...]] = {}
        asked: dict[str, tuple[str, ...]] = {}
        for name, pictures in ordered.items():
            chosen = sorted(rng.choice(len(pictures), shots, replace=False))
            taught[name] = tuple(pictures[i] for i in chosen)
            asked[name] = _far_from(pictures, taught[name], neighbours)
        seen = sum(len(names) for split in (taught, asked) for names in split.values())
        yield Episode(taught, asked, sum(map(len, ordered.values())) - seen)


def consecutive(names: Sequence[str], start: int, count: int) -> tuple[list[str], list[str]]:
    """Take one run of consecutive pictures out of a collection.

    Args:
        names: of the pictures.
        start: which of them, by number, is the first of the run.
        count: how long it is; the last picture is followed by the first.

    Returns:
        The run; and those of the others that are no neighbour of one of it, in the order that follows.
    """
    ordered = sorted(names, key=lambda name: (number_of(name) or 0, name))
    turned = ordered[start:] + ordered[:start]
    return turned[:count], list(_far_from(turned[count:], turned[:count], NEIGHBOURS))


def _far_from(pictures: Sequence[str], shots: Sequence[str], neighbours: int) -> tuple[str, ...]:
    """Give the pictures that are no shot and no neighbour of one."""
    taken = [number for shot in shots if (number := number_of(shot)) is not None]
    kept = []
    for picture in pictures:
        number = number_of(picture)
        near = number is not None and any(abs(number - other) <= neighbours for other in taken)
        if picture not in shots and not near:
            kept.append(picture)
    return tuple(kept)
