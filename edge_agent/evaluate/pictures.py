"""The embeddings of a folder of class folders, made by the same runtime and pre-processing as on the station.

Each embedding is made when it is first needed and kept; no picture is. What cannot be used is said and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from edge_agent.errors import BadData
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import variant_of
from edge_agent.sources.files import read_picture
from edge_agent.terminal.printing import warn
from models import Bundle, Knowledge
from models.augment import AUGMENTATIONS
from models.episodes import Episode

Rows = NDArray[np.int16]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Encoded:
    """The embeddings of one episode.

    Attributes:
        shots: by class in sorted order and by picture, shape (variants, d).
        tests: by class in sorted order, shape (n, d).
    """

    shots: tuple[tuple[Rows, ...], ...]
    tests: tuple[Rows, ...]


@dataclass
class Pictures:
    """The embeddings of a folder's pictures, made when they are first needed.

    Args:
        bundle: what makes them.
        encoder: the bundle, loaded.
        paths: of the pictures, by class and name; each is read again for each variant, so that none is held.
    """

    bundle: Bundle
    encoder: Encoder
    paths: Mapping[str, Mapping[str, Path]]
    _made: dict[tuple[str, str, int], Rows] = field(default_factory=dict)

    def variant(self, slug: str, name: str, k: int) -> Rows:
        """Give the embedding of a picture's variant `k`, shape (d,); variant 0 is the picture itself."""
        if (slug, name, k) not in self._made:
            image = variant_of(Example(name, read_picture(self.paths[slug][name])), k).image
            self._made[slug, name, k] = self.encoder.encode(image, None).q
        return self._made[slug, name, k]

    def first(self, slug: str, name: str) -> Rows:
        """Give the embedding of a picture as it is, shape (d,)."""
        return self.variant(slug, name, 0)

    def rows(self, slug: str, names: Sequence[str]) -> Rows:
        """Give the embeddings of pictures as they are, shape (n, d)."""
        rows = np.zeros((len(names), self.bundle.blocks[-1].stop), dtype=np.int16)
        for row, name in zip(rows, names, strict=True):
            row[:] = self.first(slug, name)
        return rows

    def sample(self, slug: str, name: str) -> Rows:
        """Give the embeddings of one picture's variants, shape (variants, d)."""
        return np.stack([self.variant(slug, name, k) for k in range(AUGMENTATIONS)])

    @property
    def nothing(self) -> Knowledge:
        """Knowledge of nothing, to be taught with these embeddings."""
        return Knowledge.empty("evaluate", self.bundle.digest, self.bundle.blocks)

    def encoded(self, episode: Episode) -> Encoded:
        """Give the embeddings of an episode."""
        return Encoded(
            tuple(tuple(self.sample(slug, name) for name in names) for slug, names in sorted(episode.shots.items())),
            tuple(self.rows(slug, names) for slug, names in sorted(episode.tests.items())),
        )


def each_made(
    paths: Mapping[str, Mapping[str, Path]], make: Callable[[str, str], T], progress: Progress, left_out: list[str]
) -> dict[str, dict[str, T]]:
    """Make something of every picture of a folder; what cannot be used is said and left out.

    Args:
        paths: of the pictures, by class and name.
        make: makes it of a picture, given by class and name; raises `BadData` where that cannot be used.
        progress: shows how far it is.
        left_out: takes a line for each picture that is.

    Returns:
        What was made, by class and name.
    """
    task = progress.add_task("encoding", total=sum(map(len, paths.values())))
    made: dict[str, dict[str, T]] = {slug: {} for slug in paths}
    for slug, names in paths.items():
        for name in names:
            try:
                made[slug][name] = make(slug, name)
            except BadData as error:
                leave_out(error, left_out)
            progress.advance(task)
    return made


def leave_out(error: BadData, left_out: list[str]) -> None:
    """Say why something is not used."""
    left_out.append(error.message)
    warn(error)
