"""A station as somebody sees it who only looks: running or not, its ledger, its evidence and what it knows.

It has a bundle of its own and asks the running station for nothing, so that no part waits for it. Where the
configuration names another bundle than the station was last started with, it sees what the next start will judge by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.config import Config
from edge_agent.config.file import load_recipes
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.learning.draw import Drawing, good_among
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Exemplar
from edge_agent.ledger import EvidenceStore, Reader
from edge_agent.product.product import named_in_use
from edge_agent.product.recipe import Recipe
from edge_agent.records import Part
from edge_agent.runtime.disk import UntouchedDisk
from models.waveform import Waveform


class Onlooker:
    """Looks at one station.

    Args:
        config: of the station.
        recipe: the name of that one of its recipes that is meant; "": the one in use.

    Raises:
        ConfigError: the bundle is refused, or what is known was learned with another one.
        Unavailable: there is no ledger yet, or the disk fails.
        StateDamaged: the ledger is damaged.
    """

    def __init__(self, config: Config, recipe: str = "") -> None:
        disk = UntouchedDisk(Path(config.station.state_dir))
        recipes = {one.name: one for one in load_recipes(config)}
        name = recipe or named_in_use(disk)
        self.config = config = msgspec.structs.replace(config, recipe=recipes.get(name, config.recipe))
        with self.reader() as reader:
            self.evidence = EvidenceStore(disk)
            self.recipe = Recipe(config.recipe, disk)
            drawing = Drawing(config.recipe.name, config.recipe.draw_one_in)
            drawn = good_among(drawing.counted(reader, self.recipe.digests), self.recipe.bundle.normal)
        self.recipe.hold_out(drawn)
        self.held_out: NDArray[np.int16] = self.recipe.held_out.rows

    def reader(self) -> Reader:
        """Open the reading side of the ledger."""
        return Reader(Path(self.config.station.state_dir))

    def part(self, number: int) -> Part:
        """Give a recorded part of this recipe.

        Args:
            number: as the ledger numbers it.

        Returns:
            The part.

        Raises:
            BadData: there is none, or it was judged by another recipe.
        """
        with self.reader() as reader:
            part = reader.part(number)
        recipe = self.config.recipe.name
        if part.recipe != recipe:
            raise BadData(
                f"part {number} was judged by recipe {part.recipe!r}, and this station's is {recipe!r}",
                hint="give the configuration with that recipe: -c FILE; [recipe] name and [station] recipes say which",
            )
        return part

    def window(self, part: Part) -> Waveform | None:
        """Give the vibration window of a part and its rate [Hz]; None where none is kept, or it is damaged."""
        try:
            return self.evidence.window(part)
        except EdgeAgentError:
            return None

    def example(self, exemplar: Exemplar) -> Example | None:
        """Give what an exemplar was made from; None where it was not kept, or is damaged."""
        try:
            return self.recipe.example_of(exemplar)
        except EdgeAgentError:
            return None

    def picture(self, part: Part) -> bytes | None:
        """Give the picture of a part as PNG; None where none is kept, or it is damaged."""
        try:
            return self.evidence.picture(part)
        except EdgeAgentError:
            return None

    def called(self, slug: str | None) -> str:
        """Give what people call a class; None is none."""
        return "no class" if slug is None else self.recipe.learned.names.get(slug, slug)


def recipe_of(config: Config, number: int) -> str:
    """Give the name of the recipe that judged a recorded part; "" where there is no such part."""
    try:
        with Reader(Path(config.station.state_dir)) as reader:
            return reader.part(number).recipe
    except BadData:
        return ""


def local_time(utc: float) -> str:
    """Give a wall time [s since the epoch] as the clock on the wall shows it, to the second."""
    return datetime.fromtimestamp(utc, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
