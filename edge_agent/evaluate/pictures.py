"""The embeddings of a folder of class folders, made by the same runtime and pre-processing as on the station.

Each embedding is made when it is first needed and kept; no picture is. What cannot be used is said and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from edge_agent.config import EngineConfig, RecipeConfig
from edge_agent.errors import BadData
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import variant_of
from edge_agent.printing import warn
from edge_agent.sources.files import list_class_folders, read_picture
from models import Bundle, Knowledge
from models.augment import AUGMENTATIONS
from models.episodes import Episode

Rows = NDArray[np.int16]

_TOO_FEW: Final = {1: "no known class has", 2: "fewer than two classes have", 3: "fewer than three classes have"}


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

    def rows(self, slug: str, names: Sequence[str]) -> Rows:
        """Give the embeddings of pictures as they are, shape (n, d)."""
        rows = np.zeros((len(names), self.bundle.blocks[-1].stop), dtype=np.int16)
        for row, name in zip(rows, names, strict=True):
            row[:] = self.variant(slug, name, 0)
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


@contextmanager
def opened(options: EvaluateOptions) -> Iterator[Pictures]:
    """List the folder and load the bundle; release the engines afterwards.

    Args:
        options: what a person chose.

    Yields:
        The pictures, none encoded yet.

    Raises:
        BadData: the options do not fit the folder.
        ConfigError: the bundle is refused.
    """
    listed = {slug: {path.name: path for path in paths} for slug, paths in list_class_folders(options.folder).items()}
    options.check(listed)
    bundle = load_bundle(RecipeConfig(bundle=options.bundle).bundle_dir)
    encoder = Encoder.load(bundle, EngineConfig())
    try:
        yield Pictures(bundle, encoder, listed)
    finally:
        encoder.close()


def usable(
    pictures: Pictures, options: EvaluateOptions, progress: Progress
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Encode every picture once.

    Args:
        pictures: all of the folder.
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The names of the usable pictures by class, and a line for each thing that is left out.

    Raises:
        BadData: too few classes have enough of them, or an unknown class has none.
    """
    left_out: list[str] = []
    names: dict[str, list[str]] = {}
    task = progress.add_task("encoding", total=sum(map(len, pictures.paths.values())))
    for slug, paths in pictures.paths.items():
        good: list[str] = []
        for name in paths:
            try:
                pictures.variant(slug, name, 0)
                good.append(name)
            except BadData as error:
                left_out.append(error.message)
                warn(error)
            progress.advance(task)
        taught = 0 if slug in options.unknown else options.shots
        if len(good) > taught:
            names[slug] = good
        else:
            few = BadData(f"class {slug} has {len(good)} usable pictures, more than {taught} are needed")
            left_out.append(few.message)
            warn(few)
    if without := set(options.unknown) & pictures.paths.keys() - names.keys():
        raise BadData(
            f"{options.folder}: no usable picture of {', '.join(sorted(without))} to ask about", hint="add pictures"
        )
    if len(names.keys() - set(options.unknown)) < options.known_at_least:
        raise BadData(
            f"{options.folder}: {_TOO_FEW[options.known_at_least]} more than {options.shots} usable pictures",
            hint="add pictures, or teach fewer: --shots",
        )
    return names, tuple(left_out)
