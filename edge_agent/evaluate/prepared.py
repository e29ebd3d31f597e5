"""What an evaluation of embeddings begins with: a folder's usable pictures, encoded, and what its figures hold for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.progress import Progress

from edge_agent.config import EngineConfig, RecipeConfig
from edge_agent.errors import BadData
from edge_agent.evaluate.conditions import Conditions, conditions
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.pictures import Pictures, each_made, leave_out
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.sources.files import list_class_folders

_TOO_FEW: Final = {1: "no known class has", 2: "fewer than two classes have", 3: "fewer than three classes have"}


@dataclass(frozen=True, eq=False)
class Prepared:
    """What an evaluation begins with.

    Attributes:
        options: what a person chose.
        pictures: all of the folder.
        names: of the usable ones, by class.
        left_out: a line for each thing that is not used.
        clock: tells the time.
        started_s: when it began [s].
    """

    options: EvaluateOptions
    pictures: Pictures
    names: dict[str, list[str]]
    left_out: tuple[str, ...]
    clock: Clock
    started_s: float

    @property
    def kinds(self) -> bool:
        """All folders are kinds of defects, none is that of good parts."""
        return self.pictures.bundle.normal not in self.names

    def conditions(self, tested: int) -> Conditions:
        """Say at the end what the figures hold for."""
        seconds = self.clock.now() - self.started_s
        return conditions(self.options, self.pictures.bundle, self.names, self.left_out, tested, seconds)


@contextmanager
def prepared(options: EvaluateOptions, progress: Progress) -> Iterator[Prepared]:
    """List the folder, load the bundle and encode every picture once; release the engines afterwards.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Yields:
        What there is to ask about.

    Raises:
        BadData: the options do not fit the folder, or too few classes have enough usable pictures.
        ConfigError: the bundle is refused.
    """
    clock = SystemClock()
    started_s = clock.now()
    listed = {slug: {path.name: path for path in paths} for slug, paths in list_class_folders(options.folder).items()}
    options.check(listed)
    bundle = load_bundle(RecipeConfig(bundle=options.bundle).resolved(Path.cwd()).bundle_dir)
    encoder = Encoder.load(bundle, EngineConfig())
    try:
        pictures = Pictures(bundle, encoder, listed)
        names, left_out = _usable(pictures, options, progress)
        yield Prepared(options, pictures, names, left_out, clock, started_s)
    finally:
        encoder.close()


def _usable(
    pictures: Pictures, options: EvaluateOptions, progress: Progress
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Give the names of the usable pictures by class, and a line for each thing that is left out."""
    left_out: list[str] = []
    names: dict[str, list[str]] = {}
    for slug, good in each_made(pictures.paths, pictures.first, progress, left_out).items():
        taught = 0 if slug in options.unknown else options.shots
        if len(good) > taught:
            names[slug] = list(good)
        else:
            few = BadData(f"class {slug} has {len(good)} usable pictures, more than {taught} are needed")
            leave_out(few, left_out)
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
